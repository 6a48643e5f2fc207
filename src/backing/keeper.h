/* keeper.h - the threads that hold our descriptors, and how work gets to them.
 *
 * Our descriptors live in a descriptor table of their own, shared by the keeper threads and by
 * nobody else.  So closing one never drops the program's record locks, the program's closefrom,
 * dup2 and loops over all numbers never reach ours, ours never show among its numbers, and a
 * write-back past RLIMIT_FSIZE raises its SIGXFSZ in a thread that has it blocked.  The price is
 * a hand-over of work for everything that needs a descriptor (doc/design.md, "The keeper").
 *
 * A job runs on a keeper thread with all signals blocked.  It may take locks of rank LOCK_SECTIONS
 * and above, must not allocate from malloc, and must never touch memory that the program mapped.
 */
#ifndef SOFTMAP_KEEPER_H
#define SOFTMAP_KEEPER_H

#include "host/host.h"

/* Start the threads; idempotent.  EAGAIN, ENOMEM, EMFILE... */
SOFTMAP_MUST_CHECK int keeper_start(void);
bool keeper_is_running(void);

/* Run job(arg) on a keeper thread and return what it returns.  Run at once when the caller is a
 * keeper thread itself.  The caller holds no page bit. */
SOFTMAP_MUST_CHECK int keeper_run(int (*job)(void *arg), void *arg) SOFTMAP_SIGSAFE;

/* Bring a descriptor of the caller's table into the keepers'.  One hand-over at a time
 * (the space lock sees to that); keeper_take runs on a keeper thread. */
SOFTMAP_MUST_CHECK int keeper_post(int fd, uint64_t *ticket);
SOFTMAP_MUST_CHECK int keeper_take(uint64_t ticket, int *fd);

/* A buffer of KEEPER_BUFFER bytes that belongs to the calling keeper thread. */
#define KEEPER_BUFFER ((size_t)256 * 1024)
void *keeper_buffer(void);
/* Which of them it is: below KEEPER_THREADS. */
#define KEEPER_THREADS 2
unsigned keeper_number(void);

/* In a forked child: the threads are gone; start new ones. */
SOFTMAP_MUST_CHECK int keeper_restart(void);

#endif
