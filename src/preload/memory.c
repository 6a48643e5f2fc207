/* memory.c - mmap and its family.
 *
 * The engine takes ranges that aren't ours for what they are and hands them to the kernel, without
 * a lock and without libc: so allocators may call these at any moment.
 */
#include "preload/real.h"

#include <stdarg.h>

#include "api/shim.h"
#include "preload/broken.h"
#include "preload/policy.h"
#include "preload/report.h"

static void *
ours(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  void *at = softmap_mmap(addr, len, prot, flags, fd, offset);
  if (at == MAP_FAILED)
    report_refusal(fd, errno, 1);
  return at;
}

/* The bits that softmap adds mean nothing to a program that doesn't know of it. */
static int
known_flags(int flags) {
  if (is_broken("never-writes"))
    flags = (flags & ~MAP_TYPE) | MAP_PRIVATE;
  if (flags & MAP_HUGETLB)
    return flags;
  return flags & ~(SOFTMAP_MAP_ANY_OFFSET | SOFTMAP_MAP_MERGE | SOFTMAP_MAP_ATOMIC);
}

static void *
map(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  if ((flags & MAP_ANONYMOUS) || fd < 0)
    return shim_host_mmap(addr, len, prot, flags, fd, offset);
  shim_begin();
  int saved = errno;
  enum policy policy = policy_of(fd);
  errno = saved;
  if (policy != POLICY_OURS) {
    void *at = shim_host_mmap(addr, len, prot, flags, fd, offset);
    if (at != MAP_FAILED || policy == POLICY_HOST || !policy_is_refusal(errno))
      return at;
    int refused = errno;
    errno = saved;
    at = softmap_mmap(addr, len, prot, known_flags(flags), fd, offset);
    report_refusal(fd, at == MAP_FAILED ? errno : refused, at == MAP_FAILED);
    return at;
  }
  return ours(addr, len, prot, known_flags(flags), fd, offset);
}

EXPORT void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  return map(addr, len, prot, flags, fd, offset);
}

EXPORT void *
mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t offset) {
  return map(addr, len, prot, flags, fd, (off_t)offset);
}

EXPORT int
munmap(void *addr, size_t len) {
  return softmap_munmap(addr, len);
}

EXPORT int
mprotect(void *addr, size_t len, int prot) {
  return softmap_mprotect(addr, len, prot);
}

EXPORT int
msync(void *addr, size_t len, int flags) {
  return softmap_msync(addr, len, flags);
}

EXPORT void *
mremap(void *old_addr, size_t old_len, size_t new_len, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  void *new_addr = va_arg(rest, void *); /* only looked at with the flags that say so */
  va_end(rest);
  return softmap_mremap(old_addr, old_len, new_len, flags, new_addr);
}

EXPORT int
madvise(void *addr, size_t len, int advice) {
  return softmap_madvise(addr, len, advice);
}

EXPORT int
posix_madvise(void *addr, size_t len, int advice) {
  return softmap_posix_madvise(addr, len, advice);
}

EXPORT int
mincore(void *addr, size_t len, unsigned char *vec) {
  return softmap_mincore(addr, len, vec);
}

EXPORT int
mlock(const void *addr, size_t len) {
  return softmap_mlock(addr, len);
}

EXPORT int
munlock(const void *addr, size_t len) {
  return softmap_munlock(addr, len);
}

/* MLOCK_ONFAULT: a page of ours that isn't filled would count as touched already. */
EXPORT int
mlock2(const void *addr, size_t len, unsigned flags) {
  if (shim_touches(addr, len))
    return softmap_mlock(addr, len);
  return REAL(mlock2)(addr, len, flags);
}
