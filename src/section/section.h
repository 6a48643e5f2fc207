/* section.h - a section as one process knows it: the memory image of one file, shared by all its
 * mappings.
 *
 * Who may call: api, space, backing, track, process; fault for what is SOFTMAP_SIGSAFE.  What
 * needs a descriptor runs on a keeper thread and says so ("[keeper]").
 */
#ifndef SOFTMAP_SECTION_H
#define SOFTMAP_SECTION_H

#include "backing/keeper.h"
#include "core/mapping.h"
#include "core/page.h"
#include "host/host.h"
#include "host/lock.h"
#include "section/hash.h"
#include "section/control.h"

/* An extent of the control file, mapped.  Set once, before a mapping needs it; never moves. */
struct stamp;
struct extent {
  page_byte *states;
  page_byte *summary;
  page_byte *lane;              /* ours */
  _Atomic uint16_t *pins;       /* NULL: nothing was ever pinned here; process-private counts */
  struct stamp *_Atomic stamps; /* NULL: not needed yet */
  page_byte *stamp_memory;      /* which of their pages have memory */
};

struct section_key {
  uint64_t device, inode;
};

/* A run of stores at even distances, as the faults look.  A guess: read and written without a lock. */
struct section_run {
  _Atomic uint64_t last;   /* page opened last */
  _Atomic int32_t stride;  /* pages to the next one; 0: not known yet */
  _Atomic uint32_t count;  /* pages at that distance that were opened with it */
  _Atomic uint32_t offset; /* in a page: where stores went to */
};
#define SECTION_RUNS 8
#define OLD_FENCES 16

/* A child between fork and its own lane. */
struct lane_child {
  uint32_t lane; /* its parent's */
  uint64_t pid, start_ticks;
};

struct section {
  UT_hash_handle hh; /* in the registry, by key */
  struct section_key key;
  char name[56];          /* of its files in the section directory, without ending */
  _Atomic uint32_t users; /* mappings, and calls at work */
  struct control *control;
  struct extent extent[EXTENT_MAX];
  _Atomic unsigned nextents;
  uint32_t lane;
  uint32_t kind;                   /* SECTION_* of this process's shared mappings (kind.h) */
  _Atomic bool has_lane;           /* false: a forked child that could not get one */
  int dir_fd, data_fd, control_fd; /* numbers in the keepers' table */
  _Atomic int file_fd;
  _Atomic int own_fd; /* the file opened once more for reading: a position of its own, no O_DIRECT;
                         -1: not needed yet */
  int old_fd[2];      /* descriptors that file_fd was before: another keeper may just use them */
  bool file_is_writable;
  uint16_t trace;          /* its number in the event ring */
  struct lock sync_lock;   /* one sync at a time, in this process; guards window */
  struct lock resize_lock; /* one growing or shrinking at a time, in this process */
  struct lock peers_lock;  /* guards peers and claims */
  struct lock stamps_lock; /* mapping stamps */
  struct {
    unsigned char *addr;
    uint64_t first, npages;
  } window;                     /* a view of the data that only we use */
  unsigned char *_Atomic inlet; /* where the kernel copies into the data; NULL: not needed yet */
  struct {
    page_byte *lanes; /* all lanes of an extent, side by side */
    uint32_t count;
  } peers[EXTENT_MAX];
  struct announcement *announced;     /* announce.c's; NULL: not announced */
  const unsigned char *_Atomic fence; /* every byte value; NULL: not needed yet */
  const unsigned char
      *_Atomic old_fences[OLD_FENCES]; /* revoked; a keeper may be about to use it */
  const unsigned char *resize_fence;   /* for who grows or shrinks; guarded by resize_lock */
  struct {
    uint64_t first, end;
  } claims[KEEPER_THREADS]; /* pages that each keeper fills; guarded by peers_lock */
  struct {
    _Atomic uint64_t *_Atomic keys; /* NULL: not mapped */
    unsigned char *bytes;
    uint32_t count;
  } twins;
  _Atomic bool opens_ahead; /* this process does */
  _Atomic bool stays_open;  /* pages with twins in this process, whatever a sync does */
  struct section_run runs[SECTION_RUNS];
  _Atomic uint32_t next_run; /* of them, to be used for a new one */
  _Atomic uint32_t differed; /* byte of a page at which a twin was last found to differ */
  struct mapping *_Atomic mappings;
  _Atomic uint32_t closings;    /* how often pages of it were closed */
  _Atomic uint32_t settlings;   /* how often watched ones were */
  struct lane_child child;      /* of the last fork */
  uint64_t left_low, left_high; /* pages that the last fork may have left open: [low, high) */
  _Atomic int pending_error;    /* of a write-back that could not be reported */
  _Atomic uint64_t fill_next;   /* page behind the last fill on touch */
  _Atomic uint32_t fill_run;    /* pages that it filled */
};

/* ---- Where things are ---------------------------------------------------------------------- */

static inline page_byte *
section_state(struct section *section, uint64_t page) {
  unsigned k = extent_of(page);
  return &section->extent[k].states[page - extent_first(k)];
}

static inline page_byte *
section_lane(struct section *section, uint64_t page) {
  unsigned k = extent_of(page);
  return &section->extent[k].lane[page - extent_first(k)];
}

static inline page_byte *
section_summary(struct section *section, uint64_t page) {
  unsigned k = extent_of(page);
  return &section->extent[k].summary[(page - extent_first(k)) >> SUMMARY_SHIFT];
}

static inline bool
section_is_pinned(struct section *section, uint64_t page) {
  unsigned k = extent_of(page);
  return section->extent[k].pins &&
         atomic_load(&section->extent[k].pins[page - extent_first(k)]) != 0;
}

/* Pages that we have states of. */
static inline uint64_t
section_reach(struct section *section) {
  return extent_first(atomic_load(&section->nextents));
}

/* Are only changed bytes to be written? */
static inline bool
section_merges(struct section *section) {
  return atomic_load(&section->control->watch) & CONTROL_MERGED;
}

/* Pages that the file has now. */
static inline uint64_t
section_npages_all(struct section *section) {
  uint64_t size = atomic_load(&section->control->size);
  return (size >> host_config.page_shift) + ((size & (host_config.page_size - 1)) != 0);
}

/* Is the file just becoming longer in this page?  Who is told no, and then asks for the size, knows of
 * all that may have been stored there. */
static inline bool
section_grows_in(struct section *section, uint64_t page) {
  return (atomic_load(&section->control->growths) & 1) &&
         page == atomic_load(&section->control->size) >> host_config.page_shift;
}

/* Those of them whose states this process can look at: when another one has made the file much
 * longer, the rest comes with the next section_follow. */
static inline uint64_t
section_npages(struct section *section) {
  uint64_t npages = section_npages_all(section);
  uint64_t reach = section_reach(section);
  return npages < reach ? npages : reach;
}

/* After the state of a page was changed. */
static inline void
summary_set(struct section *section, uint64_t page, uint8_t bits) {
  page_byte *summary = section_summary(section, page);
  uint8_t now = atomic_load(summary);
  while ((now & (bits | SUMMARY_CHECKING)) != bits &&
         !atomic_compare_exchange_weak(summary, &now, (uint8_t)((now | bits) & ~SUMMARY_CHECKING)))
    ;
}

/* What a lane says of a page that is opened here. */
static inline uint8_t
section_open_bits(struct section *section) {
  return LANE_OPEN | (atomic_load(&section->control->atomic) ? LANE_STORED : 0);
}

/* Mark a page dirty, and its block; false as page_mark. */
static inline bool
section_mark(struct section *section, uint64_t page) {
  if (!page_mark(section_state(section, page)))
    return false;
  summary_set(section, page, SUMMARY_DIRTY);
  return true;
}

/* Take DIRTY away from a block that has no dirty page, being written ones included.  It is never
 * missing while there is one: a sync that trusts it waits for what others are writing. */
void summary_settle(struct section *section, uint64_t page);
/* Some page was stored to, as far as is known: settle_all comes before. */
bool section_has_dirt(struct section *section);

/* ---- The page bit -------------------------------------------------------------------------- */

/* Take the bits of [first, first + n), ascending.  All signals are blocked, and no other bit of
 * the section is held. */
void section_bits_take(struct section *section, uint64_t first, uint64_t n) SOFTMAP_SIGSAFE;
void section_bits_drop(struct section *section, uint64_t first, uint64_t n) SOFTMAP_SIGSAFE;

/* No descriptor yet. */
static inline void
section_forget_fds(struct section *section) {
  section->dir_fd = section->data_fd = section->control_fd = -1;
  section->file_fd = -1;
  section->own_fd = -1;
  section->old_fd[0] = section->old_fd[1] = -1;
}

/* ---- Coming and going (open.c, registry.c) ------------------------------------------------- */

/* The section of the file behind fd (of the keepers' table; given away whatever comes out),
 * created if need be, with one more user.  [keeper] */
SOFTMAP_MUST_CHECK int section_obtain(int fd, const struct section_key *expected,
                                      struct section **out);
/* A section object that is in no registry, without files; NULL: no memory.  section_drop closes and
 * unmaps what it has but the file's own descriptor; arena_free frees it.  [keeper; under the
 * sections lock] */
struct section *section_new(const struct section_key *key, const char *name);
void section_drop(struct section *section);
void section_hold(struct section *section);
/* One user less.  The last one writes back and removes the section; what can't be written keeps
 * it.  Any thread with signals blocked, holding neither LOCK_SECTIONS nor later ones. */
void section_release(struct section *section);
/* The process ends: take the names away if nothing is dirty and no other process is in it.  The
 * memory stays, threads may still run.  [keeper; the sections lock is held] */
void section_abandon(struct section *section);
/* Call fn for every section of this process until it returns non-zero, and return that.
 * [caller holds the sections lock; section_lock_all, section_unlock_all] */
int section_each(int (*fn)(struct section *section, void *arg), void *arg);
void section_lock_all(void);
void section_unlock_all(void);
void section_unlock_all_in_child(void); /* forked with it held */
size_t section_count(void);

/* If `error` means that there is no room: a line for the user (say.h), and ENOMEM. [keeper] */
int section_say_no_room(int error);

/* ---- Extents (extent.c) ---------------------------------------------------------------------- */

/* Map states, summary and our lane for the pages below npages.  EOVERFLOW: more than a section
 * can have.  [keeper; resize_lock is held] */
SOFTMAP_MUST_CHECK int extent_reach(struct section *section, uint64_t npages);
/* Have memory for the states and lane bytes of [first, first + npages) now, so that the fault
 * handler doesn't meet a full section directory; ranges too large for that are left alone.
 * ENOMEM: there is none.  [keeper] */
SOFTMAP_MUST_CHECK int extent_populate(struct section *section, uint64_t first, uint64_t npages);
/* Map a part of a file of the section's.  Too much locked memory is ENOMEM, where the host says
 * EAGAIN: to who joins that means to try again. */
SOFTMAP_MUST_CHECK int extent_map_file(int fd, uint64_t offset, size_t len, int prot, void **out);
/* Map the control file's head, with extent 0.  [keeper] */
SOFTMAP_MUST_CHECK int extent_map_head(struct section *section);
/* Unmap all, when nobody can look any more.  [keeper] */
void extent_unmap_all(struct section *section);

/* ---- Joining and leaving (life.c) ---------------------------------------------------------- */

/* Join the section whose files were opened.  EAGAIN: it is gone by now; open or make again.
 * *left: we are alone in it, and dead processes have left dirty pages, which can be written.
 * EBUSY, and a line says why: they can't.  Whatever fails after a lane was claimed has given it
 * back.  [keeper] */
SOFTMAP_MUST_CHECK int life_join(struct section *section, bool *left);
/* The first half of it, without a word: a lane of ours in it, not yet a member.  EINVAL, EPROTO:
 * as control_check.  [keeper] */
SOFTMAP_MUST_CHECK int life_arrive(struct section *section);
/* What is it that no living member vouches for?  *out says nothing if others->members tells that
 * somebody does.  [keeper; arrived] */
struct lane_census; /* lane.h */
enum life_left { LIFE_LEFT_CLEAN, LIFE_LEFT_DIRTY, LIFE_LEFT_CHANGED, LIFE_LEFT_DAMAGED };
SOFTMAP_MUST_CHECK int life_judge(struct section *section, struct lane_census *others,
                                  enum life_left *out);
/* With a lane of ours alive: see to it that the section stays.  EAGAIN: it was removed. [keeper] */
SOFTMAP_MUST_CHECK int life_keep(struct section *section);
/* Leave, and remove the section if we were the last.  EAGAIN: we are, and there is dirt in it; we
 * are still a member.  [keeper] */
SOFTMAP_MUST_CHECK int life_leave(struct section *section);
/* The same, leaving dirt behind if there is any. */
void life_leave_behind(struct section *section);
/* Leave and remove nothing: what is damaged may look as if there were no dirt. */
void life_leave_as_it_is(struct section *section);
/* As life_leave at the end of the process, which lingers in what it doesn't remove. */
void life_end(struct section *section);
/* What lingers is used again: stay.  [keeper] */
void life_come_back(struct section *section);

/* ---- Doubtful pages (settle.c) --------------------------------------------------------------- */

/* Which doubtful pages of [first, first + n) are the same as their twins?  was: their states when
 * they were claimed (those that aren't doubtful are left out).  same: the answer, a byte a page.
 * In doubt they aren't.  n is at most SETTLE_MAX.  [keeper; the pages are claimed] */
#define SETTLE_MAX 512
void settle_compare(struct section *section, uint64_t first, uint64_t n, const uint8_t *was,
                    bool *same);
/* Leave out what needs no comparison of all bytes: was[i] becomes 0 where the page differs in the place
 * where others did.  at: where the kernel can read the pages (window_cover).  [keeper; sync_lock;
 * the pages are claimed] */
void settle_peek(struct section *section, uint64_t first, uint64_t n, const unsigned char *at,
                 uint8_t *was);
/* Claim a page if it is doubtful; was: its state.  [keeper; no bit is held] */
SOFTMAP_MUST_CHECK bool settle_claim(struct section *section, uint64_t page, uint8_t *was);
/* A claimed page is going to be written whole: it needs no twin. */
void settle_drop_twin(struct section *section, uint64_t page);
/* The same of one that is to be dirty without a doubt: and end it. */
void settle_dirty(struct section *section, uint64_t page);
/* A claimed page was the same: as it was while some lane has it open, else not dirty any more.
 * False: it was stored to meanwhile, or taken over. */
bool settle_same(struct section *section, uint64_t page, uint8_t was, bool is_open) SOFTMAP_SIGSAFE;
/* Ask the twins of all doubtful pages of [first, end): afterwards pages that were stored to are
 * dirty without a doubt; those that nobody has open and weren't stored to, not dirty.  [keeper] */
SOFTMAP_MUST_CHECK int settle_all(struct section *section, uint64_t first, uint64_t end);

/* ---- Size (size.c) ------------------------------------------------------------------------- */

/* Look at the file, by a descriptor in the caller's table, and have its mtime in control->mtime_ns;
 * *seen: what was there before.  ESTALE: the descriptor is another file's. */
SOFTMAP_MUST_CHECK int section_note_mtime(struct section *section, int fd, struct host_stat *stat,
                                          uint64_t *seen);
/* Look at the file and follow its growing and shrinking.  *changed: it did.  [keeper] */
SOFTMAP_MUST_CHECK int section_follow(struct section *section, bool *changed);
/* Set the size of the file, through a descriptor that is open for writing, and the section's with it.
 * What others are just writing behind the new end is waited for, so that no write-back makes the
 * file longer again.  [keeper] */
SOFTMAP_MUST_CHECK int section_truncate(struct section *section, int fd, uint64_t size);
/* Following from anywhere, if the page doesn't exist yet; *exists is told in any case. */
SOFTMAP_MUST_CHECK int section_follow_to(struct section *section, uint64_t page,
                                         bool *exists) SOFTMAP_SIGSAFE;

/* ---- The data (data.c) --------------------------------------------------------------------- */

/* Put bytes into the data at offset, lengthening it if need be.  fence: the one that was ready before
 * the pages were claimed.  [keeper] */
SOFTMAP_MUST_CHECK int data_write(struct section *section, const unsigned char *fence,
                                  const unsigned char *from, size_t len, uint64_t offset);
/* Read bytes of the data.  [keeper] */
SOFTMAP_MUST_CHECK int data_read(struct section *section, unsigned char *to, size_t len,
                                 uint64_t offset, size_t *got);
/* Read bytes of the file, whatever the flags of the program's descriptor are.  [keeper] */
SOFTMAP_MUST_CHECK int data_read_file(struct section *section, unsigned char *to, size_t len,
                                      uint64_t offset, size_t *got);
/* Put bytes into the file that were copied from the data: ECANCELED, as data_write, if we were
 * stopped meanwhile and others wrote the pages.  *done: how many.  [keeper] */
SOFTMAP_MUST_CHECK int data_write_file(struct section *section, const unsigned char *fence,
                                       const unsigned char *from, size_t len, uint64_t offset,
                                       size_t *done);
/* Use another descriptor of the file from now on.  EMFILE: too many changes.  [keeper; sync_lock] */
SOFTMAP_MUST_CHECK int data_change_file(struct section *section, int fd);
/* The next run of data of the file at or after offset, as host_next_data; never moves the position
 * that the program sees.  [keeper] */
SOFTMAP_MUST_CHECK int data_of_file(struct section *section, uint64_t offset, uint64_t limit,
                                    uint64_t *start, uint64_t *end);
/* Map [first, first + npages) of the data for the program.  [keeper] */
SOFTMAP_MUST_CHECK int data_map(struct section *section, uint64_t first, uint64_t npages,
                                void *addr, int prot, int flags, void **out);

/* ---- The fence (fence.c) --------------------------------------------------------------------- */

/* Are there writes of copies into the file as well, which must not come too late: of pages with
 * stamps, or with twins? */
static inline bool
fence_is_wanted(struct section *section) {
  return (atomic_load(&section->control->watch) & CONTROL_WATCHED) ||
         atomic_load(&section->control->twins);
}
/* Have one: before anything is claimed that will be written into the data.  [keeper] */
SOFTMAP_MUST_CHECK int fence_ready(struct section *section, const unsigned char **out);
/* A write met it: ECANCELED.  What was claimed belongs to others; fence_ready makes a new one. */
int fence_was_revoked(struct section *section, const unsigned char *fence);
/* A byte of it that the kernel may write, as long as it isn't revoked. */
unsigned char *fence_scratch(const unsigned char *fence) SOFTMAP_SIGSAFE;
/* Let nobody's writes into the data any more who claimed pages with this hand until now.  [keeper] */
SOFTMAP_MUST_CHECK int fence_revoke(struct section *section, uint32_t hand);
void fence_drop(struct section *section);
/* In a forked child, which doesn't inherit them. */
void fence_forget(struct section *section);

/* ---- Claims (claims.c) ------------------------------------------------------------------------ */

/* A lane has one mark a page, but several keepers: no page is in the hands of two.  Claims those of
 * [first, first + n) that come before any that another keeper of ours has; how many.  One claim a
 * keeper at a time.  [keeper] */
uint64_t claims_begin(struct section *section, uint64_t first, uint64_t n);
void claims_end(struct section *section);

#endif
