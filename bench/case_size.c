/* case_size.c - what the size of a sparse file does to the cost of a few pages of it. */
#include "bench.h"

#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "region.h"

#define PAGES 16 /* that a visit stores to */
#define VISITS 5 /* a sample */
#define SYNCS 20 /* a sample */
#define LARGE ((size_t)64 << 30)
#define SMALL ((size_t)1 << 20)

/* ---- Map, store to a few pages, sync, unmap ------------------------------------------------- */

struct visited {
  enum way way;
  int fd;
  size_t bytes;
  int stores; /* to each of the pages, so far */
};

static size_t
page_at(const struct visited *file, int i) {
  return file->bytes / page_size() / PAGES * (size_t)i * page_size();
}

static void
visit(struct visited *file) {
  char *at = way_map(file->way, file->fd, file->bytes);
  for (int i = 0; i < PAGES; i++)
    ++*(volatile char *)(at + page_at(file, i));
  file->stores++;
  if (file->way == BY_KERNEL ? msync(at, file->bytes, MS_SYNC)
                             : softmap_msync(at, file->bytes, MS_SYNC))
    die("msync");
  way_unmap(file->way, at, file->bytes);
}

static double
run_visits(void *arg) {
  struct visited *file = arg;
  if (!way_choose(file->way))
    die(way_name(file->way));
  uint64_t before = pages_written();
  uint64_t faults = write_faults();
  double start = now_us();
  for (int i = 0; i < VISITS; i++)
    visit(file);
  double us = now_us() - start;
  way_check(file->way, faults, (size_t)VISITS * PAGES);
  if (file->way != BY_KERNEL && pages_written() - before != (uint64_t)VISITS * PAGES)
    die("msync wrote other pages than those stored to");
  return us;
}

static void
close_visited(struct visited *file) {
  for (int i = 0; i < PAGES; i++) {
    char byte;
    if (pread(file->fd, &byte, 1, (off_t)page_at(file, i)) != 1 || byte != (char)file->stores)
      die("a file doesn't hold what was stored");
  }
  close(file->fd);
}

static void
compare_visits(size_t bytes, const char *text) {
  static const enum way ways[] = { BY_FAULT, BY_WATCH, BY_COMPARE, BY_KERNEL };
  struct visited files[4];
  struct side sides[4];
  struct samples samples[4];
  int n = 0;
  for (int i = 0; i < 4; i++)
    if (way_choose(ways[i])) {
      files[n] = (struct visited){ .way = ways[i], .fd = sparse_file(bytes), .bytes = bytes };
      sides[n] = (struct side){ run_visits, &files[n] };
      n++;
    }
  measure(sides, n, samples);
  for (int i = 0; i < n - 1; i++) {
    struct row row = { .group = "map, store to 16 pages, sync, unmap: by size of a sparse file",
                       .what = way_name(files[i].way),
                       .floor = way_name(BY_KERNEL),
                       .unit = "us/visit",
                       .per = VISITS,
                       .along = "size of the file",
                       .x = (double)(bytes >> 20),
                       .x_text = text };
    report_row(&row, &samples[i], &samples[n - 1]);
  }
  for (int i = 0; i < n; i++)
    close_visited(&files[i]);
}

/* ---- One dirty page in much ----------------------------------------------------------------- */

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
  struct row row = { .group = "msync of one dirty page in 64 GiB, sparse",
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
  static const struct {
    size_t mib;
    const char *text;
  } sizes[] = {
    { 1, "1 MiB" },       { 10, "10 MiB" },       { 100, "100 MiB" },
    { 1 << 10, "1 GiB" }, { 10 << 10, "10 GiB" }, { 100 << 10, "100 GiB" },
  };
  choose_fill("auto");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    compare_visits(sizes[i].mib << 20, sizes[i].text);
  choose_fill("touch");
  compare_one_page(BY_WATCH);
  compare_one_page(BY_FAULT);
  choose_fill("whole");
  way_choose(BY_FAULT);
}
