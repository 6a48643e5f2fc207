/* counters.c - the counters themselves. */
#include "trace/counters.h"

_Atomic uint64_t counters[COUNTER_COUNT];
_Atomic uint64_t *counters_shared;
