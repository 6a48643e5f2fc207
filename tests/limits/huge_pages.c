/* huge_pages.c - where the host keeps a section in huge pages, a store still makes one page dirty. */
#include "t_engine.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { BYTES = 8 << 20 };

/* A section directory on a tmpfs that takes huge pages wherever it can. */
static void
sections_in_huge_pages(void) {
  char dir[T_PATH];

  (void)snprintf(dir, sizeof dir, "%.400s/huge", getenv("T_DIR"));
  T_OK(mkdir(dir, 0700));
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", dir, "tmpfs", 0, "mode=0700,huge=always") != 0)
    t_skip("may not mount here, or no huge pages");
  T_OK(softmap_configure("dir", dir));
}

static void
store_and_sync(const char *fill) {
  size_t npages = BYTES / t_page_size();
  size_t stored[] = { 0, 100, npages / 2 + 1, npages - 1 };
  size_t n = sizeof stored / sizeof *stored;
  uint64_t before;
  int fd;
  unsigned char *p;

  T_OK(softmap_configure("fill", fill));
  p = T_MAP_NEW(NULL, &fd, npages);
  T_OK(madvise(p, BYTES, MADV_HUGEPAGE));
  for (size_t page = 0; page < npages; page++)
    T_EQ(GET(p + t_pages(page)), t_old_byte((off_t)t_pages(page)));
  T_NDIRTY(p, npages, 0);
  for (int round = 0; round < 2; round++) {
    before = T_STATS().pages_written;
    for (size_t i = 0; i < n; i++)
      PUT(p + t_pages(stored[i]) + 1, round);
    T_NDIRTY(p, npages, (intmax_t)n);
    T_OK(msync(p, BYTES, MS_SYNC));
    T_EQ(T_STATS().pages_written - before, n);
    T_NDIRTY(p, npages, 0);
    for (size_t i = 0; i < n; i++)
      T_FILE_BYTE(fd, (off_t)t_pages(stored[i]) + 1, (unsigned char)round);
  }
  T_OK(munmap(p, BYTES));
  T_EQ(T_STATS().pages_written - before, n);
}

static void
one_page_a_store(void) {
  sections_in_huge_pages();
  store_and_sync("whole");
  store_and_sync("touch");
}

static const struct t_case cases[] = {
  T_CASE(one_page_a_store),
};
T_MAIN(cases)
