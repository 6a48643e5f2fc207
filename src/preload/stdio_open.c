/* stdio_open.c - streams that are opened, and the end of the process, which flushes them. */
#include "preload/real.h"

#include <string.h>

#include "preload/around.h"
#include "preload/pins.h"
#include "preload/policy.h"
#include "preload/stream.h"

/* What "w" is about to empty. */
static int
open_before(const char *path, const char *mode) {
  if (mode[0] != 'w' || !policy_is_coherent() || !path)
    return -1;
  int saved = errno;
  int fd = REAL(open)(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && !shim_has_section(fd)) {
    (void)close(fd);
    fd = -1;
  }
  errno = saved;
  return fd;
}

static void
close_before(int fd, struct around *around) {
  int saved = errno;
  (void)around_write_end(around, 0);
  (void)close(fd);
  errno = saved;
}

#define OPENING(path, mode, call)                                                                  \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    if (shim_is_started())                                                                         \
      PATH(path);                                                                                  \
    int before = open_before((path), (mode));                                                      \
    struct around around = { .is_busy = false };                                                   \
    if (before >= 0)                                                                               \
      around_change(&around, before, 0, 0);                                                        \
    FILE *opened = call;                                                                           \
    if (before >= 0)                                                                               \
      close_before(before, &around);                                                               \
    if (opened && strpbrk((mode), "wa+"))                                                          \
      stream_add(opened);                                                                          \
    return opened;                                                                                 \
  } while (0)

EXPORT FILE *
fopen(const char *path, const char *mode) {
  OPENING(path, mode, REAL(fopen)(path, mode));
}

EXPORT FILE *
fopen64(const char *path, const char *mode) {
  OPENING(path, mode, REAL(fopen64)(path, mode));
}

EXPORT FILE *
freopen(const char *path, const char *mode, FILE *file) {
  (void)fflush(file);
  stream_remove(file);
  OPENING(path, mode, REAL(freopen)(path, mode, file));
}

EXPORT FILE *
freopen64(const char *path, const char *mode, FILE *file) {
  (void)fflush(file);
  stream_remove(file);
  OPENING(path, mode, REAL(freopen64)(path, mode, file));
}

EXPORT FILE *
fdopen(int fd, const char *mode) {
  FILE *file = REAL(fdopen)(fd, mode);
  if (file && strpbrk(mode, "wa+"))
    stream_add(file);
  return file;
}

static int
flush_one(FILE *file) {
  if (__fpending(file))
    (void)fflush(file);
  return 0;
}

/* libc flushes its streams after us, and past us. */
__attribute__((destructor(102))) static void
at_unload(void) {
  stream_each(flush_one);
  if (__fpending(stdout))
    (void)fflush(stdout);
}
