/* case_ahead.c - first stores in an order, the sync that follows included; many scattered dirty
 * pages; the tracker "compare". */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "region.h"

#define TWINS 1024 /* as many as there are by default */

/* ---- Stores in an order -------------------------------------------------------------------- */

/* What both sides must do, writing the pages, taken off both. */
static void
take_off(struct samples *samples, const struct samples *what) {
  for (int i = 0; i < samples->count; i++)
    samples->at[i] = samples->at[i] > what->at[i] ? samples->at[i] - what->at[i] : 0;
}

/* regions: ours, the bare loop's, and one whose pages are written alone. */
static void
compare_order(const char *what, const struct region regions[3], const struct pattern *pattern,
              double goal) {
  struct trial trials[3];
  for (int i = 0; i < 3; i++)
    trials[i] = (struct trial){ &regions[i], pattern, MS_SYNC };
  struct side sides[] = { { trial_stores, &trials[0] }, { trial_stores, &trials[1] } };
  struct side with_sync[] = { { trial_both, &trials[0] },
                              { trial_both, &trials[1] },
                              { trial_sync, &trials[2] } };
  struct samples samples[3];
  char text[96];
  struct row row = { .group = "first stores in an order, tracker fault",
                     .what = what,
                     .floor = way_name(BY_BARE),
                     .unit = "us/page",
                     .per = (double)pattern->count };
  measure(sides, 2, samples);
  report_row(&row, &samples[0], &samples[1]);
  measure(with_sync, 3, samples);
  snprintf(text, sizeof text, "%s, and the sync", what);
  row.what = text;
  row.floor = "bare loop and pwrite";
  report_row(&row, &samples[0], &samples[1]);
  take_off(&samples[0], &samples[2]);
  take_off(&samples[1], &samples[2]);
  snprintf(text, sizeof text, "%s, sync without its pwrite", what);
  row.floor = "bare loop alone";
  row.goal = goal;
  report_row(&row, &samples[0], &samples[1]);
}

static void
compare_orders(void) {
  static const enum way ways[3] = { BY_FAULT, BY_BARE, BY_HAND };
  size_t npages = (size_t)TWINS * 8 * (options.is_quick ? 1 : 4);
  struct region regions[3];
  if (regions_open(regions, ways, 3, options.memory, npages) != 3)
    die("files in memory");
  struct pattern pattern = pattern_runs(npages, 1, 1);
  compare_order("ascending", regions, &pattern, 0.2);
  pattern_reverse(&pattern);
  compare_order("descending", regions, &pattern, 0.2);
  pattern_free(&pattern);
  pattern = pattern_runs(npages, 1, 2);
  compare_order("every other page", regions, &pattern, 0);
  pattern_free(&pattern);
  for (int i = 0; i < 3; i++)
    region_close(&regions[i]);
}

/* ---- Many scattered dirty pages ------------------------------------------------------------ */

/* Alternate pages of a fresh mapping, none of them written yet. */
static double
run_alternate(void *arg) {
  size_t npages = *(const size_t *)arg;
  size_t bytes = page_size();
  int fd = sparse_file(npages * page_size());
  char *at = softmap_mmap(NULL, npages * bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    die("softmap_mmap");
  double start = now_us();
  for (size_t i = 0; i < npages; i += 2)
    *(volatile char *)(at + i * bytes) = 1;
  double us = now_us() - start;
  if (softmap_dirty(at, npages * bytes, NULL, 0) != (ssize_t)(npages / 2))
    die("other pages are dirty than those stored to");
  softmap_munmap(at, npages * bytes);
  close(fd);
  return us / (double)(npages / 2);
}

static void
compare_scattered(void) {
  size_t few = options.is_quick ? 4096 : 20000, many = options.is_quick ? 32768 : 524288;
  struct side sides[] = { { run_alternate, &many }, { run_alternate, &few } };
  struct samples samples[2];
  int rounds = options.rounds;
  options.rounds = rounds > 3 ? 3 : rounds;
  measure(sides, 2, samples);
  options.rounds = rounds;
  struct row row = { .group = "first stores to alternate pages, tracker fault",
                     .what =
                         options.is_quick ? "16,384 dirty in 128 MiB" : "262,144 dirty in 2 GiB",
                     .floor = options.is_quick ? "2,048 dirty" : "10,000 dirty",
                     .unit = "us/page",
                     .per = 1,
                     .goal = 1.3 };
  report_row(&row, &samples[0], &samples[1]);
}

/* ---- compare ------------------------------------------------------------------------------- */

struct twins {
  char *at;
  const char *one, *other;
  size_t npages;
};

static double
run_compare(void *arg) {
  const struct twins *twins = arg;
  double start = now_us();
  if (softmap_msync(twins->at, twins->npages * page_size(), MS_ASYNC) != 0)
    die("softmap_msync");
  return now_us() - start;
}

static double
run_memcmp(void *arg) {
  const struct twins *twins = arg;
  double start = now_us();
  for (size_t i = 0; i < twins->npages; i++)
    if (memcmp(twins->one + i * page_size(), twins->other + i * page_size(), page_size()) != 0)
      die("memcmp");
  return now_us() - start;
}

static void
compare_tracker(void) {
  struct twins twins = { .npages = options.is_quick ? 4096 : 16384 };
  int fd = file_of(options.memory, twins.npages);
  if (softmap_configure("tracker", "compare") != 0)
    die("softmap_configure");
  twins.at = map_file(fd, twins.npages);
  twins.one = shared_memory(twins.npages);
  twins.other = shared_memory(twins.npages);
  struct side sides[] = { { run_compare, &twins }, { run_memcmp, &twins } };
  struct samples samples[2];
  measure(sides, 2, samples);
  struct row row = { .group = "msync, tracker compare",
                     .what = "nothing changed",
                     .floor = "memcmp",
                     .unit = "us/page",
                     .per = (double)twins.npages,
                     .goal = 1.2 };
  report_row(&row, &samples[0], &samples[1]);
  softmap_munmap(twins.at, twins.npages * page_size());
  if (softmap_configure("tracker", "fault") != 0)
    die("softmap_configure");
  close(fd);
}

void
case_ahead(void) {
  compare_orders();
  compare_scattered();
  compare_tracker();
}
