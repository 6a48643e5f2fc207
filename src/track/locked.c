/* locked.c - pages of robust mutexes that threads of ours hold.
 *
 * When the holder dies the kernel writes into the mutex, by an ordinary store that a closed page
 * refuses: whoever waits for the mutex would wait for ever.  So a sync leaves such pages open, as
 * pinned ones.  A mutex taken while the sync looked elsewhere is found by a second look.
 */
#include <sys/mman.h>

#include "track/readers.h"
#include "track/track.h"

void
track_find_locked(struct track_locked *locked) {
  locked->n = 0;
  if (host_robust_locks(locked->at, TRACK_LOCKED_MAX, &locked->n))
    locked->n = 0; /* no /proc: as if there were none (D18) */
}

/* Does the mapping show the page that the address lies in for storing? */
static bool
covers(const struct mapping *mapping, uintptr_t addr, uint64_t *page) {
  if (!mapping->is_shared || addr < mapping->start || addr >= mapping->end)
    return false;
  *page = mapping->first + ((addr - mapping->start) >> host_config.page_shift);
  return true;
}

bool
track_is_locked(const struct track_locked *locked, struct section *section, uint64_t page) {
  struct mapping *mapping = locked->n ? atomic_load(&section->mappings) : NULL;
  for (; mapping; mapping = atomic_load(&mapping->next_in_section))
    for (size_t i = 0; i < locked->n; i++) {
      uint64_t at;
      if (covers(mapping, locked->at[i], &at) && at == page)
        return true;
    }
  return false;
}

static void
open_in(const struct mapping *mapping, const struct track_locked *locked) {
  for (size_t i = 0; i < locked->n; i++) {
    uint64_t page;
    if (!covers(mapping, locked->at[i], &page))
      continue;
    uint8_t view = mapping_view(mapping, page);
    if ((view & VIEW_ASKED & PROT_WRITE) && !(view & (VIEW_OPEN | VIEW_WATCHED)) &&
        page < section_npages(mapping->section) && track_open(mapping, page))
      return; /* no memory area left: the next store opens it */
  }
}

void
track_open_locked(struct section *section, const struct track_locked *locked) {
  if (!locked->n)
    return;
  uint32_t side = readers_enter();
  struct mapping *mapping = atomic_load(&section->mappings);
  for (; mapping; mapping = atomic_load(&mapping->next_in_section))
    open_in(mapping, locked);
  readers_leave(side);
}

static void
mark_in(const struct mapping *mapping, const struct track_locked *locked) {
  for (size_t i = 0; i < locked->n; i++) {
    uint64_t page;
    if (covers(mapping, locked->at[i], &page) &&
        (mapping_view(mapping, page) & (VIEW_WATCHED | VIEW_OPEN)) &&
        page < section_npages(mapping->section))
      section_mark(mapping->section, page);
  }
}

void
track_mark_locked(struct section *section) {
  struct track_locked locked;
  track_find_locked(&locked);
  if (!locked.n)
    return;
  uint32_t side = readers_enter_to_close();
  struct mapping *mapping = atomic_load(&section->mappings);
  for (; mapping; mapping = atomic_load(&mapping->next_in_section))
    mark_in(mapping, &locked);
  readers_leave(side);
}
