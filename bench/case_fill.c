/* case_fill.c - mapping a file whole, with a look at every page. */
#include "bench.h"

#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "floor_fill.h"

static double
run_ours(void *arg) {
  const struct filling *filling = arg;
  size_t size = filling->npages * page_size();
  double start = now_us();
  char *at = softmap_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, filling->fd, 0);
  if (at == MAP_FAILED)
    die("softmap_mmap");
  touch(at, filling->npages);
  double us = now_us() - start;
  if (softmap_munmap(at, size) != 0)
    die("softmap_munmap");
  return us;
}

static void
compare_size(const char *what, size_t size, const char *group, const char *dir) {
  struct filling filling = { .npages = size / page_size() };
  filling.fd = file_of(dir, filling.npages);
  struct side sides[] = { { run_ours, &filling }, { floor_fill, &filling } };
  struct samples samples[2];
  measure(sides, 2, samples);
  struct row row = { .group = group,
                     .what = what,
                     .floor = "read() into fresh memory",
                     .unit = "us/page",
                     .per = (double)filling.npages,
                     .goal = size >= (1U << 20) ? 1.1 : 0 };
  report_row(&row, &samples[0], &samples[1]);
  close(filling.fd);
}

void
case_fill(void) {
  const char *group = "mapping and reading a whole file in the host's cache";
  compare_size("1 page", page_size(), group, options.dir);
  compare_size("1 MiB", (size_t)1 << 20, group, options.dir);
  compare_size("16 MiB", (size_t)16 << 20, group, options.dir);
  if (!options.is_quick)
    compare_size("64 MiB", (size_t)64 << 20, group, options.dir);
}
