/* host_linux_watch.c - the kernel's own write watch.
 *
 * userfaultfd keeps a bit a page-table entry, "write-protected"; with WP_ASYNC a store to such a
 * page takes the bit away and goes on, without a signal or a message, also from within a system
 * call.  PAGEMAP_SCAN finds the entries without the bit and gives it back to them in one step.
 * Entries never touched count as stored to unless they were protected before, so who asks knows
 * which pages are.
 */
#include "host/host_linux.h"

#include "host/host.h"
#include "host/host_linux_watch.h"
#include "host/inject.h"

#define FEATURES                                                                                   \
  (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_HUGETLBFS_SHMEM)

_Static_assert(sizeof(struct host_run) == sizeof(struct page_region), "filled in by the kernel");

static int
open_pagemap(int *out) {
  long fd = raw4(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  int error = raw_error(fd);
  if (error == 0)
    *out = (int)fd;
  return error;
}

static int
open_watch(struct host_watch *out) {
  struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
  long fd = raw1(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  int error = raw_error(fd);
  if (error != 0)
    return error;
  error = raw_error(raw3(SYS_ioctl, fd, UFFDIO_API, &api));
  if (error == 0)
    error = open_pagemap(&out->pagemap);
  if (error != 0) {
    raw1(SYS_close, fd);
    return error;
  }
  out->userfault = (int)fd;
  return 0;
}

/* Does the kernel know PAGEMAP_SCAN?  On no memory at all. */
static int
try_scan(const struct host_watch *watch) {
  struct pm_scan_arg arg = { .size = sizeof arg };
  return raw_error(raw3(SYS_ioctl, watch->pagemap, PAGEMAP_SCAN, &arg));
}

int
host_watch_open(struct host_watch *out) {
  struct host_watch watch;
  int error = inject_before(HOST_CALL_watch_open);
  if (error != 0)
    return error;
  error = open_watch(&watch);
  if (error == 0 && (error = try_scan(&watch)) != 0)
    host_watch_close(&watch);
  inject_after(HOST_CALL_watch_open);
  if (error == EMFILE || error == ENFILE || error == ENOMEM)
    return error;
  if (error != 0)
    return EOPNOTSUPP;
  *out = watch;
  return 0;
}

void
host_watch_close(const struct host_watch *watch) {
  raw1(SYS_close, watch->userfault);
  raw1(SYS_close, watch->pagemap);
}

int
host_watch_add(const struct host_watch *watch, void *addr, size_t len) {
  struct uffdio_register range = { .range = { (uintptr_t)addr, len },
                                   .mode = UFFDIO_REGISTER_MODE_WP };
  int error = inject_before(HOST_CALL_watch_add);
  if (error != 0)
    return error;
  error = raw_error(raw3(SYS_ioctl, watch->userfault, UFFDIO_REGISTER, &range));
  inject_after(HOST_CALL_watch_add);
  return error;
}

int
host_watch_begin(const struct host_watch *watch, void *addr, size_t len) {
  struct uffdio_writeprotect range = { .range = { (uintptr_t)addr, len },
                                       .mode = UFFDIO_WRITEPROTECT_MODE_WP };
  int error = inject_before(HOST_CALL_watch_begin);
  if (error != 0)
    return error;
  do /* EAGAIN: the map is just being changed */
    error = raw_error(raw3(SYS_ioctl, watch->userfault, UFFDIO_WRITEPROTECT, &range));
  while (error == EAGAIN);
  inject_after(HOST_CALL_watch_begin);
  return error;
}

int
host_watch_scan(const struct host_watch *watch, uintptr_t *at, uintptr_t end, bool again,
                struct host_run *runs, size_t max, size_t *n) {
  struct pm_scan_arg arg = {
    .size = sizeof arg,
    .flags = (again ? PM_SCAN_WP_MATCHING : 0) | PM_SCAN_CHECK_WPASYNC,
    .start = *at,
    .end = end,
    .vec = (uintptr_t)runs,
    .vec_len = max,
    .category_mask = PAGE_IS_WRITTEN,
    .return_mask = PAGE_IS_WRITTEN,
  };
  int error = inject_before(HOST_CALL_watch_scan);
  if (error != 0)
    return error;
  long found = raw3(SYS_ioctl, watch->pagemap, PAGEMAP_SCAN, &arg);
  error = raw_error(found);
  inject_after(HOST_CALL_watch_scan);
  if (error != 0)
    return error;
  *n = (size_t)found;
  *at = (uintptr_t)arg.walk_end;
  return 0;
}
