/* region.h - memory that stands for a file, the ways in which stores get from the one into the other, and
 * what is measured of them. */
#ifndef SOFTMAP_BENCH_REGION_H
#define SOFTMAP_BENCH_REGION_H

#include "bench.h"
#include "pattern.h"

enum way {
  /* softmap, by tracker */
  BY_FAULT,
  BY_WATCH,
  BY_COMPARE,
  BY_KERNEL, /* the kernel's own mmap */
  /* The others have memory of their own, and write by pwrite. */
  BY_HAND, /* who knows the runs writes them */
  BY_CLOSING, /* the same, each run write-protected first: what has to be done at least by whoever relies on
                 protection */
  BY_BARE,  /* as BY_HAND; each page is opened by a SIGSEGV handler that does nothing else */
  BY_RAW,   /* as BY_HAND; the kernel notes the stores (WP_ASYNC), nobody asks it */
  BY_WHOLE, /* who knows nothing writes everything */
  WAYS
};
const char *way_name(enum way way);

/* Mappings made from now on are made this way.  False: it can't be had here. */
bool way_choose(enum way way);
/* Map a file in the way chosen; of the ways of softmap and the kernel. */
char *way_map(enum way way, int fd, size_t bytes);
void way_unmap(enum way way, char *at, size_t bytes);

/* Dies if so many first stores since `before`, of write_faults(), weren't noticed in this way: fault has a fault
 * for each, or fewer; watch and compare have none. */
void way_check(enum way way, uint64_t before, size_t stores);

struct region {
  enum way way;
  int fd;
  char *at;
  size_t npages;
};

/* A file of npages pages in dir, and its memory, all pages present.  False: the way can't be had here. */
bool region_open(struct region *region, enum way way, const char *dir, size_t npages);
/* The same for some ways, leaving out those that can't be had; returns how many there are. */
size_t regions_open(struct region *regions, const enum way *ways, size_t nways, const char *dir,
                    size_t npages);
/* Looks first whether the file holds what the memory does. */
void region_close(struct region *region);
/* Not measured: as it has to be before a first store, and what is done behind the last one. */
void region_prepare(const struct region *region, const struct pattern *pattern);
void region_stored(const struct region *region);
/* Gets the stores into the file.  flags: MS_SYNC (and flushes it) or MS_ASYNC.  Dies if softmap writes
 * other pages than those of the pattern. */
void region_sync(const struct region *region, const struct pattern *pattern, int flags);

/* ---- What is measured: microseconds of one part or both (arg: a struct trial) --------------- */

struct trial {
  const struct region *region;
  const struct pattern *pattern;
  int flags; /* of the sync */
};
double trial_stores(void *arg);
double trial_sync(void *arg);
double trial_both(void *arg);

#endif
