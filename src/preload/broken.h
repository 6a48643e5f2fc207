/* broken.h - shims that are wrong, for tests that must notice; never in the one that is installed.
 *
 *   SOFTMAP_BROKEN=never-writes   stores stay in the process: shared mappings are private ones
 *   SOFTMAP_BROKEN=incoherent     read and write don't see the mappings
 *   SOFTMAP_BROKEN=alone          each program has sections of its own
 */
#ifndef PRELOAD_BROKEN_H
#define PRELOAD_BROKEN_H

#ifdef PRELOAD_BROKEN
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int
is_broken(const char *how) {
  const char *value = getenv("SOFTMAP_BROKEN"); /* NOLINT(concurrency-mt-unsafe): tests only */
  return value && strcmp(value, how) == 0;
}

/* Before the options are read. */
static inline void
break_directory(void) {
  const char *dir = getenv("SOFTMAP_DIR"); /* NOLINT(concurrency-mt-unsafe): tests only */
  char own[256];
  if (!is_broken("alone") || !dir)
    return;
  (void)snprintf(own, sizeof own, "%s/%d", dir, (int)getpid());
  (void)mkdir(own, 0700);
  (void)setenv("SOFTMAP_DIR", own, 1); /* NOLINT(concurrency-mt-unsafe): tests only */
}
#else
#define is_broken(how) 0
#define break_directory() ((void)0)
#endif

#endif
