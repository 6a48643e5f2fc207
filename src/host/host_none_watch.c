/* host_none_watch.c - a host without a write watch of its own: the tracker "watch" can't be had. */
#include <errno.h>

#include "host/host.h"

int
host_watch_open(struct host_watch *out) {
  (void)out;
  return EOPNOTSUPP;
}

void
host_watch_close(const struct host_watch *watch) {
  (void)watch;
}

int
host_watch_add(const struct host_watch *watch, void *addr, size_t len) {
  (void)watch;
  (void)addr;
  (void)len;
  return ENOSYS;
}

int
host_watch_begin(const struct host_watch *watch, void *addr, size_t len) {
  (void)watch;
  (void)addr;
  (void)len;
  return ENOSYS;
}

int
host_watch_scan(const struct host_watch *watch, uintptr_t *at, uintptr_t end, bool again,
                struct host_run *runs, size_t max, size_t *n) {
  (void)watch;
  (void)at;
  (void)end;
  (void)again;
  (void)runs;
  (void)max;
  (void)n;
  return ENOSYS;
}
