/* floor_watch.c - the bare way to have the kernel note stores: userfaultfd's WP_ASYNC and
 * PAGEMAP_SCAN, with nothing recorded.  Numbers from the kernel's headers, newer than ours.
 */
#include "bench.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FEATURES (1u << 15 | 1u << 13 | 1u << 12) /* WP_ASYNC, WP_UNPOPULATED, on shared memory */
#define USER_MODE_ONLY 1
#define IS_WRITTEN 2u
#define WP_MATCHING 1u
#define CHECK_WPASYNC 2u

struct region {
  uint64_t start, end, categories;
};

struct scan {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t inverted, mask, anyof, returned;
};
#define SCAN _IOWR('f', 16, struct scan)

static int userfault = -1, pagemap = -1;

bool
raw_watch_begin(char *at, size_t npages) {
  struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
  struct uffdio_register range = { .range = { (uintptr_t)at, npages * page_size() },
                                   .mode = UFFDIO_REGISTER_MODE_WP };
  struct uffdio_writeprotect protect = { .range = range.range,
                                         .mode = UFFDIO_WRITEPROTECT_MODE_WP };
  if (userfault < 0)
    userfault = (int)syscall(SYS_userfaultfd, O_CLOEXEC | USER_MODE_ONLY);
  if (pagemap < 0) {
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (userfault < 0 || pagemap < 0 || ioctl(userfault, UFFDIO_API, &api) != 0)
      return false;
  }
  return ioctl(userfault, UFFDIO_REGISTER, &range) == 0 &&
         ioctl(userfault, UFFDIO_WRITEPROTECT, &protect) == 0;
}

size_t
raw_watch_collect(const char *at, size_t npages) {
  static struct region regions[1024];
  uint64_t end = (uintptr_t)at + npages * page_size();
  struct scan scan = { .size = sizeof scan,
                       .flags = WP_MATCHING | CHECK_WPASYNC,
                       .start = (uintptr_t)at,
                       .end = end,
                       .vec = (uintptr_t)regions,
                       .vec_len = sizeof regions / sizeof *regions,
                       .mask = IS_WRITTEN,
                       .returned = IS_WRITTEN };
  size_t count = 0;
  for (; scan.start < end; scan.start = scan.walk_end) {
    int n = ioctl(pagemap, SCAN, &scan);
    if (n < 0)
      die("PAGEMAP_SCAN");
    for (int i = 0; i < n; i++)
      count += (size_t)(regions[i].end - regions[i].start) / page_size();
  }
  return count;
}
