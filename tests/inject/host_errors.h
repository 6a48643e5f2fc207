/* host_errors.h - what each call of the host can fail with, and does to people. */
#ifndef HOST_ERRORS_H
#define HOST_ERRORS_H

#include "t_engine.h"

enum { HOST_ERRORS_MAX = 4, SHORT = -1 }; /* SHORT: not an errno, less is done than was asked */

/* As many as there are, then 0. */
extern const int host_errors[HOST_CALL_COUNT][HOST_ERRORS_MAX];

/* The rule of one fault. */
static inline struct inject_rule
host_error_rule(enum host_call site, uint32_t nth, int error, bool persistently) {
  return (struct inject_rule){ .call = site,
                               .nth = nth,
                               .times = persistently ? UINT32_MAX : 1,
                               .error = error == SHORT ? 0 : error,
                               .shorten = error == SHORT ? 100 : 0 };
}

#endif
