/* areas.c - vm.max_map_count: scattered stores and scattered first reads beyond it work, and the
 * program can still map and start threads meanwhile.
 */
#include "t_engine.h"

#include <pthread.h>

/* More dirty pages, each between two clean ones, than the host allows memory areas. */
static size_t
how_many(void) {
  return engine_scale(100000, 500000, 1000000);
}

static void *
say_hello(void *arg) {
  *(int *)arg = 1;
  return NULL;
}

/* What a program does besides: memory of its own, a thread, a file more. */
static void
program_can_still_map(int other_fd) {
  static unsigned char stored = 1;
  unsigned char *p[8];
  pthread_t thread;
  int hello = 0;

  for (size_t i = 0; i < 8; i++) { /* of differing protections: eight areas */
    p[i] = T_MAP(NULL, t_pages(2), i % 2 == 0 ? RW : PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T_OK(mprotect(p[i], t_pages(1), PROT_NONE));
  }
  T_EQ(pthread_create(&thread, NULL, say_hello, &hello), 0);
  T_EQ(pthread_join(thread, NULL), 0);
  T_EQ(hello, 1);
  for (size_t i = 0; i < 8; i++)
    T_OK(munmap(p[i], t_pages(2)));
  p[0] = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, other_fd, 0);
  PUT(p[0] + t_pages(2), ++stored); /* the same again may count as no store */
  T_OK(munmap(p[0], t_pages(4)));
}

static uint32_t
mark_of(size_t page) {
  return (uint32_t)page * 2654435761u | 1;
}

static void
check_marks(int fd, size_t npages) {
  for (size_t page = 0; page < npages; page += 2) {
    uint32_t got = 0;

    if (pread(fd, &got, sizeof got, (off_t)t_pages(page)) != (ssize_t)sizeof got ||
        got != mark_of(page))
      t_fail(T_HERE, "page %zu of the file holds %#x", page, got);
  }
}

static size_t
areas_now(void) {
  FILE *maps = fopen("/proc/self/maps", "re");
  size_t count = 0;
  int c;

  T_CHECK(maps != NULL);
  while ((c = getc(maps)) != EOF)
    count += c == '\n';
  (void)fclose(maps);
  return count;
}

static size_t
area_limit(void) {
  FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
  size_t limit = 65530;

  if (file != NULL) {
    if (fscanf(file, "%zu", &limit) != 1)
      limit = 65530;
    (void)fclose(file);
  }
  return limit;
}

static void
scattered_stores(void) {
  size_t npages = how_many() * 2;
  int other_fd = t_tmpfile(NULL, (off_t)t_pages(4));
  int fd = t_sparse_file(NULL, (off_t)t_pages(npages));
  unsigned char *p = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, fd, 0);
  size_t dirty = 0;

  for (size_t page = 0; page < npages; page += 2) {
    *(volatile uint32_t *)(uintptr_t)(p + t_pages(page)) = mark_of(page);
    if (page % (npages / 8) == 0) {
      program_can_still_map(other_fd);
      T_CHECK(areas_now() < area_limit() / 10 * 9);
    }
  }
  program_can_still_map(other_fd);
  for (size_t page = 0; page < npages; page += t_page_size())
    dirty += engine_ndirty(T_HERE, p + t_pages(page),
                           npages - page < t_page_size() ? npages - page : t_page_size());
  T_EQ(dirty, npages / 2);
  T_OK(msync(p, t_pages(npages), MS_ASYNC));
  check_marks(fd, npages);
  T_CHECK(areas_now() < 1000); /* merged again */
  T_EQ(T_STATS().pages_written, npages / 2 + 9);
}

static void
scattered_first_reads(void) {
  size_t npages = how_many() * 2;
  int other_fd = t_tmpfile(NULL, (off_t)t_pages(4));
  int fd;
  const unsigned char *p;

  T_OK(softmap_configure("fill", "touch"));
  fd = t_sparse_file(NULL, (off_t)t_pages(npages));
  for (size_t page = 0; page < npages; page += npages / 64 * 2)
    T_PWRITE(fd, (off_t)t_pages(page), 1, 'd');
  p = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, fd, 0);
  for (size_t page = 0; page < npages; page += 2) {
    if (GET(p + t_pages(page)) != (page % (npages / 64 * 2) == 0 ? 'd' : 0))
      t_fail(T_HERE, "page %zu holds %#x", page, GET(p + t_pages(page)));
    if (page % (npages / 8) == 0) {
      program_can_still_map(other_fd);
      T_CHECK(areas_now() < area_limit() / 10 * 9);
    }
  }
  program_can_still_map(other_fd);
}

/* Private memory is the same to the host. */
static void
scattered_first_reads_of_private_memory(void) {
  size_t npages = how_many() / 4;
  int other_fd = t_tmpfile(NULL, (off_t)t_pages(4));
  int fd;
  unsigned char *p;

  T_OK(softmap_configure("fill", "touch"));
  fd = t_sparse_file(NULL, (off_t)t_pages(npages));
  p = T_MAP(NULL, t_pages(npages), RW, MAP_PRIVATE, fd, 0);
  for (size_t page = 0; page < npages; page += 2)
    PUT(p + t_pages(page), page);
  program_can_still_map(other_fd);
  for (size_t page = 0; page < npages; page += 2)
    T_EQ(GET(p + t_pages(page)), (unsigned char)page);
}

/* Several mappings share the room. */
static void
scattered_stores_in_several_mappings(void) {
  enum { MAPPINGS = 8 };
  size_t npages = how_many() / 4;
  int other_fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p[MAPPINGS];
  int fd[MAPPINGS];

  for (size_t i = 0; i < MAPPINGS; i++) {
    fd[i] = t_sparse_file(NULL, (off_t)t_pages(npages / MAPPINGS));
    p[i] = T_MAP(NULL, t_pages(npages / MAPPINGS), RW, MAP_SHARED, fd[i], 0);
  }
  for (size_t page = 0; page < npages / MAPPINGS; page += 2)
    for (size_t i = 0; i < MAPPINGS; i++)
      *(volatile uint32_t *)(uintptr_t)(p[i] + t_pages(page)) = mark_of(page);
  program_can_still_map(other_fd);
  T_OK(softmap_sync_all());
  for (size_t i = 0; i < MAPPINGS; i++)
    check_marks(fd[i], npages / MAPPINGS);
}

/* The program itself protects every other page. */
static void
protections_in_a_chequered_pattern(void) {
  size_t npages = 40000;
  int other_fd = t_tmpfile(NULL, (off_t)t_pages(4));
  int fd = t_sparse_file(NULL, (off_t)t_pages(npages));
  unsigned char *p = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, fd, 0);

  for (size_t page = 0; page < npages; page += 2)
    *(volatile uint32_t *)(uintptr_t)(p + t_pages(page)) = mark_of(page);
  for (size_t page = 1; page < 20000; page += 2)
    T_OK(mprotect(p + t_pages(page), t_pages(1), PROT_NONE));
  T_STORE_FAULTS(p + t_pages(777), SIGSEGV, SEGV_ACCERR);
  T_STORES(p + t_pages(778) + 100, 1);
  program_can_still_map(other_fd);
  T_OK(msync(p, t_pages(npages), MS_ASYNC));
  check_marks(fd, npages);
}

static const struct t_case cases[] = {
  T_CASE(scattered_stores),
  T_CASE(scattered_first_reads),
  T_CASE(scattered_first_reads_of_private_memory),
  T_CASE(scattered_stores_in_several_mappings),
  T_CASE(protections_in_a_chequered_pattern),
};
T_MAIN(cases)
