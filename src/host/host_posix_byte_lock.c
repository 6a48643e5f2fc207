/* host_posix_byte_lock.c - locks of single bytes: the sign that a lane's process is alive.
 *
 * Classic POSIX record locks (F_SETLK), not those of an open file description (F_OFD_SETLK): the
 * owner of the former is the descriptor table, that of the latter the description, which a forked
 * child shares and would keep locked after its parent is gone.  A table ends with the process and
 * with exec, where the descriptor's O_CLOEXEC closes it; fork gives the child a table that owns
 * no lock.  The price: closing any descriptor of the file in that table drops the locks, so the
 * owner keeps one descriptor and closes it last.
 */
#include "host/host_linux.h"

#include "host/host.h"
#include "host/inject.h"

static int
byte_lock_control(int fd, int command, struct flock *lock, uint64_t offset) {
  if (offset > INT64_MAX)
    return EOVERFLOW;
  lock->l_whence = SEEK_SET;
  lock->l_start = (off_t)offset;
  lock->l_len = 1;
  int error;
  do
    error = raw_error(raw_fcntl(fd, command, (long)lock));
  while (error == EINTR);
  return error == EACCES ? EAGAIN : error; /* POSIX leaves the choice of the two */
}

int
host_byte_lock(int fd, uint64_t offset) {
  struct flock lock = { .l_type = F_WRLCK };
  int error = inject_before(HOST_CALL_byte_lock);
  if (error != 0)
    return error;
  error = byte_lock_control(fd, F_SETLK, &lock, offset);
  inject_after(HOST_CALL_byte_lock);
  return error;
}

int
host_byte_share(int fd, uint64_t offset) {
  struct flock lock = { .l_type = F_RDLCK };
  int error = inject_before(HOST_CALL_byte_share);
  if (error != 0)
    return error;
  error = byte_lock_control(fd, F_SETLK, &lock, offset);
  inject_after(HOST_CALL_byte_share);
  return error;
}

int
host_byte_unlock(int fd, uint64_t offset) {
  struct flock lock = { .l_type = F_UNLCK };
  int error = inject_before(HOST_CALL_byte_unlock);
  if (error != 0)
    return error;
  error = byte_lock_control(fd, F_SETLK, &lock, offset);
  inject_after(HOST_CALL_byte_unlock);
  return error;
}

int
host_byte_is_locked(int fd, uint64_t offset, bool *out) {
  struct flock lock = { .l_type = F_WRLCK };
  int error = inject_before(HOST_CALL_byte_is_locked);
  if (error != 0)
    return error;
  error = byte_lock_control(fd, F_GETLK, &lock, offset);
  if (error == 0)
    *out = lock.l_type != F_UNLCK;
  inject_after(HOST_CALL_byte_is_locked);
  return error;
}
