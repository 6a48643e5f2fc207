/* map_fixed.c - MAP_FIXED over what is there already: contents on both sides survive, and dirt of
 * what was replaced reaches its file. */
#include "conform.h"

#include <string.h>

static void
over_all_of_a_mapping_writes_its_dirt(void) {
  int one = t_tmpfile(NULL, (off_t)t_pages(3));
  int two = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, one, 0);

  memset(p, '1', t_pages(2));
  T_EQ((uintptr_t)T_MAP(p, t_pages(3), RW, MAP_SHARED | MAP_FIXED, two, 0), (uintptr_t)p);
  T_FILE_ALL(one, 0, t_pages(2), '1');
  T_FILE_OLD(one, (off_t)t_pages(2), t_pages(1));
  T_MEM_OLD(p, t_pages(3), 0);
  p[0] = '2';
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_BYTE(two, 0, '2');
  T_FILE_BYTE(one, 0, '1');
}

/* Each part of a mapping of five pages is replaced by pages of another file, in the other order. */
static void
over_any_part_of_a_mapping(void) {
  enum { PAGES = 5 };

  for (size_t first = 0; first < PAGES; first++)
    for (size_t n = 1; first + n <= PAGES; n++) {
      int one = t_tmpfile(NULL, (off_t)t_pages(PAGES));
      int two = t_tmpfile(NULL, (off_t)t_pages(PAGES));
      unsigned char *p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, one, 0);

      for (size_t page = 0; page < PAGES; page++)
        p[t_pages(page)] = '1';
      T_MAP(p + t_pages(first), t_pages(n), RW, MAP_SHARED | MAP_FIXED, two, 0);
      for (size_t page = 0; page < PAGES; page++) {
        bool is_new = page >= first && page < first + n;
        off_t off = (off_t)t_pages(is_new ? page - first : page);

        T_LOADS(p + t_pages(page), is_new ? t_old_byte(off) : '1');
        p[t_pages(page) + 1] = '2';
      }
      T_OK(msync(p, t_pages(PAGES), MS_SYNC));
      for (size_t page = 0; page < PAGES; page++) {
        bool is_new = page >= first && page < first + n;

        T_FILE_BYTE(one, (off_t)t_pages(page), '1');
        T_FILE_BYTE(one, (off_t)t_pages(page) + 1,
                    is_new ? t_old_byte((off_t)t_pages(page) + 1) : '2');
        T_FILE_BYTE(two, (off_t)t_pages(page) + 1,
                    page < n ? '2' : t_old_byte((off_t)t_pages(page) + 1));
      }
      T_OK(munmap(p, t_pages(PAGES)));
      T_OK(close(one));
      T_OK(close(two));
    }
}

/* The same file again, at another offset: the page is stored to under both of its places. */
static void
over_itself_at_another_offset(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(6));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  p[t_pages(1)] = 'a';
  p[t_pages(3)] = 'b';
  T_MAP(p + t_pages(1), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, (off_t)t_pages(3));
  T_LOADS(p + t_pages(1), 'b');
  p[t_pages(1) + 1] = 'c';
  T_LOADS(p + t_pages(3) + 1, 'c');
  T_OK(munmap(p, t_pages(4)));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'a');
  T_FILE_EQUALS(fd, (off_t)t_pages(3), "bc", 2);
}

static void
over_foreign_memory(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_foreign(4, 'f');

  T_MAP(area + t_pages(1), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  T_MEM_ALL(area, t_pages(1), 'f');
  T_MEM_OLD(area + t_pages(1), t_pages(2), 0);
  T_MEM_ALL(area + t_pages(3), t_pages(1), 'f');
  memset(area, 'w', t_pages(4));
  T_OK(msync(area, t_pages(4), MS_SYNC));
  T_FILE_ALL(fd, 0, t_pages(2), 'w');
}

static void
foreign_memory_over_a_mapping(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  for (size_t page = 0; page < 4; page++)
    p[t_pages(page)] = 'm';
  t_foreign_at(p + t_pages(1), 2, 'f');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'm');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'm');
  T_MEM_ALL(p + t_pages(1), t_pages(2), 'f');
  p[1] = 'n';
  p[t_pages(3) + 1] = 'n';
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_OK(munmap(p, t_pages(4)));
  T_FILE_EQUALS(fd, 0, "mn", 2);
  T_FILE_EQUALS(fd, (off_t)t_pages(3), "mn", 2);
  T_FILE_OLD(fd, (off_t)t_pages(1) + 1, t_pages(1) - 1);
}

static void
over_two_mappings_a_hole_and_foreign_memory(void) {
  int one = t_tmpfile(NULL, (off_t)t_pages(2));
  int two = t_tmpfile(NULL, (off_t)t_pages(2));
  int three = t_tmpfile(NULL, (off_t)t_pages(8));
  unsigned char *area = t_vacant(8);

  T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, one, 0);
  T_MAP(area + t_pages(3), t_pages(2), RW, MAP_SHARED | MAP_FIXED, two, 0);
  t_foreign_at(area + t_pages(5), 3, 'f');
  for (size_t page = 0; page < 8; page++)
    if (page != 2)
      area[t_pages(page)] = (unsigned char)('0' + page);
  T_MAP(area + t_pages(1), t_pages(6), RW, MAP_SHARED | MAP_FIXED, three, (off_t)t_pages(2));
  T_MEM_OLD(area + t_pages(1), t_pages(6), (off_t)t_pages(2));
  T_LOADS(area, '0');
  T_LOADS(area + t_pages(7), '7');
  T_FILE_BYTE(one, (off_t)t_pages(1), '1');
  T_FILE_BYTE(two, 0, '3');
  T_FILE_BYTE(two, (off_t)t_pages(1), '4');
  memset(area + t_pages(1), 't', t_pages(6));
  T_OK(munmap(area, t_pages(8)));
  T_FILE_ALL(three, (off_t)t_pages(2), t_pages(6), 't');
  T_FILE_OLD(three, 0, t_pages(2));
  T_FILE_BYTE(one, 0, '0');
}

static void
private_over_shared_and_back(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  p[t_pages(1)] = 's';
  T_MAP(p + t_pages(1), t_pages(1), RW, MAP_PRIVATE | MAP_FIXED, fd, (off_t)t_pages(1));
  T_LOADS(p + t_pages(1), 's');
  p[t_pages(1)] = 'p';
  p[t_pages(2)] = 't';
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 's');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 't');
  T_MAP(p, t_pages(3), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  T_LOADS(p + t_pages(1), 's');
  p[t_pages(1)] = 'u';
  T_OK(munmap(p, t_pages(3)));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'u');
}

static void
protection_of_what_is_replaced_is_forgotten(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  T_OK(mprotect(p, t_pages(3), PROT_NONE));
  T_MAP(p + t_pages(1), t_pages(1), RW, MAP_SHARED | MAP_FIXED, fd, (off_t)t_pages(1));
  T_STORES(p + t_pages(1), 'x');
  T_LOAD_FAULTS(p, SIGSEGV, SEGV_ACCERR);
  T_LOAD_FAULTS(p + t_pages(2), SIGSEGV, SEGV_ACCERR);
  T_MAP(p + t_pages(1), t_pages(1), PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)t_pages(1));
  T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
  T_LOADS(p + t_pages(1), 'x');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'x');
}

static const struct t_case cases[] = {
  T_CASE(over_all_of_a_mapping_writes_its_dirt),
  T_CASE(over_any_part_of_a_mapping),
  T_CASE(over_itself_at_another_offset),
  T_CASE(over_foreign_memory),
  T_CASE(foreign_memory_over_a_mapping),
  T_CASE(over_two_mappings_a_hole_and_foreign_memory),
  T_CASE(private_over_shared_and_back),
  T_CASE(protection_of_what_is_replaced_is_forgotten),
};

T_MAIN(cases)
