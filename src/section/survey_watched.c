/* survey_watched.c - how many pages did processes store to, dead or alive, that only their kernel knows?
 *
 * As judge.c, but by reading: who surveys a section isn't in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "host/arena.h"
#include "section/stamp.h"
#include "section/survey.h"

#define CHUNK 4096 /* pages; a block of the summary */

struct chunk {
  uint64_t page, n;
  uint8_t states[CHUNK], watched[CHUNK], lane[CHUNK];
};

struct search {
  const int *fds; /* directory, control, data */
  int stamps_fd;  /* -1: there are none */
  const struct control *header;
  struct chunk *chunk;
  unsigned char *bytes; /* a page */
};

static int
read_or_zero(int fd, uint64_t offset, void *out, size_t len) {
  size_t got;
  int error = host_read(fd, out, len, offset, &got);
  if (!error)
    memset((char *)out + got, 0, len - got);
  return error;
}

/* Add what a lane watches in the chunk. */
static int
add_lane(struct search *search, uint32_t lane) {
  struct chunk *chunk = search->chunk;
  struct lane_record record;
  unsigned k = extent_of(chunk->page);
  int error =
      read_or_zero(search->fds[1], CONTROL_RECORDS + lane * sizeof record, &record, sizeof record);
  if (error || !atomic_load(&record.watches))
    return error;
  error =
      read_or_zero(search->fds[1], control_lane_offset(k, lane) + (chunk->page - extent_first(k)),
                   chunk->lane, (size_t)chunk->n);
  for (uint64_t i = 0; i < chunk->n && !error; i++)
    chunk->watched[i] |= chunk->lane[i] & LANE_WATCHED;
  return error;
}

static int
is_stored_to(struct search *search, uint64_t page, bool *out) {
  size_t page_size = search->header->page_size;
  struct stamp was = { { 0 } };
  int error = read_or_zero(search->fds[2], page * page_size, search->bytes, page_size);
  if (!error && search->stamps_fd >= 0)
    error = read_or_zero(search->stamps_fd, page * sizeof was, &was, sizeof was);
  struct stamp now = stamp_of(search->bytes, page_size);
  *out = now.half[0] != was.half[0] || now.half[1] != was.half[1];
  return error;
}

static int
count_chunk(struct search *search, uint64_t *count) {
  struct chunk *chunk = search->chunk;
  unsigned k = extent_of(chunk->page);
  uint32_t lanes = atomic_load(&search->header->lanes);
  memset(chunk->watched, 0, sizeof chunk->watched);
  int error =
      read_or_zero(search->fds[1], control_extent_offset(k) + (chunk->page - extent_first(k)),
                   chunk->states, (size_t)chunk->n);
  for (uint32_t lane = 0; lane < lanes && !error; lane++)
    error = add_lane(search, lane);
  for (uint64_t i = 0; i < chunk->n && !error; i++) {
    bool stored = false;
    if (chunk->watched[i] && page_is_filled(chunk->states[i]) && !page_is_dirty(chunk->states[i]))
      error = is_stored_to(search, chunk->page + i, &stored);
    *count += stored;
  }
  return error;
}

/* Block by block of the summary. */
static int
count_all(struct search *search, uint64_t *count) {
  uint64_t size = atomic_load(&search->header->size);
  uint64_t npages = (size + search->header->page_size - 1) / search->header->page_size;
  int error = 0;
  for (uint64_t page = 0; page < npages && !error; page += CHUNK) {
    unsigned k = extent_of(page);
    uint8_t summary;
    error = read_or_zero(search->fds[1],
                         control_extent_offset(k) + extent_pages(k) +
                             ((page - extent_first(k)) >> SUMMARY_SHIFT),
                         &summary, 1);
    if (error || !(summary & SUMMARY_WATCHED))
      continue;
    search->chunk->page = page;
    search->chunk->n = npages - page < CHUNK ? npages - page : CHUNK;
    error = count_chunk(search, count);
  }
  return error;
}

int
survey_count_watched(const int fds[3], const struct control *header, uint64_t *count) {
  if (!(atomic_load(&header->watch) & CONTROL_WATCHED) || header->page_size > (1u << 20))
    return 0;
  struct search search = { .fds = fds, .stamps_fd = -1, .header = header };
  int error = host_open(&search.stamps_fd, fds[0], "stamps", O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (error && error != ENOENT)
    return error;
  search.chunk = arena_alloc(sizeof *search.chunk);
  search.bytes = arena_alloc(header->page_size);
  error = search.chunk && search.bytes ? count_all(&search, count) : ENOMEM;
  arena_free(search.bytes, header->page_size);
  arena_free(search.chunk, sizeof *search.chunk);
  int close_error = search.stamps_fd >= 0 ? host_close(search.stamps_fd) : 0;
  return error ? error : close_error;
}
