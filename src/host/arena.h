/* arena.h - memory for our own structures, taken from the host and never from malloc: a preloaded
 * library's malloc would come back to us, and the program's may be the one that faulted.
 *
 * Not async-signal-safe: locks.  Memory is zeroed, aligned to 16 bytes, readable in handlers.
 * Blocks of 64 KiB and more are whole host mappings, whose untouched pages cost nothing.
 */
#ifndef SOFTMAP_ARENA_H
#define SOFTMAP_ARENA_H

#include <stddef.h>

#include "host/host.h"

SOFTMAP_MUST_CHECK void *arena_alloc(size_t size); /* NULL: no memory */
void arena_free(void *block, size_t size);         /* size as allocated; NULL is allowed */
size_t arena_in_use(void);                         /* bytes handed out, for leak checks */

/* Around fork: the child must find the arena's lock free. */
void arena_fork_prepare(void);
void arena_fork_done(bool is_child);

#endif
