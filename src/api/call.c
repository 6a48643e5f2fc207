/* call.c - the longer ones of what the calls share. */
#include "api/call.h"

#include "backing/fill.h"
#include "track/readers.h"
#include "track/track.h"

size_t
call_page_size(void) {
  if (!host_config.page_size && host_start())
    return 4096;
  return host_config.page_size;
}

bool
call_is_foreign(const void *addr, size_t len) {
  uintptr_t start = (uintptr_t)addr;
  if (call_page_size() == 0 || len == 0 || len > UINTPTR_MAX - start)
    return false;
  if (!process_is_started())
    return true;
  uint32_t side = readers_enter_to_close();
  const struct mapping *mapping = space_at_or_after(start);
  bool is_foreign = !mapping || mapping->start >= start + len;
  readers_leave(side);
  return is_foreign;
}

void
call_round_start(uintptr_t *addr, size_t *len) {
  uintptr_t skew = *addr & (call_page_size() - 1);
  if (!skew || !process_is_started() || call_is_orphan())
    return;
  struct space_call call;
  space_lock(&call);
  const struct mapping *mapping = space_find(*addr);
  if (mapping && mapping->any_offset && *len <= SIZE_MAX - skew) {
    *addr -= skew;
    *len += skew;
  }
  space_unlock(&call);
}

int
call_fill(const struct piece *piece) {
  struct section *section = piece->mapping->section;
  uint64_t first = piece_first(piece);
  uint64_t exist = section_npages(section);
  uint64_t n = piece_npages(piece);
  if (!atomic_load(&section->has_lane))
    return EIO;
  if (first >= exist)
    return 0;
  n = n < exist - first ? n : exist - first;
  int error = fill_from_anywhere(section, first, n);
  return error ? error : track_show(piece->mapping, first, n);
}

uint8_t
call_public_state(uint8_t state) {
  switch (page_kind(state)) {
  case PAGE_UNFILLED:
    return SOFTMAP_PAGE_UNFILLED;
  case PAGE_FILLING:
    return SOFTMAP_PAGE_FILLING;
  case PAGE_DIRTY:
    if (page_is_stored(state))
      return SOFTMAP_PAGE_DIRTY;
    return state & PAGE_AHEAD ? SOFTMAP_PAGE_OPENED_AHEAD : SOFTMAP_PAGE_CLEAN;
  case PAGE_WRITING:
  case PAGE_WRITING_AGAIN:
    return SOFTMAP_PAGE_WRITING;
  case PAGE_CLEAN:
  case PAGE_WRITTEN:
  case PAGE_FLUSHING:
  case PAGE_STATE_COUNT:
  default:
    return SOFTMAP_PAGE_CLEAN;
  }
}
