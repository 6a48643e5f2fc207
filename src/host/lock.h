/* lock.h - ranked locks on the host's wait and wake.
 *
 * A thread takes locks in ascending rank only; builds with injection check that and abort.  Not
 * recursive.  Held only with all signals blocked (so that no handler of the program can meet its
 * own thread's lock), never taken in the fault handler.
 */
#ifndef SOFTMAP_LOCK_H
#define SOFTMAP_LOCK_H

#include "host/host.h"

enum lock_rank {
  LOCK_START = 1,     /* process/start.c: one-time initialisation */
  LOCK_SPACE = 2,     /* space/space.c: the mappings of this process */
  LOCK_SECTIONS = 3,  /* section/registry.c: the sections of this process */
  LOCK_SYNC = 4,      /* a section's syncs */
  LOCK_RESIZE = 5,    /* growing or shrinking a section */
  LOCK_PEERS = 6,     /* a section's view of other lanes */
  LOCK_ARENA = 7
};

struct lock {
  _Atomic uint32_t word; /* 0 free, 1 held, 2 held and waited for */
  uint32_t rank;
};

#define LOCK_INIT(r) { .word = 0, .rank = (r) }

void lock_take(struct lock *lock);
bool lock_try(struct lock *lock);
void lock_drop(struct lock *lock);
/* In a forked child: whoever held it is gone. */
void lock_reset(struct lock *lock);

#endif
