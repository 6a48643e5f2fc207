/* around.c - before and after a read or a write. */
#include "preload/real.h"

#include "preload/around.h"

#include <pthread.h>

#include "preload/policy.h"
#include "preload/report.h"

static uint64_t
bytes_of(const struct iovec *iov, int n) {
  uint64_t sum = 0;
  for (int i = 0; iov && n <= 1024 && i < n; i++)
    sum += iov[i].iov_len;
  return sum < INT64_MAX ? sum : INT64_MAX;
}

static uint64_t
place_of(int fd, off_t offset) {
  off_t at = offset == AT_POSITION ? lseek(fd, 0, SEEK_CUR) : offset;
  return at < 0 ? 0 : (uint64_t)at;
}

static uint64_t
end_of(int fd) {
  struct stat stat;
  return fstat(fd, &stat) == 0 && stat.st_size > 0 ? (uint64_t)stat.st_size : 0;
}

/* A thread that is cancelled in the call would leave pages held. */
static void
begin(struct around *around) {
  if (!around->is_busy)
    return;
  report_coherent();
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &around->cancel_state);
}

static void
end(struct around *around) {
  (void)pthread_setcancelstate(around->cancel_state, NULL);
}

/* ---- Reading ------------------------------------------------------------------------------- */

void
around_read(struct around *around, int fd, const struct iovec *iov, int n, off_t offset) {
  around->is_busy = false;
  if (!policy_is_coherent())
    return;
  int saved = errno;
  around->iov = iov;
  around->n = n;
  if (shim_has_section(fd)) {
    around->at = place_of(fd, offset);
    around->is_busy = shim_read_begin(&around->op, fd, around->at, bytes_of(iov, n));
    begin(around);
  }
  errno = saved;
}

ssize_t
around_read_end(struct around *around, ssize_t got) {
  if (!around->is_busy)
    return got;
  int saved = errno;
  shim_read_end(&around->op, around->iov, around->n, around->at, got);
  end(around);
  errno = saved;
  return got;
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* What place_after and around_write_end need. */
static void
note(struct around *around, int fd, const struct iovec *iov, int n, off_t offset, bool appends) {
  around->fd = fd;
  around->iov = iov;
  around->n = n;
  around->offset = offset;
  around->appends = appends;
  around->at = appends ? end_of(fd) : place_of(fd, offset);
}

void
around_write(struct around *around, int fd, const struct iovec *iov, int n, off_t offset,
             int flags) {
  around->is_busy = false;
  if (!policy_is_coherent())
    return;
  int saved = errno;
  if (shim_has_section(fd)) {
    note(around, fd, iov, n, offset, (flags & RWF_APPEND) || (fcntl(fd, F_GETFL) & O_APPEND));
    around->is_busy = shim_write_begin(&around->op, fd, around->at, bytes_of(iov, n));
    begin(around);
  }
  errno = saved;
}

/* Others may have appended before us. */
static uint64_t
place_after(const struct around *around, ssize_t put) {
  if (!around->appends || put <= 0)
    return around->at;
  uint64_t after = around->offset == AT_POSITION ? place_of(around->fd, AT_POSITION)
                                                 : end_of(around->fd);
  return after >= (uint64_t)put ? after - (uint64_t)put : 0;
}

ssize_t
around_write_end(struct around *around, ssize_t put) {
  if (!around->is_busy)
    return put;
  int saved = errno;
  shim_write_end(&around->op, around->iov, around->n, place_after(around, put), put);
  end(around);
  errno = saved;
  return put;
}

void
around_change(struct around *around, int fd, off_t offset, uint64_t len) {
  around->is_busy = false;
  if (!policy_is_coherent())
    return;
  int saved = errno;
  if (shim_has_section(fd)) {
    note(around, fd, NULL, 0, offset, false);
    /* What is dirty there must not come back: it can't be told from what the kernel puts there. */
    if (len == 0 || shim_write_dirty(fd, around->at, len) == 0)
      around->is_busy = shim_write_begin(&around->op, fd, around->at, len);
    begin(around);
  }
  errno = saved;
}
