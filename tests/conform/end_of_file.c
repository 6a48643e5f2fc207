/* end_of_file.c - the tail of the last page, SIGBUS past it, growing and shrinking.
 *
 * After each change that others make to the file the mapping is synced: without the shim softmap
 * notices a change then, or at a SIGBUS. On the host that makes no difference.
 */
#include "conform.h"

#include <string.h>

static const int types[] = { MAP_SHARED, MAP_PRIVATE };

static void
tail_of_the_last_page_is_zero_and_never_written(void) {
  off_t size = (off_t)t_pages(1) + 100;
  int fd = t_tmpfile(NULL, size);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  T_MEM_OLD(p, (size_t)size, 0);
  T_MEM_ALL(p + size, t_pages(2) - (size_t)size, 0);
  memset(p + size - 10, 't', 50);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_SIZE(fd, size);
  T_FILE_OLD(fd, 0, (size_t)size - 10);
  T_FILE_ALL(fd, size - 10, 10, 't');
  p[t_pages(2) - 1] = 'u';
  T_OK(munmap(p, t_pages(2)));
  T_FILE_SIZE(fd, size);
}

static void
what_was_stored_in_the_tail_is_zero_when_the_file_grows(void) {
  int fd = t_tmpfile(NULL, 100);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  if (t_files_in_memory())
    t_skip("files in memory have no write-back that zeroes the tail");
  memset(p, 'z', t_pages(1));
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_OK(munmap(p, t_pages(2)));
  T_OK(ftruncate(fd, (off_t)t_pages(1)));
  T_FILE_ALL(fd, 0, 100, 'z');
  T_FILE_ALL(fd, 100, t_pages(1) - 100, 0);
}

/* The same while the file stays mapped. */
static void
what_was_stored_in_the_tail_is_gone_when_the_file_grows(void) {
  int fd = t_tmpfile(NULL, 100);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  if (t_files_in_memory())
    t_skip("files in memory have no write-back that zeroes the tail");
  memset(p, 'z', t_pages(1));
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_OK(ftruncate(fd, (off_t)t_pages(1)));
  p[t_pages(1) - 1] = 'n';
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_MEM_ALL(p, 100, 'z');
  T_MEM_ALL(p + 100, t_pages(1) - 101, 0);
  T_FILE_ALL(fd, 100, t_pages(1) - 101, 0);
  T_FILE_BYTE(fd, (off_t)t_pages(1) - 1, 'n');
}

static void
pages_past_the_end_raise_sigbus(void) {
  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(1) + 1);
    unsigned char *p = T_MAP(NULL, t_pages(5), RW, types[i], fd, 0);

    T_LOADS(p + t_pages(2) - 1, 0);
    T_LOAD_FAULTS(p + t_pages(2), SIGBUS, BUS_ADRERR);
    T_LOAD_FAULTS(p + t_pages(3) + 77, SIGBUS, BUS_ADRERR);
    T_STORE_FAULTS(p + t_pages(2) + 1, SIGBUS, BUS_ADRERR);
    T_STORE_FAULTS(p + t_pages(5) - 1, SIGBUS, BUS_ADRERR);
    T_STORES(p, 's');
    T_OK(msync(p, t_pages(5), MS_SYNC));
    T_FILE_SIZE(fd, t_pages(1) + 1);
    T_FILE_BYTE(fd, 0, types[i] == MAP_SHARED ? 's' : t_old_byte(0));
  }
}

/* Protection comes before the end of the file. */
static void
forbidden_stores_past_the_end_raise_sigsegv(void) {
  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(1));
    unsigned char *p = T_MAP(NULL, t_pages(3), PROT_READ, types[i], fd, 0);

    T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
    T_LOAD_FAULTS(p + t_pages(1), SIGBUS, BUS_ADRERR);
    T_OK(mprotect(p, t_pages(3), PROT_NONE));
    T_LOAD_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
  }
}

static void
an_empty_file_can_be_mapped(void) {
  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, 0);
    unsigned char *p = T_MAP(NULL, t_pages(2), RW, types[i], fd, 0);

    T_LOAD_FAULTS(p, SIGBUS, BUS_ADRERR);
    T_STORE_FAULTS(p + t_pages(1), SIGBUS, BUS_ADRERR);
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_SIZE(fd, 0);
    T_OK(ftruncate(fd, (off_t)t_pages(1)));
    T_LOADS(p, 0);
    T_LOAD_FAULTS(p + t_pages(1), SIGBUS, BUS_ADRERR);
    T_OK(munmap(p, t_pages(2)));
    T_FILE_SIZE(fd, t_pages(1));
  }
}

static void
growth_is_seen_by_the_next_touch(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  int other = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  T_LOAD_FAULTS(p + t_pages(1), SIGBUS, BUS_ADRERR);
  T_PWRITE(other, (off_t)t_pages(1), t_pages(1) + 10, 'g');
  T_LOADS(p + t_pages(1), 'g');
  T_MEM_ALL(p + t_pages(1), t_pages(1) + 10, 'g');
  T_MEM_ALL(p + t_pages(2) + 10, t_pages(1) - 10, 0);
  T_LOAD_FAULTS(p + t_pages(3), SIGBUS, BUS_ADRERR);
  T_STORES(p + t_pages(2), 'h');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'h');
  T_FILE_SIZE(fd, t_pages(2) + 10);
}

static void
grow_in_child(void *path) {
  int fd = t_open(path, O_RDWR);

  T_PWRITE(fd, (off_t)t_pages(1), t_pages(1), 'c');
}

static void
growth_by_another_process_is_seen(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *q = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, fd, 0);

  T_LOAD_FAULTS(p + t_pages(1), SIGBUS, BUS_ADRERR);
  T_LOAD_FAULTS(q + t_pages(1), SIGBUS, BUS_ADRERR);
  T_IN_CHILD(grow_in_child, path, T_EXITED(0));
  T_MEM_ALL(p + t_pages(1), t_pages(1), 'c');
  T_MEM_ALL(q + t_pages(1), t_pages(1), 'c');
}

/* The page that held the end gets more bytes: no fault tells, but a sync that re-reads does. */
static void
growth_inside_the_last_page_is_seen_after_invalidating(void) {
  int fd = t_tmpfile(NULL, 100);
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  T_LOADS(p + 100, 0);
  T_PWRITE(fd, 100, 50, 'i');
  T_OK(msync(p, t_pages(1), MS_SYNC | MS_INVALIDATE));
  T_MEM_OLD(p, 100, 0);
  T_MEM_ALL(p + 100, 50, 'i');
  T_MEM_ALL(p + 150, t_pages(1) - 150, 0);
  p[149] = 'j';
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, 149, 'j');
  T_FILE_BYTE(fd, 148, 'i');
  T_FILE_SIZE(fd, 150);
}

static void
pages_cut_off_raise_sigbus_and_are_not_written(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  p[0] = 'a';
  p[t_pages(3)] = 'd';
  T_OK(ftruncate(fd, (off_t)t_pages(2)));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_SIZE(fd, t_pages(2));
  T_FILE_BYTE(fd, 0, 'a');
  T_MEM_OLD(p + t_pages(1), t_pages(1), (off_t)t_pages(1));
  T_LOAD_FAULTS(p + t_pages(2), SIGBUS, BUS_ADRERR);
  T_STORE_FAULTS(p + t_pages(3), SIGBUS, BUS_ADRERR);
  T_OK(munmap(p, t_pages(4)));
  T_FILE_SIZE(fd, t_pages(2));
}

static void
unmapping_dirty_pages_cut_off_does_not_grow_the_file(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  memset(p, 'x', t_pages(3));
  T_OK(ftruncate(fd, (off_t)t_pages(1) + 10));
  T_OK(munmap(p, t_pages(3)));
  T_FILE_SIZE(fd, t_pages(1) + 10);
  T_FILE_ALL(fd, 0, t_pages(1) + 10, 'x');
}

static void
bytes_cut_off_are_zero_when_the_file_grows_again(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  memset(p, 'x', t_pages(3));
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_OK(ftruncate(fd, 10));
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_OK(ftruncate(fd, (off_t)t_pages(3)));
  T_OK(msync(p, t_pages(3), MS_SYNC | MS_INVALIDATE));
  T_MEM_ALL(p, 10, 'x');
  T_MEM_ALL(p + 10, t_pages(3) - 10, 0);
  T_FILE_ALL(fd, 10, t_pages(3) - 10, 0);
}

/* ---- A handler that makes the file longer, so that the access goes well when it is retried ---- */

static int growing_fd;
static volatile off_t grow_to;
static volatile sig_atomic_t grown;
static void *volatile grown_at;

static void
grow_the_file(int signo, siginfo_t *info, void *context) {
  (void)context;
  grown++;
  grown_at = info->si_addr;
  if (signo != SIGBUS || info->si_code != BUS_ADRERR || ftruncate(growing_fd, grow_to) != 0)
    _exit(3);
}

static void
catch_with_growing(int fd) {
  struct sigaction action = { .sa_sigaction = grow_the_file, .sa_flags = SA_SIGINFO };

  growing_fd = fd;
  grown = 0;
  T_OK(sigaction(SIGBUS, &action, NULL));
}

static void
handler_may_grow_the_file_and_the_store_goes_through(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p;

  catch_with_growing(fd);
  p = T_MAP(NULL, t_pages(64), RW, MAP_SHARED, fd, 0);
  for (size_t page = 1; page < 40; page += 13) {
    int before = grown;

    grow_to = (off_t)t_pages(page + 1);
    PUT(p + t_pages(page) + 5, 'g');
    T_EQ(grown, before + 1);
    T_EQ((uintptr_t)grown_at, (uintptr_t)(p + t_pages(page) + 5));
    T_EQ(GET(p + t_pages(page) + 4), 0);
  }
  T_OK(msync(p, t_pages(64), MS_SYNC));
  for (size_t page = 1; page < 40; page += 13)
    T_FILE_BYTE(fd, (off_t)t_pages(page) + 5, 'g');
  T_FILE_SIZE(fd, t_pages(28));
  T_FILE_OLD(fd, 0, t_pages(1));
}

static void
handler_may_grow_an_empty_file_and_the_load_goes_through(void) {
  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, 0);
    unsigned char *p;

    catch_with_growing(fd);
    p = T_MAP(NULL, t_pages(3), RW, types[i], fd, 0);
    grow_to = (off_t)t_pages(2) + 1;
    T_EQ(GET(p + t_pages(2)), 0);
    T_EQ(grown, 1);
    T_EQ(GET(p), 0);
    PUT(p + 1, 'e');
    T_EQ(grown, 1);
    T_OK(munmap(p, t_pages(3)));
    T_FILE_BYTE(fd, 1, types[i] == MAP_SHARED ? 'e' : 0);
  }
}

/* A handler that returns without having changed anything is called again, as often as it returns. */
static volatile sig_atomic_t calls;

static void
grow_the_third_time(int signo, siginfo_t *info, void *context) {
  if (++calls == 3)
    grow_the_file(signo, info, context);
}

static void
handler_is_called_until_the_access_can_go_through(void) {
  struct sigaction action = { .sa_sigaction = grow_the_third_time, .sa_flags = SA_SIGINFO };
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p;

  catch_with_growing(fd);
  T_OK(sigaction(SIGBUS, &action, NULL));
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  grow_to = (off_t)t_pages(2);
  PUT(p + t_pages(1), 't');
  T_EQ(calls, 3);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 't');
}

static const struct t_case cases[] = {
  T_CASE(tail_of_the_last_page_is_zero_and_never_written),
  T_CASE(what_was_stored_in_the_tail_is_zero_when_the_file_grows),
  T_CASE_DIVERGES(what_was_stored_in_the_tail_is_gone_when_the_file_grows,
                  "it can't be told from what is stored after the file grew"),
  T_CASE(pages_past_the_end_raise_sigbus),
  T_CASE(forbidden_stores_past_the_end_raise_sigsegv),
  T_CASE(an_empty_file_can_be_mapped),
  T_CASE(growth_is_seen_by_the_next_touch),
  T_CASE(growth_by_another_process_is_seen),
  T_CASE(growth_inside_the_last_page_is_seen_after_invalidating),
  T_CASE(pages_cut_off_raise_sigbus_and_are_not_written),
  T_CASE(unmapping_dirty_pages_cut_off_does_not_grow_the_file),
  T_CASE(bytes_cut_off_are_zero_when_the_file_grows_again),
  T_CASE(handler_may_grow_the_file_and_the_store_goes_through),
  T_CASE(handler_may_grow_an_empty_file_and_the_load_goes_through),
  T_CASE(handler_is_called_until_the_access_can_go_through),
};

T_MAIN(cases)
