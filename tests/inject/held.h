/* held.h - a child that is held at chosen calls of the host and stopped there: others take over, and what it
 * does next comes too late.
 */
#ifndef HELD_H
#define HELD_H

#include "t_engine.h"

/* fn(arg) runs in a child, which then ends.  Returns when it is held, and stopped. */
pid_t held_child(struct t_at at, void (*fn)(void *), void *arg);
/* It goes on, and ends well. */
void held_child_goes_on(struct t_at at, pid_t pid);

#define T_HELD_CHILD(fn, arg) held_child(T_HERE, fn, arg)
#define T_HELD_CHILD_GOES_ON(pid) held_child_goes_on(T_HERE, pid)

/* ---- In the child -------------------------------------------------------------------------------- */

/* Until so many threads are held, by a rule that is armed. */
void held_wait(uint32_t threads);
/* All that should be are held: the parent goes on, and stops this process.  Returns when it may go on. */
void held_meet(void);
/* Arms a rule that holds one thread, and meets the parent when it does; until held_end. */
void held_begin(const struct inject_rule *rule);
void held_end(void);

#endif
