/* summary.c - the summary of a block of pages. */
#include "section/section.h"

static bool
has_dirty(struct section *section, uint64_t first) {
  for (uint64_t page = first; page < first + SUMMARY_PAGES; page++)
    if (page_is_dirty(atomic_load(section_state(section, page))))
      return true;
  return false;
}

bool
section_has_dirt(struct section *section) {
  uint64_t npages = section_npages(section);
  for (uint64_t page = 0; page < npages; page += SUMMARY_PAGES)
    if ((atomic_load(section_summary(section, page)) & SUMMARY_DIRTY) && has_dirty(section, page))
      return true;
  return false;
}

/* Whoever marks changes the page's state first and then takes CHECKING away: if it is still there
 * after we have looked at all states, none was marked behind our back.  (Another one who checks
 * may have put it back: then that one finds the page, and puts DIRTY back.) */
void
summary_settle(struct section *section, uint64_t page) {
  page_byte *summary = section_summary(section, page);
  uint64_t first = page / SUMMARY_PAGES * SUMMARY_PAGES;
  uint8_t before = atomic_fetch_or(summary, SUMMARY_CHECKING);
  if (has_dirty(section, first)) {
    summary_set(section, first, SUMMARY_DIRTY);
    return;
  }
  uint8_t now = (uint8_t)(before | SUMMARY_CHECKING);
  while ((now & SUMMARY_CHECKING) &&
         !atomic_compare_exchange_weak(summary, &now,
                                       (uint8_t)(now & ~(SUMMARY_CHECKING | SUMMARY_DIRTY))))
    ;
}
