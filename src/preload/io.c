/* io.c - reading and writing files. */
#include "preload/real.h"

#include "preload/around.h"
#include "preload/pins.h"

/* ---- Reading ------------------------------------------------------------------------------- */

#define READ_INTO(fd, to, len, offset, call)                                                       \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    struct around around;                                                                          \
    struct iovec iov = { (to), (len) };                                                            \
    if (shim_is_started())                                                                         \
      OUT(to, len);                                                                                \
    around_read(&around, (fd), &iov, 1, (offset));                                                 \
    return around_read_end(&around, call);                                                         \
  } while (0)

#define READ_VECTOR(fd, iov, n, offset, call)                                                      \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    struct around around;                                                                          \
    if (shim_is_started())                                                                         \
      pins_add_iov(&pins, (iov), (n), PROT_READ | PROT_WRITE);                                     \
    around_read(&around, (fd), (iov), (n), (offset));                                              \
    return around_read_end(&around, call);                                                         \
  } while (0)

EXPORT ssize_t
read(int fd, void *to, size_t len) {
  READ_INTO(fd, to, len, AT_POSITION, REAL(read)(fd, to, len));
}

EXPORT ssize_t
__read_chk(int fd, void *to, size_t len, size_t room) {
  READ_INTO(fd, to, len, AT_POSITION, REAL(__read_chk)(fd, to, len, room));
}

EXPORT ssize_t
pread(int fd, void *to, size_t len, off_t offset) {
  READ_INTO(fd, to, len, offset, REAL(pread)(fd, to, len, offset));
}

EXPORT ssize_t
pread64(int fd, void *to, size_t len, off64_t offset) {
  READ_INTO(fd, to, len, offset, REAL(pread64)(fd, to, len, offset));
}

EXPORT ssize_t
__pread_chk(int fd, void *to, size_t len, off_t offset, size_t room) {
  READ_INTO(fd, to, len, offset, REAL(__pread_chk)(fd, to, len, offset, room));
}

EXPORT ssize_t
__pread64_chk(int fd, void *to, size_t len, off64_t offset, size_t room) {
  READ_INTO(fd, to, len, offset, REAL(__pread64_chk)(fd, to, len, offset, room));
}

EXPORT ssize_t
readv(int fd, const struct iovec *iov, int n) {
  READ_VECTOR(fd, iov, n, AT_POSITION, REAL(readv)(fd, iov, n));
}

EXPORT ssize_t
preadv(int fd, const struct iovec *iov, int n, off_t offset) {
  READ_VECTOR(fd, iov, n, offset, REAL(preadv)(fd, iov, n, offset));
}

EXPORT ssize_t
preadv64(int fd, const struct iovec *iov, int n, off64_t offset) {
  READ_VECTOR(fd, iov, n, offset, REAL(preadv64)(fd, iov, n, offset));
}

EXPORT ssize_t
preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags) {
  READ_VECTOR(fd, iov, n, offset, REAL(preadv2)(fd, iov, n, offset, flags));
}

EXPORT ssize_t
preadv64v2(int fd, const struct iovec *iov, int n, off64_t offset, int flags) {
  READ_VECTOR(fd, iov, n, offset, REAL(preadv64v2)(fd, iov, n, offset, flags));
}

/* ---- Writing ------------------------------------------------------------------------------- */

#define WRITE_FROM(fd, from, len, offset, call)                                                    \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    struct around around;                                                                          \
    struct iovec iov = { (void *)(uintptr_t)(from), (len) };                                       \
    if (shim_is_started())                                                                         \
      IN(from, len);                                                                               \
    around_write(&around, (fd), &iov, 1, (offset), 0);                                             \
    return around_write_end(&around, call);                                                        \
  } while (0)

#define WRITE_VECTOR(fd, iov, n, offset, flags, call)                                              \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    struct around around;                                                                          \
    if (shim_is_started())                                                                         \
      pins_add_iov(&pins, (iov), (n), PROT_READ);                                                  \
    around_write(&around, (fd), (iov), (n), (offset), (flags));                                    \
    return around_write_end(&around, call);                                                        \
  } while (0)

EXPORT ssize_t
write(int fd, const void *from, size_t len) {
  WRITE_FROM(fd, from, len, AT_POSITION, REAL(write)(fd, from, len));
}

EXPORT ssize_t
pwrite(int fd, const void *from, size_t len, off_t offset) {
  WRITE_FROM(fd, from, len, offset, REAL(pwrite)(fd, from, len, offset));
}

EXPORT ssize_t
pwrite64(int fd, const void *from, size_t len, off64_t offset) {
  WRITE_FROM(fd, from, len, offset, REAL(pwrite64)(fd, from, len, offset));
}

EXPORT ssize_t
writev(int fd, const struct iovec *iov, int n) {
  WRITE_VECTOR(fd, iov, n, AT_POSITION, 0, REAL(writev)(fd, iov, n));
}

EXPORT ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset) {
  WRITE_VECTOR(fd, iov, n, offset, 0, REAL(pwritev)(fd, iov, n, offset));
}

EXPORT ssize_t
pwritev64(int fd, const struct iovec *iov, int n, off64_t offset) {
  WRITE_VECTOR(fd, iov, n, offset, 0, REAL(pwritev64)(fd, iov, n, offset));
}

EXPORT ssize_t
pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags) {
  WRITE_VECTOR(fd, iov, n, offset, flags, REAL(pwritev2)(fd, iov, n, offset, flags));
}

EXPORT ssize_t
pwritev64v2(int fd, const struct iovec *iov, int n, off64_t offset, int flags) {
  WRITE_VECTOR(fd, iov, n, offset, flags, REAL(pwritev64v2)(fd, iov, n, offset, flags));
}
