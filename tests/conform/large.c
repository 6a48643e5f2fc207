/* large.c - offsets and lengths past 4 GiB, and mappings far longer than their file. */
#include "conform.h"

#include <string.h>
#include <sys/stat.h>

static const off_t gib = (off_t)1 << 30;

static off_t
blocks_of(int fd) {
  struct stat st;

  if (fstat(fd, &st) != 0)
    t_fail(T_HERE, "fstat: errno %d", errno);
  return st.st_blocks;
}

static void
offsets_past_four_gib_work(void) {
  int fd = t_sparse_file(NULL, 5 * gib + (off_t)t_pages(4));
  static const off_t offsets[] = { (off_t)2 << 30, (off_t)4 << 30, (off_t)5 << 30 };

  for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
    unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, offsets[i]);

    T_MEM_ALL(p, t_pages(4), 0);
    p[t_pages(3) + 1] = (unsigned char)(i + 1);
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_BYTE(fd, offsets[i] + (off_t)t_pages(3) + 1, (unsigned char)(i + 1));
    T_OK(munmap(p, t_pages(4)));
  }
  T_FILE_ALL(fd, (off_t)t_pages(3) + 1, 1, 0);
  T_FILE_SIZE(fd, 5 * gib + (off_t)t_pages(4));
}

static void
lengths_past_four_gib_work(void) {
#if SIZE_MAX > 0xffffffff
  off_t size = 6 * gib;
  int fd = t_sparse_file(NULL, size);
  unsigned char *p = T_MAP(NULL, (size_t)size, RW, MAP_SHARED, fd, 0);
  static const off_t at[] = { 0, 12345, ((off_t)4 << 30) - 1, (off_t)4 << 30,
                              ((off_t)6 << 30) - 1 };
  enum { N = sizeof at / sizeof at[0] };

  for (size_t i = 0; i < N; i++) {
    T_LOADS(p + at[i], 0);
    T_STORES(p + at[i], (unsigned char)(i + 1));
  }
  T_OK(msync(p, (size_t)size, MS_SYNC));
  for (size_t i = 0; i < N; i++)
    T_FILE_BYTE(fd, at[i], (unsigned char)(i + 1));
  p[5 * gib] = 'u';
  T_OK(munmap(p + 3 * gib, (size_t)(3 * gib)));
  T_FILE_BYTE(fd, 5 * gib, 'u');
  T_LOADS(p, 1);
  T_FILE_SIZE(fd, size);
#else
  t_skip("the address space is too small");
#endif
}

/* Holes stay holes: reading and syncing a sparse file allocates what was stored and no more. */
static void
holes_are_not_filled_by_mapping(void) {
  off_t size = (off_t)t_pages(4096);
  int fd = t_sparse_file(NULL, size);
  unsigned char *p = T_MAP(NULL, (size_t)size, RW, MAP_SHARED, fd, 0);

  for (size_t page = 0; page < 4096; page += 16)
    T_LOADS(p + t_pages(page), 0);
  p[t_pages(1000)] = 'h';
  T_OK(msync(p, (size_t)size, MS_SYNC));
  T_CHECK(blocks_of(fd) * 512 <= (off_t)t_pages(64));
  T_FILE_BYTE(fd, (off_t)t_pages(1000), 'h');
}

static void
private_mapping_of_a_large_file_costs_what_is_touched(void) {
  off_t size = sizeof(size_t) > 4 ? 5 * gib : gib / 2;
  int fd = t_sparse_file(NULL, size);
  unsigned char *p = T_MAP(NULL, (size_t)size, RW, MAP_PRIVATE | MAP_NORESERVE, fd, 0);

  T_STORES(p + size - 1, 'p');
  T_STORES(p, 'q');
  T_LOADS(p + size - 1, 'p');
  T_LOADS(p + size / 2, 0);
  T_OK(munmap(p, (size_t)size));
  T_FILE_BYTE(fd, size - 1, 0);
  T_FILE_BYTE(fd, 0, 0);
}

/* Address space is reserved far past the file, which then grows into it. */
static void
mapping_much_longer_than_its_file_is_grown_into(void) {
  size_t len = sizeof(size_t) > 4 ? (size_t)(8 * gib) : (size_t)(gib / 2);
  off_t far = (off_t)(len / 2);
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, len, RW, MAP_SHARED, fd, 0);

  T_MEM_OLD(p, t_pages(1), 0);
  T_LOAD_FAULTS(p + far, SIGBUS, BUS_ADRERR);
  T_OK(ftruncate(fd, far + (off_t)t_pages(1)));
  T_LOADS(p + far, 0);
  T_STORES(p + far, 'f');
  T_LOAD_FAULTS(p + far + t_pages(1), SIGBUS, BUS_ADRERR);
  T_OK(msync(p + far, t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, far, 'f');
  T_FILE_SIZE(fd, far + (off_t)t_pages(1));
}

static void
many_small_mappings_work(void) {
  enum { MANY = 2048, FILE_PAGES = 64 };
  int fd = t_tmpfile(NULL, (off_t)t_pages(FILE_PAGES));
  static unsigned char *maps[MANY];

  for (size_t i = 0; i < MANY; i++)
    maps[i] = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, (off_t)t_pages(i % FILE_PAGES));
  /* Mapping i stores at byte i / 64 of the file's page i % 64. */
  for (size_t i = 0; i < MANY; i += 17)
    maps[i][i / FILE_PAGES] = (unsigned char)(i % 255 + 1);
  for (size_t i = 0; i < MANY; i++)
    T_OK(munmap(maps[i], t_pages(1)));
  for (size_t i = 0; i < MANY; i += 17)
    T_FILE_BYTE(fd, (off_t)(t_pages(i % FILE_PAGES) + i / FILE_PAGES),
                (unsigned char)(i % 255 + 1));
}

static const struct t_case cases[] = {
  T_CASE(offsets_past_four_gib_work),
  T_CASE(lengths_past_four_gib_work),
  T_CASE(holes_are_not_filled_by_mapping),
  T_CASE(private_mapping_of_a_large_file_costs_what_is_touched),
  T_CASE(mapping_much_longer_than_its_file_is_grown_into),
  T_CASE(many_small_mappings_work),
};

T_MAIN(cases)
