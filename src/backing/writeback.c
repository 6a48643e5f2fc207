/* writeback.c - writing dirty pages to the file, and no others.
 *
 * A span of pages at a time: take their bits, turn the dirty ones to "writing", close them in
 * every mapping of this process, drop the bits, look at all lanes, write each run of neighbours with
 * one call, and judge: a page is as in the file only if nobody marked it since the state said
 * "writing", and no lane had it open when we looked, which was before its memory was read.
 * Doubtful pages go the same way, but those that are the same as their twins aren't written.
 * Flushing works the same way one level up: written -> flushing -> clean, or dirty again.
 * models/page.pml and models/lanes.pml play it: W claim, X C track_close, L look_at_lanes, F write_run,
 * E judge.
 */
#include "backing/writeback.h"

#include <errno.h>
#include <string.h>

#include "backing/atomic.h"
#include "backing/file.h"
#include "backing/flush.h"
#include "backing/keeper.h"
#include "backing/merge.h"
#include "backing/patience.h"
#include "backing/write.h"
#include "core/broken.h"
#include "section/lane.h"
#include "section/scan.h"
#include "section/stamp.h"
#include "section/twins.h"
#include "section/window.h"
#include "trace/counters.h"
#include "trace/ring.h"
#include "track/readers.h"
#include "track/track.h"

/* Clean pages between two dirty ones that are closed along with them, so that one call of the
 * host protects all and their memory areas merge. */
#define SPAN_GAP 64

/* What a write-back found on its way. */
struct progress {
  int error;        /* the first one */
  bool met_another; /* a page is being written by another process */
  bool wrote;
  struct patience patience;
  const unsigned char *fence;
  struct track_locked locked; /* stays open */
};

static void
note(struct progress *progress, int error) {
  if (error && !progress->error)
    progress->error = error;
  if (error)
    counter_add(COUNT_WRITE_ERRORS, 1);
}

static void
note_written(struct progress *progress, int error) {
  progress->wrote = true;
  if (error == ECANCELED) /* stopped meanwhile; others may have written them */
    progress->met_another = true;
  else
    note(progress, error);
}

/* ---- One span ------------------------------------------------------------------------------ */

/* A page in the middle of being written, not by us: wait, or take it over. */
static void
meet_writer(struct section *section, uint64_t page, struct progress *progress) {
  bool taken;
  int error = take_over(section, page, LANE_WRITING, &progress->patience, &taken);
  progress->met_another = true;
  note(progress, error);
  if (taken)
    summary_set(section, page, SUMMARY_DIRTY);
}

/* Dirty -> writing, under the bits; was: which kind of dirty.  The mark in the lane comes first: a
 * state "writing" without a living lane that says so is taken over. */
static bool
claim(struct section *section, uint64_t page, uint8_t *was) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  while (page_is_to_write(*was = atomic_load(state))) {
    atomic_fetch_or(lane, LANE_WRITING);
    if (page_step(state, *was, page_in_hand(PAGE_WRITING, section->lane)))
      return true;
    atomic_fetch_and(lane, (uint8_t)~LANE_WRITING);
  }
  return false;
}

/* A span at work. */
struct span {
  uint64_t first, n;
  struct track_set claimed;
  struct track_set open; /* somewhere, when we looked (I2) */
  bool any_doubtful;
  uint8_t was[TRACK_GROUP]; /* states before they were claimed; else 0 */
};

/* Claim and close the dirty pages of the span.  What another process claimed since we looked must
 * be waited for as well: our caller's stores are in its hands. */
static void
claim_span(struct section *section, struct span *span, struct progress *progress) {
  struct track_set to_close = { { 0 } };
  bool any = false;
  uint64_t first = span->first, n = span->n;
  uint32_t side = readers_enter_to_close();
  section_bits_take(section, first, n);
  for (uint64_t i = 0; i < n; i++) {
    if (!claim(section, first + i, &span->was[i])) {
      progress->met_another |= page_is_dirty(span->was[i]);
      span->was[i] = 0;
      continue;
    }
    track_set_add(&span->claimed, i);
    span->any_doubtful |= page_is_doubtful(span->was[i]);
    if ((atomic_load(section_lane(section, first + i)) & LANE_OPEN) &&
        !(atomic_load(&section->stays_open) && page_is_doubtful(span->was[i])) &&
        !section_is_pinned(section, first + i) &&
        !track_is_locked(&progress->locked, section, first + i)) {
      track_set_add(&to_close, i);
      any = true;
    }
  }
  if (any && !broken_is(WRITES_BEFORE_PROTECTING))
    track_close(section, first, n, &to_close);
  section_bits_drop(section, first, n);
  readers_leave(side);
}

/* Which claimed pages can still be stored to without a mark: pinned ones, those that could not be
 * closed, and those that other processes have open.  And of which one we may not write all that was
 * stored: the size is read after this. */
static void
look_at_lanes(struct section *section, struct span *span, struct progress *progress) {
  for (uint64_t i = 0; i < span->n; i++) {
    if (!track_set_has(&span->claimed, i))
      continue;
    bool is_open = !broken_is(WRITES_BEFORE_PROTECTING) &&
                   (atomic_load(section_lane(section, span->first + i)) & LANE_OPEN);
    if (!is_open) {
      int error = lane_any_other(section, span->first + i, LANE_OPEN, &is_open);
      note(progress, error);
      is_open |= error != 0;
    }
    is_open |= section_grows_in(section, span->first + i);
    if (is_open)
      track_set_add(&span->open, i);
  }
}

/* What became of pages that were written. */
static void
trace_run(struct section *section, uint64_t first, uint64_t n) {
  if (!atomic_load_explicit(&trace_ring, memory_order_relaxed) || n == 0)
    return;
  trace_note(TRACE_WRITE, section->trace, first, n);
  for (uint64_t page = first; page < first + n; page++)
    if (page_is_stored(atomic_load(section_state(section, page))))
      trace_note(TRACE_KEPT, section->trace, page, 1);
}

/* Which doubtful pages nobody stored to. */
static void
find_same(struct section *section, const struct span *span, bool *same) {
  uint8_t was[TRACK_GROUP];
  unsigned char *at;
  memcpy(was, span->was, (size_t)span->n);
  if (!section_merges(section) && !window_cover(section, span->first, span->n, &at))
    settle_peek(section, span->first, span->n, at, was);
  settle_compare(section, span->first, span->n, was, same);
}

/* Let go of doubtful pages that nobody stored to, and write those here that go on being doubtful:
 * only what changed, and their twins become what was written. */
static void
settle_span(struct section *section, struct span *span, struct progress *progress) {
  bool same[TRACK_GROUP];
  if (!span->any_doubtful)
    return;
  find_same(section, span, same);
  bool merges = section_merges(section);
  for (uint64_t i = 0; i < span->n; i++) {
    uint64_t page = span->first + i;
    bool is_open = track_set_has(&span->open, i);
    if (!page_is_doubtful(span->was[i]))
      continue;
    if (same[i]) {
      settle_same(section, page, span->was[i] & (uint8_t)~PAGE_STORED, is_open);
      track_set_remove(&span->claimed, i);
    } else if (is_open || merges) {
      int error = merge_page(section, progress->fence, page, span->was[i], is_open);
      if (error == ENOENT)
        continue; /* no twin: written whole */
      note_written(progress, error);
      trace_run(section, page, 1);
      track_set_remove(&span->claimed, i);
    } else {
      settle_drop_twin(section, page);
    }
  }
}

/* The write of a claimed page is over, if it is still ours: others take over what a stopped process
 * had in hand. */
static void
judge(struct section *section, uint64_t page, bool is_written, bool is_open) {
  uint8_t bits = SUMMARY_UNFLUSHED;
  if (!(atomic_fetch_and(section_lane(section, page), (uint8_t)~LANE_WRITING) & LANE_WRITING))
    return;
  if (!page_end_write(section_state(section, page), section->lane, is_written, is_open))
    bits = is_written ? SUMMARY_UNFLUSHED | SUMMARY_DIRTY : SUMMARY_DIRTY;
  summary_set(section, page, bits);
}

/* What the broken engine does that writes first. */
static void
close_late(struct section *section, uint64_t first, uint64_t n) {
  uint32_t side = readers_enter_to_close();
  (void)track_close_all(section, first, n, false);
  readers_leave(side);
}

static void
write_span(struct section *section, uint64_t first, uint64_t n, struct progress *progress) {
  struct span span = { .first = first, .n = n };
  uint64_t i, end = 0;
  claim_span(section, &span, progress);
  look_at_lanes(section, &span, progress);
  settle_span(section, &span, progress);
  while (track_set_run(&span.claimed, n, &i, &end)) {
    uint64_t done;
    bool is_stamped = stamp_is_wanted(section); /* after claiming */
    int error = is_stamped ? write_stamped(section, progress->fence, first + i, end - i, &done)
                           : write_run(section, progress->fence, first + i, end - i, &done);
    note_written(progress, error);
    lab_midway();
    for (uint64_t k = i; k < end; k++)
      judge(section, first + k, k - i < done || broken_is(DROPS_DIRT),
            track_set_has(&span.open, k));
    trace_run(section, first + i, done);
    if (broken_is(WRITES_BEFORE_PROTECTING))
      close_late(section, first + i, end - i);
  }
}

/* ---- A range ------------------------------------------------------------------------------- */

/* The next span of dirty pages in [*at, end), at most TRACK_GROUP long. */
static bool
next_span(struct section *section, uint64_t *at, uint64_t end, uint64_t *span_end,
          struct progress *progress) {
  uint64_t first = end, last = end;
  for (uint64_t page = *at; (page = scan_busy(section, page, end)) < end; page++) {
    uint8_t state = atomic_load(section_state(section, page));
    if (first != end && (page - last > SPAN_GAP || page - first >= TRACK_GROUP))
      break;
    if (page_is_writing(state))
      meet_writer(section, page, progress);
    if (!page_is_to_write(state))
      continue;
    first = first == end ? page : first;
    last = page;
  }
  *at = first;
  *span_end = last + 1;
  return first != end;
}

/* One block of the summary, or a part of it. */
static void
write_block(struct section *section, uint64_t first, uint64_t end, struct progress *progress) {
  uint64_t span_end;
  for (uint64_t page = first; next_span(section, &page, end, &span_end, progress); page = span_end)
    write_span(section, page, span_end - page, progress);
  summary_settle(section, first);
}

static void
write_range(struct section *section, uint64_t first, uint64_t end, struct progress *progress) {
  for (uint64_t page = first; page < end && broken_is(WRITES_EVERYTHING); page++)
    section_mark(section, page);
  for (uint64_t page = first; (page = scan_blocks(section, page, end, SUMMARY_DIRTY)) < end;) {
    uint64_t block_end = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
    if (block_end > end)
      block_end = end;
    write_block(section, page, block_end, progress);
    page = block_end;
  }
}

static bool
any_dirty_block(struct section *section, uint64_t first, uint64_t end) {
  return broken_is(WRITES_EVERYTHING) || scan_blocks(section, first, end, SUMMARY_DIRTY) < end;
}

/* Is there anything to be written, now that we can't? */
static bool
any_stored(struct section *section, uint64_t first, uint64_t end) {
  if (settle_all(section, first, end))
    return true;
  for (uint64_t page = first; page < end; page++)
    if (page_is_stored(atomic_load(section_state(section, page))))
      return true;
  return false;
}

/* Of [first, first + npages), as far as it exists. */
static uint64_t
end_of(struct section *section, uint64_t first, uint64_t npages) {
  uint64_t exist = section_npages(section);
  return npages < exist && first < exist - npages ? first + npages : exist;
}

/* Write what is dirty; wait for what others are writing, and look again. */
static int
write_all(struct section *section, uint64_t first, uint64_t npages) {
  struct progress progress = { 0 };
  uint64_t nap = 50000;
  do {
    uint64_t end = end_of(section, first, npages);
    if (first >= end || !any_dirty_block(section, first, end))
      break;
    int error = file_make_writable(section);
    progress.fence = NULL; /* who needs one after all meets it as one that was cut off */
    if (!error && fence_is_wanted(section))
      error = fence_ready(section, &progress.fence); /* before anything is claimed */
    if (error) {
      if (any_stored(section, first, end))
        note(&progress, error);
      break;
    }
    if (progress.met_another)
      host_nap(nap);
    progress.met_another = false;
    track_find_locked(&progress.locked);
    lane_note_writing(section, true);
    write_range(section, first, end, &progress);
  } while (progress.met_another && !progress.error);
  if (progress.wrote)
    note(&progress, file_remember(section, section->file_fd));
  lane_note_writing(section, false);
  return progress.error;
}

/* Mark what was stored to without a mark, here and, as stamps tell, elsewhere. */
static int
gather(struct section *section, uint64_t first, uint64_t npages) {
  int error = track_collect(section, first, npages);
  int judge_error = stamp_is_wanted(section) ? judge_others(section, first, npages) : 0;
  return error ? error : judge_error;
}

int
writeback_gather(struct section *section, uint64_t first, uint64_t npages) {
  lock_take(&section->sync_lock);
  int error = gather(section, first, npages);
  if (!error)
    error = settle_all(section, first, end_of(section, first, npages));
  lock_drop(&section->sync_lock);
  return error;
}

/* How the file is flushed in the end; NULL: not at all. */
struct flushing {
  int (*flush)(int fd);
  int fd;
};

static int
write_back(struct section *section, uint64_t first, uint64_t npages,
           const struct flushing *flushing, bool gathers) {
  lock_take(&section->sync_lock);
  trace_note(TRACE_SYNC, section->trace, first, npages);
  life_come_back(section);
  int error = file_look(section);
  twins_reach(section);
  if (!error) {
    int gather_error = gathers ? gather(section, first, npages) : 0;
    if (atomic_load(&section->control->atomic)) {
      error = atomic_sync(section, first, npages, flushing);
      if (flushing && flushing->fd == section->file_fd)
        flushing = NULL; /* done */
    } else {
      error = write_all(section, first, npages);
    }
    error = error ? error : gather_error;
  }
  if (!error && flushing)
    error = flush_written(section, flushing->flush, flushing->fd);
  lock_drop(&section->sync_lock);
  int pending = atomic_exchange(&section->pending_error, 0);
  return error ? error : pending;
}

int
writeback(struct section *section, uint64_t first, uint64_t npages, bool flush) {
  struct flushing flushing = { host_flush, section->file_fd };
  return write_back(section, first, npages, flush ? &flushing : NULL, true);
}

int
writeback_marked(struct section *section, uint64_t first, uint64_t npages) {
  return write_back(section, first, npages, NULL, false);
}

int
writeback_through(struct section *section, int (*flush)(int fd), int fd) {
  struct flushing flushing = { flush, fd };
  return write_back(section, 0, section_npages_all(section), &flushing, true);
}
