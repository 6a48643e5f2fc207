/* patience.c - who has a page in hand, and is it going to let go?
 *
 * A dead process's mark is taken away by one caller, who takes the page over.  A state without any
 * mark belongs to a process that is just setting or clearing it, or to a taker that died before it
 * took over.  A living process is left alone, unless all of it is stopped: then none of its system
 * calls is under way, what it would still write to the file is the memory of that moment, and what
 * it would still put into the data is refused (section/fence.c).  models/lanes.pml plays it for
 * writers, models/fill.pml for fillers.
 */
#include "backing/patience.h"

#include "section/lane.h"

#define PATIENCE_NS 20000000

/* Has this page been seen in this state for long enough? */
static bool
is_over(struct patience *patience, uint64_t page, uint8_t state) {
  uint64_t now = host_now_ns();
  if (!patience->since || patience->page != page || patience->state != state) {
    if (!patience->since || now - patience->since > PATIENCE_NS || patience->page == page)
      *patience = (struct patience){ now, page, state, patience->knows_stopped, patience->stopped };
    return false;
  }
  return now - patience->since > PATIENCE_NS;
}

static bool
is_stopped(struct section *section, uint32_t lane, struct patience *patience, bool is_late) {
  bool is_known = patience->knows_stopped && patience->stopped == lane;
  if ((!is_late && !is_known) || !lane_is_stopped(section, lane))
    return false;
  patience->knows_stopped = true;
  patience->stopped = lane;
  return true;
}

/* Somebody's fill is ours to give free.  Into our hand first: whatever claim it is that loses the
 * page by that, maybe a later one than we have judged, its fence is older, and is cut off once
 * more (models/fill.pml, FENCE_EARLY and STATE_TO_FREE). */
static int
take_fill(struct section *section, uint64_t page, uint8_t seen, bool *taken) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  uint8_t ours = page_in_hand(PAGE_FILLING, section->lane);
  atomic_store(&section->control->stale, 1); /* a part of it may have been put there */
  *taken = false;
  int error = fence_revoke(section, page_hand(seen));
  if (error)
    return error;
  if (atomic_fetch_or(lane, LANE_FILLING) & LANE_FILLING)
    return 0; /* a write of ours (coherent.c) has it by now */
  *taken = page_step(state, seen, ours);
  if (*taken)
    error = fence_revoke(section, page_hand(seen));
  atomic_fetch_and(lane, (uint8_t)~LANE_FILLING);
  if (*taken)
    page_step(state, ours, error ? seen : PAGE_UNFILLED);
  return error;
}

/* What it has copied and would still write goes with its fence.  Into our hand first, as above
 * (models/ahead.pml, FENCE_ONCE); our page bit keeps threads of ours from claiming the page. */
static int
take_write(struct section *section, uint64_t page, uint8_t seen) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  uint8_t ours = page_in_hand(PAGE_WRITING, section->lane);
  uint8_t again = page_in_hand(PAGE_WRITING_AGAIN, page_hand(seen));
  int error = fence_revoke(section, page_hand(seen));
  if (error)
    return error;
  section_bits_take(section, page, 1);
  if (!(atomic_fetch_or(lane, LANE_WRITING) & LANE_WRITING)) {
    if (page_step(state, seen, ours) || page_step(state, again, ours))
      error = fence_revoke(section, page_hand(seen));
    if (atomic_fetch_and(lane, (uint8_t)~LANE_WRITING) & LANE_WRITING)
      page_take_over(state, ours);
  }
  section_bits_drop(section, page, 1);
  return error;
}

int
take_over(struct section *section, uint64_t page, uint8_t bit, struct patience *patience,
          bool *taken) {
  struct lane_holder holder;
  page_byte *state = section_state(section, page);
  uint8_t seen = atomic_load(state);
  int error = lane_holder(section, page, bit, &holder);
  *taken = false;
  if (error || !page_is_in_hand(seen) || (bit == LANE_FILLING) != (page_kind(seen) == PAGE_FILLING))
    return error;
  bool is_late = is_over(patience, page, seen);
  switch (holder.is) {
  case LANE_HOLDER_DEAD:
    *taken = true;
    break;
  case LANE_HOLDER_ALIVE:
    if (!is_stopped(section, holder.lane, patience, is_late))
      return 0;
    *taken = lane_take_mark(section, page, bit, holder.lane);
    break;
  case LANE_HOLDER_NONE:
  default:
    *taken = is_late;
    break;
  }
  if (!*taken)
    return 0;
  if (page_kind(seen) == PAGE_FILLING)
    return take_fill(section, page, seen, taken);
  if (fence_is_wanted(section))
    return take_write(section, page, seen);
  page_take_over(state, seen);
  return 0;
}
