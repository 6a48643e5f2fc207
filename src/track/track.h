/* track.h - how stores are noticed: opening, closing and showing pages.
 *
 * Everything here changes view bytes and the host's protections together, under the page bits,
 * and keeps I1 and I2 of core/page.h.  What a tracker does in its own way stands in struct tracker;
 * the rest of the library calls track_*, which asks the mapping's tracker.
 */
#ifndef SOFTMAP_TRACK_H
#define SOFTMAP_TRACK_H

#include "section/section.h"

/* Pages whose bits are held at once, at most: a bitmap of them fits a small signal stack. */
#define TRACK_GROUP 512
struct track_set {
  uint64_t bits[TRACK_GROUP / 64];
};

static inline bool
track_set_has(const struct track_set *set, uint64_t i) {
  return set->bits[i / 64] >> (i % 64) & 1;
}

static inline void
track_set_add(struct track_set *set, uint64_t i) {
  set->bits[i / 64] |= (uint64_t)1 << (i % 64);
}

static inline void
track_set_remove(struct track_set *set, uint64_t i) {
  set->bits[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* The next run of its first n pages at or behind *end: [*first, *end).  False: there is none. */
static inline bool
track_set_run(const struct track_set *set, uint64_t n, uint64_t *first, uint64_t *end) {
  *first = *end;
  while (*first < n && !track_set_has(set, *first))
    ++*first;
  *end = *first;
  while (*end < n && track_set_has(set, *end))
    ++*end;
  return *first < *end;
}

/* Change the views of pages [first, first + n) of a mapping (those in `set`, counted from first;
 * NULL: all) and make the host enforce what follows from it.  Neighbouring pages of the range
 * that want the same protection are protected with one call.  On failure the pages concerned
 * keep their view.  The bits of the whole range are held.  n is at most TRACK_GROUP. */
SOFTMAP_MUST_CHECK int view_change(const struct mapping *mapping, uint64_t first, uint64_t n,
                                   const struct track_set *set, uint8_t clear,
                                   uint8_t add) SOFTMAP_SIGSAFE;

/* ---- A tracker ------------------------------------------------------------------------------ */

/* How the stores of a mapping are noticed: decided when it is made, for its life.  A hook that may
 * be NULL has nothing to do then. */
struct tracker {
  const char *name; /* as the user chooses it */
  /* Can this process have it?  EOPNOTSUPP: this host can't.  NULL: always. */
  int (*ready)(void);
  /* As track_open and track_show. */
  int (*open)(const struct mapping *mapping, uint64_t page);
  int (*show)(const struct mapping *mapping, uint64_t first, uint64_t n);
  /* Close the pages in `set` (counted from first) that are open in this mapping, so that the next
   * store is noticed.  The bits are held. */
  int (*close)(const struct mapping *mapping, uint64_t first, uint64_t n,
               const struct track_set *set);
  /* Mark what was stored to without a mark: a sync begins.  Or NULL.  [keeper; sync_lock is held;
   * inside readers_enter_to_close] */
  int (*collect)(const struct mapping *mapping, uint64_t first, uint64_t n);
  /* The mapping gives these pages away, for good or for a time: no store to them goes on without
   * a fault, and each that happened is marked.  Or NULL.  [no bit held; mapping can't go away] */
  int (*settle)(const struct mapping *mapping, uint64_t first, uint64_t n);
  /* As track_arrive.  Or NULL. */
  void (*arrive)(const struct mapping *mapping);
  /* In a forked child, before its lane is used: as the host has it now.  Or NULL. */
  void (*inherit)(struct mapping *mapping);
};
extern const struct tracker tracker_fault;
extern const struct tracker tracker_watch;
extern const struct tracker tracker_compare;
/* tracker_fault's own, which others use, too. */
SOFTMAP_MUST_CHECK int track_close_pages(const struct mapping *mapping, uint64_t first, uint64_t n,
                                         const struct track_set *set);
/* In a forked child: the kernel's side of `watch` is not inherited. */
void track_forget_kernel(void);

/* Choose the tracker of mappings made from now on; "auto": watch if this host has it, else fault.
 * EINVAL: no such name; EOPNOTSUPP: not on this host, and the choice stays as it was. */
SOFTMAP_MUST_CHECK int track_choose(const char *name);
const struct tracker *track_chosen(void);

/* ---- Pages ---------------------------------------------------------------------------------- */

/* A store to a closed, filled page: open it in this mapping, and mark it if its stores aren't
 * noticed otherwise.  EAGAIN: it is being filled (again).  ENOMEM: the host has no memory area
 * left (the page is marked all the same). */
SOFTMAP_MUST_CHECK int track_open(const struct mapping *mapping, uint64_t page) SOFTMAP_SIGSAFE;
/* The same for who may store without being noticed (a system call at work): OPEN in the lane, and
 * marked, until somebody closes it. */
SOFTMAP_MUST_CHECK int track_pin(const struct mapping *mapping, uint64_t page) SOFTMAP_SIGSAFE;
/* track_pin, and where stores follow each other the pages that come next, too: how the tracker
 * "fault" opens (ahead.c). */
SOFTMAP_MUST_CHECK int track_store(const struct mapping *mapping, uint64_t page) SOFTMAP_SIGSAFE;
/* Open pages of the range that are as in the file and can have twins: no store has come. */
SOFTMAP_MUST_CHECK int track_open_unasked(const struct mapping *mapping, uint64_t first,
                                          uint64_t n) SOFTMAP_SIGSAFE;
/* In a forked child: no other thread is opening pages. */
void track_ahead_reset(void);
/* A store past the end: open without a mark, so that the host raises its own SIGBUS; should the
 * page come to exist, whoever grows the section finds it open.  EAGAIN: it exists now. */
SOFTMAP_MUST_CHECK int track_open_past_end(const struct mapping *mapping,
                                           uint64_t page) SOFTMAP_SIGSAFE;
/* A mapping was made, all its pages are filled and shown. */
void track_arrive(const struct mapping *mapping);
/* Make filled pages of [first, first + n) accessible, closed. */
SOFTMAP_MUST_CHECK int track_show(const struct mapping *mapping, uint64_t first,
                                  uint64_t n) SOFTMAP_SIGSAFE;
/* Close the pages in `set` in every mapping of the process; those for which that fails, and
 * pinned ones, stay open.  The bits of [first, first + n) are held, and the mappings can't go
 * away (inside readers_enter..., or under the space lock). */
void track_close(struct section *section, uint64_t first, uint64_t n,
                 const struct track_set *set) SOFTMAP_SIGSAFE;
/* Close all open pages of [first, first + n), pinned ones only if `even_pinned`; they stay dirty.
 * Takes the bits itself.  How many were closed. */
uint64_t track_close_all(struct section *section, uint64_t first, uint64_t n,
                         bool even_pinned) SOFTMAP_SIGSAFE;
/* Before a sync looks at states: mark in [first, first + n) what was stored to in mappings of this
 * process without a mark.  [keeper; sync_lock is held] */
SOFTMAP_MUST_CHECK int track_collect(struct section *section, uint64_t first, uint64_t n);
/* Could that be necessary?  [space lock] */
bool track_must_collect(struct section *section);
/* A mapping is about to go, or to lose these pages: all that was stored to is marked, and nothing
 * more can be stored without a fault.  [no bit held; the mapping can't go away] */
SOFTMAP_MUST_CHECK int track_settle(const struct mapping *mapping, uint64_t first,
                                    uint64_t n) SOFTMAP_SIGSAFE;
/* The same for every mapping of these pages that doesn't go.  [keeper] */
SOFTMAP_MUST_CHECK int track_settle_all(struct section *section, uint64_t first, uint64_t n);
/* Before a fork, with the gate closed: close all but pinned pages, and remember where some page
 * stayed open.  In the child, before its lane is used: close those. */
void track_close_for_fork(struct section *section);
void track_close_inherited(struct section *section);

/* ---- Robust mutexes (locked.c) -------------------------------------------------------------- */

#define TRACK_LOCKED_MAX 128
struct track_locked {
  size_t n;
  uintptr_t at[TRACK_LOCKED_MAX];
};
/* Those that threads of this process hold or are about to take now. */
void track_find_locked(struct track_locked *locked);
/* Is one of them in this page?  [inside readers_enter..., or under the space lock] */
bool track_is_locked(const struct track_locked *locked, struct section *section, uint64_t page);
/* The process ends: the kernel will store to those that are watched, so they aren't clean. */
void track_mark_locked(struct section *section);
/* Open their pages again.  [not on a keeper: waits for a fork] */
void track_open_locked(struct section *section, const struct track_locked *locked);

/* ---- Memory areas (areas.c) ---------------------------------------------------------------- */

/* Neighbouring pages with different protections are different areas of the host, whose number it
 * limits.  We count ours and stay below half of the limit. */
void areas_add(const struct mapping *mapping, int64_t n) SOFTMAP_SIGSAFE;
/* View bytes are gone, and their areas. */
void areas_forget(struct views *views);
/* Are there too many?  ask: quarters of our share. */
bool areas_above(unsigned quarters) SOFTMAP_SIGSAFE;
/* Make areas of a mapping merge: close its open pages; if that isn't enough hide filled ones.
 * [inside readers_enter, no bit held] */
void areas_relieve(const struct mapping *mapping) SOFTMAP_SIGSAFE;

#endif
