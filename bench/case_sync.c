/* case_sync.c - msync(MS_SYNC) of dirty runs, and of nothing. */
#include "bench.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "region.h"

/* ---- Dirty runs ---------------------------------------------------------------------------- */

#define GOAL_BY_SHAPE 1.0

struct shape {
  const char *what;
  size_t run, stride;
  double goal; /* on a disk */
};

static const struct shape shapes[] = {
  { "1 page in 8", 1, 8, 1.5 },          { "1 page in 32", 1, 32, 1.5 },
  { "runs of 4 pages", 4, 32, 0 },       { "runs of 16 pages", 16, 128, 0 },
  { "runs of 64 pages", 64, 512, 1.05 }, { "runs of 256 pages", 256, 2048, 1.05 },
};

static void
compare_shape(const struct shape *shape, const struct row *model, const struct region regions[3]) {
  struct pattern pattern = pattern_runs(regions[0].npages, shape->run, shape->stride);
  struct trial trials[3];
  struct side sides[3];
  struct samples samples[3];
  for (int i = 0; i < 3; i++) {
    trials[i] = (struct trial){ &regions[i], &pattern, MS_SYNC };
    sides[i] = (struct side){ trial_sync, &trials[i] };
  }
  measure(sides, 3, samples);

  struct row row = *model;
  char closing[64];
  row.what = shape->what;
  if (row.goal == GOAL_BY_SHAPE)
    row.goal = shape->goal;
  row.floor = "pwrite + fdatasync";
  row.per = (double)pattern.count;
  report_row(&row, &samples[0], &samples[1]);
  snprintf(closing, sizeof closing, "%s, %s", shape->what, way_name(BY_CLOSING));
  row.what = closing;
  row.goal = 0;
  report_row(&row, &samples[2], &samples[1]);
  pattern_free(&pattern);
}

static void
compare_dirt(enum way way, const char *dir, const struct row *model) {
  const enum way ways[3] = { way, BY_HAND, BY_CLOSING };
  struct region regions[3];
  if (regions_open(regions, ways, 3, dir, options.is_quick ? 4096 : 32768) != 3)
    die(way_name(way));
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    compare_shape(&shapes[i], model, regions);
  for (int i = 0; i < 3; i++)
    region_close(&regions[i]);
}

void
case_sync(void) {
  struct row row = { .group = "msync of dirty pages, tracker fault, files in --dir",
                     .unit = "us/page",
                     .goal = GOAL_BY_SHAPE };
  compare_dirt(BY_FAULT, options.dir, &row);
  row.group = "msync of dirty pages, tracker fault, files in memory";
  row.goal = 0;
  compare_dirt(BY_FAULT, options.memory, &row);
}

void
case_sync_watched(void) {
  struct row row = { .group = "msync of dirty pages, tracker watch, files in --dir",
                     .unit = "us/page",
                     .goal = 1.05 };
  compare_dirt(BY_WATCH, options.dir, &row);
}

/* ---- Nothing dirty ------------------------------------------------------------------------- */

#define CLEAN_PAGES 4096

struct clean {
  char *at;
  int fd;
  int calls;
};

static double
run_clean(void *arg) {
  const struct clean *clean = arg;
  double start = now_us();
  for (int i = 0; i < clean->calls; i++)
    if (softmap_msync(clean->at, CLEAN_PAGES * page_size(), MS_SYNC) != 0)
      die("softmap_msync");
  return now_us() - start;
}

static double
run_fdatasync(void *arg) {
  const struct clean *clean = arg;
  double start = now_us();
  for (int i = 0; i < clean->calls; i++)
    if (fdatasync(clean->fd) != 0)
      die("fdatasync");
  return now_us() - start;
}

static void
compare_clean(const char *dir, const char *what) {
  struct clean clean = { .fd = file_of(dir, CLEAN_PAGES), .calls = options.is_quick ? 50 : 500 };
  clean.at = map_file(clean.fd, CLEAN_PAGES);
  struct side sides[] = { { run_clean, &clean }, { run_fdatasync, &clean } };
  struct samples samples[2];
  measure(sides, 2, samples);
  struct row row = { .group = "msync of nothing dirty",
                     .what = what,
                     .floor = "fdatasync",
                     .unit = "us/call",
                     .per = clean.calls };
  report_row(&row, &samples[0], &samples[1]);
  softmap_munmap(clean.at, CLEAN_PAGES * page_size());
  close(clean.fd);
}

void
case_sync_clean(void) {
  compare_clean(options.dir, "file in --dir");
  compare_clean(options.memory, "file in memory");
}
