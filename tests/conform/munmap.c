/* munmap.c - parts, holes, splits, foreign memory, and where the dirty data goes. */
#include "conform.h"

#include <string.h>

static void
munmap_refuses_bad_ranges(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP_APART(4, RW, MAP_SHARED, fd, 0);
  const struct {
    const char *name;
    unsigned char *addr;
    size_t len;
    int want;
  } rows[] = {
    { "one byte off", p + 1, t_pages(1), EINVAL },
    { "half a page off", p + t_page_size() / 2, t_pages(1), EINVAL },
    { "length 0", p, 0, EINVAL },
    { "a range that wraps", p, SIZE_MAX - t_page_size(), EINVAL },
    { "length 1", p, 1, 0 },
    { "the same page again", p, 1, 0 },
    { "a whole page", p + t_pages(1), t_pages(1), 0 },
  };

  memset(p, 'k', t_pages(4));
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, munmap(rows[i].addr, rows[i].len), rows[i].want);
  T_CHECK(!t_is_mapped(p, 1));
  T_CHECK(!t_is_mapped(p + t_pages(1), 1));
  T_MEM_ALL(p + t_pages(2), t_pages(2), 'k');
  T_FILE_ALL(fd, 0, t_pages(2), 'k');
}

static void
dirty_data_is_in_the_file_after_munmap(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(4));
  unsigned char *p = T_MAP_APART(4, RW, MAP_SHARED, fd, 0);

  T_OK(close(fd));
  p[0] = 'a';
  p[t_pages(4) - 1] = 'z';
  T_OK(munmap(p, t_pages(4)));
  fd = t_open(path, O_RDONLY);
  T_FILE_BYTE(fd, 0, 'a');
  T_FILE_OLD(fd, 1, t_pages(4) - 2);
  T_FILE_BYTE(fd, (off_t)t_pages(4) - 1, 'z');
}

/* Every part of a mapping of six pages: what goes is gone, what stays works and is written. */
static void
any_part_can_be_unmapped(void) {
  enum { PAGES = 6 };

  for (size_t first = 0; first < PAGES; first++)
    for (size_t n = 1; first + n <= PAGES; n++) {
      int fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
      unsigned char *p = T_MAP_APART(PAGES, RW, MAP_SHARED, fd, 0);

      for (size_t page = 0; page < PAGES; page++)
        p[t_pages(page)] = '1';
      T_OK(munmap(p + t_pages(first), t_pages(n)));
      for (size_t page = 0; page < PAGES; page++) {
        bool is_gone = page >= first && page < first + n;

        T_EQ(t_is_mapped(p + t_pages(page), 1), !is_gone);
        if (!is_gone)
          p[t_pages(page) + 1] = '2';
      }
      for (size_t page = 0; page < PAGES; page++) {
        bool is_gone = page >= first && page < first + n;

        if (!is_gone)
          T_OK(munmap(p + t_pages(page), t_pages(1)));
        T_FILE_BYTE(fd, (off_t)t_pages(page), '1');
        T_FILE_BYTE(fd, (off_t)t_pages(page) + 1,
                    is_gone ? t_old_byte((off_t)t_pages(page) + 1) : '2');
      }
      T_OK(close(fd));
    }
}

static void
holes_are_no_error(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_vacant(8);

  T_OK(munmap(area, t_pages(8)));
  T_MAP(area + t_pages(1), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  T_MAP(area + t_pages(5), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  area[t_pages(1)] = 'h';
  area[t_pages(6)] = 'i';
  T_OK(munmap(area, t_pages(8)));
  for (size_t page = 0; page < 8; page++)
    T_CHECK(!t_is_mapped(area + t_pages(page), 1));
  T_FILE_BYTE(fd, 0, 'h');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'i');
}

static void
foreign_memory_of_the_range_goes_too(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_vacant(6);

  t_foreign_at(area, 6, 'f');
  T_MAP(area + t_pages(2), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  area[t_pages(2)] = 'm';
  area[t_pages(3)] = 'n';
  T_OK(munmap(area + t_pages(1), t_pages(4)));
  T_MEM_ALL(area, t_pages(1), 'f');
  T_MEM_ALL(area + t_pages(5), t_pages(1), 'f');
  for (size_t page = 1; page < 5; page++)
    T_CHECK(!t_is_mapped(area + t_pages(page), 1));
  T_FILE_BYTE(fd, 0, 'm');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'n');
  T_OK(munmap(area, t_pages(1)));
  T_CHECK(!t_is_mapped(area, 1));
}

static void
several_mappings_go_at_once(void) {
  int one = t_tmpfile(NULL, (off_t)t_pages(2));
  int two = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_vacant(6);

  T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, one, 0);
  T_MAP(area + t_pages(2), t_pages(2), RW, MAP_PRIVATE | MAP_FIXED, one, 0);
  T_MAP(area + t_pages(4), t_pages(2), RW, MAP_SHARED | MAP_FIXED, two, 0);
  for (size_t page = 0; page < 6; page++)
    area[t_pages(page)] = (unsigned char)('0' + page);
  T_OK(munmap(area + t_pages(1), t_pages(4)));
  T_FILE_BYTE(one, (off_t)t_pages(1), '1');
  T_FILE_BYTE(two, 0, '4');
  T_LOADS(area, '0');
  T_LOADS(area + t_pages(5), '5');
  area[t_pages(5) + 1] = 'l';
  T_OK(munmap(area, t_pages(6)));
  T_FILE_EQUALS(two, (off_t)t_pages(1), "5l", 2);
  T_FILE_BYTE(one, 0, '0');
}

/* Unmapping one of two mappings loses nothing of the other, whichever was stored through. */
static void
other_mapping_of_the_file_lives_on(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *a = T_MAP_APART(2, RW, MAP_SHARED, fd, 0);
  unsigned char *b = T_MAP_APART(2, RW, MAP_SHARED, fd, 0);

  a[0] = 'a';
  b[1] = 'b';
  T_OK(munmap(b, t_pages(2)));
  T_LOADS(a + 1, 'b');
  a[2] = 'c';
  T_OK(msync(a, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "abc", 3);
}

static void
what_is_mapped_there_next_is_untouched_by_what_was(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_reserve(2);

  for (int round = 0; round < 10; round++) {
    T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
    area[(size_t)round] = 'm';
    T_OK(munmap(area, t_pages(2)));
    t_foreign_at(area, 2, 'f');
    T_MEM_ALL(area, t_pages(2), 'f');
    T_FILE_BYTE(fd, round, 'm');
    T_OK(mprotect(area, t_pages(2), PROT_NONE));
    T_LOAD_FAULTS(area, SIGSEGV, SEGV_ACCERR);
  }
  T_FILE_OLD(fd, 10, t_pages(2) - 10);
}

/* Nothing but the program puts anything into a hole of the program's, which it may unmap with what is
 * around it, or twice. */
static void
hole_stays_free(size_t npages) {
  int fd = t_sparse_file(NULL, (off_t)t_pages(npages + 2));
  int other_fd = t_sparse_file(NULL, (off_t)t_pages(npages));
  unsigned char *other = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, other_fd, 0);
  unsigned char *p = T_MAP(NULL, t_pages(npages + 2), RW, MAP_SHARED, fd, 0);
  unsigned char *hole = p + t_pages(1);

  T_OK(munmap(hole, t_pages(npages)));
  for (int round = 0; round < 2; round++) {
    p[0] = 'p';
    other[0] = 'o';
    T_OK(msync(p, t_pages(1), MS_SYNC));
    T_OK(msync(other, t_pages(npages), MS_SYNC));
  }
  for (size_t page = 0; page < npages; page++)
    T_CHECK(!t_is_mapped(hole + t_pages(page), 1));
  T_OK(munmap(p, t_pages(npages + 2)));
  other[1] = 'q';
  T_OK(msync(other, t_pages(npages), MS_SYNC));
  T_FILE_BYTE(other_fd, 1, 'q');
  T_FILE_BYTE(fd, 0, 'p');
  T_OK(munmap(other, t_pages(npages)));
  (void)close(fd);
  (void)close(other_fd);
}

static void
holes_stay_free(void) {
  static const size_t sizes[] = { 1, 16, 64, 600, 5000 };

  t_skip_on_valgrind("it hands out addresses from below, and has no place apart");

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    hole_stays_free(sizes[i]);
}

static void
private_parts_can_be_unmapped(void) {
  t_skip_on_valgrind("it reads where nothing is");
  int fd = t_tmpfile(NULL, (off_t)t_pages(5));
  unsigned char *p = T_MAP_APART(5, RW, MAP_PRIVATE, fd, 0);

  memset(p, 'p', t_pages(5));
  T_OK(munmap(p + t_pages(1), t_pages(1)));
  T_OK(munmap(p + t_pages(3), t_pages(1)));
  T_MEM_ALL(p, t_pages(1), 'p');
  T_MEM_ALL(p + t_pages(2), t_pages(1), 'p');
  T_MEM_ALL(p + t_pages(4), t_pages(1), 'p');
  T_LOAD_FAULTS(p + t_pages(1), SIGSEGV, SEGV_MAPERR);
  T_FILE_OLD(fd, 0, t_pages(5));
}

static const struct t_case cases[] = {
  T_CASE_NOT_TSAN(munmap_refuses_bad_ranges, "its munmap believes the length"),
  T_CASE(dirty_data_is_in_the_file_after_munmap),
  T_CASE(any_part_can_be_unmapped),
  T_CASE(holes_are_no_error),
  T_CASE(foreign_memory_of_the_range_goes_too),
  T_CASE(several_mappings_go_at_once),
  T_CASE(other_mapping_of_the_file_lives_on),
  T_CASE(what_is_mapped_there_next_is_untouched_by_what_was),
#if UINTPTR_MAX > 0xffffffff
  T_CASE(holes_stay_free),
#else
  T_CASE_DIVERGES(holes_stay_free, "D36: softmap's own memory may be in a hole"),
#endif
  T_CASE(private_parts_can_be_unmapped),
};

T_MAIN(cases)
