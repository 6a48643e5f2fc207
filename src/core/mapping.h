/* mapping.h - one address range that the program got from us.
 *
 * Range, section and kind never change once a mapping is published (a split makes new ones); its
 * view bytes change under the page bit.  Found by address through space/, and through the list of
 * its section, both only by readers (track/readers.h) or under the space lock.
 */
#ifndef SOFTMAP_MAPPING_H
#define SOFTMAP_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/page.h"

struct section;
struct tracker;

/* View bytes, shared by the mappings that a split made of one. */
struct views {
  size_t npages;
  uint32_t users; /* mappings; under the space lock */
  _Atomic int64_t areas; /* what track/areas.c counts for them */
  bool has_nofork; /* some byte may have VIEW_NOFORK */
  _Atomic uint64_t *_Atomic groups; /* a bit for TRACK_GROUP pages: track/watch.c */
  uint8_t base;   /* bytes are stored xor base, so that memory never touched means base */
  page_byte *byte;
};

struct mapping {
  uintptr_t start, end;   /* half-open */
  uint64_t first;         /* page of the section at start */
  struct section *section;
  struct views *views;
  size_t views_at;        /* index of start's byte */
  uint64_t shown_from;    /* pages of the section from here on count as shown: they lay past the
                             end when the range was mapped, and growth fills at once */
  const struct tracker *tracker; /* how its stores are noticed */
  bool is_shared;
  _Atomic bool is_known_to_kernel; /* its memory can be watched */
  bool may_write;         /* mprotect may add PROT_WRITE */
  bool any_offset;        /* SOFTMAP_MAP_ANY_OFFSET */
  struct mapping *_Atomic next_in_section;
  struct mapping *_Atomic *named_by; /* what points at it in that list; under the space lock */
  struct mapping *next_cut; /* in a list of those taken out (space/cut.c) */
  uintptr_t cut_start, cut_end;
  bool is_moved; /* cut, but its pages live on in another mapping: nothing to write */
};

static inline uint64_t
mapping_npages(const struct mapping *mapping, unsigned page_shift) {
  return (mapping->end - mapping->start) >> page_shift;
}

/* Address of a page of the section that the mapping covers. */
static inline uintptr_t
mapping_address(const struct mapping *mapping, uint64_t page, unsigned page_shift) {
  return mapping->start + (uintptr_t)((page - mapping->first) << page_shift);
}

static inline page_byte *
mapping_byte(const struct mapping *mapping, uint64_t page) {
  return &mapping->views->byte[mapping->views_at + (size_t)(page - mapping->first)];
}

/* The view bits of a page of the section. */
static inline uint8_t
mapping_view(const struct mapping *mapping, uint64_t page) {
  uint8_t view = (uint8_t)(atomic_load_explicit(mapping_byte(mapping, page), memory_order_relaxed) ^
                           mapping->views->base);
  return page >= mapping->shown_from ? (uint8_t)(view | VIEW_SHOWN) : view;
}

/* Set and clear view bits.  The page bit is held. */
static inline void
mapping_view_change(const struct mapping *mapping, uint64_t page, uint8_t clear, uint8_t set) {
  page_byte *byte = mapping_byte(mapping, page);
  uint8_t old = (uint8_t)(atomic_load_explicit(byte, memory_order_relaxed) ^ mapping->views->base);
  uint8_t now = (uint8_t)((old & (uint8_t)~clear) | set);
  if (now != old)
    atomic_store_explicit(byte, now ^ mapping->views->base, memory_order_relaxed);
}

#endif
