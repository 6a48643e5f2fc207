/* page.h - the page protocol's bytes and their transitions.  Pure: atomics only, no system call,
 * async-signal-safe throughout.  doc/design.md, "The page protocol", says why it is right;
 * models/page.pml and models/lanes.pml show it.
 *
 * Three bytes a page:
 *   state  one a page of the section, shared by all processes.  Changed by compare-and-swap.
 *   lane   one a page of the section and process: whether the page is open here, and the marks of
 *          who is filling or writing it.  Holds the page bit, which only threads of that process
 *          contend for: a stopped or killed process never holds up another one.
 *   view   one a page of a mapping: the protection asked for, whether the page is shown (not
 *          inaccessible) and open in this mapping.  Changed only under the page bit.
 *
 * Invariants:
 *   I1  open implies marked: a page that the host lets a mapping write has OPEN in its view and
 *       its lane, and its state is DIRTY (with AHEAD or without), WRITING or WRITING_AGAIN (or it
 *       lies past the end).
 *   I2  a writer looks at the lanes after the state says WRITING and before it reads the page's
 *       memory: a page that is open somewhere then stays dirty, whatever happens to the lanes
 *       meanwhile; one that is opened later is marked again.  So whoever only closes a page has
 *       nothing to mark.  (Looking after the write loses stores: a lane may have been open while
 *       the memory was read and closed before the look.  tests/unit/core_page_orders.c plays the
 *       right orders and the wrong ones.)
 *   I3  whoever opens sets OPEN in the lane before it marks the state, and has the host open the
 *       page after that; whoever makes a state cleaner or WRITING does that before it looks at the
 *       lanes.  Both sides sequentially consistent: neither may miss the other.
 *   I4  AHEAD implies a twin: bytes of the page as the file holds them, which stay as they are
 *       until the state has left AHEAD (and WRITING, if it went there).  OPENING implies that no
 *       store was made: whoever opens the page marks it first, but for who is making the twin,
 *       and that one opens it when it is AHEAD.
 */
#ifndef SOFTMAP_PAGE_H
#define SOFTMAP_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint8_t page_byte;

/* The lower bits of a state byte.  Pages that somebody fills, writes or flushes are in a hand, which
 * stands in the upper bits: a process that was stopped in the middle, and whose work others took
 * over, can't end what is in another hand by now. */
enum page_state {
  PAGE_UNFILLED = 0, /* also: past the end, or never looked at */
  PAGE_FILLING,
  PAGE_CLEAN,
  PAGE_WRITTEN,  /* as in the file, but the file wasn't flushed since */
  PAGE_FLUSHING, /* the same, and a flush is under way */
  PAGE_DIRTY,
  PAGE_WRITING,       /* dirt to whoever adopts */
  PAGE_WRITING_AGAIN, /* stored to since the write began */
  PAGE_STATE_COUNT
};

/* Beside PAGE_DIRTY: pages that were opened before a store.  Dirty to whoever doesn't look at
 * their twins (section/twins.h), or finds none. */
enum page_flags {
  PAGE_AHEAD = 0x08,    /* stored to if it differs from its twin */
  PAGE_OPENING = 0x10,  /* not stored to; its twin is being made */
  PAGE_UNFLUSHED = 0x20, /* with one of them: it was WRITTEN or FLUSHING before, not CLEAN */
  PAGE_STORED = 0x40     /* with AHEAD: it was found to differ; kept for its twin */
};

enum lane_bits {
  LANE_BIT = 0x01,     /* the page bit */
  LANE_OPEN = 0x02,    /* some mapping of this process can store without a fault */
  LANE_WRITING = 0x04, /* this process is the writer of a WRITING page */
  LANE_FILLING = 0x08, /* this process fills a FILLING page */
  LANE_WATCHED = 0x20, /* the kernel lets this process store to it, and knows; the stamp tells
                          others (section/stamp.h) */
  LANE_STORED = 0x40, /* in an atomic section: this process vouches for what is stored there */
};

enum view_bits {
  VIEW_ASKED = 0x07, /* PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4 */
  VIEW_OPEN = 0x08,
  VIEW_SHOWN = 0x10,
  VIEW_LOCKED = 0x20, /* mlock */
  VIEW_NOFORK = 0x40, /* MADV_DONTFORK */
  VIEW_WATCHED = 0x80, /* the host lets it be stored to and notes it (track/watch.c) */
};

/* ---- The page bit -------------------------------------------------------------------------- */

static inline bool
page_bit_try(page_byte *lane) {
  return !(atomic_fetch_or_explicit(lane, LANE_BIT, memory_order_acquire) & LANE_BIT);
}

static inline void
page_bit_drop(page_byte *lane) {
  atomic_fetch_and_explicit(lane, (uint8_t)~LANE_BIT, memory_order_release);
}

/* ---- States -------------------------------------------------------------------------------- */

#define PAGE_KIND_BITS 3
#define PAGE_HANDS 32 /* lanes that are a multiple of that apart have the same hand */

static inline enum page_state
page_kind(uint8_t state) {
  return (enum page_state)(state & ((1u << PAGE_KIND_BITS) - 1));
}

static inline uint8_t
page_in_hand(enum page_state kind, uint32_t lane) {
  return (uint8_t)(kind | (lane % PAGE_HANDS) << PAGE_KIND_BITS);
}

static inline uint32_t
page_hand(uint8_t state) {
  return state >> PAGE_KIND_BITS;
}

static inline bool
page_is_in_hand(uint8_t state) {
  enum page_state kind = page_kind(state);
  return kind == PAGE_FILLING || kind == PAGE_FLUSHING || kind == PAGE_WRITING ||
         kind == PAGE_WRITING_AGAIN;
}

static inline bool
page_is_filled(uint8_t state) {
  return page_kind(state) >= PAGE_CLEAN;
}

/* Is it dirty only if its twin says so? */
static inline bool
page_is_doubtful(uint8_t state) {
  return page_kind(state) == PAGE_DIRTY && (state & (PAGE_AHEAD | PAGE_OPENING));
}

/* One that this version writes? */
static inline bool
page_is_state(uint8_t state) {
  uint8_t flags = (uint8_t)(state & ~(PAGE_DIRTY | PAGE_UNFLUSHED));
  return state < PAGE_STATE_COUNT || page_is_in_hand(state) ||
         (page_is_doubtful(state) && (flags == PAGE_AHEAD || flags == PAGE_OPENING ||
                                      flags == (PAGE_AHEAD | PAGE_STORED)));
}

/* Was it stored to, as far as is known? */
static inline bool
page_is_stored(uint8_t state) {
  return page_kind(state) >= PAGE_DIRTY && (!page_is_doubtful(state) || (state & PAGE_STORED));
}

/* A sync would write it, or look at its twin, and nobody has it in hand. */
static inline bool
page_is_to_write(uint8_t state) {
  return state == PAGE_DIRTY || (page_is_doubtful(state) && page_is_state(state));
}

/* A page as in the file whose twin is about to be made. */
static inline uint8_t
page_opening(uint8_t was) {
  return PAGE_DIRTY | PAGE_OPENING | (was == PAGE_CLEAN ? 0 : PAGE_UNFLUSHED);
}

static inline uint8_t
page_ahead(uint8_t opening) {
  return (uint8_t)(opening ^ (PAGE_OPENING | PAGE_AHEAD));
}

/* What a doubtful page is that wasn't stored to. */
static inline uint8_t
page_not_stored(uint8_t doubtful) {
  return doubtful & PAGE_UNFLUSHED ? PAGE_WRITTEN : PAGE_CLEAN;
}

/* Would a sync write it?  Of bytes that aren't a state, which a section's rest may have where nobody
 * looked, nothing is believed but whether the page is filled; page_mark makes states of them. */
static inline bool
page_is_dirty(uint8_t state) {
  return page_kind(state) >= PAGE_DIRTY && page_is_state(state);
}

static inline bool
page_is_writing(uint8_t state) {
  return page_kind(state) >= PAGE_WRITING;
}

/* One step of a state; false if it was another one. */
static inline bool
page_step(page_byte *state, uint8_t from, uint8_t to) {
  return atomic_compare_exchange_strong(state, &from, to);
}

/* Mark: the page is or may be stored to from now on.  False if it can't be marked because it is
 * being filled, or doesn't exist (whoever makes it exist looks at the lanes). */
static inline bool
page_mark(page_byte *state) {
  uint8_t now = atomic_load(state);
  for (;;) {
    uint8_t to;
    switch (page_kind(now)) {
    case PAGE_CLEAN:
    case PAGE_WRITTEN:
    case PAGE_FLUSHING:
      to = PAGE_DIRTY;
      break;
    case PAGE_WRITING:
      to = (uint8_t)(now - PAGE_WRITING + PAGE_WRITING_AGAIN); /* in the same hand */
      break;
    case PAGE_DIRTY:
      if (now == PAGE_DIRTY)
        return true;
      to = PAGE_DIRTY; /* whatever its twin says */
      break;
    case PAGE_WRITING_AGAIN:
      return true;
    case PAGE_UNFILLED:
    case PAGE_FILLING:
    case PAGE_STATE_COUNT:
    default:
      return false;
    }
    if (atomic_compare_exchange_weak(state, &now, to))
      return true;
  }
}

/* The writer of this lane is done.  open_somewhere: as the lanes were when it looked (I2).  Returns
 * whether the page is as in the file now. */
static inline bool
page_end_write(page_byte *state, uint32_t lane, bool written, bool open_somewhere) {
  uint8_t writing = page_in_hand(PAGE_WRITING, lane);
  if (written && !open_somewhere && page_step(state, writing, PAGE_WRITTEN))
    return true;
  if (!page_step(state, writing, PAGE_DIRTY)) /* else: cut off by a shrinking file, or taken over */
    page_step(state, page_in_hand(PAGE_WRITING_AGAIN, lane), PAGE_DIRTY);
  return false;
}

/* The same of a page that was doubtful, and the same as its twin, when this lane took it. */
static inline bool
page_end_compare(page_byte *state, uint32_t lane, uint8_t was, bool open_somewhere) {
  uint8_t to = open_somewhere ? was : page_not_stored(was);
  if (page_step(state, page_in_hand(PAGE_WRITING, lane), to))
    return true;
  page_step(state, page_in_hand(PAGE_WRITING_AGAIN, lane), PAGE_DIRTY);
  return false;
}

/* Take a page out of the hand that it was seen being written in: dirty again. */
static inline void
page_take_over(page_byte *state, uint8_t seen) {
  if (page_is_writing(seen)) {
    uint8_t hand = (uint8_t)(seen & ~((1u << PAGE_KIND_BITS) - 1));
    if (!page_step(state, hand | PAGE_WRITING, PAGE_DIRTY))
      page_step(state, hand | PAGE_WRITING_AGAIN, PAGE_DIRTY);
  }
}

#endif
