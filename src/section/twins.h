/* twins.h - copies of pages as the file holds them, for pages that are opened before a store.
 *
 * A file of the section, "twins", with room for control->twins pages (a power of two):
 *
 *   keys   8 bytes a place; up to a multiple of CONTROL_UNIT
 *   twins  a page a place
 *
 * A key says whose twin is in the place (its page plus 1, in the lower bits); the upper bits count
 * how often the place was taken: an old key never fits again.  A page's twin is in one of TWINS_WAYS
 * places; neighbours of one block of TWINS_BLOCK pages have neighbouring places.
 *
 * Who may take a place: it belongs to its page as long as the page's state is OPENING, AHEAD or a
 * kind of WRITING (the state became OPENING before the place was taken), and to who makes a twin in
 * it as long as the key says that it is being made.  Else it is free, for who changes the key first.
 * So nothing has to be put right after a process that died; at worst it leaves places that stay
 * "being made" until the section goes.
 */
#ifndef SOFTMAP_TWINS_H
#define SOFTMAP_TWINS_H

#include "section/section.h"

#define TWINS_BLOCK 64

/* A place, with the key as it was when the place was looked up. */
struct twin {
  uint32_t place;
  uint64_t key;
};

/* Have the file mapped; make it, with room for `count` pages, if there is none and count isn't 0.
 * [keeper] */
SOFTMAP_MUST_CHECK int twins_ready(struct section *section, uint32_t count);
/* The same if there is one: without it doubtful pages count as stored to. */
static inline void
twins_reach(struct section *section) {
  if (twins_ready(section, 0))
    host_yield(); /* out of reach */
}
void twins_drop(struct section *section);

static inline bool
twins_are_ready(struct section *section) {
  return atomic_load(&section->twins.keys);
}

/* A place for the twin of a page that we just made OPENING.  False: both are in use. */
bool twin_take(struct section *section, uint64_t page, struct twin *out) SOFTMAP_SIGSAFE;
/* Nobody is going to write into the place any more: the twin is there, or isn't needed. */
void twin_is_made(struct section *section, struct twin *twin) SOFTMAP_SIGSAFE;
/* Where the twin of a page is; false: nowhere. */
bool twin_find(struct section *section, uint64_t page, struct twin *out) SOFTMAP_SIGSAFE;
/* Is the place still the page's, so that what was read from it was its twin? */
bool twin_is_there(struct section *section, const struct twin *twin) SOFTMAP_SIGSAFE;
/* Where a page that differs from its twin does so first: a multiple of TWIN_PEEK. */
#define TWIN_PEEK 64
size_t twin_differs_at(const unsigned char *bytes, const unsigned char *twin) SOFTMAP_SIGSAFE;
/* The page left AHEAD or OPENING, by our step. */
void twin_give_back(struct section *section, const struct twin *twin) SOFTMAP_SIGSAFE;

/* ---- The layout, for who reads the file from outside ------------------------------------------- */

#define TWINS_WAYS 4
/* The places that a page's twin can be in, of `count`. */
uint32_t twins_place(uint32_t count, uint64_t page, unsigned way) SOFTMAP_SIGSAFE;
uint64_t twins_offset(uint32_t count, uint32_t place);
bool twins_key_is_of(uint64_t key, uint64_t page) SOFTMAP_SIGSAFE;

static inline unsigned char *
twin_bytes(struct section *section, const struct twin *twin) {
  return section->twins.bytes + ((size_t)twin->place << host_config.page_shift);
}

#endif
