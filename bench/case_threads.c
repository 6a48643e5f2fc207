/* case_threads.c - first stores by 1, 2 and 4 threads, in sections of their own and in one, beside bare
 * loops with as many threads: the host's own locks hold up both. */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "region.h"

#define THREADS_MAX 4

/* Threads that store at the same time, each in a part of its own. */
struct crowd {
  struct region regions[THREADS_MAX]; /* one a thread; or one for all */
  bool is_one;
  size_t part; /* pages a thread has */
  int nthreads;
  const struct pattern *pattern; /* of a thread, in its part */
  const struct pattern *all;     /* of all threads, in one region */
  pthread_barrier_t barrier;     /* behind it they begin */
};

/* ---- Storing ------------------------------------------------------------------------------- */

struct storer {
  pthread_t thread;
  struct crowd *crowd;
  char *at;
  double from, to;
};

static void *
store(void *arg) {
  struct storer *storer = arg;
  pthread_barrier_wait(&storer->crowd->barrier);
  storer->from = now_us();
  pattern_store(storer->crowd->pattern, storer->at);
  storer->to = now_us();
  return NULL;
}

static void
start(struct storer *storer, struct crowd *crowd, int i) {
  size_t skip = crowd->is_one ? (size_t)i * crowd->part * page_size() : 0;
  storer->crowd = crowd;
  storer->at = crowd->regions[crowd->is_one ? 0 : i].at + skip;
  if (pthread_create(&storer->thread, NULL, store, storer) != 0)
    die("pthread_create");
}

/* From the first one's begin to the last one's end. */
static double
store_by_threads(struct crowd *crowd) {
  struct storer storers[THREADS_MAX];
  if (pthread_barrier_init(&crowd->barrier, NULL, (unsigned)crowd->nthreads) != 0)
    die("pthread_barrier_init");
  for (int i = 0; i < crowd->nthreads; i++)
    start(&storers[i], crowd, i);
  double from = 0, to = 0;
  for (int i = 0; i < crowd->nthreads; i++) {
    pthread_join(storers[i].thread, NULL);
    from = i == 0 || storers[i].from < from ? storers[i].from : from;
    to = storers[i].to > to ? storers[i].to : to;
  }
  pthread_barrier_destroy(&crowd->barrier);
  return to - from;
}

/* Closed again at once: the host has few memory areas while another side is measured. */
static double
run_crowd(void *arg) {
  struct crowd *crowd = arg;
  int nregions = crowd->is_one ? 1 : crowd->nthreads;
  const struct pattern *pattern = crowd->is_one ? crowd->all : crowd->pattern;
  for (int i = 0; i < nregions; i++)
    region_prepare(&crowd->regions[i], pattern);
  uint64_t before = write_faults();
  double us = store_by_threads(crowd);
  way_check(crowd->regions[0].way, before, crowd->all->count);
  for (int i = 0; i < nregions; i++) {
    const struct region *region = &crowd->regions[i];
    region_stored(region);
    region_sync(region, pattern, MS_ASYNC);
    if (region->way == BY_BARE)
      protect(region->at, region->npages, PROT_READ);
  }
  return us;
}

/* ---- Sides --------------------------------------------------------------------------------- */

enum { OWN, ONE, FLOOR_OWN, FLOOR_ONE, SIDES };

struct contest {
  const char *group;
  enum way ours, floor;
  const char *floor_own, *floor_one;
  size_t stores; /* of a thread: `fault` splits memory areas, of which the host allows 65,530 */
};

static bool
open_crowds(struct crowd crowds[SIDES], const struct contest *contest) {
  size_t part = contest->stores * 4;
  for (int side = 0; side < SIDES; side++) {
    enum way way = side < FLOOR_OWN ? contest->ours : contest->floor;
    crowds[side] = (struct crowd){ .is_one = side == ONE || side == FLOOR_ONE, .part = part };
    int nregions = crowds[side].is_one ? 1 : THREADS_MAX;
    size_t npages = crowds[side].is_one ? part * THREADS_MAX : part;
    for (int i = 0; i < nregions; i++)
      if (!region_open(&crowds[side].regions[i], way, options.memory, npages))
        return false;
  }
  return true;
}

static void
close_crowds(struct crowd crowds[SIDES]) {
  for (int side = 0; side < SIDES; side++)
    for (int i = 0; i < (crowds[side].is_one ? 1 : THREADS_MAX); i++)
      region_close(&crowds[side].regions[i]);
}

static void
compare_threads(struct crowd crowds[SIDES], const struct contest *contest, int nthreads) {
  struct pattern pattern = pattern_random(crowds[OWN].part, contest->stores);
  struct pattern all = pattern_repeat(&pattern, crowds[OWN].part, (size_t)nthreads);
  struct side sides[SIDES];
  struct samples samples[SIDES];
  char text[16];
  for (int i = 0; i < SIDES; i++) {
    crowds[i].nthreads = nthreads;
    crowds[i].pattern = &pattern;
    crowds[i].all = &all;
    sides[i] = (struct side){ run_crowd, &crowds[i] };
  }
  measure(sides, SIDES, samples);
  snprintf(text, sizeof text, "%d", nthreads);
  struct row row = { .group = contest->group,
                     .what = "softmap, a section for each thread",
                     .floor = contest->floor_own,
                     .unit = "us/store, all threads together",
                     .per = (double)all.count,
                     .along = "threads that store at the same time",
                     .x = nthreads,
                     .x_text = text };
  report_row(&row, &samples[OWN], &samples[FLOOR_OWN]);
  row.what = "softmap, one section for all";
  row.floor = contest->floor_one;
  report_row(&row, &samples[ONE], &samples[FLOOR_ONE]);
  pattern_free(&all);
  pattern_free(&pattern);
}

static void
compare_crowds(const struct contest *contest) {
  struct crowd crowds[SIDES];
  if (!open_crowds(crowds, contest))
    return; /* the first of them already: this kernel has no write watch */
  for (int nthreads = 1; nthreads <= THREADS_MAX; nthreads *= 2)
    compare_threads(crowds, contest, nthreads);
  close_crowds(crowds);
}

void
case_threads(void) {
  struct contest fault = { .group = "first stores by threads, tracker fault",
                           .ours = BY_FAULT,
                           .floor = BY_BARE,
                           .floor_own = "bare SIGSEGV + mprotect, a mapping for each",
                           .floor_one = "bare SIGSEGV + mprotect, one mapping for all",
                           .stores = options.is_quick ? 256 : 2048 };
  struct contest watch = { .group = "first stores by threads, tracker watch",
                           .ours = BY_WATCH,
                           .floor = BY_RAW,
                           .floor_own = "bare WP_ASYNC, a mapping for each",
                           .floor_one = "bare WP_ASYNC, one mapping for all",
                           .stores = options.is_quick ? 256 : 4096 };
  compare_crowds(&fault);
  compare_crowds(&watch);
}
