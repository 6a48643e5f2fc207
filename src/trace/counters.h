/* counters.h - what softmap did in this process; async-signal-safe. */
#ifndef SOFTMAP_COUNTERS_H
#define SOFTMAP_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* In the order of struct softmap_stats. */
enum counter {
  COUNT_MAPPINGS_MADE,
  COUNT_MAPPINGS_PASSED,
  COUNT_FAULTS_WRITE,
  COUNT_FAULTS_FILL,
  COUNT_FAULTS_SPURIOUS,
  COUNT_FAULTS_PAST_END,
  COUNT_FAULTS_FOREIGN,
  COUNT_PAGES_FILLED,
  COUNT_PAGES_WRITTEN,
  COUNT_BYTES_WRITTEN,
  COUNT_WRITES,
  COUNT_FLUSHES,
  COUNT_WRITE_ERRORS,
  COUNT_FILES_GROWN,
  COUNT_FILES_SHRUNK,
  COUNT_CHANGED_OUTSIDE,
  COUNT_CLOSED_EARLY,
  COUNTER_COUNT
};

extern _Atomic uint64_t counters[COUNTER_COUNT];
/* What several processes did together, or NULL.  Set before anything is counted. */
extern _Atomic uint64_t *counters_shared;

static inline void
counter_add(enum counter counter, uint64_t n) {
  atomic_fetch_add_explicit(&counters[counter], n, memory_order_relaxed);
  if (counters_shared)
    atomic_fetch_add_explicit(&counters_shared[counter], n, memory_order_relaxed);
}

static inline uint64_t
counter_get(enum counter counter) {
  return atomic_load_explicit(&counters[counter], memory_order_relaxed);
}

#endif
