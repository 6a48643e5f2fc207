/* large.c - huge files and many mappings cost what is used of them. */
#include "t_engine.h"
#include "t_memory.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define TIB ((off_t)1 << 40)
#define MIB ((off_t)1 << 20)
#define HUNDRED_GIB ((off_t)100 << 30)

static double
now(void) {
  struct timespec ts;

  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* The time is a bound against doing something for each page, not a measurement. */
static void
sparse_file_of_1_tib(void) {
  int fd = t_sparse_file(NULL, 0);
  double begin;
  struct rusage usage;
  unsigned char *p;

  if (ftruncate(fd, TIB) != 0)
    t_skip("no files of 1 TiB here");
  T_PWRITE(fd, TIB - 5, 5, 'e');
  begin = now();
  p = mmap(NULL, (size_t)TIB, RW, MAP_SHARED, fd, 0); /* auto: on touch */
  if (p == MAP_FAILED && errno == ENOMEM)
    t_skip("no address space of 1 TiB here");
  T_CHECK(p != MAP_FAILED);
  T_EQ(GET(p + TIB - 1), 'e');
  PUT(p + TIB / 2, 'm');
  PUT(p + 1, 'a');
  PUT(p + TIB - 1, 'z');
  T_OK(msync(p, (size_t)TIB, MS_SYNC));
  T_FILE_BYTE(fd, TIB / 2, 'm');
  T_FILE_BYTE(fd, 1, 'a');
  T_FILE_BYTE(fd, TIB - 1, 'z');
  T_OK(munmap(p, (size_t)TIB));
  T_CHECK(now() - begin < 10);
  T_OK(getrusage(RUSAGE_SELF, &usage));
  T_CHECK(usage.ru_maxrss * 1024 < 300 * MIB);
}

static void
sparse_file_of_1_tib_takes_little_room(void) {
  int fd = t_sparse_file(NULL, 0);
  unsigned char *p;

  if (ftruncate(fd, TIB) != 0)
    t_skip("no files of 1 TiB here");
  p = mmap(NULL, (size_t)TIB, RW, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED && errno == ENOMEM)
    t_skip("no address space of 1 TiB here");
  for (off_t i = 0; i < 100; i++)
    PUT(p + TIB / 100 * i, i);
  T_CHECK(sections_hold() < 16 * MIB);
  T_OK(softmap_sync_all());
  T_CHECK(sections_hold() < 16 * MIB);
}

/* The length asked for has no part in it. Whatever else runs here: one of many is undisturbed. */
static void
mapping_takes_no_longer_for_its_length(void) {
  double fastest = 1;

  T_ON_FAULT(); /* compare: 3 ms */
  for (int i = 0; i < 100 && fastest > 1e-3 * t_slowness(); i++) {
    int fd = t_sparse_file(NULL, 0);
    double begin;
    void *p;

    if (ftruncate(fd, HUNDRED_GIB) != 0)
      t_skip("no files of 100 GiB here");
    begin = now();
    p = mmap(NULL, (size_t)HUNDRED_GIB, RW, MAP_SHARED, fd, 0);
    fastest = now() - begin < fastest ? now() - begin : fastest;
    if (p == MAP_FAILED && errno == ENOMEM)
      t_skip("no address space of 100 GiB here");
    T_OK(munmap(p, (size_t)HUNDRED_GIB));
    (void)close(fd);
  }
  t_note("mapping 100 GiB takes %.2f ms", fastest * 1e3);
  T_CHECK(fastest <= 1e-3 * t_slowness());
}

/* What is touched costs its bytes, and some of each table (with watch also of the stamps, 20 MiB; with
 * compare of the twins and their keys, 28 MiB). */
static void
memory_goes_by_what_is_touched(void) {
  T_ON_FAULT();
  for (int i = 0; i < 5; i++) {
    int fd = t_sparse_file(NULL, 0);
    off_t before = resident();
    unsigned char *p;

    if (ftruncate(fd, HUNDRED_GIB) != 0)
      t_skip("no files of 100 GiB here");
    p = mmap(NULL, (size_t)HUNDRED_GIB, RW, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED && errno == ENOMEM)
      t_skip("no address space of 100 GiB here");
    for (off_t k = 0; k < 1000; k++)
      PUT(p + HUNDRED_GIB / 1000 * k, k);
    t_note("1,000 pages of 100 GiB take %jd KiB", (intmax_t)(resident() - before) / 1024);
    if (i > 0 && t_slowness() == 1) /* the first time our code and threads come to it */
      T_CHECK(resident() - before <= 16 * MIB);
    T_OK(munmap(p, (size_t)HUNDRED_GIB));
    (void)close(fd);
  }
}

/* Holes filled whole stay holes. */
static void
holes_stay_holes(void) {
  int fd = t_sparse_file(NULL, 64 * MIB);
  unsigned char *p;
  struct stat st;

  T_OK(softmap_configure("fill", "whole"));
  T_PWRITE(fd, 32 * MIB, 1, 'x');
  p = T_MAP(NULL, (size_t)(64 * MIB), RW, MAP_SHARED, fd, 0);
  T_EQ(GET(p + 32 * MIB), 'x');
  T_EQ(GET(p + 16 * MIB), 0);
  T_CHECK(sections_hold() < 8 * MIB);
  T_OK(msync(p, (size_t)(64 * MIB), MS_SYNC));
  T_OK(fstat(fd, &st));
  T_CHECK((off_t)st.st_blocks * 512 < MIB);
}

static void
many_mappings_of_one_file(void) {
  static unsigned char *p[50000];
  size_t n = engine_scale(10000, 50000, 50000);
  double begin = now();
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));

  t_limit_this_process(300);
  for (size_t i = 0; i < n; i++)
    p[i] = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, (off_t)t_pages(i % 4));
  T_EQ(T_STATS().mappings_now, n);
  for (size_t i = 0; i < n; i += 97) {
    PUT(p[i], i);
    T_EQ(GET(p[(i + 4) % n / 4 * 4 + i % 4]), (unsigned char)i);
  }
  T_OK(softmap_sync_all());
  T_NDIRTY(p[0], 1, 0);
  for (size_t i = 0; i < n; i++)
    T_OK(munmap(p[i], t_pages(1)));
  T_EQ(T_STATS().mappings_now, 0);
  T_CHECK(now() - begin < (n > 10000 ? 300 : 60) * t_slowness());
}

static void
many_mappings_of_many_files(void) {
  enum { FILES = 500, N = 10000 };
  static unsigned char *p[N];
  double begin = now();
  int fd[FILES];

  for (size_t i = 0; i < FILES; i++)
    fd[i] = t_sparse_file(NULL, (off_t)t_pages(N / FILES));
  for (size_t i = 0; i < N; i++)
    p[i] = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd[i % FILES], (off_t)t_pages(i / FILES));
  T_EQ(T_STATS().sections_now, FILES);
  for (size_t i = 0; i < N; i++)
    PUT(p[i], i | 1);
  T_OK(softmap_sync_all());
  for (size_t i = 0; i < N; i++)
    T_FILE_BYTE(fd[i % FILES], (off_t)t_pages(i / FILES), (unsigned char)(i | 1));
  for (size_t i = 0; i < N; i++)
    T_OK(munmap(p[i], t_pages(1)));
  T_EQ(T_STATS().sections_now, 0);
  for (size_t i = 0; i < FILES; i++)
    (void)close(fd[i]);
  T_CHECK(now() - begin < 30);
}

/* One mapping cut into pieces, page by page, in an order that is neither up nor down. */
static void
cut_into_many_pieces(void) {
  enum { N = 10000 };
  int fd = t_sparse_file(NULL, (off_t)t_pages(N));
  unsigned char *p = T_MAP(NULL, t_pages(N), RW, MAP_SHARED, fd, 0);
  double begin = now();

  for (size_t i = 0; i < N; i++)
    PUT(p + t_pages(i), i | 1);
  for (size_t i = 1; i < N; i += 2) {
    size_t page = (i * 7919) % N | 1;

    T_OK(munmap(p + t_pages(page), t_pages(1)));
  }
  for (size_t i = 0; i < N; i += 2) {
    T_EQ(GET(p + t_pages(i)), (unsigned char)(i | 1));
    PUT(p + t_pages(i) + 1, i | 1);
  }
  T_ERR(msync(p, t_pages(N), MS_SYNC), ENOMEM); /* holes */
  for (size_t i = 0; i < N; i++)
    T_FILE_BYTE(fd, (off_t)t_pages(i), (unsigned char)(i | 1));
  for (size_t i = 0; i < N; i += 2)
    T_FILE_BYTE(fd, (off_t)t_pages(i) + 1, (unsigned char)(i | 1));
  T_OK(munmap(p, t_pages(N)));
  T_CHECK(now() - begin < 30);
}

static const struct t_case cases[] = {
  T_CASE(sparse_file_of_1_tib),
  T_CASE(sparse_file_of_1_tib_takes_little_room),
  T_CASE(mapping_takes_no_longer_for_its_length),
  T_CASE(memory_goes_by_what_is_touched),
  T_CASE(holes_stay_holes),
  T_CASE(many_mappings_of_one_file),
  T_CASE(many_mappings_of_many_files),
  T_CASE(cut_into_many_pieces),
};
T_MAIN(cases)
