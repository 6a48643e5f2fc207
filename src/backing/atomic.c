/* atomic.c - a sync that is all or nothing.
 *
 * As in writeback.c pages are claimed (dirty -> writing, closed in every mapping of this process)
 * before the lanes are looked at, and these before memory is read.  But all of the range is claimed
 * first, and goes into a journal; what is written to the file comes from there (journal.c).
 *
 * Who stored to a page is asked of the lanes: STORED means that its process vouches for what is in
 * the page, from the first store on until that process itself has synced it.  A page that no living
 * lane vouches for is as dead processes left it, and is filled again: writing -> filling -> clean.
 * From "writing" that fails if anybody has stored meanwhile, so no living process's store is lost;
 * killed in between, the page is unfilled, or dirty and still vouched for by nobody.
 *
 * All of it happens in the gate (section/kind.h): pages found "writing" are a dead process's.
 */
#include "backing/atomic.h"

#include <errno.h>

#include "backing/file.h"
#include "backing/flush.h"
#include "backing/journal.h"
#include "backing/keeper.h"
#include "backing/writeback.h"
#include "host/arena.h"
#include "section/kind.h"
#include "section/lane.h"
#include "section/say.h"
#include "section/scan.h"
#include "trace/counters.h"
#include "trace/ring.h"
#include "track/readers.h"
#include "track/track.h"

/* A claimed page. */
struct claimed {
  uint64_t page;
  bool is_ours;    /* this process vouched for it when it was claimed */
  bool was_taken;  /* ... and has let it go: must be given back if it isn't written */
  bool is_vouched; /* some living process does */
  bool is_open;    /* somewhere, when we looked: can be stored to without a mark */
  bool is_dropped; /* not in our hand any more */
};

struct atomic_work {
  struct section *section;
  uint64_t first, end; /* pages */
  uint64_t count;      /* claimed pages */
  uint64_t room;       /* of the arrays */
  struct claimed *claimed;
  struct journal_entry *entries;
  const unsigned char *fence;
  struct track_locked locked; /* stays open */
  bool wrote;
};

static page_byte *
state_of(const struct atomic_work *work, uint64_t page) {
  return section_state(work->section, page);
}

static page_byte *
lane_of(const struct atomic_work *work, uint64_t page) {
  return section_lane(work->section, page);
}

/* ---- Claiming -------------------------------------------------------------------------------- */

/* Dirty -> writing, under the bits.  What is writing already is a dead process's. */
static bool
claim(const struct atomic_work *work, uint64_t page) {
  page_byte *state = state_of(work, page);
  uint8_t now = atomic_load(state);
  if (!page_is_dirty(now))
    return false;
  page_take_over(state, now);
  atomic_fetch_or(lane_of(work, page), LANE_WRITING);
  if (page_step(state, PAGE_DIRTY, page_in_hand(PAGE_WRITING, work->section->lane)))
    return true;
  atomic_fetch_and(lane_of(work, page), (uint8_t)~LANE_WRITING); /* cut off by a shrinking file */
  return false;
}

static bool
must_close(const struct atomic_work *work, uint64_t page) {
  return (atomic_load(lane_of(work, page)) & LANE_OPEN) &&
         !section_is_pinned(work->section, page) &&
         !track_is_locked(&work->locked, work->section, page);
}

/* Claim and close; how many. */
static uint64_t
claim_span(const struct atomic_work *work, uint64_t first, uint64_t n) {
  struct track_set to_close = { { 0 } };
  uint64_t count = 0;
  uint32_t side = readers_enter_to_close();
  section_bits_take(work->section, first, n);
  for (uint64_t i = 0; i < n; i++) {
    if (!claim(work, first + i))
      continue;
    count++;
    if (must_close(work, first + i))
      track_set_add(&to_close, i);
  }
  track_close(work->section, first, n, &to_close);
  section_bits_drop(work->section, first, n);
  readers_leave(side);
  return count;
}

/* The next dirty page of [page, end) in a block that may have some, or end; *last: where its span of
 * TRACK_GROUP pages, or the block, or the range ends. */
static uint64_t
next_dirty(struct section *section, uint64_t page, uint64_t end, uint64_t *last) {
  *last = end;
  while ((page = scan_blocks(section, page, end, SUMMARY_DIRTY)) < end) {
    uint64_t block_end = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
    block_end = block_end < end ? block_end : end;
    for (; (page = scan_busy(section, page, block_end)) < block_end; page++)
      if (page_is_dirty(atomic_load(section_state(section, page)))) {
        *last = block_end - page < TRACK_GROUP ? block_end : page + TRACK_GROUP;
        return page;
      }
  }
  return end;
}

static void
claim_all(struct atomic_work *work) {
  uint64_t last;
  for (uint64_t page = work->first;
       (page = next_dirty(work->section, page, work->end, &last)) < work->end; page = last)
    work->count += claim_span(work, page, last - page);
}

/* What we vouch for, as long as nobody has stored since the page was claimed, is the journal's
 * business from here on. */
static void
take_vouching(const struct atomic_work *work, struct claimed *claimed) {
  page_byte *lane = lane_of(work, claimed->page);
  section_bits_take(work->section, claimed->page, 1);
  uint8_t bits = atomic_load(lane);
  claimed->is_ours = bits & (LANE_STORED | LANE_OPEN);
  claimed->is_open = bits & LANE_OPEN;
  if ((bits & (LANE_STORED | LANE_OPEN)) == LANE_STORED &&
      atomic_load(state_of(work, claimed->page)) ==
          page_in_hand(PAGE_WRITING, work->section->lane)) {
    atomic_fetch_and(lane, (uint8_t)~LANE_STORED);
    claimed->was_taken = true;
  }
  section_bits_drop(work->section, claimed->page, 1);
}

/* The next page of [page, end) that we have claimed, or end.  Our lane says so, also of one that was
 * cut off meanwhile. */
static uint64_t
next_claimed(const struct atomic_work *work, uint64_t page) {
  while ((page = scan_blocks(work->section, page, work->end, SUMMARY_DIRTY)) < work->end) {
    uint64_t block_end = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
    block_end = block_end < work->end ? block_end : work->end;
    for (; page < block_end; page++)
      if (atomic_load(lane_of(work, page)) & LANE_WRITING)
        return page;
  }
  return work->end;
}

static int
list(struct atomic_work *work) {
  uint64_t n = 0;
  work->room = work->count;
  work->claimed = arena_alloc((size_t)work->room * sizeof *work->claimed);
  work->entries = arena_alloc((size_t)work->room * sizeof *work->entries);
  if (!work->claimed || !work->entries)
    return ENOMEM;
  for (uint64_t page = work->first;
       n < work->count && (page = next_claimed(work, page)) < work->end; page++) {
    work->claimed[n].page = page;
    take_vouching(work, &work->claimed[n++]);
  }
  work->count = n;
  return 0;
}

/* Not listed: there was no memory for it. */
static void
unclaim_all(const struct atomic_work *work) {
  for (uint64_t page = work->first; (page = next_claimed(work, page)) < work->end; page++) {
    atomic_fetch_and(lane_of(work, page), (uint8_t)~LANE_WRITING);
    page_end_write(state_of(work, page), work->section->lane, false, false);
  }
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* Whoever opens the page from now on marks it again. */
static int
look(const struct atomic_work *work, struct claimed *claimed) {
  struct section *section = work->section;
  bool is_open_elsewhere, is_vouched_elsewhere = false;
  int error = lane_any_other(section, claimed->page, LANE_OPEN, &is_open_elsewhere);
  if (!error && !is_open_elsewhere && !claimed->is_ours)
    error = lane_any_other(section, claimed->page, LANE_STORED, &is_vouched_elsewhere);
  if (error)
    return error;
  claimed->is_open |= is_open_elsewhere || section_grows_in(section, claimed->page);
  claimed->is_vouched = claimed->is_ours || is_open_elsewhere || is_vouched_elsewhere;
  return 0;
}

static int
look_all(const struct atomic_work *work) {
  int error = 0;
  for (uint64_t i = 0; i < work->count && !error; i++)
    error = look(work, &work->claimed[i]);
  return error;
}

/* ---- Letting go ------------------------------------------------------------------------------ */

/* Written, or dirty again and vouched for by us as before. */
static void
let_go(const struct atomic_work *work, struct claimed *claimed, bool is_written) {
  uint64_t page = claimed->page;
  if (claimed->is_dropped)
    return;
  claimed->is_dropped = true;
  if (!is_written && claimed->was_taken)
    atomic_fetch_or(lane_of(work, page), LANE_STORED);
  uint8_t bits = SUMMARY_UNFLUSHED;
  atomic_fetch_and(lane_of(work, page), (uint8_t)~LANE_WRITING);
  if (!page_end_write(state_of(work, page), work->section->lane, is_written, claimed->is_open))
    bits = SUMMARY_UNFLUSHED | SUMMARY_DIRTY;
  summary_set(work->section, page, bits);
}

static void
let_all_go(const struct atomic_work *work) {
  for (uint64_t i = 0; i < work->count; i++)
    let_go(work, &work->claimed[i], false);
  for (uint64_t i = 0, block = UINT64_MAX; i < work->count; i++)
    if (work->claimed[i].page / SUMMARY_PAGES != block) {
      block = work->claimed[i].page / SUMMARY_PAGES;
      summary_settle(work->section, work->claimed[i].page);
    }
}

/* ---- Dropping -------------------------------------------------------------------------------- */

/* Our lane's mark for filling; another keeper of ours may just be trying the page. */
static void
mark_filling(const struct atomic_work *work, uint64_t page) {
  while (!claims_begin(work->section, page, 1))
    host_nap(20000);
  while (atomic_fetch_or(lane_of(work, page), LANE_FILLING) & LANE_FILLING)
    host_nap(20000);
}

/* Nobody living has stored to it: as in the file again. */
static int
drop(const struct atomic_work *work, struct claimed *claimed) {
  struct section *section = work->section;
  uint64_t page = claimed->page;
  uint8_t filling = page_in_hand(PAGE_FILLING, section->lane);
  int error = 0;
  mark_filling(work, page);
  bool has = page_step(state_of(work, page), page_in_hand(PAGE_WRITING, section->lane), filling);
  if (has) {
    claimed->is_dropped = true;
    atomic_fetch_and(lane_of(work, page), (uint8_t)~LANE_WRITING);
    error = refresh_bytes(section, work->fence, page);
  }
  if ((atomic_fetch_and(lane_of(work, page), (uint8_t)~LANE_FILLING) & LANE_FILLING) && has)
    page_step(state_of(work, page), filling, error ? PAGE_DIRTY : PAGE_CLEAN);
  claims_end(section);
  return error == ECANCELED ? 0 : error; /* taken over while we were stopped, and filled again */
}

static int
drop_all(const struct atomic_work *work) {
  int result = 0;
  for (uint64_t i = 0; i < work->count; i++) {
    int error = work->claimed[i].is_vouched ? 0 : drop(work, &work->claimed[i]);
    result = result ? result : error;
  }
  return result;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* The pages to be written, as entries; how many.  Others are let go. */
static uint64_t
choose(const struct atomic_work *work, bool of_all) {
  uint64_t n = 0;
  uint64_t size = atomic_load(&work->section->control->size);
  for (uint64_t i = 0; i < work->count; i++) {
    struct claimed *claimed = &work->claimed[i];
    uint64_t offset = claimed->page << host_config.page_shift;
    if (claimed->is_dropped)
      continue;
    if (offset >= size || !claimed->is_vouched || !(of_all || claimed->is_ours)) {
      let_go(work, claimed, false);
      continue;
    }
    uint64_t length = size - offset;
    length = length < host_config.page_size ? length : host_config.page_size;
    work->entries[n++] = (struct journal_entry){ .offset = offset, .length = (uint32_t)length };
  }
  return n;
}

/* The file has them now, and storage too. */
static void
written(const struct atomic_work *work, uint64_t n) {
  struct section *section = work->section;
  for (uint64_t i = 0, k = 0; i < work->count && k < n; i++) {
    struct claimed *claimed = &work->claimed[i];
    if (claimed->page << host_config.page_shift != work->entries[k].offset)
      continue;
    if (stamp_is_wanted(section) && !stamp_ready(section, claimed->page, 1))
      stamp_set(section, claimed->page, work->entries[k].sum);
    let_go(work, claimed, true);
    trace_note(TRACE_WRITE, section->trace, claimed->page, 1);
    k++;
  }
  counter_add(COUNT_PAGES_WRITTEN, n);
}

static int
write_all(struct atomic_work *work, struct journal *journal, bool of_all) {
  uint64_t n = choose(work, of_all);
  if (!n)
    return 0;
  int error = file_make_writable(work->section);
  if (error)
    return error;
  work->wrote = true;
  lane_note_writing(work->section, true);
  error = journal_write(journal, work->entries, n);
  if (!error)
    written(work, n);
  int remember_error = file_remember(work->section, work->section->file_fd);
  lane_note_writing(work->section, false);
  return error ? error : remember_error;
}

/* ---- All of it ------------------------------------------------------------------------------- */

enum extent_of_work { GIVE_UP_ONLY, OURS, ALL };

static int
work_on(struct atomic_work *work, struct journal *journal, enum extent_of_work what) {
  int error = fence_ready(work->section, &work->fence); /* before anything is claimed */
  if (error)
    return error;
  track_find_locked(&work->locked);
  claim_all(work);
  if (!work->count)
    return 0;
  error = list(work);
  if (error) {
    unclaim_all(work);
    return error;
  }
  error = look_all(work);
  if (!error)
    error = drop_all(work);
  if (!error && what != GIVE_UP_ONLY)
    error = write_all(work, journal, what == ALL);
  let_all_go(work);
  return error;
}

/* what == ALL: the file is flushed also if nothing was dirty. */
static int
in_gate(struct section *section, uint64_t first, uint64_t npages, enum extent_of_work what) {
  struct journal journal;
  uint64_t exist = section_npages(section);
  struct atomic_work work = {
    .section = section,
    .first = first,
    .end = npages < exist && first < exist - npages ? first + npages : exist,
  };
  int error = journal_find(section, &journal);
  if (error) /* who only looks for a rest of before, and can't, goes on without */
    return what == GIVE_UP_ONLY && !atomic_load(&section->control->atomic) ? 0 : error;
  error = journal_replay(&journal);
  if (!error && atomic_load(&section->control->atomic) && work.first < work.end)
    error = work_on(&work, &journal, what);
  arena_free(work.claimed, (size_t)work.room * sizeof *work.claimed);
  arena_free(work.entries, (size_t)work.room * sizeof *work.entries);
  int done_error = journal_done(&journal);
  if (!error && what == ALL && !work.wrote)
    error = flush_written(section, host_flush, section->file_fd);
  return error ? error : done_error;
}

int
atomic_sync(struct section *section, uint64_t first, uint64_t npages, bool of_all) {
  int error = gate_take(section);
  if (error)
    return error;
  error = in_gate(section, first, npages, of_all ? ALL : OURS);
  int gate_error = gate_drop(section);
  return error ? error : gate_error;
}

bool
atomic_is_clear(struct section *section) {
  struct journal journal;
  if (atomic_load(&section->control->atomic))
    return false;
  if (journal_find(section, &journal))
    return true; /* as in_gate: who only looks for a rest of before, and can't, goes on without */
  bool is_clear = !journal_may_exist(&journal);
  return journal_done(&journal) == 0 && is_clear;
}

int
atomic_clear(struct section *section) {
  int error = in_gate(section, 0, section_npages_all(section), GIVE_UP_ONLY);
  if (error == EINVAL)
    return say_refused(section, ": the journal beside it is of another file, machine or version of softmap");
  if (error == EPERM)
    return say_refused(section, ": what lies beside it as its journal isn't to be trusted");
  if (error == EACCES || error == EROFS)
    return say_refused(section, ": a crash has cut a sync off, which who may write can complete");
  return error;
}
