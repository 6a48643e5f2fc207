/* descriptors.c - a program that closes or takes every descriptor number goes on storing to its mappings,
 * and what it syncs is in the file; it never sees a number that isn't its own. */
#include "conform.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static unsigned char *p;
static char path[T_PATH];
static unsigned char value;
static int kept; /* what the test itself needs: a pipe, a log */

static int
count(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  T_CHECK(dir);
  while (readdir(dir))
    n++;
  T_OK(closedir(dir));
  return n;
}

/* Nothing of ours is among the lowest numbers, nor in the list. */
static void
begin(void) {
  int before = count(), lowest = dup(0);
  int fd = t_tmpfile(path, (off_t)t_pages(8));
  p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, 0);
  T_OK(close(fd));
  PUT(p, 1);
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_EQ(count(), before + 1);
  int next = dup(0);
  T_EQ(next, lowest + 1);
  T_OK(close(next));
  T_OK(close(lowest));
  kept = lowest;
}

static void
stores_reach_the_file(void) {
  unsigned char seen;
  value++;
  for (size_t page = 0; page < 8; page++)
    PUT(p + t_pages(page), value);
  T_OK(msync(p, t_pages(8), MS_SYNC));
  int fd = t_open(path, O_RDONLY);
  T_EQ(pread(fd, &seen, 1, (off_t)t_pages(7)), 1);
  T_EQ(seen, value);
  T_OK(close(fd));
}

static int
limit(void) {
  struct rlimit rlimit;
  T_OK(getrlimit(RLIMIT_NOFILE, &rlimit));
  return rlimit.rlim_cur < 5000 ? (int)rlimit.rlim_cur : 5000;
}

static void
closed_in_a_loop(void) {
  begin();
  for (int fd = kept; fd < limit(); fd++)
    (void)close(fd);
  stores_reach_the_file();
}

static void
closed_by_closefrom(void) {
  begin();
  closefrom(kept);
  stores_reach_the_file();
}

static void
closed_by_close_range(void) {
  begin();
  T_OK(close_range((unsigned)kept, ~0u, 0));
  stores_reach_the_file();
  T_OK(close_range((unsigned)kept, ~0u, CLOSE_RANGE_UNSHARE));
  stores_reach_the_file();
}

static void
taken_by_dup2(void) {
  begin();
  int null = t_open("/dev/null", O_RDWR);
  for (int fd = kept + 1; fd < limit() - 8; fd++)
    T_EQ(dup2(null, fd), fd);
  stores_reach_the_file();
}

/* The same in a child, which has to fetch its own. */
static void
close_all_and_store(void *arg) {
  (void)arg;
  closefrom(kept);
  stores_reach_the_file();
  value = 100;
  stores_reach_the_file();
}

static void
closed_in_a_child(void) {
  begin();
  T_IN_CHILD(close_all_and_store, NULL, T_EXITED(0));
  T_EQ(GET(p + t_pages(7)), 101);
  stores_reach_the_file();
}

static const struct t_case cases[] = {
  T_CASE(closed_in_a_loop), T_CASE(closed_by_closefrom), T_CASE(closed_by_close_range),
  T_CASE(taken_by_dup2),    T_CASE(closed_in_a_child),
};

T_MAIN(cases)
