/* outside.c - what a sync would write, told by reading only. */
#include "section/outside.h"

#include <errno.h>
#include <string.h>

#include "section/files.h"
#include "section/twins.h"

int
outside_begin(struct outside *outside, const int fds[3], const struct control *control) {
  *outside = (struct outside){ fds[1], fds[2], -1, atomic_load(&control->twins),
                               atomic_load(&control->size) };
  if (!outside->twins)
    return 0;
  int error = files_look_twins(fds[0], &outside->twins_fd);
  return error == ENOENT ? 0 : error;
}

int
outside_end(struct outside *outside, int error) {
  int close_error = outside->twins_fd >= 0 ? host_close(outside->twins_fd) : 0;
  return error ? error : close_error;
}

/* ---- Twins --------------------------------------------------------------------------------- */

static bool
read_key(const struct outside *outside, uint32_t place, uint64_t *out) {
  size_t got;
  return !host_read(outside->twins_fd, out, sizeof *out, place * sizeof *out, &got) &&
         got == sizeof *out;
}

static bool
is_same(const struct outside *outside, uint64_t page, uint32_t place) {
  unsigned char data[2048], twin[2048];
  uint64_t at = page << host_config.page_shift;
  uint64_t twin_at = twins_offset(outside->twins, place);
  for (size_t done = 0; done < host_config.page_size && at + done < outside->size;
       done += sizeof data) {
    size_t got, twin_got;
    uint64_t left = outside->size - at - done;
    if (host_read(outside->data_fd, data, sizeof data, at + done, &got) ||
        host_read(outside->twins_fd, twin, sizeof twin, twin_at + done, &twin_got) ||
        got < sizeof data || twin_got < sizeof twin ||
        memcmp(data, twin, left < sizeof data ? (size_t)left : sizeof data) != 0)
      return false;
  }
  return true;
}

bool
outside_is_stored(const struct outside *outside, uint64_t page, uint8_t state) {
  if (!page_is_doubtful(state))
    return page_is_dirty(state);
  if (state & PAGE_OPENING)
    return false;
  for (unsigned way = 0; way < TWINS_WAYS && outside->twins_fd >= 0; way++) {
    uint32_t place = twins_place(outside->twins, page, way);
    uint64_t key, then;
    if (read_key(outside, place, &key) && twins_key_is_of(key, page))
      return !is_same(outside, page, place) || !read_key(outside, place, &then) || then != key;
  }
  return true;
}

/* ---- Counting ------------------------------------------------------------------------------ */

/* The states of the block whose summary is at an offset of the control file, up to the end of the
 * section. */
static int
count_block(const struct outside *outside, unsigned extent, uint64_t summary_at, uint64_t npages,
            uint64_t *count) {
  unsigned char states[SUMMARY_PAGES];
  uint64_t states_at = control_extent_offset(extent);
  uint64_t from = (summary_at - states_at - extent_pages(extent)) << SUMMARY_SHIFT;
  uint64_t first = extent_first(extent) + from;
  uint64_t n = first < npages ? npages - first : 0;
  size_t got;
  int error = host_read(outside->control_fd, states, n < sizeof states ? (size_t)n : sizeof states,
                        states_at + from, &got);
  for (size_t i = 0; !error && i < got; i++)
    if (page_is_state(states[i]))
      *count += outside_is_stored(outside, first + i, states[i]);
    else
      error = EINVAL;
  return error;
}

static int
count_extent(const struct outside *outside, unsigned extent, uint64_t npages, uint64_t *count) {
  unsigned char summary[4096];
  uint64_t at = control_extent_offset(extent) + extent_pages(extent);
  uint64_t end = at + (extent_pages(extent) >> SUMMARY_SHIFT);
  for (; at < end; at += sizeof summary) {
    size_t got;
    size_t len = end - at < sizeof summary ? (size_t)(end - at) : sizeof summary;
    int error = host_read(outside->control_fd, summary, len, at, &got);
    for (size_t i = 0; !error && i < got; i++)
      if (summary[i] & SUMMARY_DIRTY)
        error = count_block(outside, extent, at + i, npages, count);
    if (error)
      return error;
  }
  return 0;
}

int
outside_count(const int fds[3], const struct control *control, uint64_t *out) {
  uint64_t npages = (atomic_load(&control->size) + control->page_size - 1) / control->page_size;
  struct outside outside;
  int error = outside_begin(&outside, fds, control);
  *out = 0;
  for (unsigned extent = 0; extent < EXTENT_MAX && extent_first(extent) < npages && !error;
       extent++)
    error = count_extent(&outside, extent, npages, out);
  return outside_end(&outside, error);
}
