/* case_size.c - what the size of a sparse mapping does to the cost of one page of it. */
#include "bench.h"

#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "region.h"

#define SYNCS 20 /* a sample */
#define LARGE ((size_t)64 << 30)
#define SMALL ((size_t)1 << 20)

static double
run_one_page(void *arg) {
  const struct region *region = arg;
  double us = 0;
  for (int i = 0; i < SYNCS; i++) {
    ++*(volatile char *)(region->at + region->npages / 2 * page_size());
    uint64_t before = pages_written();
    double start = now_us();
    if (softmap_msync(region->at, region->npages * page_size(), MS_SYNC) != 0)
      die("softmap_msync");
    us += now_us() - start;
    if (pages_written() - before != 1)
      die("msync wrote other pages than the one stored to");
  }
  return us;
}

static struct region
map_sparse(enum way way, size_t bytes) {
  int fd = sparse_file(bytes);
  return (struct region){ way, fd, way_map(way, fd, bytes), bytes / page_size() };
}

static void
compare_one_page(enum way way) {
  if (!way_choose(way))
    return;
  struct region regions[] = { map_sparse(way, LARGE), map_sparse(way, SMALL) };
  struct side sides[] = { { run_one_page, &regions[0] }, { run_one_page, &regions[1] } };
  struct samples samples[2];
  struct row row = { .group = "sync of one dirty page, 64 GiB sparse",
                     .what = way_name(way),
                     .floor = "the same in 1 MiB",
                     .unit = "us/call",
                     .per = SYNCS,
                     .goal = 2 };
  measure(sides, 2, samples);
  report_row(&row, &samples[0], &samples[1]);
  for (int i = 0; i < 2; i++) {
    way_unmap(way, regions[i].at, regions[i].npages * page_size());
    close(regions[i].fd);
  }
}

static void
choose_fill(const char *fill) {
  if (softmap_configure("fill", fill) != 0)
    die("softmap_configure");
}

void
case_size(void) {
  choose_fill("touch");
  compare_one_page(BY_WATCH);
  compare_one_page(BY_FAULT);
  choose_fill("whole");
  way_choose(BY_FAULT);
}
