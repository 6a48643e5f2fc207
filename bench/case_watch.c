/* case_watch.c - the tracker "watch": stores and the finding of them, against the kernel's calls
 * alone; and what a sync costs in a large sparse mapping.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

struct stores {
  char *at;
  size_t npages;
  uint32_t *pages;
  size_t count;
};

static void
store(const struct stores *stores) {
  size_t page = page_size();
  for (size_t i = 0; i < stores->count; i++)
    ++*(volatile char *)(stores->at + stores->pages[i] * page);
}

/* Stores alone: finding and writing them isn't compared, since softmap's writes the file, too. */
static double
run_ours(void *arg) {
  const struct stores *stores = arg;
  if (softmap_msync(stores->at, stores->npages * page_size(), MS_ASYNC) != 0)
    die("softmap_msync");
  double start = now_us();
  store(stores);
  return now_us() - start;
}

static double
run_floor(void *arg) {
  const struct stores *stores = arg;
  raw_watch_collect(stores->at, stores->npages);
  double start = now_us();
  store(stores);
  return now_us() - start;
}

/* Stores, and being told which pages they were. */
static double
run_ours_told(void *arg) {
  const struct stores *stores = arg;
  double us = run_ours(arg);
  double start = now_us();
  if (softmap_dirty(stores->at, stores->npages * page_size(), NULL, 0) <= 0)
    die("softmap_dirty");
  return us + now_us() - start;
}

static double
run_floor_told(void *arg) {
  const struct stores *stores = arg;
  double us = run_floor(arg);
  double start = now_us();
  if (raw_watch_collect(stores->at, stores->npages) != stores->count)
    die("PAGEMAP_SCAN told of other pages");
  return us + now_us() - start;
}

static void
compare(struct row *row, struct stores *ours, struct stores *floor) {
  static double (*const runs[][2])(void *) = { { run_ours, run_floor },
                                               { run_ours_told, run_floor_told } };
  char told[64];
  const char *what = row->what;
  for (int i = 0; i < 2; i++) {
    struct side sides[] = { { runs[i][0], ours }, { runs[i][1], floor } };
    struct samples samples[2];
    measure(sides, 2, samples);
    snprintf(told, sizeof told, "%s, and found", what);
    row->what = i == 0 ? what : told;
    report_row(row, &samples[0], &samples[1]);
  }
}

static void
compare_stores(void) {
  size_t npages = options.is_quick ? 8192 : 32768;
  size_t count = npages / 4;
  uint32_t *pages = malloc(npages * sizeof *pages);
  int fd = file_of(options.memory, npages);
  struct stores ours = { map_file(fd, npages), npages, pages, count };
  struct stores floor = { shared_memory(npages), npages, pages, count };
  struct row row = {
    "watch: stores", NULL, "WP_ASYNC + PAGEMAP_SCAN", "us/page", (double)count, 1.1
  };
  if (!pages || !raw_watch_begin(floor.at, npages))
    die("userfaultfd");
  for (size_t i = 0; i < npages; i++)
    pages[i] = (uint32_t)i;
  row.what = "ascending";
  compare(&row, &ours, &floor);
  shuffle(pages, npages);
  row.what = "random";
  compare(&row, &ours, &floor);
  free(pages);
  softmap_munmap(ours.at, npages * page_size());
  munmap(floor.at, npages * page_size());
  close(fd);
}

/* ---- One dirty page in much ---------------------------------------------------------------- */

static double
run_one_page(void *arg) {
  const struct stores *stores = arg;
  double us = 0;
  for (int i = 0; i < 20; i++) {
    ++*(volatile char *)(stores->at + stores->npages / 2 * page_size());
    double start = now_us();
    if (softmap_msync(stores->at, stores->npages * page_size(), MS_SYNC) != 0)
      die("softmap_msync");
    us += now_us() - start;
  }
  return us;
}

static struct stores
map_sparse(size_t bytes) {
  struct stores out = { .npages = bytes / page_size() };
  int fd = file_of(options.memory, 0);
  if (ftruncate(fd, (off_t)bytes) != 0)
    die("ftruncate");
  out.at = softmap_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (out.at == MAP_FAILED)
    die("softmap_mmap");
  close(fd);
  return out;
}

static void
compare_sizes(const char *tracker) {
  struct stores large = map_sparse((size_t)64 << 30);
  struct stores small = map_sparse((size_t)1 << 20);
  struct side sides[] = { { run_one_page, &large }, { run_one_page, &small } };
  struct samples samples[2];
  struct row row = {
    "sync of one dirty page, 64 GiB sparse", tracker, "the same in 1 MiB", "us/call", 20, 2
  };
  measure(sides, 2, samples);
  report_row(&row, &samples[0], &samples[1]);
  softmap_munmap(large.at, large.npages * page_size());
  softmap_munmap(small.at, small.npages * page_size());
}

void
case_watch(void) {
  bool has_watch = softmap_configure("tracker", "watch") == 0;
  if (has_watch)
    compare_stores();
  if (has_watch)
    case_sync_watched();
  if (softmap_configure("fill", "touch") != 0)
    die("softmap_configure");
  if (has_watch)
    compare_sizes("watch");
  if (softmap_configure("tracker", "fault") != 0)
    die("softmap_configure");
  compare_sizes("fault");
  if (softmap_configure("fill", "whole") != 0)
    die("softmap_configure");
}
