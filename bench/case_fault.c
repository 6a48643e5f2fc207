/* case_fault.c - a first store to a page, in random and in ascending order. */
#include "bench.h"

#include <sys/mman.h>

#include "region.h"

static void
compare_stores(const struct row *model, const struct region regions[2], struct pattern pattern) {
  struct trial ours = { &regions[0], &pattern, MS_ASYNC };
  struct trial floor = { &regions[1], &pattern, MS_ASYNC };
  struct side sides[] = { { trial_stores, &ours }, { trial_stores, &floor } };
  struct samples samples[2];
  struct row row = *model;
  row.group = "first stores, tracker fault";
  row.floor = way_name(BY_BARE);
  row.unit = "us/store";
  row.per = (double)pattern.count;
  measure(sides, 2, samples);
  report_row(&row, &samples[0], &samples[1]);
  pattern_free(&pattern);
}

void
case_fault(void) {
  static const enum way ways[2] = { BY_FAULT, BY_BARE };
  size_t npages = options.is_quick ? 8192 : 32768;
  struct region regions[2];
  if (regions_open(regions, ways, 2, options.memory, npages) != 2)
    die("files in memory");
  compare_stores(&(struct row){ .what = "ascending" }, regions, pattern_runs(npages / 4, 1, 1));
  compare_stores(&(struct row){ .what = "random", .goal = 1.15 }, regions,
                 pattern_random(npages, npages / 4));
  for (int i = 0; i < 2; i++)
    region_close(&regions[i]);
}
