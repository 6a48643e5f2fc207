/* stamp.h - what a page was like when it was last the same in the file: a hash of it.
 *
 * Kept in a file of the section from the moment on that somebody watches it: then stores happen
 * that no state tells of (only the kernel of that process knows), and for a page that is clean by
 * its state the stamp decides.  data as stamped = as in the file.  A page without a stamp counts
 * as stored to.  doc/design.md, "The tracker watch".
 *
 * Who may write a stamp: who has the page in hand (filling, writing), before the state says clean.
 */
#ifndef SOFTMAP_STAMP_H
#define SOFTMAP_STAMP_H

#include "section/section.h"

struct stamp {
  uint64_t half[2]; /* both 0: none */
};

/* Of these bytes (XXH3, 128 bits).  Pure; never none. */
struct stamp stamp_of(const unsigned char *bytes, size_t len);

/* Does anybody watch the section, or did so since it was made?  Asked after a page was taken in
 * hand. */
static inline bool
stamp_is_wanted(struct section *section) {
  return atomic_load(&section->control->watch) & CONTROL_WATCHED;
}

/* From now on everybody in the section keeps stamps.  EBUSY: it is one in which every page has a twin
 * (CONTROL_MERGED).  [keeper] */
SOFTMAP_MUST_CHECK int stamp_want(struct section *section);
/* Have memory for the stamps of these pages.  ENOSPC and others: none.  [keeper] */
SOFTMAP_MUST_CHECK int stamp_ready(struct section *section, uint64_t first, uint64_t n);
/* Nobody can look any more.  [keeper] */
void stamp_drop(struct section *section);
/* Set one; get one, none if it was never set.  [keeper; stamp_ready] */
void stamp_set(struct section *section, uint64_t page, struct stamp stamp);
struct stamp stamp_get(struct section *section, uint64_t page);
/* Stamp pages that are in our hand by `mark`, as they are in the data; wanted or not.  Uses the
 * keeper's buffer.  mark 0: they don't exist yet for anybody else.  [keeper] */
SOFTMAP_MUST_CHECK int stamp_pages(struct section *section, uint64_t first, uint64_t n,
                                   uint8_t mark);

/* ---- Judging (judge.c) ---------------------------------------------------------------------- */

/* Mark those of [first, first + n) that some lane watches and that are not as stamped.  All lanes
 * but ours.  [keeper] */
SOFTMAP_MUST_CHECK int judge_others(struct section *section, uint64_t first, uint64_t n);
/* The same for what dead lanes have left, everywhere: then nothing of theirs is left to judge. */
SOFTMAP_MUST_CHECK int judge_dead(struct section *section);
/* For our own lane, whose owner before us is dead. */
SOFTMAP_MUST_CHECK int judge_own(struct section *section);
/* Mark the page if it isn't as stamped; *stored: is it so? */
SOFTMAP_MUST_CHECK int judge_page(struct section *section, uint64_t page, bool *stored);

#endif
