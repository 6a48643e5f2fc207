/* msync.c - what a sync writes, what it leaves, and what it reads again. */
#include "conform.h"

#include <string.h>
#include <sys/stat.h>

static void
every_kind_of_sync_keeps_the_store(void) {
  static const struct {
    const char *name;
    int flags;
  } rows[] = {
    { "MS_SYNC", MS_SYNC },
    { "MS_ASYNC", MS_ASYNC },
    { "none", 0 },
    { "MS_INVALIDATE", MS_INVALIDATE },
    { "MS_SYNC|MS_INVALIDATE", MS_SYNC | MS_INVALIDATE },
    { "MS_ASYNC|MS_INVALIDATE", MS_ASYNC | MS_INVALIDATE },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(2));
    unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

    p[5] = 'k';
    T_ROW(rows[i].name, msync(p, t_pages(2), rows[i].flags), 0);
    T_LOADS(p + 5, 'k');
    p[t_pages(1)] = 'l';
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd, 5, 'k');
    T_FILE_BYTE(fd, (off_t)t_pages(1), 'l');
  }
}

static void
ms_async_puts_the_store_into_the_file(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  p[0] = 'a';
  T_OK(msync(p, t_pages(2), MS_ASYNC));
  T_FILE_BYTE(fd, 0, 'a');
  p[1] = 'b';
  T_OK(msync(p, t_pages(2), MS_ASYNC));
  T_FILE_EQUALS(fd, 0, "ab", 2);
}

static void
length_is_rounded_up_to_pages(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  p[t_pages(2) - 1] = 'r';
  T_OK(msync(p, t_pages(1) + 1, MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2) - 1, 'r');
}

/* The same sync again, and one of clean pages: nothing is written over what others wrote since. */
static void
clean_pages_are_not_written(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(4));
  int other = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  memset(p, 'm', t_pages(4));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_PWRITE(other, (off_t)t_pages(1), t_pages(1), 'o');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_ALL(fd, (off_t)t_pages(1), t_pages(1), 'o');
  T_OK(munmap(p, t_pages(4)));
  T_FILE_ALL(fd, 0, t_pages(1), 'm');
  T_FILE_ALL(fd, (off_t)t_pages(1), t_pages(1), 'o');
  T_FILE_ALL(fd, (off_t)t_pages(2), t_pages(2), 'm');
}

/* After a split each part still knows where in the file it lies. */
static void
sync_of_a_part_after_a_split_uses_the_right_offset(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(10));
  unsigned char *p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, (off_t)t_pages(2));

  T_OK(munmap(p + t_pages(2), t_pages(1)));
  T_OK(mprotect(p + t_pages(4), t_pages(1), PROT_READ));
  for (size_t page = 0; page < 8; page++)
    if (page != 2 && page != 4)
      p[t_pages(page)] = (unsigned char)('0' + page);
  T_OK(msync(p + t_pages(3), t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(5), '3');
  T_OK(msync(p + t_pages(5), t_pages(3), MS_SYNC));
  T_OK(msync(p, t_pages(2), MS_SYNC));
  for (size_t page = 0; page < 8; page++)
    T_FILE_BYTE(fd, (off_t)t_pages(page + 2),
                page == 2 || page == 4 ? t_old_byte((off_t)t_pages(page + 2))
                                       : (unsigned char)('0' + page));
  T_FILE_OLD(fd, 0, t_pages(2));
  for (size_t page = 2; page < 10; page++)
    T_FILE_OLD(fd, (off_t)t_pages(page) + 1, t_pages(1) - 1);
}

static void
one_sync_spans_files_private_pages_and_foreign_memory(void) {
  int one = t_tmpfile(NULL, (off_t)t_pages(2));
  int two = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_foreign(8, 'f');

  T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, one, 0);
  T_MAP(area + t_pages(3), t_pages(1), RW, MAP_PRIVATE | MAP_FIXED, one, 0);
  T_MAP(area + t_pages(4), t_pages(2), RW, MAP_SHARED | MAP_FIXED, two, 0);
  for (size_t page = 0; page < 8; page++)
    area[t_pages(page) + 1] = (unsigned char)('0' + page);
  T_OK(msync(area, t_pages(8), MS_SYNC));
  T_FILE_BYTE(one, 1, '0');
  T_FILE_BYTE(one, (off_t)t_pages(1) + 1, '1');
  T_FILE_BYTE(two, 1, '4');
  T_FILE_BYTE(two, (off_t)t_pages(1) + 1, '5');
  T_LOADS(area + t_pages(2) + 1, '2');
  T_LOADS(area + t_pages(3) + 1, '3');
  T_LOADS(area + t_pages(7) + 1, '7');
}

/* A sync through a mapping that may only read writes what another stored. */
static void
sync_through_a_read_only_mapping_writes_the_stores_of_others(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  unsigned char *writer = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  unsigned char *reader = T_MAP(NULL, t_pages(1), PROT_READ, MAP_SHARED, fd, 0);

  writer[0] = 'w';
  T_OK(msync(reader, t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'w');
}

static void
ms_invalidate_reads_clean_pages_again(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(4));
  int other = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  unsigned char *q = T_MAP(NULL, t_pages(4), PROT_READ, MAP_SHARED, fd, 0);

  T_MEM_OLD(p, t_pages(4), 0);
  p[0] = 'm';
  T_PWRITE(other, (off_t)t_pages(1), t_pages(1), 'o');
  T_OK(msync(p, t_pages(4), MS_SYNC | MS_INVALIDATE));
  T_LOADS(p, 'm');
  T_MEM_OLD(p + 1, t_pages(1) - 1, 1);
  T_MEM_ALL(p + t_pages(1), t_pages(1), 'o');
  T_MEM_ALL(q + t_pages(1), t_pages(1), 'o');
  T_MEM_OLD(p + t_pages(2), t_pages(2), (off_t)t_pages(2));
  p[t_pages(1)] = 'n';
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_pages(1), "no", 2);
}

static void
ms_invalidate_alone_reads_pages_that_were_synced(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  p[0] = 'm';
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_PWRITE(fd, 0, 2, 'o');
  T_OK(msync(p, t_pages(2), MS_INVALIDATE));
  T_LOADS(p, 'o');
  T_LOADS(p + 1, 'o');
  T_MEM_OLD(p + 2, t_pages(1) - 2, 2);
}

static void
private_pages_are_neither_written_nor_read_again(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, fd, 0);
  static const int flags[] = { MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE };

  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    memset(p, 'p', t_pages(1));
    T_OK(msync(p, t_pages(2), flags[i]));
    T_MEM_ALL(p, t_pages(1), 'p');
    T_FILE_OLD(fd, 0, t_pages(2));
  }
}

/* Another descriptor, opened anew, sees it: the store is the file's, not the descriptor's. */
static void
synced_store_is_seen_through_any_descriptor(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  p[7] = 'd';
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_FILE_BYTE(t_open(path, O_RDONLY), 7, 'd');
  T_FILE_BYTE(dup(fd), 7, 'd');
}

/* ---- The time of modification ---------------------------------------------------------------- */

enum { LONG_AGO = 1000 };

static void
make_old(int fd) {
  struct timespec times[2] = { { LONG_AGO, 0 }, { LONG_AGO, 0 } };

  T_OK(futimens(fd, times));
}

static bool
is_old(int fd) {
  struct stat st;

  T_OK(fstat(fd, &st));
  return st.st_mtime == LONG_AGO;
}

static void
sync_of_a_store_changes_the_time_of_modification(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  T_LOADS(p, t_old_byte(0));
  make_old(fd);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_CHECK(is_old(fd));
  p[0] = 'm';
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_CHECK(!is_old(fd));
  make_old(fd);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_CHECK(is_old(fd));
}

static void
store_changes_the_time_of_modification(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  make_old(fd);
  T_LOADS(p, t_old_byte(0));
  T_CHECK(is_old(fd));
  PUT(p, 'm');
  T_CHECK(!is_old(fd));
}

static const struct t_case cases[] = {
  T_CASE(every_kind_of_sync_keeps_the_store),
  T_CASE(ms_async_puts_the_store_into_the_file),
  T_CASE(length_is_rounded_up_to_pages),
  T_CASE(clean_pages_are_not_written),
  T_CASE(sync_of_a_part_after_a_split_uses_the_right_offset),
  T_CASE(one_sync_spans_files_private_pages_and_foreign_memory),
  T_CASE(sync_through_a_read_only_mapping_writes_the_stores_of_others),
  T_CASE(ms_invalidate_reads_clean_pages_again),
  T_CASE(ms_invalidate_alone_reads_pages_that_were_synced),
  T_CASE(private_pages_are_neither_written_nor_read_again),
  T_CASE(synced_store_is_seen_through_any_descriptor),
  T_CASE(sync_of_a_store_changes_the_time_of_modification),
  T_CASE_DIVERGES(store_changes_the_time_of_modification, "it changes when the page is written"),
};

T_MAIN(cases)
