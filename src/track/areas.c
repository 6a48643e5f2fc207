/* areas.c - keeping the number of the host's memory areas within our share.
 *
 * At the limit (vm.max_map_count, 65,530 by default) the host refuses to split an area, which
 * would hit us in the fault handler and the program in its own mmap and pthread_create.  So half
 * of it is ours, and when that is used up pages are closed: they stay dirty, only the next store
 * faults again.  Nothing has to be written for that.
 */
#include "trace/counters.h"
#include "track/track.h"

static _Atomic int64_t areas;

void
areas_add(const struct mapping *mapping, int64_t n) {
  if (n) {
    atomic_fetch_add_explicit(&areas, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&mapping->views->areas, n, memory_order_relaxed);
  }
}

void
areas_forget(struct views *views) {
  atomic_fetch_sub_explicit(&areas, atomic_load(&views->areas), memory_order_relaxed);
}

bool
areas_above(unsigned quarters) {
  int64_t share = (int64_t)(host_config.area_limit / 2);
  return atomic_load_explicit(&areas, memory_order_relaxed) > share * (int64_t)quarters / 4;
}

static void
hide_group(const struct mapping *mapping, uint64_t first, uint64_t n) {
  struct section *section = mapping->section;
  struct track_set set = { { 0 } };
  bool any = false;
  section_bits_take(section, first, n);
  for (uint64_t i = 0; i < n; i++)
    if (!(mapping_view(mapping, first + i) & VIEW_OPEN) && !section_is_pinned(section, first + i)) {
      track_set_add(&set, i);
      any = true;
    }
  int error = any ? view_change(mapping, first, n, &set, VIEW_SHOWN, 0) : 0;
  (void)error; /* not merged, then: the caller sees it by the count */
  section_bits_drop(section, first, n);
}

/* Does the mapping show a page of the group that it could hide? */
static bool
shows_some(const struct mapping *mapping, uint64_t first, uint64_t n) {
  for (uint64_t page = first; page < first + n && page < mapping->shown_from; page++)
    if (mapping_view(mapping, page) & VIEW_SHOWN)
      return true;
  return false;
}

void
areas_relieve(const struct mapping *mapping) {
  uint64_t npages = mapping_npages(mapping, host_config.page_shift);
  if (mapping->is_shared)
    counter_add(COUNT_CLOSED_EARLY, track_close_all(mapping->section, mapping->first, npages, false));
  uint64_t end = mapping->first + npages;
  for (uint64_t page = mapping->first; page < end && areas_above(3); page += TRACK_GROUP) {
    uint64_t n = end - page < TRACK_GROUP ? end - page : TRACK_GROUP;
    if (shows_some(mapping, page, n))
      hide_group(mapping, page, n);
  }
}
