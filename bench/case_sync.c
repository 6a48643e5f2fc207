/* case_sync.c - msync(MS_SYNC) of dirty runs, and of nothing. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "floor_sync.h"

/* ---- Dirty runs ---------------------------------------------------------------------------- */

static uint64_t
pages_written(void) {
  struct softmap_stats stats = { .size = sizeof stats };
  if (softmap_stats(&stats) != 0)
    die("softmap_stats");
  return stats.pages_written;
}

static double
run_ours(void *arg) {
  const struct dirt *dirt = arg;
  dirt_store(dirt);
  uint64_t before = pages_written();
  double start = now_us();
  if (softmap_msync(dirt->at, dirt->npages * page_size(), MS_SYNC) != 0)
    die("softmap_msync");
  double us = now_us() - start;
  if (pages_written() - before != dirt_pages(dirt))
    die("msync wrote other pages than the dirty ones");
  return us;
}

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
compare_shape(const struct shape *shape, const struct row *model, struct dirt dirt[3]) {
  static double (*const runs[])(void *) = { run_ours, floor_sync, floor_sync_closing };
  struct side sides[3];
  struct samples samples[3];
  for (int i = 0; i < 3; i++) {
    dirt[i].run = shape->run;
    dirt[i].stride = shape->stride;
    sides[i] = (struct side){ runs[i], &dirt[i] };
  }
  measure(sides, 3, samples);

  struct row row = *model;
  char closing[64];
  row.what = shape->what;
  if (row.goal == GOAL_BY_SHAPE)
    row.goal = shape->goal;
  row.floor = "pwritev + fdatasync";
  row.per = (double)dirt_pages(dirt);
  report_row(&row, &samples[0], &samples[1]);
  snprintf(closing, sizeof closing, "  bare loop that closes");
  row.what = closing;
  row.goal = 0;
  report_row(&row, &samples[2], &samples[1]);
}

static void
compare_dirt(const char *dir, const struct row *model) {
  size_t npages = options.is_quick ? 4096 : 32768;
  struct dirt dirt[3] = { { .npages = npages }, { .npages = npages }, { .npages = npages } };
  for (int i = 0; i < 3; i++) {
    dirt[i].fd = file_of(dir, npages);
    dirt[i].at = i == 0 ? map_file(dirt[i].fd, npages) : shared_memory(npages);
  }
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    compare_shape(&shapes[i], model, dirt);
  softmap_munmap(dirt[0].at, npages * page_size());
  for (int i = 0; i < 3; i++) {
    if (i > 0)
      munmap(dirt[i].at, npages * page_size());
    close(dirt[i].fd);
  }
}

void
case_sync(void) {
  struct row row = { .group = "msync of dirty pages, files in --dir",
                     .unit = "us/page",
                     .goal = GOAL_BY_SHAPE };
  compare_dirt(options.dir, &row);
  row.group = "msync of dirty pages, files in memory";
  row.goal = 0;
  compare_dirt(options.memory, &row);
}

void
case_sync_watched(void) {
  struct row row = { .group = "watch: msync of dirty pages, files in --dir",
                     .unit = "us/page",
                     .goal = 1.05 };
  compare_dirt(options.dir, &row);
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
  struct row row = { "msync of nothing dirty", what, "fdatasync", "us/call", clean.calls, 0 };
  report_row(&row, &samples[0], &samples[1]);
  softmap_munmap(clean.at, CLEAN_PAGES * page_size());
  close(clean.fd);
}

void
case_sync_clean(void) {
  compare_clean(options.dir, "file in --dir");
  compare_clean(options.memory, "file in memory");
}
