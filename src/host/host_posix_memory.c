/* host_posix_memory.c - memory of the process: map, protect, advise, lock.
 *
 * A test may raise host_config.page_size above the kernel's (host_start).  Then these functions
 * behave as a kernel with pages of that size: addresses and offsets must be multiples of it,
 * lengths are rounded up to it, and what the kernel places is aligned to it.
 */
#include "host/host_linux.h"

#include <string.h>

#include "host/host.h"
#include "host/inject.h"

static bool
is_page_aligned(uint64_t value) {
  return (value & (host_config.page_size - 1)) == 0;
}

/* Rounds *len up; ENOMEM, as mmap says it, where that overflows. */
static int
round_len(size_t *len) {
  size_t mask = host_config.page_size - 1;
  if (*len > SIZE_MAX - mask)
    return ENOMEM;
  *len = (*len + mask) & ~mask;
  return 0;
}

/* What every call on a range of existing memory checks and rounds. */
static int
check_range(const void *addr, size_t *len) {
  if (!is_page_aligned((uintptr_t)addr))
    return EINVAL;
  return round_len(len);
}

static int
map_once(void **out, void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  long result = raw_mmap(addr, len, prot, flags, fd, (uint64_t)offset);
  int error = raw_error(result);
  if (error != 0)
    return error;
  if ((flags & MAP_FIXED_NOREPLACE) && !(flags & MAP_FIXED) && (void *)result != addr) {
    raw2(SYS_munmap, result, len); /* a kernel before 4.17 took it for a hint */
    return EEXIST;
  }
  *out = (void *)result;
  return 0;
}

/* Inaccessible address space, len bytes, aligned to the page size; the rest is given back.  len is a
 * multiple of that, so that with the slack it doesn't overflow. */
static int
reserve_aligned(void **out, size_t len, int flags) {
  size_t page = host_config.page_size;
  size_t slack = page - host_kernel_page;
  void *start = NULL;
  flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  int error = map_once(&start, NULL, len + slack, PROT_NONE, flags, -1, 0);
  if (error != 0)
    return error;

  uintptr_t first = (uintptr_t)start;
  uintptr_t aligned = (first + page - 1) & ~(uintptr_t)(page - 1);
  size_t tail = first + len + slack - (aligned + len);
  if (aligned > first)
    raw2(SYS_munmap, first, aligned - first);
  if (tail > 0)
    raw2(SYS_munmap, aligned + len, tail);
  *out = (void *)aligned;
  return 0;
}

/* The kernel aligns to its own pages only: choose the place, then map there. */
static int
map_aligned(void **out, void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  int place_flags = 0;
  void *place = NULL;
#ifdef MAP_32BIT
  place_flags |= flags & MAP_32BIT;
#endif
  if (addr != NULL && is_page_aligned((uintptr_t)addr) &&
      map_once(out, addr, len, prot, flags | MAP_FIXED_NOREPLACE, fd, offset) == 0)
    return 0;
  int error = reserve_aligned(&place, len, place_flags);
  if (error != 0)
    return error;
  error = map_once(out, place, len, prot, flags | MAP_FIXED, fd, offset);
  if (error != 0)
    raw2(SYS_munmap, place, len);
  return error;
}

static int
do_map(void **out, void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  bool is_fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
  if (host_config.page_size == host_kernel_page)
    return map_once(out, addr, len, prot, flags, fd, offset); /* which checks in its own order */
  if (len == 0 || !is_page_aligned((uint64_t)offset))
    return EINVAL;
  if (is_fixed && !is_page_aligned((uintptr_t)addr))
    return EINVAL;
  int error = round_len(&len);
  if (error != 0)
    return error;
  if (is_fixed)
    return map_once(out, addr, len, prot, flags, fd, offset);
  return map_aligned(out, addr, len, prot, flags, fd, offset);
}

int
host_map(void **out, void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  int error = inject_before(HOST_CALL_map);
  if (error != 0)
    return error;
  error = do_map(out, addr, len, prot, flags, fd, offset);
  inject_after(HOST_CALL_map);
  return error;
}

#define PLACE_STEP ((uint64_t)1 << 29)

/* Where something is already, we look further away each time: it may be a large reservation. */
static int
do_map_own(void **out, size_t len, int prot, int flags, int fd, off_t offset) {
  int error = EEXIST;
  for (unsigned attempt = 0; attempt < 12 && error == EEXIST; attempt++) {
    void *place = host_place(len + (attempt > 0 ? PLACE_STEP << attempt : 0));
    if (place == NULL)
      break;
    error = do_map(out, place, len, prot, flags | MAP_FIXED_NOREPLACE, fd, offset);
  }
  return error == 0 ? 0 : do_map(out, NULL, len, prot, flags, fd, offset);
}

int
host_map_own(void **out, size_t len, int prot, int flags, int fd, off_t offset) {
  int error = inject_before(HOST_CALL_map);
  if (error != 0)
    return error;
  error = do_map_own(out, len, prot, flags, fd, offset);
  inject_after(HOST_CALL_map);
  return error;
}

int
host_unmap(void *addr, size_t len) {
  int error = inject_before(HOST_CALL_unmap);
  if (error != 0)
    return error;
  error = check_range(addr, &len);
  if (error == 0)
    error = raw_error(raw2(SYS_munmap, addr, len));
  inject_after(HOST_CALL_unmap);
  return error;
}

int
host_protect(void *addr, size_t len, int prot) {
  int error = inject_before(HOST_CALL_protect);
  if (error != 0)
    return error;
  error = check_range(addr, &len);
  if (error == 0)
    error = raw_error(raw3(SYS_mprotect, addr, len, prot));
  inject_after(HOST_CALL_protect);
  return error;
}

static int
remap_once(void **out, void *old_addr, size_t old_len, size_t new_len, int flags, void *new_addr) {
  long result = raw5(SYS_mremap, old_addr, old_len, new_len, flags, new_addr);
  int error = raw_error(result);
  if (error == 0)
    *out = (void *)result;
  return error;
}

/* As map_aligned: stay in place if that works, else move to a place that we choose. */
static int
remap_aligned(void **out, void *old_addr, size_t old_len, size_t new_len, int flags) {
  void *place = NULL;
  if (!(flags & MREMAP_DONTUNMAP)) {
    int error = remap_once(out, old_addr, old_len, new_len, 0, NULL);
    if (error != ENOMEM)
      return error;
  }
  int error = reserve_aligned(&place, new_len, 0);
  if (error != 0)
    return error;
  error = remap_once(out, old_addr, old_len, new_len, flags | MREMAP_FIXED, place);
  if (error != 0)
    raw2(SYS_munmap, place, new_len);
  return error;
}

static int
do_remap(void **out, void *old_addr, size_t old_len, size_t new_len, int flags, void *new_addr) {
  if (new_len == 0)
    return EINVAL;
  int error = check_range(old_addr, &old_len);
  if (error == 0)
    error = round_len(&new_len);
  if (error != 0)
    return error;
  if (!(flags & MREMAP_FIXED))
    new_addr = NULL;
  if (!is_page_aligned((uintptr_t)new_addr))
    return EINVAL;
  if (host_config.page_size == host_kernel_page || !(flags & MREMAP_MAYMOVE) ||
      (flags & MREMAP_FIXED))
    return remap_once(out, old_addr, old_len, new_len, flags, new_addr);
  return remap_aligned(out, old_addr, old_len, new_len, flags);
}

int
host_remap(void **out, void *old_addr, size_t old_len, size_t new_len, int flags, void *new_addr) {
  int error = inject_before(HOST_CALL_remap);
  if (error != 0)
    return error;
  error = do_remap(out, old_addr, old_len, new_len, flags, new_addr);
  inject_after(HOST_CALL_remap);
  return error;
}

int
host_advise(void *addr, size_t len, int advice) {
  int error = inject_before(HOST_CALL_advise);
  if (error != 0)
    return error;
  error = check_range(addr, &len);
  if (error == 0) {
    do
      error = raw_error(raw3(SYS_madvise, addr, len, advice));
    while (error == EINTR);
  }
  inject_after(HOST_CALL_advise);
  return error;
}

int
host_sync_memory(void *addr, size_t len, int flags) {
  int error = inject_before(HOST_CALL_sync_memory);
  if (error != 0)
    return error;
  error = check_range(addr, &len);
  if (error == 0) {
    do
      error = raw_error(raw3(SYS_msync, addr, len, flags));
    while (error == EINTR);
  }
  inject_after(HOST_CALL_sync_memory);
  return error;
}

static int
mincore_once(uintptr_t addr, size_t len, unsigned char *vec) {
  int error;
  do
    error = raw_error(raw3(SYS_mincore, addr, len, vec));
  while (error == EAGAIN || error == EINTR);
  return error;
}

/* A page is resident if all of the kernel's pages in it are. */
static int
resident_large(uintptr_t addr, size_t len, unsigned char *vec) {
  unsigned char part[256]; /* host_start allows 1 MiB pages at most */
  size_t nparts = host_config.page_size / host_kernel_page;
  for (size_t page = 0; page < len / host_config.page_size; page++) {
    int error = mincore_once(addr + page * host_config.page_size, host_config.page_size, part);
    if (error != 0)
      return error;
    /* The kernel writes the first answer: an address that can't be written is EFAULT, no fault. */
    error = mincore_once(addr + page * host_config.page_size, host_kernel_page, vec + page);
    if (error != 0)
      return error;
    vec[page] = 1;
    for (size_t i = 0; i < nparts; i++)
      vec[page] &= part[i] & 1;
  }
  return 0;
}

int
host_resident(void *addr, size_t len, unsigned char *vec) {
  int error = inject_before(HOST_CALL_resident);
  if (error != 0)
    return error;
  error = check_range(addr, &len);
  if (error == 0)
    error = host_config.page_size == host_kernel_page ? mincore_once((uintptr_t)addr, len, vec)
                                                      : resident_large((uintptr_t)addr, len, vec);
  inject_after(HOST_CALL_resident);
  return error;
}

int
host_copy_from(void *to, const void *from, size_t len) {
  struct iovec local = { .iov_base = to, .iov_len = len };
  struct iovec own = { .iov_base = (void *)(uintptr_t)from, .iov_len = len };
  int error = inject_before(HOST_CALL_copy_from);
  if (error != 0)
    return error;
  long result = raw6(SYS_process_vm_readv, raw0(SYS_getpid), &local, 1, &own, 1, 0);
  error = raw_error(result);
  if (error == ENOSYS || error == EPERM) { /* a sandbox */
    memcpy(to, from, len);
    error = 0;
  } else if (error == 0 && (size_t)result != len) {
    error = EFAULT;
  }
  inject_after(HOST_CALL_copy_from);
  return error;
}

int
host_lock_memory(const void *addr, size_t len) {
  int error = inject_before(HOST_CALL_lock_memory);
  if (error != 0)
    return error;
  error = raw_error(raw2(SYS_mlock, addr, len));
  inject_after(HOST_CALL_lock_memory);
  return error;
}

int
host_unlock_memory(const void *addr, size_t len) {
  int error = inject_before(HOST_CALL_unlock_memory);
  if (error != 0)
    return error;
  error = raw_error(raw2(SYS_munlock, addr, len));
  inject_after(HOST_CALL_unlock_memory);
  return error;
}
