/* pin.c - softmap_pin and softmap_unpin: pages that a system call may touch.
 *
 * A pin is counted before the page is opened, so that a sync that looks afterwards leaves the
 * page open.  Counts are this process's own; a forked child starts with none.
 */
#include <errno.h>
#include <sys/mman.h>

#include "api/call.h"
#include "track/track.h"

static int
counts_of(struct section *section, uint64_t page) {
  unsigned k = extent_of(page);
  struct extent *extent = &section->extent[k];
  if (extent->pins)
    return 0;
  void *counts;
  size_t len = (size_t)extent_pages(k) * sizeof *extent->pins;
  int error = host_map_own(&counts, len, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (!error)
    extent->pins = counts;
  return error == EAGAIN ? ENOMEM : error; /* too much memory is locked; not what EAGAIN means here */
}

static _Atomic uint16_t *
count_of(struct section *section, uint64_t page) {
  unsigned k = extent_of(page);
  return extent_pages(k) && section->extent[k].pins
           ? &section->extent[k].pins[page - extent_first(k)]
           : NULL;
}

static int
unpin_page(const struct mapping *mapping, uint64_t page) {
  _Atomic uint16_t *count = count_of(mapping->section, page);
  if (!count || atomic_load(count) == 0)
    return EINVAL;
  atomic_fetch_sub(count, 1);
  return 0;
}

/* One page, filled and shown already. */
static int
pin_page(const struct mapping *mapping, uint64_t page, int prot) {
  if (page >= section_npages(mapping->section))
    return EFAULT;
  int asked = mapping_view(mapping, page) & VIEW_ASKED;
  if (!asked || ((prot & PROT_WRITE) && !(asked & PROT_WRITE)))
    return EFAULT;
  int error = counts_of(mapping->section, page);
  if (error)
    return error;
  _Atomic uint16_t *count = count_of(mapping->section, page);
  if (atomic_load(count) == UINT16_MAX)
    return ENOMEM;
  atomic_fetch_add(count, 1);
  if ((prot & PROT_WRITE) && mapping->is_shared)
    error = track_pin(mapping, page);
  if (error)
    atomic_fetch_sub(count, 1);
  return error;
}

static int
pin_piece(const struct piece *piece, int prot, uint64_t *done) {
  bool exists;
  uint64_t last = piece_first(piece) + piece_npages(piece) - 1;
  if (section_follow_to(piece->mapping->section, last, &exists)) /* the kernel wouldn't ask */
    host_yield(); /* what doesn't exist is EFAULT */
  int error = call_fill(piece);
  while (!error && *done < piece_npages(piece)) {
    error = pin_page(piece->mapping, piece_first(piece) + *done, prot);
    if (error == EAGAIN) /* being read again, for an MS_INVALIDATE */
      error = call_fill(piece);
    else if (!error)
      ++*done;
  }
  return error;
}

static int
check(const void *addr, size_t len, uintptr_t *start, uintptr_t *end) {
  uintptr_t mask = (uintptr_t)call_page_size() - 1;
  uintptr_t last = (uintptr_t)addr + len;
  if (last < (uintptr_t)addr || last > UINTPTR_MAX - mask)
    return EINVAL;
  *start = (uintptr_t)addr & ~mask;
  *end = len ? (last + mask) & ~mask : *start;
  return 0;
}

/* Unpin what is ours in [at, end). */
static int
unpin_range(uintptr_t at, uintptr_t end) {
  struct piece piece;
  int result = 0;
  while (piece_next(&at, end, &piece))
    for (uint64_t i = 0; piece.mapping && i < piece_npages(&piece); i++) {
      int error = unpin_page(piece.mapping, piece_first(&piece) + i);
      result = result ? result : error;
    }
  return result;
}

static int
pin_range(uintptr_t start, uintptr_t end, int prot) {
  struct piece piece;
  for (uintptr_t at = start; piece_next(&at, end, &piece);) {
    uint64_t done = 0;
    int error = piece.mapping ? pin_piece(&piece, prot, &done) : 0;
    if (error) {
      uintptr_t pinned_end = piece.start + ((uintptr_t)done << host_config.page_shift);
      int unpin_error = unpin_range(start, pinned_end);
      return unpin_error ? unpin_error : error;
    }
  }
  return 0;
}

int
softmap_pin(void *addr, size_t len, int prot) {
  uintptr_t start, end;
  int error = check(addr, len, &start, &end);
  if (!error && (prot & ~(PROT_READ | PROT_WRITE) || !prot))
    error = EINVAL;
  if (!error && call_is_orphan())
    error = EIO;
  if (error || !process_is_started())
    return fail(error);
  struct space_call call;
  space_lock(&call);
  error = pin_range(start, end, prot);
  space_unlock(&call);
  return fail(error);
}

int
softmap_unpin(void *addr, size_t len) {
  uintptr_t start, end;
  int error = check(addr, len, &start, &end);
  if (!error && call_is_orphan())
    error = EIO;
  if (error || !process_is_started())
    return fail(error);
  struct space_call call;
  space_lock(&call);
  error = unpin_range(start, end);
  space_unlock(&call);
  return fail(error);
}
