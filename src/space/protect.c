/* protect.c - the protection asked for, a byte a page. */
#include <sys/mman.h>

#include "space/space.h"
#include "track/track.h"

int
space_protect(struct mapping *mapping, uintptr_t start, uintptr_t end, int prot) {
  struct section *section = mapping->section;
  unsigned shift = host_config.page_shift;
  uint64_t first = mapping->first + ((start - mapping->start) >> shift);
  uint64_t n = (end - start) >> shift;
  if (mapping->is_shared && !(prot & PROT_WRITE))
    track_close_all(section, first, n, true);
  int error = 0;
  for (uint64_t done = 0; done < n && !error; done += TRACK_GROUP) {
    uint64_t count = n - done < TRACK_GROUP ? n - done : TRACK_GROUP;
    section_bits_take(section, first + done, count);
    error = view_change(mapping, first + done, count, NULL, VIEW_ASKED, (uint8_t)(prot & VIEW_ASKED));
    section_bits_drop(section, first + done, count);
  }
  return error;
}
