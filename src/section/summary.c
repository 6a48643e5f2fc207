/* summary.c - the summary of a block of pages.  models/summary.pml plays it. */
#include "section/scan.h"

/* Only pages that exist: a process killed while it followed a shrinking file leaves states. */
static bool
has_any(struct section *section, uint64_t first, bool (*is_one)(uint8_t state)) {
  uint64_t npages = section_npages(section);
  uint64_t end = first + SUMMARY_PAGES < npages ? first + SUMMARY_PAGES : npages;
  for (uint64_t page = first; (page = scan_busy(section, page, end)) < end; page++)
    if (is_one(atomic_load(section_state(section, page))))
      return true;
  return false;
}

bool
section_has_dirt(struct section *section) {
  uint64_t npages = section_npages(section);
  for (uint64_t page = 0; (page = scan_blocks(section, page, npages, SUMMARY_DIRTY)) < npages;
       page += SUMMARY_PAGES)
    if (has_any(section, page, page_is_stored))
      return true;
  return npages < section_npages_all(section); /* there may be some where we can't look yet */
}

/* Whoever marks changes the page's state first and then takes CHECKING away: if ours is still
 * there after we have looked at all states, none was marked behind our back. */
void
summary_settle(struct section *section, uint64_t page) {
  page_byte *summary = section_summary(section, page);
  uint64_t first = page / SUMMARY_PAGES * SUMMARY_PAGES;
  uint8_t now = atomic_load(summary);
  uint8_t turn;
  do
    turn = (uint8_t)(((now & SUMMARY_TURN) + 0x20) & SUMMARY_TURN) | SUMMARY_CHECKING;
  while (!atomic_compare_exchange_weak(
      summary, &now, (uint8_t)((now & ~(SUMMARY_TURN | SUMMARY_CHECKING)) | turn)));
  if (has_any(section, first, page_is_dirty)) {
    summary_set(section, first, SUMMARY_DIRTY);
    return;
  }
  now = atomic_load(summary);
  while ((now & (SUMMARY_TURN | SUMMARY_CHECKING)) == turn &&
         !atomic_compare_exchange_weak(summary, &now,
                                       (uint8_t)(now & ~(SUMMARY_CHECKING | SUMMARY_DIRTY))))
    ;
  /* Turns repeat: held up while others took eight, we may have met another one's CHECKING, and a mark
   * in between. */
  if (!(atomic_load(summary) & SUMMARY_DIRTY) && has_any(section, first, page_is_dirty))
    summary_set(section, first, SUMMARY_DIRTY);
}
