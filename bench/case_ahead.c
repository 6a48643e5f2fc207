/* case_ahead.c - first stores in an order, the sync that follows included; many scattered dirty
 * pages; the tracker "compare". */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "floor_sync.h"

#define TWINS 1024 /* as many as there are by default */

/* ---- Stores in an order -------------------------------------------------------------------- */

struct order {
  struct dirt dirt; /* one page every stride */
  bool is_down;
};

static void
store(const struct order *order) {
  const struct dirt *dirt = &order->dirt;
  size_t bytes = page_size();
  for (size_t i = 0; i < dirt->npages; i += dirt->stride)
    ++*(volatile char *)(dirt->at + (order->is_down ? dirt->npages - 1 - i : i) * bytes);
}

static uint64_t
pages_written(void) {
  struct softmap_stats stats = { .size = sizeof stats };
  if (softmap_stats(&stats) != 0)
    die("softmap_stats");
  return stats.pages_written;
}

/* The stores alone; the sync after them isn't counted. */
static double
run_stores(void *arg) {
  const struct order *order = arg;
  double start = now_us();
  store(order);
  double us = now_us() - start;
  if (softmap_msync(order->dirt.at, order->dirt.npages * page_size(), MS_SYNC) != 0)
    die("softmap_msync");
  return us;
}

static double
run_all(void *arg) {
  const struct order *order = arg;
  uint64_t before = pages_written();
  double start = now_us();
  store(order);
  if (softmap_msync(order->dirt.at, order->dirt.npages * page_size(), MS_SYNC) != 0)
    die("softmap_msync");
  double us = now_us() - start;
  if (pages_written() - before != dirt_pages(&order->dirt))
    die("msync wrote other pages than those stored to");
  return us;
}

static double
bare_stores(void *arg) {
  const struct order *order = arg;
  protect(order->dirt.at, order->dirt.npages, PROT_READ);
  bare_begin();
  double start = now_us();
  store(order);
  double us = now_us() - start;
  bare_end();
  return us;
}

/* A page at a time where there are gaps: a bare loop knows no runs. */
static double
write_by_hand(const struct dirt *dirt) {
  size_t bytes = page_size();
  size_t most = dirt->stride == 1 ? 512 : 1;
  double start = now_us();
  for (size_t i = 0; i < dirt->npages; i += dirt->stride == 1 ? most : dirt->stride) {
    size_t n = dirt->npages - i < most ? dirt->npages - i : most;
    if (pwrite(dirt->fd, dirt->at + i * bytes, n * bytes, (off_t)(i * bytes)) !=
        (ssize_t)(n * bytes))
      die("pwrite");
  }
  if (fdatasync(dirt->fd) != 0)
    die("fdatasync");
  return now_us() - start;
}

static double
bare_all(void *arg) {
  struct order *order = arg;
  double us = bare_stores(arg);
  return us + write_by_hand(&order->dirt);
}

static double
hand_alone(void *arg) {
  return write_by_hand(&((struct order *)arg)->dirt);
}

/* What both sides must do, writing the pages, taken off both. */
static void
take_off(struct samples *samples, const struct samples *what) {
  for (int i = 0; i < samples->count; i++)
    samples->at[i] = samples->at[i] > what->at[i] ? samples->at[i] - what->at[i] : 0;
}

static void
compare_order(const char *what, struct order *ours, struct order *floor, double goal) {
  struct side sides[] = { { run_stores, ours }, { bare_stores, floor } };
  struct side with_sync[] = { { run_all, ours }, { bare_all, floor }, { hand_alone, floor } };
  struct samples samples[3];
  char text[96];
  struct row row = { "first stores in an order",      what, "bare SIGSEGV + mprotect", "us/page",
                     (double)dirt_pages(&ours->dirt), 0 };
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
  size_t npages = (size_t)TWINS * 8 * (options.is_quick ? 1 : 4);
  struct order ours = { { .npages = npages, .run = 1, .stride = 1 }, false };
  struct order floor = ours;
  ours.dirt.fd = file_of(options.memory, npages);
  floor.dirt.fd = file_of(options.memory, npages);
  ours.dirt.at = map_file(ours.dirt.fd, npages);
  floor.dirt.at = shared_memory(npages);
  compare_order("ascending", &ours, &floor, 0.2);
  ours.is_down = floor.is_down = true;
  compare_order("descending", &ours, &floor, 0.2);
  ours.is_down = floor.is_down = false;
  ours.dirt.stride = floor.dirt.stride = 2;
  compare_order("every other page", &ours, &floor, 0);
  softmap_munmap(ours.dirt.at, npages * page_size());
  munmap(floor.dirt.at, npages * page_size());
  close(ours.dirt.fd);
  close(floor.dirt.fd);
}

/* ---- Many scattered dirty pages ------------------------------------------------------------ */

static int
sparse_file(size_t npages) {
  char path[4096];
  snprintf(path, sizeof path, "%s/softmap-bench-XXXXXX", options.memory);
  int fd = mkostemp(path, 0);
  if (fd < 0 || unlink(path) != 0 || ftruncate(fd, (off_t)(npages * page_size())) != 0)
    die(path);
  return fd;
}

/* Alternate pages of a fresh mapping, none of them written yet. */
static double
run_alternate(void *arg) {
  size_t npages = *(const size_t *)arg;
  size_t bytes = page_size();
  int fd = sparse_file(npages);
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
  size_t few = 20000, many = 524288;
  struct side sides[] = { { run_alternate, &many }, { run_alternate, &few } };
  struct samples samples[2];
  int rounds = options.rounds;
  options.rounds = rounds > 3 ? 3 : rounds;
  measure(sides, 2, samples);
  options.rounds = rounds;
  struct row row = {
    "alternate pages", "262,144 dirty in 2 GiB", "10,000 dirty", "us/page", 1, 1.3
  };
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
  struct row row = { "compare", "sync of nothing changed", "memcmp",
                     "us/page", (double)twins.npages,      1.2 };
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
