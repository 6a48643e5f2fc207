/* host_errors.h - what each call of the host can fail with, and does to people. */
#ifndef HOST_ERRORS_H
#define HOST_ERRORS_H

#include "t_engine.h"

enum { HOST_ERRORS_MAX = 4, SHORT = -1 }; /* SHORT: not an errno, less is done than was asked */

/* As many as there are, then 0. */
extern const int host_errors[HOST_CALL_COUNT][HOST_ERRORS_MAX];

/* One call that fails: the nth of its site, or all from there on. */
struct host_fault {
  enum host_call site;
  uint32_t nth;
  int error; /* or SHORT */
  bool persistently;
};
/* Counts, and nothing fails. */
#define HOST_FAULT_NONE ((struct host_fault){ .nth = UINT32_MAX })

struct inject_rule host_fault_rule(const struct host_fault *fault);

/* "from write, call 3, errno 28" */
enum { HOST_FAULT_TEXT = 128 };
const char *host_fault_text(const struct host_fault *fault, char text[HOST_FAULT_TEXT]);

/* The calls of each site since a rule was armed. */
void host_count_calls(uint32_t counts[HOST_CALL_COUNT]);

/* Tries the faults of the calls that were counted: of each site the first `most` calls; the first `in_full`
 * of them with every error, once and persistently, the others with one error, once. */
void host_faults_try(const uint32_t counts[HOST_CALL_COUNT], uint32_t most, uint32_t in_full,
                     void (*try_fault)(const struct host_fault *fault, void *arg), void *arg);

#endif
