/* patience.h - pages that another process has in hand: waiting for it, but not for ever. */
#ifndef SOFTMAP_PATIENCE_H
#define SOFTMAP_PATIENCE_H

#include "section/section.h"

/* How long one page has been waited for.  All zero to begin with. */
struct patience {
  uint64_t since; /* 0: nothing is waited for */
  uint64_t page;
  uint8_t state;      /* as seen since */
  bool knows_stopped; /* a lane was found stopped: its other pages need no patience */
  uint32_t stopped;
};

/* Look at a page in another process's hand (bit: LANE_WRITING or LANE_FILLING).  *taken: its
 * process died, or has been stopped for a while, and the page is dirty, or unfilled, again.
 * [keeper; a page to be filled is in our claims] */
SOFTMAP_MUST_CHECK int take_over(struct section *section, uint64_t page, uint8_t bit,
                                 struct patience *patience, bool *taken);

#endif
