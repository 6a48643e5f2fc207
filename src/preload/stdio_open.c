/* stdio_open.c - streams that are opened, and the end of the process, which flushes them. */
#include "preload/real.h"

#include <string.h>

#include "preload/pins.h"
#include "preload/policy.h"
#include "preload/stream.h"

/* What "w" is about to empty is emptied before, so that no write-back can come between. */
static void
empty_before(const char *path, const char *mode) {
  if (mode[0] != 'w' || strchr(mode, 'x') || !path)
    return;
  int saved = errno;
  int flags = strchr(mode, '+') ? O_RDWR : O_WRONLY;
  int fd = policy_open_sectioned(AT_FDCWD, path, flags | O_NONBLOCK);
  if (fd >= 0 && shim_truncate(fd, 0))
    errno = saved; /* then by fopen */
  if (fd >= 0)
    (void)close(fd);
  errno = saved;
}

#define OPENING(path, mode, call)                                                                  \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    if (shim_is_started())                                                                         \
      PATH(path);                                                                                  \
    empty_before((path), (mode));                                                                  \
    FILE *opened = call;                                                                           \
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
