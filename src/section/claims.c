/* claims.c - which pages the keepers of this process fill, or take over from other processes.
 *
 * The marks FILLING in our lane and the hand in a state say which process has a page, not which of
 * its threads.  (With one mark for two fillers, the one that came too late takes away the mark of
 * the other, whose page is then taken over while it still fills: models/fill.pml, SHARED_CLAIM.)
 */
#include "section/section.h"

uint64_t
claims_begin(struct section *section, uint64_t first, uint64_t n) {
  unsigned me = keeper_number();
  uint64_t end = first + n;
  lock_take(&section->peers_lock);
  for (unsigned i = 0; i < KEEPER_THREADS; i++) {
    if (i == me || section->claims[i].end <= first || section->claims[i].first >= end)
      continue;
    end = section->claims[i].first > first ? section->claims[i].first : first;
  }
  if (first < end) {
    section->claims[me].first = first;
    section->claims[me].end = end;
  }
  lock_drop(&section->peers_lock);
  return end - first;
}

void
claims_end(struct section *section) {
  unsigned me = keeper_number();
  lock_take(&section->peers_lock);
  section->claims[me].first = section->claims[me].end = 0;
  lock_drop(&section->peers_lock);
}
