/* coherent.c - reads and writes of a file that has a section. */
#include "backing/coherent.h"

#include <errno.h>
#include <string.h>

#include "backing/file.h"
#include "backing/fill.h"
#include "backing/keeper.h"
#include "backing/walk.h"
#include "backing/writeback.h"
#include "host/arena.h"
#include "section/lane.h"
#include "section/stamp.h"
#include "section/window.h"
#include "track/track.h"

static uint64_t
smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* ---- Preparing ----------------------------------------------------------------------------- */

int
coherent_prepare(struct section *section) {
  bool changed;
  int error = section_follow(section, &changed);
  if (error)
    return error;
  lock_take(&section->resize_lock);
  error = extent_reach(section, section_npages_all(section));
  lock_drop(&section->resize_lock);
  const unsigned char *fence;
  return error ? error : fence_ready(section, &fence);
}

bool
coherent_is_prepared(struct section *section, uint64_t file_size) {
  return atomic_load(&section->control->size) == file_size && atomic_load(&section->fence) &&
         section_reach(section) >= section_npages_all(section);
}

/* The pages that [offset, offset + len) touches and that exist: [*first, *end). */
static void
pages_of(struct section *section, uint64_t offset, uint64_t len, uint64_t *first, uint64_t *end) {
  uint64_t exist = section_npages(section);
  uint64_t last = len ? (offset + len - 1) >> host_config.page_shift : 0;
  *first = offset >> host_config.page_shift;
  *end = len ? smaller(last + 1, exist) : *first;
  if (*end < *first)
    *end = *first;
}

/* ---- What is watched ------------------------------------------------------------------------ */

bool
coherent_is_watched(const struct coherent *op, uint64_t offset, uint64_t len) {
  uint64_t first, end;
  if (!stamp_is_wanted(op->section))
    return false;
  if (lane_any_watches(op->section))
    return true;
  pages_of(op->section, offset, len, &first, &end);
  while (first < end && !(atomic_load(section_lane(op->section, first)) & LANE_WATCHED))
    first++;
  return first < end;
}

int
coherent_gather(struct coherent *op, uint64_t offset, uint64_t len) {
  uint64_t first, end;
  pages_of(op->section, offset, len, &first, &end);
  return first < end ? writeback_gather(op->section, first, end - first) : 0;
}

/* Under the sync lock: what a sync has asked its kernel about is marked then. */
int
coherent_unwatch(struct coherent *op, uint64_t offset, uint64_t len) {
  struct section *section = op->section;
  uint64_t first, end;
  pages_of(section, offset, len, &first, &end);
  if (first == end)
    return 0;
  lock_take(&section->sync_lock);
  int error = track_settle_all(section, first, end - first);
  lock_drop(&section->sync_lock);
  for (uint64_t page = first; page < end && !error && lane_any_watches(section); page++) {
    uint64_t watched = 0;
    if (atomic_load(section_summary(section, page)) & SUMMARY_WATCHED)
      error = lane_watched(section, page, 1, LANE_MAX, &watched);
    if (watched)
      section_mark(section, page);
  }
  return error;
}

/* Asked when the page is in our hand: who begins to watch it now sees that. */
static bool
may_be_watched(struct section *section, uint64_t page) {
  return stamp_is_wanted(section) && ((atomic_load(section_lane(section, page)) & LANE_WATCHED) ||
                                      lane_may_be_watched(section, page));
}

/* ---- Reading ------------------------------------------------------------------------------- */

void
coherent_look(struct coherent *op, uint64_t offset, uint64_t len) {
  uint64_t first, end;
  pages_of(op->section, offset, len, &first, &end);
  op->dirty_first = UINT64_MAX;
  op->dirty_end = 0;
  for (uint64_t page = first; page < end; page++)
    if (page_is_dirty(atomic_load(section_state(op->section, page)))) {
      op->dirty_first = smaller(op->dirty_first, page);
      op->dirty_end = page + 1;
    }
}

/* What was dirty before, or is now: its bytes in the file may be older than what a program stored
 * before it began to read. */
bool
coherent_must_lay_over(struct coherent *op, uint64_t offset, uint64_t got) {
  struct coherent now = { .section = op->section };
  coherent_look(&now, offset, got);
  op->dirty_first = smaller(op->dirty_first, now.dirty_first);
  op->dirty_end = op->dirty_end > now.dirty_end ? op->dirty_end : now.dirty_end;
  return op->dirty_first < op->dirty_end;
}

/* Bytes [from, to) of the file, all of filled pages, into the program's memory: by the kernel, who
 * refuses where we would fault. */
static int
lay_over_run(struct coherent *op, const struct iovec *iov, int n, uint64_t offset, uint64_t from,
             uint64_t to) {
  struct walk walk = { iov, n, 0 };
  walk_on(&walk, from - offset);
  while (from < to) {
    unsigned char *at;
    size_t got, len = walk_piece(&walk, to - from, &at);
    int error = len ? data_read(op->section, at, len, from, &got) : EFAULT;
    if (error || got < len)
      return error; /* cut off meanwhile */
    walk_on(&walk, len);
    from += len;
  }
  return 0;
}

int
coherent_lay_over(struct coherent *op, const struct iovec *iov, int n, uint64_t offset,
                  uint64_t got) {
  unsigned shift = host_config.page_shift;
  uint64_t first, end;
  int error = 0;
  pages_of(op->section, offset, got, &first, &end);
  first = first > op->dirty_first ? first : op->dirty_first;
  end = smaller(end, op->dirty_end);
  for (uint64_t page = first; page < end && !error;) {
    uint64_t run = page;
    while (run < end && page_is_filled(atomic_load(section_state(op->section, run))))
      run++;
    if (run > page) {
      uint64_t from = page << shift > offset ? page << shift : offset;
      error = lay_over_run(op, iov, n, offset, from, smaller(run << shift, offset + got));
    }
    page = run + 1;
  }
  return error;
}

/* ---- Writing: what is clean ----------------------------------------------------------------- */

static bool
is_claimed(const struct coherent *op, uint64_t page) {
  uint64_t i = page - op->first;
  return op->claimed && page >= op->first && i < op->npages && (op->claimed[i / 64] >> i % 64 & 1);
}

/* Out of our hand; false if others have taken the page over. */
static bool
let_go(struct section *section, uint64_t page, enum page_state state) {
  uint8_t filling = page_in_hand(PAGE_FILLING, section->lane);
  if (!(atomic_fetch_and(section_lane(section, page), (uint8_t)~LANE_FILLING) & LANE_FILLING) ||
      !page_step(section_state(section, page), filling, (uint8_t)state))
    return false;
  summary_set(section, page, state == PAGE_DIRTY ? SUMMARY_DIRTY : SUMMARY_UNFLUSHED);
  return true;
}

/* Clean -> filling, in our hand.  What is watched may be stored to at any moment, whoever has it in
 * hand: dirty. */
static bool
claim(struct section *section, uint64_t page) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  uint8_t was = atomic_load(state);
  if (was != PAGE_CLEAN && was != PAGE_WRITTEN && page_kind(was) != PAGE_FLUSHING)
    return false;
  if (atomic_fetch_or(lane, LANE_FILLING) & LANE_FILLING)
    return false; /* another thread of ours is at it */
  if (!page_step(state, was, page_in_hand(PAGE_FILLING, section->lane))) {
    atomic_fetch_and(lane, (uint8_t)~LANE_FILLING);
    return false;
  }
  if (!may_be_watched(section, page))
    return true;
  (void)let_go(section, page, PAGE_DIRTY);
  return false;
}

static size_t
claimed_size(const struct coherent *op) {
  return (size_t)((op->npages + 63) / 64) * sizeof *op->claimed;
}

int
coherent_hold(struct coherent *op, uint64_t offset, uint64_t len) {
  uint64_t end;
  lane_note_writing(op->section, true);
  pages_of(op->section, offset, len, &op->first, &end);
  op->npages = end - op->first;
  op->fence = atomic_load(&op->section->fence); /* before the claim, as in a fill */
  op->claimed = op->npages ? arena_alloc(claimed_size(op)) : NULL;
  if (op->npages && !op->claimed)
    return ENOMEM;
  for (uint64_t i = 0; i < op->npages && op->fence; i++)
    if (claim(op->section, op->first + i))
      op->claimed[i / 64] |= (uint64_t)1 << i % 64;
  return 0;
}

void
coherent_free(struct coherent *op) {
  if (op->claimed)
    arena_free(op->claimed, claimed_size(op));
  op->claimed = NULL;
}

/* Bytes [from, to) of the file into the data.  ECANCELED: we were stopped, and others have taken over
 * some page of ours. */
static int
bring(struct section *section, const unsigned char *fence, uint64_t from, uint64_t to) {
  while (from < to) {
    size_t got, len = (size_t)smaller(to - from, KEEPER_BUFFER);
    int error = data_read_file(section, keeper_buffer(), len, from, &got);
    if (!error && got)
      error = data_write(section, fence, keeper_buffer(), got, from);
    if (error || got < len)
      return error; /* the file ends here by now */
    from += got;
  }
  return 0;
}

/* Pages in our hand that we may not write any more: to be filled again, which is done here. */
static int
give_up(struct section *section, uint64_t first, uint64_t end) {
  uint8_t filling = page_in_hand(PAGE_FILLING, section->lane);
  atomic_store(&section->control->stale, 1);
  for (uint64_t page = first; page < end; page++)
    if (atomic_fetch_and(section_lane(section, page), (uint8_t)~LANE_FILLING) & LANE_FILLING)
      page_step(section_state(section, page), filling, PAGE_UNFILLED);
  return fill(section, first, end - first);
}

/* The next run of held pages at or after *page, and what of them was written: [from, to). */
struct run {
  uint64_t page, end, from, to;
};

static bool
next_run(const struct coherent *op, uint64_t offset, uint64_t put, struct run *run) {
  unsigned shift = host_config.page_shift;
  uint64_t end = op->first + op->npages;
  run->page = run->end > op->first ? run->end : op->first;
  while (run->page < end && !is_claimed(op, run->page))
    run->page++;
  run->end = run->page;
  while (run->end < end && is_claimed(op, run->end))
    run->end++;
  run->from = run->page << shift > offset ? run->page << shift : offset;
  run->to = smaller(run->end << shift, offset + put);
  return run->page < run->end;
}

static void
let_run_go(struct coherent *op, const struct run *run, enum page_state state) {
  for (uint64_t page = run->page; page < run->end; page++)
    if (!let_go(op->section, page, state))
      op->claimed[(page - op->first) / 64] &= ~((uint64_t)1 << (page - op->first) % 64);
}

/* As in the file, which nobody has flushed since; without a stamp it can't be said to be so. */
static enum page_state
stamp_run(struct section *section, const struct run *run) {
  bool is_stamped = !stamp_is_wanted(section) ||
                    !stamp_pages(section, run->page, run->end - run->page, LANE_FILLING);
  return is_stamped ? PAGE_WRITTEN : PAGE_DIRTY;
}

/* Pages of the range that were not held, or that others have taken over. */
static bool
has_rest(const struct coherent *op, uint64_t offset, uint64_t put) {
  for (uint64_t page = op->first; page < op->first + op->npages; page++)
    if (!is_claimed(op, page))
      return true;
  return put &&
         offset >> host_config.page_shift < op->first; /* appended elsewhere than was announced */
}

int
coherent_settle(struct coherent *op, uint64_t offset, uint64_t put, bool *rest) {
  struct section *section = op->section;
  struct run run = { 0 };
  int result = coherent_prepare(section); /* it may have grown */
  int remember_error = file_remember(section, section->file_fd);
  result = result ? result : remember_error;
  lane_note_writing(section, false);
  while (next_run(op, offset, put, &run)) {
    int error = run.from < run.to ? bring(section, op->fence, run.from, run.to) : 0;
    if (error == ECANCELED)
      error = give_up(section, run.page, run.end); /* as in the file */
    else
      let_run_go(op, &run, stamp_run(section, &run));
    result = result ? result : error;
  }
  *rest = has_rest(op, offset, put);
  int inlet_error = inlet_ready(section); /* for the next time */
  return result ? result : inlet_error;
}

/* Is the file what we know, by the caller's descriptor, and as long? */
static bool
is_followed(struct section *section, int fd) {
  struct host_stat stat;
  return !host_stat_fd(fd, &stat) && stat.device == section->key.device &&
         stat.inode == section->key.inode && coherent_is_prepared(section, stat.size) &&
         !atomic_load(&section->control->cutting);
}

bool
coherent_settle_here(struct coherent *op, int fd, uint64_t offset, uint64_t put, bool *rest) {
  struct section *section = op->section;
  struct run run = { 0 };
  if (!op->fence || !is_followed(section, fd))
    return false;
  while (next_run(op, offset, put, &run))
    if (run.from < run.to &&
        !inlet_read(section, op->fence, fd, (size_t)(run.to - run.from), run.from))
      return false;
  if (file_remember(section, fd))
    return false; /* the descriptor is another file's by now: was it when we read? */
  if (stamp_is_wanted(section))
    return false; /* which needs a keeper's buffer */
  lane_note_writing(section, false);
  run.end = 0;
  while (next_run(op, offset, put, &run))
    let_run_go(op, &run, PAGE_WRITTEN);
  *rest = has_rest(op, offset, put);
  return true;
}

/* ---- Writing: the rest --------------------------------------------------------------------- */

void
coherent_wait(const struct coherent *op, uint64_t offset, uint64_t put) {
  uint64_t first, end;
  pages_of(op->section, offset, put, &first, &end);
  for (uint64_t page = first; page < end; page++)
    while (!is_claimed(op, page) && (atomic_load(section_lane(op->section, page)) & LANE_FILLING))
      host_nap(20000);
}

/* Bytes of the caller's io vector, or of the file. */
static int
take(struct section *section, struct walk *walk, uint64_t at, size_t len, size_t *got) {
  unsigned char *from;
  if (!walk->iov)
    return data_read_file(section, keeper_buffer(), len, at, got);
  *got = walk_piece(walk, len, &from);
  int error = *got ? host_copy_from(keeper_buffer(), from, *got) : EFAULT;
  walk_on(walk, *got);
  return error;
}

/* One page's part [from, to), as a store: marked, so that a write-back that is under way with older
 * bytes isn't the last one. */
static int
store_page(struct coherent *op, const struct iovec *iov, int n, uint64_t offset, uint64_t from,
           uint64_t to) {
  struct section *section = op->section;
  uint64_t page = from >> host_config.page_shift;
  struct walk walk = { iov, n, 0 };
  walk_on(&walk, from - offset);
  /* Not filled: a page of a hole may be shown all the same, since it was behind the end. */
  if (!section_mark(section, page))
    return fill(section, page, 1);
  const unsigned char *fence;
  int error = fence_ready(section, &fence);
  while (from < to && !error) {
    size_t got = 0;
    error = take(section, &walk, from, (size_t)smaller(to - from, KEEPER_BUFFER), &got);
    if (!error && got)
      error = data_write(section, fence, keeper_buffer(), got, from);
    if (error == ECANCELED)
      return store_page(op, iov, n, offset, from, to);
    if (!got)
      return error;
    from += got;
  }
  section_mark(section, page);
  return error;
}

int
coherent_store(struct coherent *op, const struct iovec *iov, int n, uint64_t offset, uint64_t put) {
  unsigned shift = host_config.page_shift;
  uint64_t first, end;
  int result = 0;
  pages_of(op->section, offset, put, &first, &end);
  end = smaller(end, op->first + op->npages); /* what came to exist since was read from the file */
  for (uint64_t page = first; page < end; page++) {
    if (is_claimed(op, page))
      continue;
    if (atomic_load(section_lane(op->section, page)) & LANE_FILLING)
      return EAGAIN;
    int error = fill_wait(op->section, page);
    uint64_t from = page << shift > offset ? page << shift : offset;
    if (!error)
      error = store_page(op, iov, n, offset, from, smaller((page + 1) << shift, offset + put));
    result = result ? result : error;
  }
  return result;
}
