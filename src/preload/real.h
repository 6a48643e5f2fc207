/* real.h - the libc's own functions, which ours stand before.
 *
 * Included first in every file of this folder.  Every name that the shim takes stands in calls.def,
 * and nowhere else; src/preload/Makefrag.am makes the export map from it.
 *
 * Functions here run in strangers' programs: before main, in signal handlers, in children of vfork,
 * while an allocator starts.  So none of them allocates, and errno is as the libc's function leaves
 * it.
 */
#ifndef PRELOAD_REAL_H
#define PRELOAD_REAL_H

#undef _FILE_OFFSET_BITS /* pread and pread64 are two functions here */
#undef _FORTIFY_SOURCE
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "preload/libc.h"

#define EXPORT __attribute__((visibility("default")))

struct real {
/* NOLINTBEGIN(bugprone-macro-parentheses): they declare members. */
#define WRAP(type, name, params, args, ...) __typeof__(name) *name;
#define HAND(name) __typeof__(name) *name;
/* NOLINTEND(bugprone-macro-parentheses) */
#include "preload/calls.def"
#undef WRAP
#undef HAND
};

extern struct real real_calls;

/* Find them all, and start the shim.  Called before main, and by who is called before that. */
void shim_begin(void);

/* The libc's function. */
#define REAL(name) (real_calls.name ? real_calls.name : (shim_begin(), real_calls.name))

#endif
