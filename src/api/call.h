/* call.h - what the files of this folder share: errno, and walking over a range.
 *
 * A file a family of calls.  Each checks its arguments (core/rules.h), walks over the range under
 * the space lock, and sets errno; nothing else in the library does.
 */
#ifndef SOFTMAP_CALL_H
#define SOFTMAP_CALL_H

#include <errno.h>

#include <softmap/softmap.h>

#include "process/process.h"
#include "space/space.h"

/* Set errno and return -1; 0 for no error. */
static inline int
fail(int error) {
  if (error)
    errno = error;
  return error ? -1 : 0;
}

/* In a child of a fork that we did not see (raw clone, _Fork): it has neither threads nor lanes of
 * its own, and must not touch its parent's. */
static inline bool
call_is_orphan(void) {
  return process_is_started() && !host_lineage_same();
}

/* A part of a range that lies in one mapping of ours, or between ours (mapping NULL). */
struct piece {
  struct mapping *mapping;
  uintptr_t start, end;
};

/* The piece at *at, which moves on behind it; false at the end.  [under the space lock] */
static inline bool
piece_next(uintptr_t *at, uintptr_t end, struct piece *piece) {
  if (*at >= end)
    return false;
  struct mapping *mapping = process_is_started() ? space_at_or_after(*at) : NULL;
  piece->start = *at;
  if (mapping && mapping->start <= *at) {
    piece->mapping = mapping;
    piece->end = mapping->end < end ? mapping->end : end;
  } else {
    piece->mapping = NULL;
    piece->end = mapping && mapping->start < end ? mapping->start : end;
  }
  *at = piece->end;
  return true;
}

/* Pages of the section that a piece of ours covers. */
static inline uint64_t
piece_first(const struct piece *piece) {
  return piece->mapping->first + ((piece->start - piece->mapping->start) >> host_config.page_shift);
}

static inline uint64_t
piece_npages(const struct piece *piece) {
  return (piece->end - piece->start) >> host_config.page_shift;
}

/* For a mapping with SOFTMAP_MAP_ANY_OFFSET: move a start inside its first page down to it. */
void call_round_start(uintptr_t *addr, size_t *len);

/* Does no mapping of ours lie in [addr, addr + len)?  Looks without a lock: what a program does to its
 * other memory must not wait for ours (its allocator may hold a lock of its own that a fork wants).
 * false also for an empty range and one that wraps. */
bool call_is_foreign(const void *addr, size_t len);

/* Page size before there is a mapping, too. */
size_t call_page_size(void);

/* enum page_state as enum softmap_page_state. */
uint8_t call_public_state(uint8_t state);

/* Fill a piece and show it. */
SOFTMAP_MUST_CHECK int call_fill(const struct piece *piece);

#endif
