/* merge.c - writing only the bytes of a page that changed.
 *
 * The page may be open while we do: what is compared and written is a copy, and what was written
 * goes into the twin.  So the twin is what the file holds, and what is stored meanwhile differs from
 * it.  Should we be stopped, and others take the page over, neither write happens (section/fence.c):
 * the copy would be too old for the file, and the twin's place somebody else's.
 */
#include "backing/merge.h"

#include <errno.h>
#include <string.h>

#include "backing/keeper.h"
#include "core/broken.h"
#include "section/stamp.h"
#include "section/twins.h"
#include "trace/counters.h"

/* The next run of differing bytes at or after *from: [*from, *to); false: there is none. */
static bool
next_change(const unsigned char *page, const unsigned char *twin, size_t len, size_t *from,
            size_t *to) {
  size_t at = *from;
  while (at < len && page[at] == twin[at])
    at++;
  *from = at;
  while (at < len && page[at] != twin[at])
    at++;
  *to = at;
  return *from < *to;
}

/* Write what differs; *end: behind the last byte that was written. */
static int
write_changes(struct section *section, const unsigned char *fence, uint64_t offset,
              const unsigned char *bytes, const unsigned char *then, size_t len, size_t *end) {
  int error = 0;
  *end = 0;
  for (size_t from = 0, to; !error && next_change(bytes, then, len, &from, &to); from = to) {
    size_t put;
    error = data_write_file(section, fence, bytes + from, to - from, offset + from, &put);
    *end = put ? from + put : *end;
    counter_add(COUNT_WRITES, 1);
    counter_add(COUNT_BYTES_WRITTEN, put);
  }
  return error;
}

int
merge_renew_twin(const unsigned char *fence, unsigned char *twin, const unsigned char *bytes,
                 size_t len) {
  struct iovec to = { twin, len };
  struct iovec from[2] = {
    { .iov_base = (void *)(uintptr_t)(fence + *bytes), .iov_len = 1 },
    { .iov_base = (void *)(uintptr_t)(bytes + 1), .iov_len = len - 1 },
  };
  size_t done = 0;
  int error = host_copy_memory(&to, 1, from, len > 1 ? 2 : 1, &done);
  return error ? error : done < len ? ECANCELED : 0;
}

/* Of what is in the file now; of a part of it, none. */
static void
set_stamp(struct section *section, uint64_t page, const unsigned char *bytes, int error) {
  struct stamp stamp = { { 0 } };
  if (!stamp_is_wanted(section) || stamp_ready(section, page, 1))
    return;
  if (!error)
    stamp = stamp_of(bytes, host_config.page_size);
  if (atomic_load(section_lane(section, page)) & LANE_WRITING)
    stamp_set(section, page, stamp);
}

int
merge_page(struct section *section, const unsigned char *fence, uint64_t page, uint8_t was,
           bool is_open) {
  struct twin twin;
  unsigned char *bytes = keeper_buffer();
  uint64_t offset = page << host_config.page_shift;
  uint64_t size = atomic_load(&section->control->size);
  size_t len = size > offset ? (size_t)(size - offset) : 0;
  size_t got, end;
  len = len < host_config.page_size ? len : host_config.page_size;
  if (!twin_find(section, page, &twin) ||
      data_read(section, bytes, host_config.page_size, offset, &got) || got < host_config.page_size)
    return ENOENT;
  if (!(atomic_load(section_lane(section, page)) & LANE_WRITING))
    return ECANCELED; /* taken over while we were stopped, and the twin isn't ours */
  unsigned char *then = twin_bytes(section, &twin);
  int error = write_changes(section, fence, offset, bytes, then, len, &end);
  int twin_error = end ? merge_renew_twin(fence, then, bytes, end) : 0;
  counter_add(COUNT_PAGES_WRITTEN, !error);
  lab_midway();
  set_stamp(section, page, bytes, error);
  summary_set(section, page, SUMMARY_UNFLUSHED);
  if (twin_error || error == ECANCELED) {
    settle_dirty(section, page); /* the twin isn't what the file holds */
    return error ? error : twin_error == ECANCELED ? ECANCELED : 0;
  }
  was |= PAGE_UNFLUSHED | (error ? PAGE_STORED : 0);
  if (!error)
    was &= (uint8_t)~PAGE_STORED;
  settle_same(section, page, was, is_open || error);
  return error;
}
