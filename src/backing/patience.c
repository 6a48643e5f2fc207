/* patience.c - who has a page in hand, and is it going to let go?
 *
 * A dead process's mark is taken away by one caller, who takes the page over.  A state without any
 * mark belongs to a process that is just setting or clearing it, or to a taker that died before it
 * took over.  A living process is left alone, unless all of it is stopped: then none of its system
 * calls is under way, what it would still write to the file is the memory of that moment, and what
 * it would still put into the data is refused (section/fence.c).
 */
#include "backing/patience.h"

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

int
take_over(struct section *section, uint64_t page, uint8_t bit, struct patience *patience,
          bool *taken) {
  struct lane_holder holder;
  page_byte *state = section_state(section, page);
  uint8_t seen = atomic_load(state);
  int error = lane_holder(section, page, bit, &holder);
  *taken = false;
  if (error || !page_is_in_hand(seen))
    return error;
  bool is_late = is_over(patience, page, seen);
  switch (holder.is) {
  case LANE_HOLDER_DEAD:
    *taken = true;
    break;
  case LANE_HOLDER_ALIVE:
    if (!is_stopped(section, holder.lane, patience, is_late))
      return 0;
    if (bit == LANE_FILLING && (error = fence_revoke(section, holder.lane)))
      return error;
    *taken = lane_take_mark(section, page, bit, holder.lane);
    break;
  case LANE_HOLDER_NONE:
  default:
    *taken = is_late;
    break;
  }
  if (*taken) {
    if (bit == LANE_FILLING)
      atomic_store(&section->control->stale, 1); /* a part of it may have been put there */
    page_take_over(state, seen);
  }
  return 0;
}
