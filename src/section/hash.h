/* hash.h - uthash, set up for a library in somebody else's process: memory comes from our arena,
 * and running out of it is an error of the call, not the end of the process. */
#ifndef SOFTMAP_HASH_H
#define SOFTMAP_HASH_H

#include "host/arena.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) arena_alloc(size)
#define uthash_free(block, size) arena_free(block, size)
#include <uthash.h>

#endif
