/* rules.h - which arguments POSIX and Linux allow, as pure functions of what is asked and of what
 * the file is; no system call.  0 or the errno that the call must set.
 * Sources: XSH mmap, munmap, mprotect, msync; Linux mm/mmap.c, mm/mprotect.c, mm/msync.c,
 * mm/mremap.c, mm/madvise.c (order of the checks where more than one applies).
 */
#ifndef SOFTMAP_RULES_H
#define SOFTMAP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rules_map {
  uintptr_t addr;
  size_t len;         /* bytes, as asked */
  int prot, flags;    /* as asked */
  uint64_t offset;
  size_t page_size;   /* bytes */
  /* of the file: */
  int open_flags;     /* fcntl F_GETFL */
  bool is_directory;
};

/* mmap of a regular file (or of a directory, which fails as it does on Linux).  Order as in Linux:
 *   EINVAL      offset not aligned, or on a 32-bit host not below 2^44
 *   EBADF       O_PATH (a bad descriptor is found here too: after the offset, before len)
 *   EINVAL      MAP_HUGETLB; then len 0
 *   ENOMEM      len or a fixed range wraps
 *   EINVAL      fixed addr not aligned
 *               (here the kernel looks for room: ENOMEM, and EEXIST of MAP_FIXED_NOREPLACE)
 *   EOVERFLOW   offset plus len
 *   EINVAL      type; SOFTMAP_MAP_ATOMIC with SOFTMAP_MAP_MERGE
 *   EOPNOTSUPP  unknown bit of MAP_SHARED_VALIDATE (MAP_FIXED_NOREPLACE is one);
 *   EACCES      shared, PROT_WRITE and not open for writing; not open for reading
 *               (EPERM: PROT_EXEC and a file system mounted noexec)
 *   ENODEV      a directory
 *   EINVAL      MAP_GROWSDOWN
 * Unknown bits of prot are ignored, and so are those of flags with the other types.  With
 * MAP_HUGETLB the bits of SOFTMAP_MAP_* are the size of the huge page. */
int rules_map(const struct rules_map *asked);

/* munmap, mprotect, msync, madvise, mincore, mremap: the checks that need only the arguments.
 * *end receives addr + len rounded up to pages, on success only.  A len of 0 gives an empty range
 * (munmap: EINVAL), and the call returns 0 without looking at what is mapped.
 *
 * rules_protect lets one of PROT_GROWSDOWN and PROT_GROWSUP pass: EINVAL on a mapping that can't
 * grow (none of ours can), ENOMEM on a hole.
 * rules_sync takes a len that wraps when it is rounded up for 0, as Linux does.
 * rules_advise doesn't know the advice; an unknown one is EINVAL before anything else. */
int rules_unmap(uintptr_t addr, size_t len, size_t page_size, uintptr_t *end);
int rules_protect(uintptr_t addr, size_t len, int prot, size_t page_size, uintptr_t *end);
int rules_sync(uintptr_t addr, size_t len, int flags, size_t page_size, uintptr_t *end);
int rules_advise(uintptr_t addr, size_t len, size_t page_size, uintptr_t *end);
int rules_resident(uintptr_t addr, size_t len, size_t page_size, uintptr_t *end);
struct rules_remap {
  uintptr_t old_addr, new_addr; /* new_addr with MREMAP_FIXED, MREMAP_DONTUNMAP (0: none) */
  size_t old_len, new_len;
  int flags;
  size_t page_size;
};
/* All EINVAL.  MREMAP_DONTUNMAP passes if it is well-formed.  A len that wraps when it is rounded
 * up is 0, as in Linux: EINVAL for new_len, "another mapping of the same" for old_len. */
int rules_remap(const struct rules_remap *asked);

/* Protection the host must enforce on a page of a mapping, PROT_*: nothing while it isn't shown
 * (not filled), what was asked for when private or open, else what was asked for but not
 * writable (write-only counts as readable, as on every machine we know). */
int rules_actual(int asked, bool is_shared, bool is_shown, bool is_open);

#endif
