/* ahead.h - what the parts of opening ahead share: ahead.c, run.c, behind.c. */
#ifndef SOFTMAP_AHEAD_H
#define SOFTMAP_AHEAD_H

#include "section/twins.h"
#include "track/track.h"

#define WINDOW_MAX 128                 /* pages */
#define COMPARED_BYTES ((size_t)65536) /* at once */

/* Room to work, more than a signal stack has. */
struct scratch {
  _Atomic bool is_taken;
  uint8_t opening[WINDOW_MAX]; /* states that we gave pages whose twins are made; else 0 */
  struct twin twin[WINDOW_MAX];
  struct iovec from[WINDOW_MAX], to[WINDOW_MAX];
  _Alignas(64) unsigned char bytes[COMPARED_BYTES];
};

/* What to do about a fault. */
struct plan {
  struct section_run *run;
  int32_t stride;
  uint32_t count;            /* pages at that distance to open */
  uint64_t behind, behind_n; /* pages of the last window; behind_n 0: there is none */
  bool wait;                 /* EBUSY if the page is being written */
  bool hopes;                /* and a twin that could be had is tried for again */
};

static inline uint64_t
width_of(int32_t stride) {
  return (uint64_t)(stride < 0 ? -stride : stride);
}

/* Does the fault go on with a run?  False: no; a window that another run left may have to be looked at
 * all the same.  (run.c) */
bool plan_window(struct section *section, uint64_t page, struct plan *plan) SOFTMAP_SIGSAFE;
void plan_done(const struct plan *plan, uint64_t last, uint32_t count) SOFTMAP_SIGSAFE;
/* Look at the last window of the run (behind.c). */
void look_behind(const struct mapping *mapping, const struct plan *plan,
                 struct scratch *scratch) SOFTMAP_SIGSAFE;

#endif
