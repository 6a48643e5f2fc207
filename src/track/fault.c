/* fault.c - the tracker "fault": pages are write-protected until a store faults.
 *
 *   store:  take the bit; OPEN in the lane; mark; open; drop the bit
 *   sync:   take the bit; dirty -> writing; close in every mapping; drop; write; then judge
 *
 * Open implies marked in between any two steps, in every process (I1 to I3, core/page.h).
 * models/page.pml plays it; its step names stand beside the steps here, in track.c and writeback.c.
 */
#include <errno.h>

#include "track/track.h"

int
track_pin(const struct mapping *mapping, uint64_t page) {
  struct section *section = mapping->section;
  page_byte *lane = section_lane(section, page);
  section_bits_take(section, page, 1);
  uint8_t bits = section_open_bits(section);
  uint8_t was = atomic_fetch_or(lane, bits);                                /* O */
  int error = section_mark(section, page) ? 0 : EAGAIN;                     /* M */
  if (!error)
    error = view_change(mapping, page, 1, NULL, 0, VIEW_OPEN | VIEW_SHOWN); /* H */
  if (error && !(was & LANE_OPEN))
    atomic_fetch_and(lane, (uint8_t)~(bits & ~was));
  section_bits_drop(section, page, 1);
  return error;
}

int
track_open_past_end(const struct mapping *mapping, uint64_t page) {
  struct section *section = mapping->section;
  section_bits_take(section, page, 1);
  page_byte *lane = section_lane(section, page);
  uint8_t bits = section_open_bits(section);
  uint8_t was = atomic_fetch_or(lane, bits);
  control_note_past_end(section->control, page, page + 1);
  int error = 0;
  if (page < section_npages(section)) {
    if (!(was & LANE_OPEN))
      atomic_fetch_and(lane, (uint8_t)~(bits & ~was));
    error = EAGAIN;
  } else {
    error = view_change(mapping, page, 1, NULL, 0, VIEW_OPEN | VIEW_SHOWN);
  }
  section_bits_drop(section, page, 1);
  return error;
}

static int
show(const struct mapping *mapping, uint64_t first, uint64_t n) {
  int error = 0;
  for (uint64_t done = 0; done < n && !error; done += TRACK_GROUP) {
    uint64_t count = n - done < TRACK_GROUP ? n - done : TRACK_GROUP;
    struct track_set set = { { 0 } };
    section_bits_take(mapping->section, first + done, count);
    for (uint64_t i = 0; i < count; i++)
      if (page_is_filled(atomic_load(section_state(mapping->section, first + done + i))))
        track_set_add(&set, i);
    error = view_change(mapping, first + done, count, &set, 0, VIEW_SHOWN);
    section_bits_drop(mapping->section, first + done, count);
  }
  return error;
}

int
track_close_pages(const struct mapping *mapping, uint64_t first, uint64_t n,
                  const struct track_set *set) {
  return view_change(mapping, first, n, set, VIEW_OPEN, 0);
}

const struct tracker tracker_fault = {
  .name = "fault",
  .open = track_store,
  .show = show,
  .close = track_close_pages,
};
