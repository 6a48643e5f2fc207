/* flush.c - pages that were written but not flushed: written -> flushing -> clean, or dirty.
 *
 * A page that is stored to and written again while a flush is under way is "written" again, not
 * "flushing": this flush doesn't vouch for it.
 */
#include "backing/flush.h"

#include "section/scan.h"
#include "trace/counters.h"
#include "trace/ring.h"

static void
step_block(struct section *section, uint64_t first, uint64_t end, enum page_state from,
           enum page_state to) {
  for (uint64_t page = first; (page = scan_busy(section, page, end)) < end; page++)
    if (page_step(section_state(section, page), (uint8_t)from, (uint8_t)to) && to == PAGE_DIRTY)
      summary_set(section, page, SUMMARY_DIRTY);
}

/* Take all blocks that have `bit` and move their pages from one state to another. */
static void
step_blocks(struct section *section, uint8_t bit, uint8_t then, enum page_state from,
            enum page_state to) {
  uint64_t npages = section_npages(section);
  for (uint64_t page = 0; page < npages; page += SUMMARY_PAGES) {
    page_byte *summary = section_summary(section, page);
    if (!(atomic_load(summary) & bit))
      continue;
    if (then)
      atomic_fetch_or(summary, then);
    atomic_fetch_and(summary, (uint8_t)~bit);
    uint64_t end = page + SUMMARY_PAGES < npages ? page + SUMMARY_PAGES : npages;
    step_block(section, page, end, from, to);
  }
}

int
flush_written(struct section *section) {
  step_blocks(section, SUMMARY_UNFLUSHED, SUMMARY_FLUSHING, PAGE_WRITTEN, PAGE_FLUSHING);
  int error = host_flush(section->file_fd);
  if (error)
    counter_add(COUNT_WRITE_ERRORS, 1);
  else
    counter_add(COUNT_FLUSHES, 1);
  trace_note(TRACE_FLUSH, section->trace, 0, 0);
  step_blocks(section, SUMMARY_FLUSHING, 0, PAGE_FLUSHING, error ? PAGE_DIRTY : PAGE_CLEAN);
  return error;
}
