/* control.c - ioctl and fcntl, whose argument may be anything. */
#include "preload/real.h"

#include <stdarg.h>
#include <sys/ioctl.h>

#include "preload/pins.h"

/* Requests from before their size was a part of them. */
enum { IOCTL_OLD = 64 };

EXPORT int
ioctl(int fd, unsigned long request, ...) {
  PINS(pins);
  va_list rest;
  va_start(rest, request);
  void *arg = va_arg(rest, void *); /* a number, for some: then it is no address of ours */
  va_end(rest);
  if (shim_is_started() && shim_touches(arg, 1)) {
    size_t size = _IOC_SIZE(request);
    OUT(arg, size ? size : IOCTL_OLD);
  }
  return REAL(ioctl)(fd, request, arg);
}

#define CONTROL(name)                                                                              \
  EXPORT int name(int fd, int command, ...) {                                                      \
    PINS(pins);                                                                                    \
    va_list rest;                                                                                  \
    va_start(rest, command);                                                                       \
    void *arg = va_arg(rest, void *);                                                              \
    va_end(rest);                                                                                  \
    if (shim_is_started() && shim_touches(arg, 1))                                                 \
      OUT(arg, sizeof(struct flock));                                                              \
    return REAL(name)(fd, command, arg);                                                           \
  }

CONTROL(fcntl)
CONTROL(fcntl64)
