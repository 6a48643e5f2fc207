#include "preload/real.h"
#include <stdarg.h>
#include "preload/pins.h"
EXPORT int
open(const char *path, int flags, ...) {
  va_list ap; va_start(ap, flags); mode_t mode = va_arg(ap, mode_t); va_end(ap);
  return REAL(open)(path, flags, mode);
}
EXPORT int close(int fd) { return REAL(close)(fd); }
EXPORT ssize_t writev(int fd, const struct iovec *v, int n) { return REAL(writev)(fd, v, n); }
EXPORT int sigaction(int s, const struct sigaction *n, struct sigaction *o) { return REAL(sigaction)(s, n, o); }
