/* case_atomic.c - what all or nothing costs: an atomic msync against a plain one. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#define GAP 3 /* pages from one dirty one to the next */

struct mapped {
  char *at;
  size_t npages, ndirty;
  char value;
};

static double
run_sync(void *arg) {
  struct mapped *mapped = arg;
  mapped->value++;
  for (size_t i = 0; i < mapped->ndirty; i++)
    mapped->at[i * GAP * page_size()] = mapped->value;
  double start = now_us();
  if (softmap_msync(mapped->at, mapped->npages * page_size(), MS_SYNC) != 0)
    die("softmap_msync");
  return now_us() - start;
}

/* With a name: a file without one has its journal in memory. */
static int
named_file(const char *dir, size_t npages, char *path, size_t size) {
  snprintf(path, size, "%s/softmap-bench-XXXXXX", dir);
  int fd = mkstemp(path);
  if (fd < 0)
    die("mkstemp");
  char *page = calloc(1, page_size());
  for (size_t i = 0; page && i < npages; i++)
    if (pwrite(fd, page, page_size(), (off_t)(i * page_size())) != (ssize_t)page_size())
      die("pwrite");
  free(page);
  if (fdatasync(fd) != 0)
    die("fdatasync");
  return fd;
}

static void
compare(const char *dir, const char *group, size_t ndirty) {
  struct mapped mapped[2];
  char path[2][1024];
  int fd[2];
  for (int i = 0; i < 2; i++) {
    mapped[i] = (struct mapped){ .npages = ndirty * GAP, .ndirty = ndirty };
    fd[i] = named_file(dir, ndirty * GAP, path[i], sizeof path[i]);
    mapped[i].at = softmap_mmap(NULL, ndirty * GAP * page_size(), PROT_READ | PROT_WRITE,
                                i ? MAP_SHARED : MAP_SHARED | SOFTMAP_MAP_ATOMIC, fd[i], 0);
    if (mapped[i].at == MAP_FAILED)
      die("softmap_mmap");
  }
  struct side sides[2] = { { run_sync, &mapped[0] }, { run_sync, &mapped[1] } };
  struct samples samples[2];
  measure(sides, 2, samples);
  char what[64];
  snprintf(what, sizeof what, "%zu dirty page%s", ndirty, ndirty == 1 ? "" : "s");
  struct row row = {
    .group = group, .what = what, .floor = "plain msync", .unit = "us/sync", .per = 1
  };
  report_row(&row, &samples[0], &samples[1]);
  for (int i = 0; i < 2; i++)
    if (softmap_munmap(mapped[i].at, mapped[i].npages * page_size()) != 0 || unlink(path[i]) != 0 ||
        close(fd[i]) != 0)
      die("cleaning up");
}

void
case_atomic(void) {
  static const size_t counts[] = { 1, 16, 256, 4096 };
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    compare(options.dir, "Atomic msync, a file on a disk", counts[i]);
}
