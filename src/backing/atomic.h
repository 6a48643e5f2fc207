/* atomic.h - a sync that is all or nothing. */
#ifndef SOFTMAP_ATOMIC_H
#define SOFTMAP_ATOMIC_H

#include "section/section.h"

/* In place of plain write-back in an atomic section: the dirty pages of [first, first + npages) by
 * way of a journal.  Of all processes, or those that this one vouches for.  Pages that no living
 * process vouches for are as in the file afterwards.  [keeper; sync_lock is held] */
SOFTMAP_MUST_CHECK int atomic_sync(struct section *section, uint64_t first, uint64_t npages,
                                   bool of_all);
/* Replay what a dead process left half done, and give up what nobody living vouches for; write
 * nothing else.  [keeper; sync_lock is held, in the gate] */
SOFTMAP_MUST_CHECK int atomic_clear(struct section *section);
/* Is there nothing of that kind: neither a journal, nor an atomic section?  Who finds that needs no gate,
 * which a stopped process may have.  [keeper; sync_lock is held] */
bool atomic_is_clear(struct section *section);

#endif
