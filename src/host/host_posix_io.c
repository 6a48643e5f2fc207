/* host_posix_io.c - reading, writing, sizes and holes of an open file.
 *
 * The memory that host_read and host_write hand to the kernel may be mapped memory that other
 * threads store to meanwhile: the page protocol makes such a store mark its page again, so that
 * it is written later.  ThreadSanitizer would call it a race if it saw us touch the memory, as it
 * does in its own pread and pwrite; in a raw system call it sees nothing.  This is the one place
 * where a data race is meant.
 */
#include "host/host_linux.h"

#include <sys/vfs.h>

#include "host/host.h"
#include "host/inject.h"

static int
read_all(int fd, char *buf, size_t len, uint64_t offset, size_t *got) {
  size_t done = 0;
  size_t ask = inject_shorten(HOST_CALL_read, len);
  while (done < len) {
    long result = raw_pread(fd, buf + done, ask, offset + done);
    if (result == -EINTR)
      continue;
    int error = raw_error(result);
    if (error != 0)
      return error;
    if (result == 0)
      break;
    done += (size_t)result;
    ask = len - done;
  }
  *got = done;
  return 0;
}

int
host_read(int fd, void *buf, size_t len, uint64_t offset, size_t *got) {
  int error = inject_before(HOST_CALL_read);
  if (error != 0)
    return error;
  error = read_all(fd, buf, len, offset, got);
  inject_after(HOST_CALL_read);
  return error;
}

int
host_read_vectors(int fd, const struct iovec *vec, int nvec, uint64_t offset, size_t *got) {
  int error = inject_before(HOST_CALL_read);
  if (error != 0)
    return error;
  long result;
  do
    result = raw5(SYS_preadv, fd, vec, nvec, RAW_LOW(offset), RAW_HIGH(offset));
  while (result == -EINTR);
  error = raw_error(result);
  if (error == 0)
    *got = (size_t)result;
  inject_after(HOST_CALL_read);
  return error;
}

/* Where another program or machine writes the file, it has opened it with O_APPEND, too, and knows
 * nothing of RWF_NOAPPEND: seen with mergerfs (FUSE). */
static bool
is_written_elsewhere(int fd) {
  static const unsigned long types[] = { 0x65735546 /* FUSE */, 0x01021997 /* 9p */,
                                         0x6969 /* NFS */,      0xfe534d42 /* SMB 2 */,
                                         0xff534d42 /* CIFS */, 0x786f4256 /* vboxsf */ };
  struct statfs fs;
  if (raw_error(raw2(SYS_fstatfs, fd, &fs)))
    return true;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (((unsigned long)fs.f_type & 0xffffffff) == types[i])
      return true;
  return false;
}

/* On Linux pwrite(2) to a descriptor with O_APPEND appends, whatever the offset. */
static int
write_once(int fd, const struct iovec *vec, int nvec, uint64_t offset, size_t *put) {
  long flags = raw_fcntl(fd, F_GETFL, 0);
  bool appends = raw_error(flags) == 0 && (flags & O_APPEND) != 0;
  long result;
  if (appends && is_written_elsewhere(fd))
    return EOPNOTSUPP;
  do {
    if (appends)
      result = raw6(SYS_pwritev2, fd, vec, nvec, RAW_LOW(offset), RAW_HIGH(offset), RWF_NOAPPEND);
    else
      result = raw5(SYS_pwritev, fd, vec, nvec, RAW_LOW(offset), RAW_HIGH(offset));
  } while (result == -EINTR);
  int error = raw_error(result);
  if (error == 0)
    *put = (size_t)result;
  if (appends && (error == EINVAL || error == ENOSYS))
    error = EOPNOTSUPP;
  return error;
}

static int
write_vectors(int fd, const struct iovec *vec, int nvec, uint64_t offset, size_t *put) {
#ifdef SOFTMAP_INJECT
  size_t total = 0;
  for (int i = 0; i < nvec; i++)
    total += vec[i].iov_len;
  size_t limit = inject_shorten(HOST_CALL_write, total);
  if (limit < total) {
    struct iovec first = vec[0];
    if (first.iov_len > limit)
      first.iov_len = limit;
    return write_once(fd, &first, 1, offset, put);
  }
#endif
  return write_once(fd, vec, nvec, offset, put);
}

int
host_write(int fd, const struct iovec *vec, int nvec, uint64_t offset, size_t *put) {
  int error = inject_before(HOST_CALL_write);
  if (error != 0)
    return error;
  bool waited = host_signal_waits(SIGXFSZ);
  error = write_vectors(fd, vec, nvec, offset, put);
  if (error == EFBIG && !waited)
    host_signal_consume(SIGXFSZ);
  if (error == 0)
    inject_changed(HOST_CALL_write, fd, NULL, vec, offset, *put);
  inject_after(HOST_CALL_write);
  return error;
}

int
host_resize(int fd, uint64_t size) {
  int error = inject_before(HOST_CALL_resize);
  if (error != 0)
    return error;
  bool waited = host_signal_waits(SIGXFSZ);
  do
    error = raw_error(raw_ftruncate(fd, size));
  while (error == EINTR);
  if (error == EFBIG && !waited)
    host_signal_consume(SIGXFSZ);
  if (error == 0)
    inject_changed(HOST_CALL_resize, fd, NULL, NULL, size, 0);
  inject_after(HOST_CALL_resize);
  return error;
}

static int
flush(long call, int fd) {
  int error = inject_before(HOST_CALL_flush);
  if (error != 0)
    return error;
  do
    error = raw_error(raw1(call, fd));
  while (error == EINTR);
  if (error == 0)
    inject_changed(HOST_CALL_flush, fd, NULL, NULL, 0, 0);
  inject_after(HOST_CALL_flush);
  return error;
}

int
host_flush(int fd) {
  return flush(SYS_fdatasync, fd);
}

int
host_flush_all(int fd) {
  return flush(SYS_fsync, fd);
}

int
host_flush_names(int fd) {
  int error = inject_before(HOST_CALL_flush_names);
  if (error != 0)
    return error;
  do
    error = raw_error(raw1(SYS_fsync, fd));
  while (error == EINTR);
  if (error == EINVAL || error == ENOSYS) /* a file system without */
    error = 0;
  if (error == 0)
    inject_changed(HOST_CALL_flush_names, fd, NULL, NULL, 0, 0);
  inject_after(HOST_CALL_flush_names);
  return error;
}

static uint64_t
smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static int
next_data(int fd, uint64_t offset, uint64_t limit, uint64_t *start, uint64_t *end) {
  uint64_t data = offset;
  uint64_t hole = limit;
  if (offset > INT64_MAX)
    return EOVERFLOW;
  if (offset >= limit) {
    *start = *end = limit;
    return 0;
  }
  int error = raw_error(raw_lseek(fd, offset, SEEK_DATA, &data));
  if (error == 0 && data < limit)
    error = raw_error(raw_lseek(fd, data, SEEK_HOLE, &hole));
  if (error == ENXIO) { /* nothing but a hole from there, or past the end */
    data = limit;
    error = 0;
  } else if (error == EINVAL || error == EOPNOTSUPP || error == ENOSYS) {
    data = offset;
    error = 0;
  }
  if (error != 0)
    return error;
  *start = smaller(data, limit);
  *end = smaller(hole, limit);
  return 0;
}

int
host_next_data(int fd, uint64_t offset, uint64_t limit, uint64_t *start, uint64_t *end) {
  int error = inject_before(HOST_CALL_next_data);
  if (error != 0)
    return error;
  error = next_data(fd, offset, limit, start, end);
  inject_after(HOST_CALL_next_data);
  return error;
}

int
host_punch(int fd, uint64_t offset, uint64_t len) {
  const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  int error = inject_before(HOST_CALL_punch);
  if (error != 0)
    return error;
  do
    error = raw_error(raw_fallocate(fd, mode, offset, len));
  while (error == EINTR);
  inject_after(HOST_CALL_punch);
  return error;
}
