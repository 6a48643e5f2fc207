/* flush.c - pages that were written but not flushed: written -> flushing -> clean, or dirty.
 *
 * A page that is stored to and written again while a flush is under way is "written" again, not
 * "flushing": this flush doesn't vouch for it.  Pages are flushed in a hand, as they are written:
 * a flush that ends well doesn't vouch for those of another process, whose own may fail.  What a
 * dead one had in hand is taken along: our description of the file is told of an error, too.
 *
 * A flush that fails is told once: whatever may have been written before is dirty then, also what
 * is opened ahead (PAGE_UNFLUSHED) or just being compared with its twin.
 */
#include "backing/flush.h"

#include "section/lane.h"
#include "section/scan.h"
#include "trace/counters.h"
#include "trace/ring.h"

/* Which hands have a living process that flushes; each is asked once. */
struct flushers {
  uint32_t asked, living;
};

static bool
has_flusher(struct section *section, struct flushers *flushers, uint32_t hand) {
  uint32_t bit = (uint32_t)1 << hand;
  if (!(flushers->asked & bit)) {
    bool is_flushing = true;
    if (lane_is_flushing(section, hand, &is_flushing) || is_flushing)
      flushers->living |= bit;
    flushers->asked |= bit;
  }
  return flushers->living & bit;
}

/* Blocks of the summary that have one of these bits. */
static bool
next_block(struct section *section, uint8_t bits, uint64_t *first, uint64_t *end) {
  uint64_t npages = section_npages(section);
  *first = *end < npages ? scan_blocks(section, *end, npages, bits) : npages;
  *end = *first + SUMMARY_PAGES;
  return *first < npages;
}

static void
take_page(struct section *section, uint64_t page, struct flushers *flushers) {
  page_byte *state = section_state(section, page);
  uint8_t seen = atomic_load(state);
  if (page_kind(seen) == PAGE_WRITTEN ||
      (page_kind(seen) == PAGE_FLUSHING && !has_flusher(section, flushers, page_hand(seen))))
    page_step(state, seen, page_in_hand(PAGE_FLUSHING, section->lane));
}

/* Written pages into our hand.  False: another lane of that hand is flushing, and couldn't tell its
 * pages from ours; they stay written. */
static bool
take(struct section *section) {
  struct flushers flushers = { 0, 0 };
  if (has_flusher(section, &flushers, section->lane % PAGE_HANDS))
    return false;
  uint64_t npages = section_npages(section), first, end = 0;
  while (next_block(section, SUMMARY_UNFLUSHED | SUMMARY_FLUSHING, &first, &end)) {
    page_byte *summary = section_summary(section, first);
    uint64_t last = end < npages ? end : npages;
    atomic_fetch_or(summary, SUMMARY_FLUSHING);
    atomic_fetch_and(summary, (uint8_t)~SUMMARY_UNFLUSHED);
    for (uint64_t page = first; (page = scan_busy(section, page, last)) < last; page++)
      take_page(section, page, &flushers);
  }
  return true;
}

/* The pages in our hand.  The block's bit stays as long as others have some of it. */
static void
settle(struct section *section, uint8_t to) {
  uint8_t ours = page_in_hand(PAGE_FLUSHING, section->lane);
  uint64_t npages = section_npages(section), first, end = 0;
  while (next_block(section, SUMMARY_FLUSHING, &first, &end)) {
    page_byte *summary = section_summary(section, first);
    uint64_t last = end < npages ? end : npages;
    atomic_fetch_and(summary, (uint8_t)~SUMMARY_FLUSHING);
    for (uint64_t page = first; (page = scan_busy(section, page, last)) < last; page++) {
      uint8_t seen = atomic_load(section_state(section, page));
      if (seen == ours && page_step(section_state(section, page), seen, to)) {
        if (to == PAGE_DIRTY)
          summary_set(section, page, SUMMARY_DIRTY);
      } else if (page_kind(seen) == PAGE_FLUSHING) {
        atomic_fetch_or(summary, SUMMARY_FLUSHING);
      }
    }
  }
}

static void
mark_unflushed(struct section *section, uint64_t page) {
  uint8_t state = atomic_load(section_state(section, page));
  if (page_kind(state) == PAGE_WRITTEN || page_is_writing(state) ||
      (page_is_doubtful(state) && (state & PAGE_UNFLUSHED)))
    section_mark(section, page);
}

/* What others flush is theirs to judge. */
static void
mark_all_unflushed(struct section *section) {
  uint64_t npages = section_npages(section), first, end = 0;
  while (next_block(section, SUMMARY_DIRTY | SUMMARY_UNFLUSHED, &first, &end)) {
    uint64_t last = end < npages ? end : npages;
    for (uint64_t page = first; (page = scan_busy(section, page, last)) < last; page++)
      mark_unflushed(section, page);
  }
}

int
flush_written(struct section *section, int (*flush)(int fd), int fd) {
  lane_note_flushing(section, true);
  bool is_ours = take(section);
  int error = flush(fd);
  if (error)
    counter_add(COUNT_WRITE_ERRORS, 1);
  else
    counter_add(COUNT_FLUSHES, 1);
  trace_note(TRACE_FLUSH, section->trace, 0, 0);
  if (is_ours)
    settle(section, error ? PAGE_DIRTY : PAGE_CLEAN);
  if (error)
    mark_all_unflushed(section);
  lane_note_flushing(section, false);
  return error;
}
