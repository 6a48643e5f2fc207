/* control.h - the control file of a section: how it is laid out, and its header.
 *
 * Sparse; nothing in it costs memory before it is used.  All offsets are multiples of
 * CONTROL_UNIT, so that every host can map each part on its own:
 *
 *   header                               CONTROL_UNIT
 *   lane records                         LANE_MAX of 64 bytes
 *   extent 0: states, summary            then its lanes, LANE_MAX of them
 *   extent 1: states, summary            then its lanes ...
 *
 * Extent 0 covers the section's pages [0, 2^16), extent k covers [2^(15+k), 2^(16+k)): growing a
 * section adds extents and never moves one, so addresses once looked up stay right.
 * states: one byte a page (enum page_state).  summary: one byte for SUMMARY_PAGES states.
 * A lane: one byte a page (enum lane_bits).  Twins have a file of their own (twins.h).
 *
 * Widths are fixed, so that programs of any architecture of one machine share a section.
 */
#ifndef SOFTMAP_CONTROL_H
#define SOFTMAP_CONTROL_H

#include "core/page.h"
#include "host/host.h"

#define CONTROL_MAGIC "softmap\1"
#define CONTROL_VERSION 5
#define CONTROL_UNIT ((uint64_t)1 << 16)
#define EXTENT_SHIFT 16 /* pages of extent 0 */
#define EXTENT_MAX 21
#define SECTION_PAGES_MAX ((uint64_t)1 << (EXTENT_SHIFT + EXTENT_MAX - 1))
#define LANE_MAX 4096
#define TWINS_MAX ((uint32_t)1 << 20)
#define SUMMARY_SHIFT 12
#define SUMMARY_PAGES ((uint64_t)1 << SUMMARY_SHIFT)

enum summary_bits {
  SUMMARY_DIRTY = 0x01,     /* the block may have pages that a sync must write */
  SUMMARY_UNFLUSHED = 0x02, /* ... that were written but not flushed */
  SUMMARY_FLUSHING = 0x04,  /* ... whose flush is under way */
  SUMMARY_CHECKING = 0x08,  /* somebody looks whether DIRTY can go; whoever marks takes it away */
  SUMMARY_WATCHED = 0x10,   /* ... that some lane watches, or did so */
  SUMMARY_TURN = 0xe0       /* counts those who look, so that each knows its own CHECKING */
};

struct lane_record {
  _Atomic uint32_t used;    /* 1: claimed since it was last cleaned */
  _Atomic uint32_t leaving; /* 1: its owner doesn't stay: others don't leave the section to it */
  uint64_t pid, start_ticks, pid_namespace;
  _Atomic uint32_t
      writing; /* 1: the file's mtime may be newer than control->mtime_ns by our hand */
  _Atomic uint32_t arriving; /* children that it forked and that have no lane yet */
  _Atomic uint32_t flushing; /* 1: pages may be flushing in its hand */
  _Atomic uint32_t kind;     /* SECTION_*: of its shared mappings */
  _Atomic uint64_t watches;  /* not 0: pages of it may be watched; another number each time */
  uint64_t reserved[1];
};

_Static_assert(sizeof(struct lane_record) == 64, "as laid out above, on every machine");

/* control->life.  Any other value is the token of a process that is about to remove the section:
 * whoever joins meanwhile puts LIVE back, and the remover finds its token gone. */
#define LIFE_LIVE 0
#define LIFE_REMOVED 1 /* for good: whoever finds the names takes them away */

/* control->watch.  WATCHED and MERGED exclude each other, as long as the section lives: what the
 * kernel lets be stored to has no twin. */
#define CONTROL_WATCHED 1 /* stores may happen that no state tells of: everybody keeps stamps */
#define CONTROL_CUT                                                                                \
  2 /* the file was cut off while somebody watched: its kernel may tell of
                             stores to pages that are gone, or new by now */
#define CONTROL_MERGED                                                                             \
  4 /* only changed bytes are to be written: each page has a twin before it is
                             opened */

struct control {
  char magic[8];
  uint32_t version, page_size;
  uint64_t device, inode, birth_ns;
  uint64_t boot[2];
  uint64_t owner;
  _Atomic uint32_t stale;    /* 1: the data may hold old bytes where a page isn't filled */
  _Atomic uint32_t lanes;    /* one more than the highest lane ever claimed */
  _Atomic uint64_t size;     /* bytes of the file, as last seen: what pages exist */
  _Atomic uint64_t mtime_ns; /* of the file after our last write or look; 0: unknown */
  _Atomic uint64_t life;     /* LIFE_* */
  _Atomic uint32_t
      mtime_doubts;         /* how many died while they wrote, and have their lane used again */
  _Atomic uint32_t cutting; /* 1: what lies past the end isn't cut off everywhere yet */
  _Atomic uint64_t past_low, past_high; /* pages past the end that may be open in some lane:
                                           [low, high), empty if high is 0 */
  _Atomic uint32_t twins;   /* pages that its file of twins has room for; 0: there is none */
  _Atomic uint32_t growths; /* how often the file became longer, twice; odd: it does */
  _Atomic uint64_t watch;   /* CONTROL_WATCHED, CONTROL_CUT, CONTROL_MERGED */
  _Atomic uint32_t atomic;  /* 1: a sync is all or nothing (section/kind.h) */
  _Atomic uint32_t settled; /* 0: who joins looks for a journal first */
  _Atomic uint32_t
      mtime_vouched; /* so many of mtime_doubts came before the last look at the file */
  uint32_t reserved;
  char path[1024]; /* of the file when the section was made; for people */
};

_Static_assert(offsetof(struct control, size) == 72 && offsetof(struct control, past_low) == 104 &&
                   sizeof(struct control) == 1176,
               "no padding that depends on the machine");

/* Was the file written by somebody who died before mtime_ns told of it? */
static inline bool
control_mtime_is_unsure(const struct control *control) {
  return atomic_load(&control->mtime_vouched) != atomic_load(&control->mtime_doubts);
}

static inline uint64_t
control_pages(uint64_t size, uint64_t page_size) {
  return size / page_size + (size % page_size != 0);
}

/* Bytes of the control file's locks (host_byte_lock). */
#define CONTROL_LOCK_RESIZE 1 /* growing and shrinking */
#define CONTROL_LOCK_GATE 2   /* an atomic sync, and whatever must not meet one */
#define CONTROL_LOCK_LANE 16  /* plus the lane's number: held as long as it lives */
/* Plus the lane's number: held by who is a member, having made the section or found it good. */
#define CONTROL_LOCK_MEMBER (CONTROL_LOCK_LANE + LANE_MAX)

static inline unsigned
extent_of(uint64_t page) {
  return page >> EXTENT_SHIFT ? 64u - (unsigned)__builtin_clzll(page) - EXTENT_SHIFT : 0;
}

static inline uint64_t
extent_first(unsigned extent) {
  return extent ? (uint64_t)1 << (EXTENT_SHIFT + extent - 1) : 0;
}

static inline uint64_t
extent_pages(unsigned extent) {
  return extent ? extent_first(extent) : (uint64_t)1 << EXTENT_SHIFT;
}

/* Bytes of an extent's summary, rounded up, with a spare unit whose last byte nobody uses (so
 * that writing it lengthens the file without a risk). */
static inline uint64_t
extent_summary_size(unsigned extent) {
  uint64_t blocks = extent_pages(extent) >> SUMMARY_SHIFT;
  return (blocks / CONTROL_UNIT + 1) * CONTROL_UNIT;
}

/* Offset of an extent's states; its summary follows, then its lanes. */
uint64_t control_extent_offset(unsigned extent);
uint64_t control_lane_offset(unsigned extent, uint32_t lane);

/* Offset of the lane records, and of the end of what is mapped in one piece with the header. */
#define CONTROL_RECORDS CONTROL_UNIT
#define CONTROL_HEAD_SIZE (control_extent_offset(0) + extent_pages(0) + extent_summary_size(0))

/* Widen the range of pages that may be open past the end, by [first, end). */
void control_note_past_end(struct control *control, uint64_t first, uint64_t end);

/* Make the control file at least `end` bytes long.  end is behind a spare byte or a lane of ours.
 * Never shortens, whoever else does the same. */
SOFTMAP_MUST_CHECK int control_reserve(int control_fd, uint64_t end);

/* Fill in a fresh header. */
void control_init(struct control *control, const struct host_stat *file, size_t page_size);
/* Is it a header that we can work with?  0, or EINVAL, EPROTO (another version or page size).
 * Nothing in it is believed before. */
SOFTMAP_MUST_CHECK int control_check(const struct control *control, uint64_t control_size);

#endif
