/* file.c - opening, sizes, flushing, and copying within the kernel. */
#include "preload/real.h"

#include <stdarg.h>

#include "preload/around.h"
#include "preload/pins.h"
#include "preload/policy.h"

/* A call that changes the file's size, and gives `result`.  Who is in its section must be so before:
 * what dead processes left is written to the file while that is as they knew it. */
#define RESIZE(fd, type, call)                                                                     \
  do {                                                                                             \
    struct around around;                                                                          \
    around_change(&around, (fd), 0, 0);                                                            \
    type result = call;                                                                            \
    (void)around_write_end(&around, 0);                                                            \
    return result;                                                                                 \
  } while (0)

/* ---- Opening ------------------------------------------------------------------------------- */

static mode_t
mode_of(int flags, va_list rest) {
  return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(rest, mode_t) : 0;
}

/* A descriptor for changing the size of the file at a path; -1: there is none, or none that has a
 * section. */
static int
open_to_resize(int dir, const char *path, int flags) {
  return policy_open_sectioned(dir, path, O_WRONLY | O_NONBLOCK | (flags & O_NOFOLLOW));
}

/* The size of a file that has a section; false: it isn't set, the call itself must do it. */
static bool
set_size(int fd, off_t size) {
  int saved = errno;
  bool is_set = size >= 0 && policy_is_coherent() && shim_has_section(fd) &&
                shim_truncate(fd, (uint64_t)size) == 0;
  errno = saved;
  return is_set;
}

/* O_TRUNC, after the file was opened without it. */
static int
empty(int fd, int flags, int for_size) {
  int writable = (flags & O_ACCMODE) == O_RDONLY ? for_size : fd;
  if (fd >= 0 && !set_size(writable, 0) && REAL(ftruncate)(writable, 0)) {
    int error = errno;
    (void)close(fd);
    fd = -1;
    errno = error;
  }
  int saved = errno;
  (void)close(for_size);
  errno = saved;
  return fd;
}

/* `call` opens with `flags_`. */
#define OPEN(dir, path, flags, call)                                                               \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    if (shim_is_started())                                                                         \
      PATH(path);                                                                                  \
    int flags_ = (flags);                                                                          \
    int for_size = flags_ & O_TRUNC ? open_to_resize((dir), (path), flags_) : -1;                  \
    if (for_size < 0)                                                                              \
      return call;                                                                                 \
    flags_ &= ~O_TRUNC;                                                                            \
    return empty(call, flags_, for_size);                                                          \
  } while (0)

#define GET_MODE(mode, flags)                                                                      \
  va_list rest;                                                                                    \
  va_start(rest, flags);                                                                           \
  mode_t mode = mode_of(flags, rest);                                                              \
  va_end(rest)

EXPORT int
open(const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(AT_FDCWD, path, flags, REAL(open)(path, flags_, mode));
}

EXPORT int
open64(const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(AT_FDCWD, path, flags, REAL(open64)(path, flags_, mode));
}

EXPORT int
openat(int dir, const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(dir, path, flags, REAL(openat)(dir, path, flags_, mode));
}

EXPORT int
openat64(int dir, const char *path, int flags, ...) {
  GET_MODE(mode, flags);
  OPEN(dir, path, flags, REAL(openat64)(dir, path, flags_, mode));
}

EXPORT int
__open_2(const char *path, int flags) {
  OPEN(AT_FDCWD, path, flags, REAL(__open_2)(path, flags_));
}

EXPORT int
__open64_2(const char *path, int flags) {
  OPEN(AT_FDCWD, path, flags, REAL(__open64_2)(path, flags_));
}

EXPORT int
__openat_2(int dir, const char *path, int flags) {
  OPEN(dir, path, flags, REAL(__openat_2)(dir, path, flags_));
}

EXPORT int
__openat64_2(int dir, const char *path, int flags) {
  OPEN(dir, path, flags, REAL(__openat64_2)(dir, path, flags_));
}

EXPORT int
creat(const char *path, mode_t mode) {
  return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int
creat64(const char *path, mode_t mode) {
  return open64(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- Sizes --------------------------------------------------------------------------------- */

EXPORT int
ftruncate(int fd, off_t size) {
  if (set_size(fd, size))
    return 0;
  RESIZE(fd, int, REAL(ftruncate)(fd, size));
}

EXPORT int
ftruncate64(int fd, off64_t size) {
  if (set_size(fd, size))
    return 0;
  RESIZE(fd, int, REAL(ftruncate64)(fd, size));
}

/* NOLINTBEGIN(bugprone-macro-parentheses): `call` is a whole call. */
#define TRUNCATE(path, size, call)                                                                 \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    if (shim_is_started())                                                                         \
      PATH(path);                                                                                  \
    int for_size = open_to_resize(AT_FDCWD, (path), 0);                                            \
    if (for_size < 0)                                                                              \
      return call;                                                                                 \
    bool is_set = set_size(for_size, (size));                                                      \
    (void)close(for_size);                                                                         \
    return is_set ? 0 : call;                                                                      \
  } while (0)
/* NOLINTEND(bugprone-macro-parentheses) */

EXPORT int
truncate(const char *path, off_t size) {
  TRUNCATE(path, size, REAL(truncate)(path, size));
}

EXPORT int
truncate64(const char *path, off64_t size) {
  TRUNCATE(path, size, REAL(truncate64)(path, size));
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
  around_change(&around, fd, changed ? offset : 0, changed);
  int result = REAL(fallocate)(fd, mode, offset, len);
  (void)around_write_end(&around, result < 0 ? -1 : (ssize_t)changed);
  return result;
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
  RESIZE(fd, int, REAL(posix_fallocate)(fd, offset, len));
}

EXPORT int
posix_fallocate64(int fd, off64_t offset, off64_t len) {
  RESIZE(fd, int, REAL(posix_fallocate64)(fd, offset, len));
}

/* ---- Flushing ------------------------------------------------------------------------------ */

/* What the mappings have is part of the file.  True: it was flushed with them, or that failed. */
static bool
flush_mapped(int fd, bool data_only, int *result) {
  if (!policy_is_coherent() || !shim_has_section(fd))
    return false;
  int saved = errno;
  int error = shim_flush(fd, data_only);
  errno = error ? error : saved;
  *result = error ? -1 : 0;
  if (error == ENOENT)
    errno = saved;
  return error != ENOENT;
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
  int result;
  return flush_mapped(fd, false, &result) ? result : REAL(fsync)(fd);
}

EXPORT int
fdatasync(int fd) {
  int result;
  return flush_mapped(fd, true, &result) ? result : REAL(fdatasync)(fd);
}

EXPORT int
sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags) {
  int saved = errno;
  int error =
      policy_is_coherent() && shim_has_section(fd) ? shim_write_dirty(fd, 0, UINT64_MAX) : 0;
  errno = saved;
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
      shim_write_dirty(fd, (uint64_t)place(fd, offset), len))
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
