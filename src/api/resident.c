/* resident.c - mincore, mlock, munlock. */
#include <string.h>
#include <sys/mman.h>

#include "api/call.h"
#include "core/rules.h"
#include "host/arena.h"
#include "track/track.h"

/* ---- mincore ------------------------------------------------------------------------------- */

static void
tell_ours(const struct piece *piece, unsigned char *vec) {
  struct section *section = piece->mapping->section;
  uint64_t exist = section_npages(section);
  for (uint64_t i = 0; i < piece_npages(piece); i++) {
    uint64_t page = piece_first(piece) + i;
    vec[i] = page < exist && page_is_filled(atomic_load(section_state(section, page)));
  }
}

static int
tell(uintptr_t start, uintptr_t end, unsigned char *vec) {
  struct piece piece;
  int error = 0;
  for (uintptr_t at = start; !error && piece_next(&at, end, &piece);) {
    unsigned char *part = vec + ((piece.start - start) >> host_config.page_shift);
    if (piece.mapping)
      tell_ours(&piece, part);
    else
      error = host_resident((void *)piece.start, piece.end - piece.start, part);
  }
  return error;
}

/* Can the answer be stored to vec?  Asked of the host, who writes bytes of the same kind to one
 * of every page of vec.  A page of ours may be closed; our store will open it. */
static int
check_vec(void *mapped, unsigned char *vec, size_t n) {
  size_t page_size = host_config.page_size;
  for (size_t i = 0; i < n; i = i + page_size < n || i == n - 1 ? i + page_size : n - 1) {
    int error = host_resident(mapped, page_size, vec + i);
    if (error && !space_find((uintptr_t)vec + i))
      return error;
  }
  return 0;
}

int
softmap_mincore(void *addr, size_t len, unsigned char *vec) {
  uintptr_t start = (uintptr_t)addr;
  uintptr_t end;
  if (call_is_foreign(addr, len) && call_is_foreign(vec, len / call_page_size() + 1))
    return fail(host_resident(addr, len, vec));
  call_round_start(&start, &len);
  int error = rules_resident(start, len, call_page_size(), &end);
  if (error || start == end)
    return fail(error);
  if (call_is_orphan())
    return fail(EIO);
  if (!process_is_started())
    return fail(host_resident(addr, len, vec));
  size_t npages = (end - start) >> host_config.page_shift;
  struct space_call call;
  space_lock(&call);
  /* Not into vec yet: it may lie on a closed page of ours, and signals are blocked here. */
  unsigned char *answer = arena_alloc(npages);
  error = answer ? tell(start, end, answer) : ENOMEM;
  if (!error)
    error = check_vec((void *)start, vec, npages);
  space_unlock(&call);
  if (!error)
    memcpy(vec, answer, npages);
  space_lock(&call);
  arena_free(answer, npages);
  space_unlock(&call);
  return fail(error);
}

/* ---- mlock --------------------------------------------------------------------------------- */

static void
set_locked(const struct piece *piece, bool is_locked) {
  struct mapping *mapping = piece->mapping;
  for (uint64_t i = 0; i < piece_npages(piece); i++) {
    uint64_t page = piece_first(piece) + i;
    section_bits_take(mapping->section, page, 1);
    mapping_view_change(mapping, page, VIEW_LOCKED, is_locked ? VIEW_LOCKED : 0);
    section_bits_drop(mapping->section, page, 1);
  }
}

static int
lock_piece(const struct piece *piece, bool is_locked) {
  int error = piece->mapping && is_locked ? call_fill(piece) : 0;
  void *addr = (void *)piece->start;
  size_t len = piece->end - piece->start;
  if (!error)
    error = is_locked ? host_lock_memory(addr, len) : host_unlock_memory(addr, len);
  if (!error && piece->mapping)
    set_locked(piece, is_locked);
  return error;
}

static int
lock_range(const void *addr, size_t len, bool is_locked) {
  size_t page_size = call_page_size();
  uintptr_t start = (uintptr_t)addr & ~(uintptr_t)(page_size - 1);
  uintptr_t last = (uintptr_t)addr + len;
  if (last < (uintptr_t)addr || last > UINTPTR_MAX - page_size)
    return EINVAL;
  if (call_is_foreign(addr, len))
    return is_locked ? host_lock_memory(addr, len) : host_unlock_memory(addr, len);
  if (call_is_orphan())
    return EIO;
  if (len == 0 || !process_is_started())
    return is_locked ? host_lock_memory(addr, len) : host_unlock_memory(addr, len);
  uintptr_t end = (last + page_size - 1) & ~(uintptr_t)(page_size - 1);
  struct space_call call;
  struct piece piece;
  int error = 0;
  space_lock(&call);
  while (!error && piece_next(&start, end, &piece))
    error = lock_piece(&piece, is_locked);
  space_unlock(&call);
  return error;
}

int
softmap_mlock(const void *addr, size_t len) {
  return fail(lock_range(addr, len, true));
}

int
softmap_munlock(const void *addr, size_t len) {
  return fail(lock_range(addr, len, false));
}
