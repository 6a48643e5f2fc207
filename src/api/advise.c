/* advise.c - madvise and posix_madvise. */
#include <sys/mman.h>

#include "api/call.h"
#include "core/rules.h"
#include "track/track.h"

/* Linux's own that Debian 12's headers may lack. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static void
set_nofork(const struct piece *piece, bool is_set) {
  struct mapping *mapping = piece->mapping;
  mapping->views->has_nofork |= is_set;
  for (uint64_t i = 0; i < piece_npages(piece); i++) {
    uint64_t page = piece_first(piece) + i;
    section_bits_take(mapping->section, page, 1);
    mapping_view_change(mapping, page, VIEW_NOFORK, is_set ? VIEW_NOFORK : 0);
    section_bits_drop(mapping->section, page, 1);
  }
}

static int
populate_read(const struct piece *piece) {
  int error = call_fill(piece);
  uint64_t exist = section_npages(piece->mapping->section);
  return error ? error : piece_first(piece) + piece_npages(piece) > exist ? EFAULT : 0;
}

/* Fill and open all. */
static int
populate_write(const struct piece *piece) {
  for (uint64_t i = 0; i < piece_npages(piece); i++)
    if (!(mapping_view(piece->mapping, piece_first(piece) + i) & PROT_WRITE))
      return EINVAL;
  int error = populate_read(piece);
  for (uint64_t i = 0; i < piece_npages(piece) && !error && piece->mapping->is_shared; i++) {
    uint64_t page = piece_first(piece) + i;
    do
      error = track_open(piece->mapping, page);
    while (error == EAGAIN && !(error = call_fill(piece)));
  }
  return error;
}

static int
advise_ours(const struct piece *piece, int advice) {
  switch (advice) {
  case MADV_WILLNEED:
    return call_fill(piece);
  case MADV_POPULATE_READ:
    return populate_read(piece);
  case MADV_POPULATE_WRITE:
    return populate_write(piece);
  case MADV_HUGEPAGE:
  case MADV_NOHUGEPAGE:
  case MADV_MERGEABLE:
  case MADV_UNMERGEABLE:
    return 0; /* a huge page would make one store 2 MiB of dirt */
  case MADV_FREE:
  case MADV_WIPEONFORK:
    return EINVAL;
  case MADV_REMOVE:
    return EOPNOTSUPP;
  case MADV_DONTFORK:
  case MADV_DOFORK:
    set_nofork(piece, advice == MADV_DONTFORK);
    break;
  default:
    break;
  }
  return host_advise((void *)piece->start, piece->end - piece->start, advice);
}

/* As Linux: a hole is reported when the rest has been advised. */
static int
advise(uintptr_t at, uintptr_t end, int advice) {
  struct piece piece;
  int result = 0;
  while (piece_next(&at, end, &piece)) {
    int error = piece.mapping ? advise_ours(&piece, advice)
                              : host_advise((void *)piece.start, piece.end - piece.start, advice);
    if (error && error != ENOMEM)
      return error;
    result = result ? result : error;
  }
  return result;
}

static int
check_and_advise(void *addr, size_t len, int advice) {
  uintptr_t start = (uintptr_t)addr;
  uintptr_t end;
  size_t page_size = call_page_size(); /* starts the host, too */
  if (call_is_foreign(addr, len))
    return host_advise(addr, len, advice);
  call_round_start(&start, &len);
  if (call_is_orphan())
    return EIO;
  if (!process_is_started())
    return host_advise(addr, len, advice);
  int error = rules_advise(start, len, page_size, &end);
  if (error)
    return error;
  if (start == end)
    return host_advise((void *)start, 0, advice); /* only whether the advice is known */
  struct space_call call;
  space_lock(&call);
  error = advise(start, end, advice);
  space_unlock(&call);
  return error;
}

int
softmap_madvise(void *addr, size_t len, int advice) {
  return fail(check_and_advise(addr, len, advice));
}

int
softmap_posix_madvise(void *addr, size_t len, int advice) {
  switch (advice) {
  case POSIX_MADV_NORMAL:
    return check_and_advise(addr, len, MADV_NORMAL);
  case POSIX_MADV_RANDOM:
    return check_and_advise(addr, len, MADV_RANDOM);
  case POSIX_MADV_SEQUENTIAL:
    return check_and_advise(addr, len, MADV_SEQUENTIAL);
  case POSIX_MADV_WILLNEED:
    return check_and_advise(addr, len, MADV_WILLNEED);
  case POSIX_MADV_DONTNEED: /* glibc: POSIX's must not drop data */
    return 0;
  default:
    return EINVAL;
  }
}
