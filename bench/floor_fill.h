/* floor_fill.h - a file's bytes in memory, by hand. */
#ifndef SOFTMAP_BENCH_FLOOR_FILL_H
#define SOFTMAP_BENCH_FLOOR_FILL_H

#include "bench.h"

struct filling {
  int fd; /* its pages are in the host's cache */
  size_t npages;
};

/* Microseconds of read() into fresh memory, and a look at every page.  arg: a struct filling. */
double floor_fill(void *arg);

#endif
