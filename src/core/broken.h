/* broken.h - deliberately broken engines, for exercises and grading: softmap lab --engine=broken-NAME.
 *
 * Only with -DSOFTMAP_LAB, that is, in the build of the engine that the lab's processes link.  The
 * installed library has none of it: broken_is() is false there, and lab_midway() nothing.
 */
#ifndef SOFTMAP_BROKEN_H
#define SOFTMAP_BROKEN_H

#include <stdbool.h>

/* Name, and what is wrong with it. */
#define BROKEN_ENGINES(X)                                                                          \
  X(WRITES_EVERYTHING, "writes-everything", "a sync writes clean pages, too")                      \
  X(WRITES_BEFORE_PROTECTING, "writes-before-protecting",                                          \
    "a sync closes a page after it has written it")                                                \
  X(FORGETS_TAIL, "forgets-tail", "the last page isn't written where the file ends inside it")     \
  X(GROWS_FILE, "grows-file", "the last page is written whole, behind the end of the file, too")   \
  X(IGNORES_OFFSETS, "ignores-offsets",                                                            \
    "after a split a sync takes the second part for the first")                                    \
  X(FORGETS_DIRT_AT_FORK, "forgets-dirt-at-fork", "fork makes dirty pages clean")                  \
  X(DROPS_DIRT, "drops-dirt", "a page is clean after a write that failed")

enum broken {
  BROKEN_NOT,
#define X(id, name, what) BROKEN_##id,
  BROKEN_ENGINES(X)
#undef X
      BROKEN_COUNT
};

#ifdef SOFTMAP_LAB
extern enum broken broken_engine;     /* set before the first mapping */
extern void (*lab_midway_hook)(void); /* called when a sync has written, and not yet judged */
#define broken_is(id) (broken_engine == BROKEN_##id)
#define lab_midway() (lab_midway_hook ? lab_midway_hook() : (void)0)
#else
#define broken_is(id) false
#define lab_midway() ((void)0)
#endif

#endif
