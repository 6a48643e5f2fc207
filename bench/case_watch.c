/* case_watch.c - the tracker "watch": stores and the finding of them, against the kernel's calls alone. */
#include "bench.h"

#include <stdio.h>
#include <sys/mman.h>

#include <softmap/softmap.h>

#include "region.h"

/* Stores, and being told which pages they were.  Writing them isn't compared. */
static double
run_told(void *arg) {
  const struct trial *trial = arg;
  const struct region *region = trial->region;
  size_t size = region->npages * page_size();
  region_prepare(region, trial->pattern);
  double start = now_us();
  pattern_store(trial->pattern, region->at);
  if (region->way == BY_RAW) {
    if (raw_watch_collect(region->at, region->npages) != trial->pattern->count)
      die("PAGEMAP_SCAN told of other pages");
  } else if (softmap_dirty(region->at, size, NULL, 0) != (ssize_t)trial->pattern->nruns) {
    die("softmap_dirty");
  }
  double us = now_us() - start;
  region_sync(region, trial->pattern, trial->flags);
  return us;
}

static void
compare(const char *what, const struct region regions[2], struct pattern pattern) {
  static double (*const runs[])(void *) = { trial_stores, run_told };
  struct trial ours = { &regions[0], &pattern, MS_ASYNC };
  struct trial floor = { &regions[1], &pattern, MS_ASYNC };
  char told[64];
  snprintf(told, sizeof told, "%s, and found", what);
  for (int i = 0; i < 2; i++) {
    struct side sides[] = { { runs[i], &ours }, { runs[i], &floor } };
    struct samples samples[2];
    struct row row = { .group = "first stores, tracker watch",
                       .what = i == 0 ? what : told,
                       .floor = i == 0 ? "bare WP_ASYNC" : "WP_ASYNC + PAGEMAP_SCAN",
                       .unit = "us/page",
                       .per = (double)pattern.count,
                       .goal = 1.1 };
    measure(sides, 2, samples);
    report_row(&row, &samples[0], &samples[1]);
  }
  pattern_free(&pattern);
}

static void
compare_stores(void) {
  static const enum way ways[2] = { BY_WATCH, BY_RAW };
  size_t npages = options.is_quick ? 8192 : 32768;
  struct region regions[2];
  if (regions_open(regions, ways, 2, options.memory, npages) != 2)
    die("userfaultfd");
  compare("ascending", regions, pattern_runs(npages / 4, 1, 1));
  compare("random", regions, pattern_random(npages, npages / 4));
  for (int i = 0; i < 2; i++)
    region_close(&regions[i]);
}

void
case_watch(void) {
  if (!way_choose(BY_WATCH))
    return;
  compare_stores();
  case_sync_watched();
}
