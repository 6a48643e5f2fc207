/* write.c - the bytes of claimed pages into the file. */
#include "backing/write.h"

#include <errno.h>
#include <string.h>

#include "backing/keeper.h"
#include "core/broken.h"
#include "section/stamp.h"
#include "section/window.h"
#include "trace/counters.h"

/* The kernel could not read the window: a page of a hole for which the section directory has no
 * room (its store never happened: it raised SIGBUS).  Reading the data doesn't need room. */
static int
write_aside(struct section *section, const unsigned char *fence, uint64_t at, uint64_t end,
            size_t *put) {
  size_t len = end - at < KEEPER_BUFFER ? (size_t)(end - at) : KEEPER_BUFFER;
  size_t got;
  int error = data_read(section, keeper_buffer(), len, at, &got);
  struct iovec vec = { .iov_base = keeper_buffer(), .iov_len = got };
  *put = 0;
  if (error || got == 0)
    return error;
  return fence_is_wanted(section) ? data_write_file(section, fence, keeper_buffer(), got, at, put)
                                  : host_write(section->file_fd, &vec, 1, at, put);
}

/* Bytes of the window.  Where pages have twins, what we write after others have taken them over would
 * not be what their twins say (models/ahead.pml, NO_FENCE_WHOLE): so the first byte comes from the
 * fence, and is read by a system call before. */
static int
write_window(struct section *section, const unsigned char *fence, unsigned char *from, uint64_t at,
             uint64_t end, size_t *put) {
  unsigned char byte;
  size_t got;
  struct iovec vec[2] = { { .iov_base = from, .iov_len = (size_t)(end - at) } };
  if (!fence_is_wanted(section) || data_read(section, &byte, 1, at, &got) || got < 1)
    return host_write(section->file_fd, vec, 1, at, put);
  vec[1] = (struct iovec){ .iov_base = from + 1, .iov_len = (size_t)(end - at - 1) };
  vec[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)(fence + byte), .iov_len = 1 };
  return host_write(section->file_fd, vec, 2, at, put);
}

int
write_run(struct section *section, const unsigned char *fence, uint64_t first, uint64_t n,
          uint64_t *done) {
  unsigned char *from;
  *done = 0;
  int error = window_cover(section, first, n, &from);
  uint64_t offset = first << host_config.page_shift;
  uint64_t size = atomic_load(&section->control->size);
  uint64_t end = (first + n) << host_config.page_shift;
  if (end > size && !broken_is(GROWS_FILE))
    end = broken_is(FORGETS_TAIL) ? size & ~(uint64_t)(host_config.page_size - 1) : size;
  uint64_t at = offset;
  while (at < end && !error) {
    size_t put;
    error = write_window(section, fence, from + (at - offset), at, end, &put);
    if (error == EFAULT) /* or the fence is cut off */
      error = write_aside(section, fence, at, end, &put);
    if (!error && put == 0)
      error = EIO;
    if (!error) {
      at += put;
      counter_add(COUNT_WRITES, 1);
      counter_add(COUNT_BYTES_WRITTEN, put);
    }
  }
  *done = at >= end ? n : (at - offset) >> host_config.page_shift;
  counter_add(COUNT_PAGES_WRITTEN, *done);
  return error;
}

static int
write_chunk(struct section *section, const unsigned char *fence, uint64_t first, uint64_t n,
            uint64_t *done) {
  struct stamp stamps[KEEPER_BUFFER / 4096];
  unsigned char *bytes = keeper_buffer();
  size_t page_size = host_config.page_size;
  size_t len = (size_t)n * page_size;
  size_t got, put;
  uint64_t offset = first << host_config.page_shift;
  bool has_place = !stamp_ready(section, first, n);
  int error = data_read(section, bytes, len, offset, &got);
  if (error)
    return error;
  memset(bytes + got, 0, len - got);
  for (uint64_t i = 0; i < n; i++)
    stamps[i] = stamp_of(bytes + i * page_size, page_size);
  uint64_t size = atomic_load(&section->control->size);
  if (offset + len > size)
    len = size > offset ? (size_t)(size - offset) : 0;
  error = len ? data_write_file(section, fence, bytes, len, offset, &put) : 0;
  *done = error ? put >> host_config.page_shift : n;
  counter_add(COUNT_WRITES, 1);
  counter_add(COUNT_BYTES_WRITTEN, error ? put : len);
  for (uint64_t i = 0; i < n && i < *done && has_place; i++)
    if (atomic_load(section_lane(section, first + i)) & LANE_WRITING)
      stamp_set(section, first + i, stamps[i]);
  return error;
}

int
write_stamped(struct section *section, const unsigned char *fence, uint64_t first, uint64_t n,
              uint64_t *done) {
  uint64_t most = KEEPER_BUFFER >> host_config.page_shift;
  int error = 0;
  *done = 0;
  while (*done < n && !error) {
    uint64_t put = 0;
    error = write_chunk(section, fence, first + *done, n - *done < most ? n - *done : most, &put);
    *done += put;
  }
  counter_add(COUNT_PAGES_WRITTEN, *done);
  return error;
}
