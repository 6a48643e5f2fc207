/* track.c - which tracker, and what is the same with all of them.
 *
 * A mapping keeps the tracker that was chosen when it was made.  A section may have mappings with
 * different ones: what concerns a page asks each mapping that has it.
 */
#include <errno.h>
#include <string.h>

#include "core/broken.h"
#include "trace/counters.h"
#include "track/readers.h"
#include "track/track.h"

/* ---- Choosing ------------------------------------------------------------------------------ */

static const struct tracker *const trackers[] = { &tracker_fault, &tracker_watch,
                                                &tracker_compare, NULL };

static const struct tracker *_Atomic chosen = &tracker_fault;

int
track_choose(const char *name) {
  if (strcmp(name, "auto") == 0)
    name = tracker_watch.ready() ? "fault" : "watch";
  for (const struct tracker *const *at = trackers; *at; at++)
    if (strcmp((*at)->name, name) == 0) {
      int error = (*at)->ready ? (*at)->ready() : 0;
      if (!error)
        atomic_store(&chosen, *at);
      return error;
    }
  return EINVAL;
}

const struct tracker *
track_chosen(void) {
  return atomic_load(&chosen);
}

int
track_open(const struct mapping *mapping, uint64_t page) {
  return mapping->tracker->open(mapping, page);
}

int
track_show(const struct mapping *mapping, uint64_t first, uint64_t n) {
  return mapping->tracker->show(mapping, first, n);
}

void
track_arrive(const struct mapping *mapping) {
  if (mapping->tracker->arrive)
    mapping->tracker->arrive(mapping);
}

/* ---- Mappings of a section ----------------------------------------------------------------- */

/* The part of [first, first + n) that a mapping covers: false if there is none. */
static bool
covered(const struct mapping *mapping, uint64_t first, uint64_t n, uint64_t *from, uint64_t *to) {
  uint64_t end = mapping->first + mapping_npages(mapping, host_config.page_shift);
  *from = mapping->first > first ? mapping->first : first;
  *to = end < first + n ? end : first + n;
  return *from < *to;
}

/* Call one of the hooks, which may be NULL, for what the mappings have of [first, first + n). */
static int
each_mapping(struct section *section, uint64_t first, uint64_t n,
             int (*hook)(const struct mapping *mapping, uint64_t from, uint64_t count)) {
  int error = 0;
  struct mapping *mapping = atomic_load(&section->mappings);
  for (; mapping; mapping = atomic_load(&mapping->next_in_section)) {
    uint64_t from, to;
    int one = 0;
    if (mapping->is_shared && covered(mapping, first, n, &from, &to))
      one = hook(mapping, from, to - from);
    error = error ? error : one;
  }
  return error;
}

static int
collect(const struct mapping *mapping, uint64_t first, uint64_t n) {
  return mapping->tracker->collect ? mapping->tracker->collect(mapping, first, n) : 0;
}

int
track_collect(struct section *section, uint64_t first, uint64_t n) {
  uint32_t side = readers_enter_to_close();
  int error = each_mapping(section, first, n, collect);
  readers_leave(side);
  return error;
}

static int
settle(const struct mapping *mapping, uint64_t first, uint64_t n) {
  return mapping->tracker->settle ? mapping->tracker->settle(mapping, first, n) : 0;
}

bool
track_must_collect(struct section *section) {
  if ((atomic_load(&section->control->watch) & CONTROL_WATCHED) ||
      atomic_load(&section->control->twins))
    return true;
  struct mapping *mapping = atomic_load(&section->mappings);
  while (mapping && !mapping->tracker->collect)
    mapping = atomic_load(&mapping->next_in_section);
  return mapping;
}

int
track_settle(const struct mapping *mapping, uint64_t first, uint64_t n) {
  if (!mapping->is_shared)
    return 0;
  track_close_all(mapping->section, first, n, true);
  return settle(mapping, first, n);
}

int
track_settle_all(struct section *section, uint64_t first, uint64_t n) {
  uint32_t side = readers_enter_to_close();
  int error = each_mapping(section, first, n, settle);
  readers_leave(side);
  return error;
}

static void
shift_set(const struct track_set *set, uint64_t by, uint64_t n, struct track_set *out) {
  *out = (struct track_set){ { 0 } };
  for (uint64_t i = 0; i < n; i++)
    if (track_set_has(set, i + by))
      track_set_add(out, i);
}

/* Close in the mappings of the section; false if some page may still be open in one. */
static bool
close_in_mappings(struct section *section, uint64_t first, uint64_t n,
                  const struct track_set *set) {
  bool is_closed = true;
  struct mapping *mapping = atomic_load(&section->mappings);
  for (; mapping; mapping = atomic_load(&mapping->next_in_section)) {
    uint64_t from, to;
    if (!mapping->is_shared || !covered(mapping, first, n, &from, &to))
      continue;
    struct track_set part;
    shift_set(set, from - first, to - from, &part);
    if (mapping->tracker->close(mapping, from, to - from, &part))
      is_closed = false;
  }
  return is_closed;
}

static bool
is_open_in_some(struct section *section, uint64_t page) {
  struct mapping *mapping = atomic_load(&section->mappings);
  for (; mapping; mapping = atomic_load(&mapping->next_in_section)) {
    uint64_t from, to;
    if (mapping->is_shared && covered(mapping, page, 1, &from, &to) &&
        (mapping_view(mapping, page) & VIEW_OPEN))
      return true;
  }
  return false;
}

void
track_close(struct section *section, uint64_t first, uint64_t n, const struct track_set *set) {
  atomic_fetch_add(&section->closings, 1);
  bool all = close_in_mappings(section, first, n, set); /* X */
  for (uint64_t i = 0; i < n; i++)
    if (track_set_has(set, i) && (all || !is_open_in_some(section, first + i)))
      atomic_fetch_and(section_lane(section, first + i), (uint8_t)~LANE_OPEN); /* C */
}

static uint64_t
close_group(struct section *section, uint64_t first, uint64_t n, bool even_pinned) {
  uint64_t low = n, high = 0;
  for (uint64_t i = 0; i < n; i++)
    if (atomic_load(section_lane(section, first + i)) & LANE_OPEN) {
      low = i < low ? i : low;
      high = i + 1;
    }
  if (low >= high)
    return 0;
  uint64_t count = 0;
  struct track_set set = { { 0 } };
  section_bits_take(section, first + low, high - low);
  for (uint64_t i = low; i < high; i++) {
    if (!(atomic_load(section_lane(section, first + i)) & LANE_OPEN) ||
        (!even_pinned && section_is_pinned(section, first + i)))
      continue;
    track_set_add(&set, i - low);
    count++;
  }
  if (count)
    track_close(section, first + low, high - low, &set);
  section_bits_drop(section, first + low, high - low);
  return count;
}

/* [first, end) of one block of the summary.  False: nothing can be open there. */
static bool
close_block(struct section *section, uint64_t first, uint64_t end, bool even_pinned,
            uint64_t *count) {
  uint64_t past_low = atomic_load(&section->control->past_low);
  uint64_t past_high = atomic_load(&section->control->past_high);
  bool is_past = first < past_high && end > past_low;
  if (!is_past && !(atomic_load(section_summary(section, first)) & SUMMARY_DIRTY))
    return false;
  for (uint64_t page = first; page < end; page += TRACK_GROUP) {
    uint64_t n = end - page < TRACK_GROUP ? end - page : TRACK_GROUP;
    *count += close_group(section, page, n, even_pinned);
  }
  return true;
}

uint64_t
track_close_all(struct section *section, uint64_t first, uint64_t n, bool even_pinned) {
  uint64_t count = 0;
  uint64_t end;
  for (uint64_t page = first; page < first + n; page = end) {
    end = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
    if (end > first + n)
      end = first + n;
    close_block(section, page, end, even_pinned, &count);
  }
  return count;
}

/* What [first, end) still has open. */
static void
note_left(struct section *section, uint64_t first, uint64_t end) {
  for (uint64_t page = first; page < end; page++)
    if (atomic_load(section_lane(section, page)) & LANE_OPEN) {
      section->left_low = page < section->left_low ? page : section->left_low;
      section->left_high = page + 1;
    }
}

void
track_close_for_fork(struct section *section) {
  uint64_t reach = section_reach(section); /* whole blocks */
  uint64_t count = 0;
  section->left_low = reach;
  section->left_high = 0;
  for (uint64_t page = 0; page < reach; page += SUMMARY_PAGES)
    if (close_block(section, page, page + SUMMARY_PAGES, false, &count))
      note_left(section, page, page + SUMMARY_PAGES);
  for (uint64_t page = 0; page < section_npages(section) && broken_is(FORGETS_DIRT_AT_FORK); page++)
    page_step(section_state(section, page), PAGE_DIRTY, PAGE_CLEAN);
}

/* States and summaries are no help here: since the fork the parent may have unpinned and synced. */
void
track_close_inherited(struct section *section) {
  struct mapping *mapping = atomic_load(&section->mappings);
  for (; mapping; mapping = atomic_load(&mapping->next_in_section)) {
    uint64_t from, to;
    if (mapping->is_shared && mapping->tracker->inherit)
      mapping->tracker->inherit(mapping);
    if (!mapping->is_shared || section->left_low >= section->left_high ||
        !covered(mapping, section->left_low, section->left_high - section->left_low, &from, &to))
      continue;
    for (uint64_t page = from; page < to; page++)
      if ((mapping_view(mapping, page) & VIEW_OPEN) &&
          view_change(mapping, page, 1, NULL, VIEW_OPEN, 0))
        section_mark(section, page); /* stays open: as good as we can */
  }
}
