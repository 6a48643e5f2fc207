/* contents.c - what mappings hold and what reaches the file. */
#include "conform.h"

#include <string.h>

static void
shared_store_is_in_the_file_after_msync(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(8));
  unsigned char *p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, 0);

  memset(p + t_pages(2), 's', t_pages(1));
  p[t_pages(5) + 7] = 't';
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_OLD(fd, 0, t_pages(2));
  T_FILE_ALL(fd, (off_t)t_pages(2), t_pages(1), 's');
  T_FILE_OLD(fd, (off_t)t_pages(3), t_pages(2) + 7);
  T_FILE_BYTE(fd, (off_t)t_pages(5) + 7, 't');
  T_FILE_OLD(fd, (off_t)t_pages(5) + 8, t_pages(3) - 8);
  T_FILE_SIZE(fd, t_pages(8));
}

static void
every_byte_of_a_page_is_written(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  for (size_t i = 0; i < t_pages(2); i++)
    p[i] = (unsigned char)~t_old_byte((off_t)i);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 0, p, t_pages(2));
}

/* Again and again: a page that was synced is noticed when it is stored to anew. */
static void
each_store_after_a_sync_reaches_the_file(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  for (unsigned char round = 1; round < 20; round++) {
    p[round] = round;
    p[t_pages(1)] = round;
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd, round, round);
    T_FILE_BYTE(fd, (off_t)t_pages(1), round);
  }
}

static void
private_store_never_reaches_the_file(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_PRIVATE, fd, 0);
  unsigned char *q = T_MAP(NULL, t_pages(4), RW, MAP_PRIVATE, fd, 0);

  memset(p, 'p', t_pages(3));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_MEM_ALL(p, t_pages(3), 'p');
  T_MEM_OLD(p + t_pages(3), t_pages(1), (off_t)t_pages(3));
  T_MEM_OLD(q, t_pages(4), 0);
  T_FILE_OLD(fd, 0, t_pages(4));
  T_OK(munmap(p, t_pages(4)));
  T_FILE_OLD(fd, 0, t_pages(4));
}

static void
two_mappings_of_a_file_are_one_memory(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(4));
  unsigned char *a = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  unsigned char *b =
      T_MAP(NULL, t_pages(2), RW, MAP_SHARED, t_open(path, O_RDWR), (off_t)t_pages(2));

  a[t_pages(2)] = 'a';
  T_LOADS(b, 'a');
  b[t_pages(1)] = 'b';
  T_LOADS(a + t_pages(3), 'b');
  T_OK(msync(a, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'a');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'b');
  b[0] = 'c';
  T_OK(munmap(a, t_pages(4)));
  T_LOADS(b, 'c');
  b[1] = 'd';
  T_OK(msync(b, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_pages(2), "cd", 2);
}

/* A page that is open through one mapping is synced through the other, then stored to through each:
 * none is lost. */
static void
sync_through_one_mapping_keeps_the_stores_of_the_other(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *a = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  unsigned char *b = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  for (unsigned char round = 1; round < 10; round++) {
    a[0] = round;
    b[1] = round;
    T_OK(msync(a, t_pages(1), MS_SYNC));
    T_FILE_BYTE(fd, 0, round);
    T_FILE_BYTE(fd, 1, round);
    b[2] = round;
    T_OK(msync(a, t_pages(1), MS_SYNC));
    T_FILE_BYTE(fd, 2, round);
  }
}

static void
private_mapping_sees_the_file_and_synced_stores(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *shared = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  unsigned char *before = T_MAP(NULL, t_pages(3), RW, MAP_PRIVATE, fd, 0);
  unsigned char *after;

  before[t_pages(1)] = 'p';
  shared[0] = 's';
  shared[t_pages(1) + 1] = 's';
  T_OK(msync(shared, t_pages(3), MS_SYNC));
  after = T_MAP(NULL, t_pages(3), PROT_READ, MAP_PRIVATE, fd, 0);
  T_LOADS(after, 's');
  T_LOADS(after + t_pages(1) + 1, 's');
  T_LOADS(after + t_pages(1), t_old_byte((off_t)t_pages(1)));
  T_LOADS(before + t_pages(1), 'p');
  T_MEM_OLD(before + t_pages(2), t_pages(1), (off_t)t_pages(2));
  T_LOADS(shared + t_pages(1), t_old_byte((off_t)t_pages(1)));
}

static void
mapping_starts_at_its_offset(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(10));

  for (size_t page = 0; page < 10; page += 3) {
    unsigned char *p = T_MAP(NULL, t_pages(10 - page), RW, MAP_SHARED, fd, (off_t)t_pages(page));

    T_MEM_OLD(p + 2, t_pages(10 - page) - 2, (off_t)t_pages(page) + 2);
    p[1] = (unsigned char)page;
    T_OK(msync(p, t_pages(1), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(page) + 1, (unsigned char)page);
    T_OK(munmap(p, t_pages(10 - page)));
  }
}

static void
length_is_rounded_up_to_pages(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(1) + 1, RW, MAP_SHARED, fd, 0);

  T_MEM_OLD(p, t_pages(2), 0);
  T_STORES(p + t_pages(2) - 1, 'r');
  T_OK(msync(p, t_pages(1) + 1, MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2) - 1, 'r');
}

/* What others changed in pages that the mapping didn't store to is still there. */
static void
pages_not_stored_to_are_not_written(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(8));
  int other = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, 0);

  T_MEM_OLD(p, t_pages(8), 0);
  p[t_pages(3)] = 'm';
  T_PWRITE(other, (off_t)t_pages(4), t_pages(2), 'o');
  T_PWRITE(other, 0, t_pages(1), 'o');
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_OK(munmap(p, t_pages(8)));
  T_FILE_ALL(fd, 0, t_pages(1), 'o');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'm');
  T_FILE_ALL(fd, (off_t)t_pages(4), t_pages(2), 'o');
}

static void
mapping_again_sees_what_was_stored_before(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));

  for (unsigned char round = 1; round < 8; round++) {
    unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

    T_LOADS(p + 3, round == 1 ? t_old_byte(3) : (unsigned char)(round - 1));
    p[3] = round;
    T_OK(munmap(p, t_pages(2)));
    T_FILE_BYTE(fd, 3, round);
  }
}

/* Between two mappings the file is changed by pwrite: the second shows it. */
static void
mapping_again_sees_what_was_written_between(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  p[0] = 'm';
  T_OK(munmap(p, t_pages(2)));
  T_PWRITE(fd, 0, t_pages(1), 'w');
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  T_MEM_ALL(p, t_pages(1), 'w');
  p[1] = 'n';
  T_OK(munmap(p, t_pages(2)));
  T_FILE_EQUALS(fd, 0, "wnw", 3);
}

/* Two files, two mappings side by side: each store goes to its own file. */
static void
neighbouring_mappings_of_two_files_stay_apart(void) {
  int one = t_tmpfile(NULL, (off_t)t_pages(2));
  int two = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_reserve(4);

  T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, one, 0);
  T_MAP(area + t_pages(2), t_pages(2), RW, MAP_SHARED | MAP_FIXED, two, 0);
  memset(area + t_pages(1), 'x', t_pages(2));
  T_OK(msync(area, t_pages(4), MS_SYNC));
  T_FILE_OLD(one, 0, t_pages(1));
  T_FILE_ALL(one, (off_t)t_pages(1), t_pages(1), 'x');
  T_FILE_ALL(two, 0, t_pages(1), 'x');
  T_FILE_OLD(two, (off_t)t_pages(1), t_pages(1));
}

/* Unaligned and wide accesses that cross pages, by library code that knows nothing of mappings. */
static void
accesses_across_pages_work(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  uint64_t word = UINT64_C(0x0102030405060708);

  memcpy(p + t_pages(1) - 3, &word, sizeof word);
  memmove(p + t_pages(2) - 50, p + t_pages(3) - 50, 100);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_pages(1) - 3, &word, sizeof word);
  T_FILE_EQUALS(fd, (off_t)t_pages(2) - 50, p + t_pages(3) - 50, 100);
  T_FILE_OLD(fd, (off_t)t_pages(2) + 50, 100);
}

static const struct t_case cases[] = {
  T_CASE(shared_store_is_in_the_file_after_msync),
  T_CASE(every_byte_of_a_page_is_written),
  T_CASE(each_store_after_a_sync_reaches_the_file),
  T_CASE(private_store_never_reaches_the_file),
  T_CASE(two_mappings_of_a_file_are_one_memory),
  T_CASE(sync_through_one_mapping_keeps_the_stores_of_the_other),
  T_CASE(private_mapping_sees_the_file_and_synced_stores),
  T_CASE(mapping_starts_at_its_offset),
  T_CASE(length_is_rounded_up_to_pages),
  T_CASE(pages_not_stored_to_are_not_written),
  T_CASE(mapping_again_sees_what_was_stored_before),
  T_CASE(mapping_again_sees_what_was_written_between),
  T_CASE(neighbouring_mappings_of_two_files_stay_apart),
  T_CASE(accesses_across_pages_work),
};

T_MAIN(cases)
