/* floor_sync.h - dirty runs, and writing them by hand. */
#ifndef SOFTMAP_BENCH_FLOOR_SYNC_H
#define SOFTMAP_BENCH_FLOOR_SYNC_H

#include "bench.h"

/* Runs of `run` pages, one every `stride` pages. */
struct dirt {
  char *at;
  int fd;
  size_t npages; /* of memory and file */
  size_t run, stride;
};

/* How many pages that is. */
size_t dirt_pages(const struct dirt *dirt);
/* Store to all of them. */
void dirt_store(const struct dirt *dirt);

/* Microseconds of one pwritev a run and fdatasync.  arg: a struct dirt, its memory writable. */
double floor_sync(void *arg);
/* The same, but each run is write-protected before it is written: what every tracker that relies
 * on protection has to do at least. */
double floor_sync_closing(void *arg);

#endif
