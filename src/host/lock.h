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
  LOCK_STAMPS = 7,    /* mapping a section's stamps */
  LOCK_ARENA = 8
};

struct lock {
  _Atomic uint32_t tickets; /* drawn; each in turn has the lock */
  _Atomic uint32_t serving; /* the one that has it, or will */
  uint32_t rank;
};

#define LOCK_INIT(r) { .tickets = 0, .serving = 0, .rank = (r) }

void lock_take(struct lock *lock);
bool lock_try(struct lock *lock);
void lock_drop(struct lock *lock);
/* In a forked child: whoever held it is gone. */
void lock_reset(struct lock *lock);
/* In a forked child: held by the thread that forked; those who waited for it aren't here. */
void lock_drop_in_child(struct lock *lock);

#endif
