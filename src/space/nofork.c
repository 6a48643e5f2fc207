/* nofork.c - MADV_DONTFORK: in the child the host has unmapped those pages; we follow. */
#include "space/space.h"

/* The next run of pages in [*start, end of the mapping) that weren't inherited. */
static bool
next_run(const struct mapping *mapping, uintptr_t *start, uintptr_t *end) {
  unsigned shift = host_config.page_shift;
  uint64_t page = mapping->first + ((*start - mapping->start) >> shift);
  uint64_t last = mapping->first + mapping_npages(mapping, shift);
  while (page < last && !(mapping_view(mapping, page) & VIEW_NOFORK))
    page++;
  *start = mapping_address(mapping, page, shift);
  while (page < last && (mapping_view(mapping, page) & VIEW_NOFORK))
    page++;
  *end = mapping_address(mapping, page, shift);
  return *start < *end;
}

void
space_drop_nofork(struct mapping **cut) {
  uintptr_t at = 0;
  struct mapping *mapping;
  *cut = NULL;
  while ((mapping = space_at_or_after(at))) {
    uintptr_t start = mapping->start > at ? mapping->start : at;
    uintptr_t end = mapping->end;
    struct mapping *more = NULL;
    if (!mapping->views->has_nofork || !next_run(mapping, &start, &end))
      end = mapping->end;
    else if (!space_cut(start, end, &more) && more) {
      more->next_cut = *cut;
      *cut = more;
    }
    at = end;
  }
}
