/* merge.c - SOFTMAP_MAP_MERGE and the tracker "compare": only the bytes that changed are written, so
 * that what others write elsewhere in the same page survives.
 */
#include "t_engine.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PAGES = 300 };

static unsigned char *p;
static int fd;
static bool is_compare; /* in this case */

static void
map_file(const char *tracker, off_t size) {
  int flags = MAP_SHARED;

  is_compare = strcmp(tracker, "compare") == 0;
  T_OK(softmap_configure("tracker", tracker));
  if (!is_compare)
    flags |= SOFTMAP_MAP_MERGE;
  else
    T_OK(softmap_configure("fill", "whole"));
  fd = t_tmpfile(NULL, size);
  p = T_MAP(NULL, (size_t)size, RW, flags, fd, 0);
}

static void
change(size_t at) {
  PUT(p + at, GET(p + at) + 1);
}

/* Bytes here and there of pages; others change the bytes beside them. */
static void
bytes_beside_others(const char *tracker) {
  size_t step = t_page_size() / 3 + 5, count = 0;
  struct softmap_stats before, after;

  map_file(tracker, (off_t)(t_pages(PAGES) - 100));
  for (unsigned round = 0; round < 4; round++) {
    size_t shift = round * 10, pages = 0, last = SIZE_MAX;

    count = 0;
    before = T_STATS();
    for (size_t at = shift; at < t_pages(PAGES) - 100; at += step) {
      change(at);
      count++;
      pages += at / t_page_size() != last;
      last = at / t_page_size();
      T_PWRITE(fd, (off_t)at + 1, 1, 'o');
      if (at > 0)
        T_PWRITE(fd, (off_t)at - 1, 1, 'o');
    }
    T_NDIRTY(p, PAGES, (intmax_t)pages);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    after = T_STATS();
    T_EQ(after.bytes_written - before.bytes_written, count);
    T_EQ(after.pages_written - before.pages_written, pages);
    if (is_compare)
      T_EQ(after.faults_write, 0);
    for (size_t at = shift; at < t_pages(PAGES) - 100; at += step) {
      T_FILE_BYTE(fd, (off_t)at, GET(p + at));
      T_FILE_BYTE(fd, (off_t)at + 1, 'o');
      if (at > 0)
        T_FILE_BYTE(fd, (off_t)at - 1, 'o');
    }
    T_NDIRTY(p, PAGES, 0);
  }
}

static void
merge_writes_changed_bytes(void) {
  bytes_beside_others("fault");
}

static void
compare_writes_changed_bytes(void) {
  bytes_beside_others("compare");
}

/* The control: without it the page is written whole. */
static void
whole_pages_without_it(void) {
  T_OK(softmap_configure("tracker", "fault"));
  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  change(10);
  T_PWRITE(fd, 20, 1, 'o');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, 20, t_old_byte(20));
}

static void
same_value_is_no_store(void) {
  for (int i = 0; i < 2; i++) {
    uint64_t before = T_STATS().bytes_written;

    map_file(i ? "compare" : "fault", (off_t)t_pages(PAGES));
    for (size_t k = 0; k < PAGES; k++)
      PUT(p + t_pages(k), GET(p + t_pages(k)));
    change(5);
    change(5 + t_pages(2));
    PUT(p + 5 + t_pages(2), GET(p + 5 + t_pages(2)) - 1); /* taken back */
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    T_EQ(T_STATS().bytes_written - before, 1);
    T_OK(munmap(p, t_pages(PAGES)));
  }
}

static void
tiny_file(void) {
  for (int i = 0; i < 2; i++) {
    map_file(i ? "compare" : "fault", 10);
    change(3);
    PUT(p + 50, 'x'); /* behind the end */
    T_PWRITE(fd, 4, 1, 'o');
    T_OK(msync(p, 10, MS_SYNC));
    T_FILE_BYTE(fd, 3, GET(p + 3));
    T_FILE_BYTE(fd, 4, 'o');
    T_FILE_SIZE(fd, 10);
    T_PWRITE(fd, 10, 100, 'g'); /* grows in the page */
    change(5);
    T_OK(msync(p, 10, MS_SYNC));
    T_OK(msync(p, 10, MS_SYNC));
    T_MEM_ALL(p + 60, 50, 'g');
    change(70);
    T_OK(msync(p, 10, MS_SYNC));
    T_FILE_BYTE(fd, 70, GET(p + 70));
    T_FILE_BYTE(fd, 5, GET(p + 5));
    T_FILE_SIZE(fd, 110);
    T_OK(munmap(p, 10));
  }
}

/* Looking doesn't take away what says which bytes changed. */
static void
looking_changes_nothing(void) {
  struct softmap_page pages[4];

  for (int i = 0; i < 2; i++) {
    map_file(i ? "compare" : "fault", (off_t)t_pages(PAGES));
    change(7);
    T_NDIRTY(p, PAGES, 1);
    T_EQ(softmap_pages(p, t_pages(4), pages, 4), 4);
    T_EQ(pages[0].state, SOFTMAP_PAGE_DIRTY);
    T_EQ(pages[1].state, i ? SOFTMAP_PAGE_OPENED_AHEAD : SOFTMAP_PAGE_CLEAN);
    T_PWRITE(fd, 8, 1, 'o');
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    T_FILE_BYTE(fd, 8, 'o');
    T_FILE_BYTE(fd, 7, GET(p + 7));
    T_OK(munmap(p, t_pages(PAGES)));
  }
}

static void
write_that_fails(void) {
  static const struct {
    uint32_t nth;
    uint32_t shorten;
    int error;
  } rows[] = { { 1, 0, ENOSPC }, { 2, 0, EIO }, { 1, 1, 0 }, { 3, 2, 0 } };

  for (int i = 0; i < 2; i++) {
    map_file(i ? "compare" : "fault", (off_t)t_pages(PAGES));
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
      struct inject_rule rule = { .call = HOST_CALL_write,
                                  .nth = rows[row].nth,
                                  .times = 1,
                                  .error = rows[row].error,
                                  .shorten = rows[row].shorten };

      for (size_t k = 0; k < 5; k++) {
        memset(p + t_pages(k) + 16, (int)(i * 8 + (int)row + 1), 8);
        T_PWRITE(fd, (off_t)t_pages(k) + 24, 1, 'o');
      }
      inject_arm(&rule);
      if (rows[row].error)
        T_ERR(msync(p, t_pages(PAGES), MS_SYNC), rows[row].error);
      else
        T_OK(msync(p, t_pages(PAGES), MS_SYNC));
      inject_disarm();
      T_NDIRTY(p, PAGES, rows[row].error ? 1 : 0);
      T_OK(msync(p, t_pages(PAGES), MS_SYNC));
      for (size_t k = 0; k < 5; k++) {
        T_FILE_EQUALS(fd, (off_t)t_pages(k) + 16, p + t_pages(k) + 16, 8);
        T_FILE_BYTE(fd, (off_t)t_pages(k) + 24, 'o');
      }
    }
    T_OK(munmap(p, t_pages(PAGES)));
  }
}

static void
needs_room_for_all_twins(void) {
  T_OK(softmap_configure("tracker", "fault"));
  T_OK(softmap_configure("ahead", "64"));
  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  T_ERR(AS_RESULT(mmap(NULL, t_pages(PAGES), RW, MAP_SHARED | SOFTMAP_MAP_MERGE, fd, 0)), EBUSY);
  T_OK(munmap(p, t_pages(PAGES)));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED | SOFTMAP_MAP_MERGE, fd, 0);
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
}

/* What others wrote beside our bytes is read; what we stored stays. */
static void
invalidating(void) {
  for (int i = 0; i < 2; i++) {
    map_file(i ? "compare" : "fault", (off_t)t_pages(PAGES));
    change(5);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    change(6);
    T_PWRITE(fd, 7, 1, 'o');
    T_PWRITE(fd, (off_t)t_pages(3), 1, 'o');
    T_OK(msync(p, t_pages(PAGES), MS_SYNC | MS_INVALIDATE));
    T_LOADS(p + 7, 'o');
    T_LOADS(p + t_pages(3), 'o');
    T_FILE_EQUALS(fd, 0, p, t_pages(PAGES));
    T_NDIRTY(p, PAGES, 0);
    change(7);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    T_FILE_BYTE(fd, 7, 'o' + 1);
    T_OK(munmap(p, t_pages(PAGES)));
  }
}

/* ---- Threads and processes ------------------------------------------------------------------- */

enum { THREADS = 3 };
static atomic_bool stop;

/* Each has bytes of its own in all pages. */
static void *
change_own_bytes(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (unsigned round = 1; round <= engine_scale(15, 150, 1500); round++) {
    for (size_t k = 0; k < 40; k++)
      PUT(p + t_pages(k) + id, round);
    T_OK(msync(p, t_pages(40), MS_ASYNC));
    for (size_t k = 0; k < 40; k++)
      T_FILE_BYTE(fd, (off_t)(t_pages(k) + id), (unsigned char)round);
  }
  return NULL;
}

/* The other host: bytes of its own in the file. */
static void *
change_the_file(void *arg) {
  for (unsigned i = 0; !atomic_load(&stop); i++)
    for (size_t k = 0; k < 40; k++) {
      T_PWRITE(fd, (off_t)t_pages(k) + 100, 1, (unsigned char)i);
      T_FILE_BYTE(fd, (off_t)t_pages(k) + 100, (unsigned char)i);
    }
  return arg;
}

static void
threads(const char *tracker) {
  pthread_t thread[THREADS], other;

  map_file(tracker, (off_t)t_pages(PAGES));
  T_EQ(pthread_create(&other, NULL, change_the_file, NULL), 0);
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_create(&thread[i], NULL, change_own_bytes, (void *)i), 0);
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  atomic_store(&stop, true);
  T_EQ(pthread_join(other, NULL), 0);
}

static void
compare_with_threads(void) {
  threads("compare");
}

static void
merge_with_threads(void) {
  threads("fault");
}

static void
processes(const char *tracker) {
  pid_t pid[2];

  map_file(tracker, (off_t)t_pages(PAGES));
  for (size_t i = 0; i < 2; i++) {
    pid[i] = t_fork();
    if (pid[i] == 0) {
      (void)change_own_bytes((void *)(i + 1));
      _exit(0);
    }
  }
  (void)change_own_bytes((void *)0);
  for (size_t i = 0; i < 2; i++)
    T_REAP(pid[i], T_EXITED(0));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_NDIRTY(p, PAGES, 0);
}

static void
compare_with_processes(void) {
  processes("compare");
}

static void
merge_with_processes(void) {
  processes("fault");
}

static void
killed(const char *tracker) {
  struct t_meeting done = t_meeting();
  pid_t pid;

  map_file(tracker, (off_t)t_pages(PAGES));
  pid = t_fork();
  if (pid == 0) {
    for (size_t k = 0; k < 20; k++)
      change(t_pages(k) + k);
    t_ping(&done);
    for (;;)
      pause();
  }
  t_wait(&done);
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
  T_NDIRTY(p, PAGES, 20);
  for (size_t k = 0; k < 20; k++)
    T_PWRITE(fd, (off_t)(t_pages(k) + 200), 1, 'o');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  for (size_t k = 0; k < 20; k++) {
    T_FILE_BYTE(fd, (off_t)(t_pages(k) + k), GET(p + t_pages(k) + k));
    T_FILE_BYTE(fd, (off_t)(t_pages(k) + 200), 'o');
  }
  T_NDIRTY(p, PAGES, 0);
}

static void
compare_of_the_killed(void) {
  killed("compare");
}

static void
merge_of_the_killed(void) {
  killed("fault");
}

static const struct t_case cases[] = {
  T_CASE(merge_writes_changed_bytes),
  T_CASE(compare_writes_changed_bytes),
  T_CASE(whole_pages_without_it),
  T_CASE(same_value_is_no_store),
  T_CASE(tiny_file),
  T_CASE(looking_changes_nothing),
  T_CASE(write_that_fails),
  T_CASE(needs_room_for_all_twins),
  T_CASE(invalidating),
  T_CASE(merge_with_threads),
  T_CASE(compare_with_threads),
  T_CASE(merge_with_processes),
  T_CASE(compare_with_processes),
  T_CASE_WITH(merge_of_the_killed, T_KILLS),
  T_CASE_WITH(compare_of_the_killed, T_KILLS),
};
T_MAIN(cases)
