/* compare.c - the tracker "compare": pages are open from the start, and a sync compares them with
 * their twins.
 *
 * To "fault" such pages are all opened ahead, before any store, and a sync leaves them open.  A
 * page that has no twin, after a fork or an error, is closed, and opened with a twin by a fault.
 */
#include <errno.h>

#include "track/ahead.h"

static int
ready(void) {
  char from = 1, to = 0;
  struct iovec vec[2] = { { &to, 1 }, { &from, 1 } };
  size_t done;
  return host_copy_memory(&vec[0], 1, &vec[1], 1, &done) || to != from ? EOPNOTSUPP : 0;
}

/* Where there is no room for all twins, they are opened by faults. */
static int
show(const struct mapping *mapping, uint64_t first, uint64_t n) {
  int error = tracker_fault.show(mapping, first, n);
  if (error || !mapping->is_shared || !atomic_load(&mapping->section->stays_open))
    return error;
  return track_open_unasked(mapping, first, n);
}

static void
arrive(const struct mapping *mapping) {
  if (show(mapping, mapping->first, mapping_npages(mapping, host_config.page_shift)))
    host_yield(); /* the first store opens them */
}

const struct tracker tracker_compare = {
  .name = "compare",
  .ready = ready,
  .open = track_store,
  .show = show,
  .close = track_close_pages,
  .arrive = arrive,
};
