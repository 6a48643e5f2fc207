/* storm.h - the model behind kill_storm: who stored what, in memory that no kill takes away.
 *
 * Each owner has a slot of eight bytes in every page of every file, and counts there. A store is
 * noted before (next) and after (done); what a sync vouched for is noted too (synced). So at any
 * moment, for any slot:
 *   in memory  done or next
 *   in the file, from synced as it was before it was read, to next as it was after
 */
#ifndef STORM_H
#define STORM_H

#include "sections.h"

enum {
  WORKERS = 4,
  OWNERS = 2 * WORKERS, /* each worker, and its forked child */
  FILES = 2,
  PAGES = 12,
  SLOTS_AT = 64 /* in the page */
};

struct note {
  _Atomic uint64_t next, done, synced;
};

enum storm_op {
  OP_START,
  OP_MAP,
  OP_UNMAP,
  OP_STORE,
  OP_SYNC,
  OP_SYNC_ALL,
  OP_LOOK,
  OP_FORK,
  OP_END
};

struct storm {
  char path[FILES][T_PATH];
  struct note notes[FILES][PAGES][OWNERS];
  struct {
    _Atomic uint64_t ops;   /* done so far, all lives together */
    _Atomic int op;         /* under way */
    _Atomic bool has_group; /* its children are in its process group */
    uint64_t seed;
  } worker[WORKERS];
  _Atomic bool ends; /* leave properly */
  bool is_proper;    /* children do so, too */
};

/* Runs until it is killed, or the storm ends: worker `me`, of the storm with this id. */
intmax_t storm_worker(intmax_t me, intmax_t id, const char *text);

static inline size_t
slot_offset(unsigned page, unsigned owner) {
  return t_pages(page) + SLOTS_AT + owner * sizeof(uint64_t);
}

static inline uint64_t
slot_value(unsigned file, unsigned page, unsigned owner, uint64_t count) {
  uint64_t id = 1 + owner + OWNERS * (page + PAGES * file);

  return count == 0 ? 0 : id << 40 | count;
}

/* The count in a value; UINT64_MAX if nobody stored that there. */
static inline uint64_t
slot_count(unsigned file, unsigned page, unsigned owner, uint64_t value) {
  uint64_t count = value & (((uint64_t)1 << 40) - 1);

  return value == slot_value(file, page, owner, count) ? count : UINT64_MAX;
}

#endif
