/* case_fault.c - a first store to a page, in random and in ascending order. */
#include "bench.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <softmap/softmap.h>

struct stores {
  char *at;
  size_t npages;   /* of the mapping */
  uint32_t *pages; /* which are stored to, in this order */
  size_t count;
};

static double
store(const struct stores *stores) {
  size_t page = page_size();
  double start = now_us();
  for (size_t i = 0; i < stores->count; i++)
    ++*(volatile char *)(stores->at + stores->pages[i] * page);
  return now_us() - start;
}

static uint64_t
faults_so_far(void) {
  struct softmap_stats stats = { .size = sizeof stats };
  if (softmap_stats(&stats) != 0)
    die("softmap_stats");
  return stats.faults_write;
}

static double
run_ours(void *arg) {
  const struct stores *stores = arg;
  if (softmap_msync(stores->at, stores->npages * page_size(), MS_ASYNC) != 0)
    die("softmap_msync");
  uint64_t before = faults_so_far();
  double us = store(stores);
  if (faults_so_far() - before > stores->count)
    die("more faults than stores");
  return us;
}

static double
run_floor(void *arg) {
  const struct stores *stores = arg;
  protect(stores->at, stores->npages, PROT_READ);
  bare_begin();
  double us = store(stores);
  bare_end();
  return us;
}

static void
compare_stores(const struct row *row, struct stores *ours, struct stores *floor) {
  struct side sides[] = { { run_ours, ours }, { run_floor, floor } };
  struct samples samples[2];
  measure(sides, 2, samples);
  report_row(row, &samples[0], &samples[1]);
}

void
case_fault(void) {
  size_t npages = options.is_quick ? 8192 : 32768;
  size_t count = npages / 4;
  uint32_t *pages = malloc(npages * sizeof *pages);
  if (!pages)
    die("malloc");
  int fd = file_of(options.memory, npages);
  struct stores ours = { map_file(fd, npages), npages, pages, count };
  struct stores floor = { shared_memory(npages), npages, pages, count };
  struct row row = {
    "first stores", NULL, "bare SIGSEGV + mprotect", "us/fault", (double)count, 0
  };

  for (size_t i = 0; i < npages; i++)
    pages[i] = (uint32_t)i;
  row.what = "ascending";
  compare_stores(&row, &ours, &floor);
  shuffle(pages, npages);
  row.what = "random";
  row.goal = 1.15;
  compare_stores(&row, &ours, &floor);

  free(pages);
  softmap_munmap(ours.at, npages * page_size());
  munmap(floor.at, npages * page_size());
}
