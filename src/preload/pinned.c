/* pinned.c - the wrappers that only pin, one for each WRAP of calls.def. */
#include "preload/real.h"

#include "preload/pins.h"

#define HAND(name)
#define WRAP(type, name, params, args, ...)                                                        \
  EXPORT type name params {                                                                        \
    PINS(pins);                                                                                    \
    if (shim_is_started()) {                                                                       \
      __VA_ARGS__;                                                                                 \
    }                                                                                              \
    return REAL(name) args;                                                                        \
  }
#include "preload/calls.def"
