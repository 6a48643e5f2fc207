/* mprotect.c - protection page by page, while dirt stays dirt. */
#include "conform.h"

#include <string.h>

static void
dirt_under_a_protection_is_written_later(void) {
  static const int prots[] = { PROT_NONE, PROT_READ };

  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(3));
    unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

    p[t_pages(1)] = 'd';
    T_OK(mprotect(p, t_pages(3), prots[i]));
    T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
    T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
    T_OK(msync(p, t_pages(3), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(1), 'd');
    T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
    if (prots[i] == PROT_NONE)
      T_LOAD_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
    else
      T_LOADS(p + t_pages(1), 'd');
  }
}

static void
dirt_under_a_protection_is_written_by_munmap(void) {
  static const int prots[] = { PROT_NONE, PROT_READ };

  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(3));
    unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

    memset(p, 'd', t_pages(2));
    T_OK(mprotect(p, t_pages(3), prots[i]));
    T_OK(munmap(p, t_pages(3)));
    T_FILE_ALL(fd, 0, t_pages(2), 'd');
    T_FILE_OLD(fd, (off_t)t_pages(2), t_pages(1));
  }
}

static void
writing_allowed_again_is_noticed_again(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  for (unsigned char round = 1; round < 10; round++) {
    p[0] = round;
    T_OK(mprotect(p, t_pages(2), round % 2 != 0 ? PROT_NONE : PROT_READ));
    T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
    if (round % 3 == 0)
      T_OK(msync(p, t_pages(2), MS_SYNC));
    T_OK(mprotect(p, t_pages(2), RW));
    T_LOADS(p, round);
    p[1] = round;
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd, 0, round);
    T_FILE_BYTE(fd, 1, round);
  }
}

static void
each_page_keeps_its_own_protection(void) {
  enum { PAGES = 12 };
  static const int prots[] = { PROT_NONE, PROT_READ, RW };
  int fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  unsigned char *p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);

  for (size_t page = 0; page < PAGES; page++)
    T_OK(mprotect(p + t_pages(page), t_pages(1), prots[page % 3]));
  for (int round = 0; round < 2; round++) {
    for (size_t page = 0; page < PAGES; page++) {
      unsigned char *q = p + t_pages(page);

      if (prots[page % 3] == PROT_NONE)
        T_LOAD_FAULTS(q + 2, SIGSEGV, SEGV_ACCERR);
      else
        T_LOADS(q + 2, t_old_byte((off_t)t_pages(page) + 2));
      if (prots[page % 3] == RW)
        T_STORES(q + round, 'w');
      else
        T_STORE_FAULTS(q + round, SIGSEGV, SEGV_ACCERR);
    }
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  }
  for (size_t page = 0; page < PAGES; page++)
    if (prots[page % 3] == RW)
      T_FILE_EQUALS(fd, (off_t)t_pages(page), "ww", 2);
    else
      T_FILE_OLD(fd, (off_t)t_pages(page), t_pages(1));
}

static void
one_call_changes_pages_of_different_protections(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(5));
  unsigned char *p = T_MAP(NULL, t_pages(5), RW, MAP_SHARED, fd, 0);

  p[t_pages(3)] = 'x';
  T_OK(mprotect(p + t_pages(1), t_pages(1), PROT_NONE));
  T_OK(mprotect(p + t_pages(2), t_pages(1), PROT_READ));
  T_OK(mprotect(p, t_pages(5), PROT_READ));
  for (size_t page = 0; page < 5; page++)
    T_STORE_FAULTS(p + t_pages(page), SIGSEGV, SEGV_ACCERR);
  T_LOADS(p + t_pages(1), t_old_byte((off_t)t_pages(1)));
  T_LOADS(p + t_pages(3), 'x');
  T_OK(mprotect(p, t_pages(5), RW));
  for (size_t page = 0; page < 5; page++)
    T_STORES(p + t_pages(page), 'y');
  T_OK(munmap(p, t_pages(5)));
  for (size_t page = 0; page < 5; page++)
    T_FILE_BYTE(fd, (off_t)t_pages(page), 'y');
}

static void
one_call_spans_mappings_and_foreign_memory(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_foreign(8, 'f');

  T_MAP(area + t_pages(1), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  T_MAP(area + t_pages(5), t_pages(2), RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  area[t_pages(1)] = 's';
  area[t_pages(5)] = 'p';
  T_OK(mprotect(area, t_pages(8), PROT_READ));
  for (size_t page = 0; page < 8; page++)
    T_STORE_FAULTS(area + t_pages(page), SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(area, t_pages(8), PROT_NONE));
  for (size_t page = 0; page < 8; page++)
    T_LOAD_FAULTS(area + t_pages(page), SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(area, t_pages(8), RW));
  for (size_t page = 0; page < 8; page++)
    T_STORES(area + t_pages(page) + 1, 'w');
  T_LOADS(area, 'f');
  T_LOADS(area + t_pages(1), 's');
  T_LOADS(area + t_pages(3), 'f');
  T_LOADS(area + t_pages(5), 'p');
  T_LOADS(area + t_pages(7), 'f');
  T_OK(msync(area, t_pages(8), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "sw", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(1) + 1, 'w');
}

static void
other_mapping_of_the_file_keeps_its_protection(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *a = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *b = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  a[0] = 'a';
  T_OK(mprotect(a, t_pages(2), PROT_NONE));
  T_LOADS(b, 'a');
  T_STORES(b, 'b');
  T_LOAD_FAULTS(a, SIGSEGV, SEGV_ACCERR);
  T_OK(msync(b, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'b');
  T_OK(mprotect(a, t_pages(2), PROT_READ));
  T_LOADS(a, 'b');
  T_STORES(b + 1, 'c');
  T_LOADS(a + 1, 'c');
  T_STORE_FAULTS(a, SIGSEGV, SEGV_ACCERR);
}

static void
private_copies_survive_protections(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_PRIVATE, fd, 0);

  p[0] = 'p';
  T_OK(mprotect(p, t_pages(3), PROT_NONE));
  T_LOAD_FAULTS(p, SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(p, t_pages(2), PROT_READ));
  T_LOADS(p, 'p');
  T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
  T_LOAD_FAULTS(p + t_pages(2), SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(p, t_pages(3), RW));
  T_STORES(p + t_pages(1), 'q');
  T_MEM_OLD(p + t_pages(2), t_pages(1), (off_t)t_pages(2));
  T_OK(munmap(p, t_pages(3)));
  T_FILE_OLD(fd, 0, t_pages(3));
}

/* The bytes of a page whose stores are refused are written as they were, beside its neighbours'. */
static void
sync_of_a_range_with_mixed_protections_writes_all_dirt(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(6));
  unsigned char *p = T_MAP(NULL, t_pages(6), RW, MAP_SHARED, fd, 0);

  memset(p, 'm', t_pages(6));
  T_OK(mprotect(p + t_pages(1), t_pages(1), PROT_NONE));
  T_OK(mprotect(p + t_pages(3), t_pages(2), PROT_READ));
  T_OK(msync(p, t_pages(6), MS_SYNC));
  T_FILE_ALL(fd, 0, t_pages(6), 'm');
  T_STORES(p + t_pages(5), 'n');
  T_STORES(p + t_pages(2), 'n');
  T_OK(mprotect(p, t_pages(6), PROT_NONE));
  T_OK(munmap(p, t_pages(6)));
  T_FILE_BYTE(fd, (off_t)t_pages(5), 'n');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'n');
}

static const struct t_case cases[] = {
  T_CASE(dirt_under_a_protection_is_written_later),
  T_CASE(dirt_under_a_protection_is_written_by_munmap),
  T_CASE(writing_allowed_again_is_noticed_again),
  T_CASE(each_page_keeps_its_own_protection),
  T_CASE(one_call_changes_pages_of_different_protections),
  T_CASE(one_call_spans_mappings_and_foreign_memory),
  T_CASE(other_mapping_of_the_file_keeps_its_protection),
  T_CASE(private_copies_survive_protections),
  T_CASE(sync_of_a_range_with_mixed_protections_writes_all_dirt),
};

T_MAIN(cases)
