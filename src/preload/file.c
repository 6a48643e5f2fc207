/* file.c - opening, sizes, flushing, and copying within the kernel. */
#include "preload/real.h"

#include <stdarg.h>

#include "preload/around.h"
#include "preload/pins.h"
#include "preload/policy.h"

/* The file has another size now. */
static int
resized(int fd, int result) {
  if (result < 0 || !policy_is_coherent() || !shim_has_section(fd))
    return result;
  int saved = errno;
  shim_resized(fd);
  errno = saved;
  return result;
}

/* ---- Opening ------------------------------------------------------------------------------- */

static mode_t
mode_of(int flags, va_list rest) {
  return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(rest, mode_t) : 0;
}

static int
opened(int fd, int flags) {
  if (fd >= 0 && (flags & O_TRUNC))
    (void)resized(fd, 0);
  return fd;
}

#define OPEN(path, flags, call)                                                                    \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    if (shim_is_started())                                                                         \
      PATH(path);                                                                                  \
    return opened(call, (flags));                                                                  \
  } while (0)

#define GET_MODE(mode, flags)                                                                      \
  va_list rest;                                                                                    \
  va_start(rest, flags);                                                                           \
  mode_t mode = mode_of(flags, rest);                                                              \
  va_end(rest)

EXPORT int
open(const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(path, flags, REAL(open)(path, flags, mode));
}

EXPORT int
open64(const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(path, flags, REAL(open64)(path, flags, mode));
}

EXPORT int
openat(int dir, const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(path, flags, REAL(openat)(dir, path, flags, mode));
}

EXPORT int
openat64(int dir, const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(path, flags, REAL(openat64)(dir, path, flags, mode));
}

EXPORT int
__open_2(const char *path, int flags) {
  OPEN(path, flags, REAL(__open_2)(path, flags));
}

EXPORT int
__open64_2(const char *path, int flags) {
  OPEN(path, flags, REAL(__open64_2)(path, flags));
}

EXPORT int
__openat_2(int dir, const char *path, int flags) {
  OPEN(path, flags, REAL(__openat_2)(dir, path, flags));
}

EXPORT int
__openat64_2(int dir, const char *path, int flags) {
  OPEN(path, flags, REAL(__openat64_2)(dir, path, flags));
}

EXPORT int
creat(const char *path, mode_t mode) {
  OPEN(path, O_TRUNC, REAL(creat)(path, mode));
}

EXPORT int
creat64(const char *path, mode_t mode) {
  OPEN(path, O_TRUNC, REAL(creat64)(path, mode));
}

/* ---- Sizes --------------------------------------------------------------------------------- */

EXPORT int
ftruncate(int fd, off_t size) {
  return resized(fd, REAL(ftruncate)(fd, size));
}

EXPORT int
ftruncate64(int fd, off64_t size) {
  return resized(fd, REAL(ftruncate64)(fd, size));
}

static int
path_resized(const char *path, int result) {
  int saved = errno;
  if (result < 0 || !policy_is_coherent())
    return result;
  int fd = REAL(open)(path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    (void)resized(fd, 0);
    REAL(close)(fd);
  }
  errno = saved;
  return result;
}

EXPORT int
truncate(const char *path, off_t size) {
  PINS(pins);
  if (shim_is_started())
    PATH(path);
  return path_resized(path, REAL(truncate)(path, size));
}

EXPORT int
truncate64(const char *path, off64_t size) {
  PINS(pins);
  if (shim_is_started())
    PATH(path);
  return path_resized(path, REAL(truncate64)(path, size));
}

/* More room changes no byte; what punches, zeroes or moves does, up to the end. */
static uint64_t
changed_by(int mode, off_t offset, off_t len) {
  if (!(mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_UNSHARE_RANGE)) || offset < 0 || len < 0)
    return 0;
  return mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) ? (uint64_t)(INT64_MAX - offset)
                                                                    : (uint64_t)len;
}

static int
allocate(int fd, int mode, off_t offset, off_t len) {
  struct around around;
  uint64_t changed = changed_by(mode, offset, len);
  if (!changed)
    return resized(fd, REAL(fallocate)(fd, mode, offset, len));
  around_change(&around, fd, offset, changed);
  int result = REAL(fallocate)(fd, mode, offset, len);
  (void)around_write_end(&around, result < 0 ? -1 : (ssize_t)changed);
  return resized(fd, result);
}

EXPORT int
fallocate(int fd, int mode, off_t offset, off_t len) {
  return allocate(fd, mode, offset, len);
}

EXPORT int
fallocate64(int fd, int mode, off64_t offset, off64_t len) {
  return allocate(fd, mode, (off_t)offset, (off_t)len);
}

EXPORT int
posix_fallocate(int fd, off_t offset, off_t len) {
  int error = REAL(posix_fallocate)(fd, offset, len);
  (void)resized(fd, error ? -1 : 0);
  return error;
}

EXPORT int
posix_fallocate64(int fd, off64_t offset, off64_t len) {
  int error = REAL(posix_fallocate64)(fd, offset, len);
  (void)resized(fd, error ? -1 : 0);
  return error;
}

/* ---- Flushing ------------------------------------------------------------------------------ */

/* What the mappings have is part of the file.  Whichever fails is told. */
static int
write_mapped(int fd, bool flush) {
  if (!policy_is_coherent() || !shim_has_section(fd))
    return 0;
  int saved = errno;
  int error = shim_write_dirty(fd, 0, UINT64_MAX, flush);
  errno = saved;
  return error;
}

static int
both(int error, int result) {
  if (result == 0 && error) {
    errno = error;
    return -1;
  }
  return result;
}

EXPORT int
fsync(int fd) {
  int error = write_mapped(fd, true);
  return both(error, REAL(fsync)(fd));
}

EXPORT int
fdatasync(int fd) {
  int error = write_mapped(fd, true);
  return both(error, REAL(fdatasync)(fd));
}

EXPORT int
sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags) {
  int error = write_mapped(fd, false);
  return both(error, REAL(sync_file_range)(fd, offset, len, flags));
}

EXPORT int
syncfs(int fd) {
  int error = softmap_sync_all() ? errno : 0;
  return both(error, REAL(syncfs)(fd));
}

EXPORT void
sync(void) {
  int saved = errno;
  if (softmap_sync_all())
    errno = saved; /* sync tells nobody */
  REAL(sync)();
}

/* ---- Copying ------------------------------------------------------------------------------- */

static off_t
place(int fd, const off_t *offset) {
  off_t at = offset ? *offset : lseek(fd, 0, SEEK_CUR);
  return at < 0 ? 0 : at;
}

/* The source must have what its mappings have. */
static void
write_source(int fd, const off_t *offset, size_t len) {
  int saved = errno;
  if (policy_is_coherent() && shim_has_section(fd) &&
      shim_write_dirty(fd, (uint64_t)place(fd, offset), len, false))
    errno = saved; /* the older bytes are all there are */
  errno = saved;
}

#define COPY(in, in_offset, out, out_offset, len, call)                                            \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    struct around around;                                                                          \
    if (shim_is_started()) {                                                                       \
      OUT_ONE(in_offset);                                                                          \
      OUT_ONE(out_offset);                                                                         \
    }                                                                                              \
    write_source((in), (in_offset), (len));                                                        \
    int saved = errno;                                                                             \
    off_t at = place((out), (out_offset));                                                         \
    errno = saved;                                                                                 \
    around_change(&around, (out), at, (len));                                                      \
    return around_write_end(&around, call);                                                        \
  } while (0)

static off_t *const none = NULL;

EXPORT ssize_t
sendfile(int out, int in, off_t *offset, size_t len) {
  COPY(in, offset, out, none, len, REAL(sendfile)(out, in, offset, len));
}

EXPORT ssize_t
sendfile64(int out, int in, off64_t *offset, size_t len) {
  COPY(in, offset, out, none, len, REAL(sendfile64)(out, in, offset, len));
}

EXPORT ssize_t
copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len,
                unsigned flags) {
  COPY(in, in_offset, out, out_offset, len,
       REAL(copy_file_range)(in, in_offset, out, out_offset, len, flags));
}

EXPORT ssize_t
splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len, unsigned flags) {
  COPY(in, in_offset, out, out_offset, len,
       REAL(splice)(in, in_offset, out, out_offset, len, flags));
}
