/* huge.c - a sparse mapping of 1 TiB across fork costs parent and child what they touch. */
#include "t_engine.h"
#include "t_memory.h"

#include <time.h>

#define TIB ((off_t)1 << 40)
#define MIB ((off_t)1 << 20)

static double
now(void) {
  struct timespec ts;

  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static unsigned char *
map_huge(int *fd) {
  unsigned char *p;

  T_OK(softmap_configure("fill", "touch"));
  *fd = t_sparse_file(NULL, 0);
  if (ftruncate(*fd, TIB) != 0)
    t_skip("no files of 1 TiB here");
  p = mmap(NULL, (size_t)TIB, RW, MAP_SHARED, *fd, 0);
  if (p == MAP_FAILED && errno == ENOMEM)
    t_skip("no address space of 1 TiB here");
  T_CHECK(p != MAP_FAILED);
  return p;
}

static void
fork_costs_what_is_touched(void) {
  int fd;
  unsigned char *p = map_huge(&fd);
  off_t parent = resident();
  double begin;
  pid_t pid;

  PUT(p + TIB / 2, 'p');
  begin = now();
  pid = t_fork();
  if (pid == 0) {
    off_t child = resident();

    PUT(p + TIB / 4, 'c');
    PUT(p + TIB / 2 + 1, 'd');
    T_EQ(GET(p + TIB / 2), 'p');
    T_OK(msync(p + TIB / 4, t_pages(1), MS_SYNC));
    T_FILE_BYTE(fd, TIB / 4, 'c');
    T_CHECK(resident() - child < 64 * MIB);
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_CHECK(now() - begin < 5);
  T_OK(msync(p, (size_t)TIB, MS_SYNC));
  T_FILE_BYTE(fd, TIB / 2, 'p');
  T_FILE_BYTE(fd, TIB / 2 + 1, 'd');
  T_CHECK(resident() - parent < 64 * MIB);
  T_CHECK(sections_hold() < 16 * MIB);
  T_CHECK(now() - begin < 10);
}

static void
many_children(void) {
  int fd;
  unsigned char *p = map_huge(&fd);
  double begin = now();

  for (int i = 0; i < 20; i++) {
    pid_t pid = t_fork();

    if (pid == 0) {
      PUT(p + TIB / 32 * i, 'c');
      _exit(0);
    }
    T_REAP(pid, T_EXITED(0));
  }
  T_OK(softmap_sync_all());
  for (int i = 0; i < 20; i++)
    T_FILE_BYTE(fd, TIB / 32 * i, 'c');
  T_CHECK(sections_hold() < 32 * MIB);
  T_CHECK(now() - begin < 15);
}

static void
private_mapping_of_1_tib(void) {
  int fd;
  unsigned char *p = map_huge(&fd);
  unsigned char *q = T_MAP(NULL, (size_t)TIB, RW, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  pid_t pid;

  PUT(q + TIB / 3, 'q');
  pid = t_fork();
  if (pid == 0) {
    T_EQ(GET(q + TIB / 3), 'q');
    PUT(q + TIB / 3, 'r');
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_EQ(GET(q + TIB / 3), 'q');
  T_EQ(GET(p + TIB / 3), 0);
  T_CHECK(sections_hold() < 16 * MIB);
}

static const struct t_case cases[] = {
  T_CASE(fork_costs_what_is_touched),
  T_CASE(many_children),
  T_CASE(private_mapping_of_1_tib),
};
T_MAIN(cases)
