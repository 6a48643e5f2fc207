/* guard.h - who is looking at the mappings now: two counters that let a writer wait until
 * everybody who may have seen the old ones has left.  Pure atomics, async-signal-safe.
 *
 * A reader counts itself into the current epoch.  It may have read the epoch just before a flip
 * and count itself in just after the writer looked; what it sees then is new, but it stands in
 * the old counter: hence a writer flips and waits twice (as SRCU does).
 */
#ifndef SOFTMAP_GUARD_H
#define SOFTMAP_GUARD_H

#include <stdatomic.h>
#include <stdint.h>

struct guard {
  _Atomic uint32_t epoch;
  _Atomic uint32_t inside[2];
};

static inline uint32_t
guard_enter(struct guard *guard) {
  uint32_t side = atomic_load(&guard->epoch) & 1;
  atomic_fetch_add(&guard->inside[side], 1);
  return side;
}

/* Returns whether the side is empty now. */
static inline int
guard_leave(struct guard *guard, uint32_t side) {
  return atomic_fetch_sub(&guard->inside[side], 1) == 1;
}

/* Start a new epoch; the side whose readers are to be waited for. */
static inline uint32_t
guard_flip(struct guard *guard) {
  return atomic_fetch_add(&guard->epoch, 1) & 1;
}

#endif
