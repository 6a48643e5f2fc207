/* errors.c - failing writes, flushes, reads and resizes: reported, kept dirty, repeated.
 *
 * Each site is failed at its nth call, for n = 1, 2, ... until no call is left to fail; once, and
 * from there on for ever.
 */
#include "t_engine.h"

#include <pthread.h>

#include "api/shim.h"

enum { PAGES = 24 };

static unsigned char *p;
static int fd;
static unsigned char value;

static const int storage_errors[] = { ENOSPC, EIO, EDQUOT };

/* Stores into five runs of pages. */
static void
store_runs(bool dirty[PAGES]) {
  static const struct {
    size_t from, to;
  } runs[] = { { 0, 1 }, { 3, 5 }, { 7, 8 }, { 12, 16 }, { 23, 24 } };

  value++;
  memset(dirty, 0, PAGES * sizeof *dirty);
  for (size_t r = 0; r < sizeof runs / sizeof *runs; r++)
    for (size_t i = runs[r].from; i < runs[r].to; i++) {
      PUT(p + t_pages(i) + 7, value);
      dirty[i] = true;
    }
}

static void
check_file(const bool stored[PAGES]) {
  for (size_t i = 0; i < PAGES; i++)
    if (stored[i])
      T_FILE_BYTE(fd, (off_t)t_pages(i) + 7, value);
}

/* A page that isn't dirty any more is in the file. */
static void
check_what_is_clean_is_written(const bool stored[PAGES]) {
  struct softmap_range ranges[PAGES];
  bool dirty[PAGES] = { false };
  ssize_t n = softmap_dirty(p, t_pages(PAGES), ranges, PAGES);

  T_CHECK(n >= 0);
  for (ssize_t r = 0; r < n; r++)
    for (size_t k = 0; k < ranges[r].length; k += t_page_size())
      dirty[((size_t)ranges[r].offset + k) / t_page_size()] = true;
  for (size_t i = 0; i < PAGES; i++) {
    if (stored[i] && !dirty[i])
      T_FILE_BYTE(fd, (off_t)t_pages(i) + 7, value);
    T_CHECK(stored[i] || !dirty[i]);
  }
}

static void
fail_each_call(enum host_call site, uint32_t times, int how) {
  static const bool none[PAGES];
  bool stored[PAGES];
  uint32_t n = 0;
  uint32_t fired;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  do {
    int error = storage_errors[n % 3];

    n++;
    store_runs(stored);
    engine_dirty_is(T_HERE, p, PAGES, stored);
    engine_inject(site, n, times, error);
    errno = 0;
    if (msync(p, t_pages(PAGES), how) != 0)
      T_EQ(errno, error);
    else
      T_EQ(inject_fired(), 0);
    fired = inject_fired();
    inject_disarm();
    check_what_is_clean_is_written(stored);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    check_file(stored);
    engine_dirty_is(T_HERE, p, PAGES, none);
    T_FILE_SIZE(fd, (off_t)t_pages(PAGES));
  } while (fired != 0);
  T_CHECK(n > 1); /* some call was failed */
  T_OK(munmap(p, t_pages(PAGES)));
}

static void
failed_write_once(void) {
  fail_each_call(HOST_CALL_write, 1, MS_SYNC);
}

static void
failed_write_from_there_on(void) {
  fail_each_call(HOST_CALL_write, UINT32_MAX, MS_SYNC);
}

static void
failed_write_asynchronously(void) {
  fail_each_call(HOST_CALL_write, 1, MS_ASYNC);
}

static void
failed_look_at_the_file(void) {
  fail_each_call(HOST_CALL_stat_fd, 1, MS_SYNC);
}

static void
failed_flush(void) {
  fail_each_call(HOST_CALL_flush, 1, MS_SYNC);
}

/* The kernel reports a failed flush once and then calls the file clean: what was written must be
 * written again, by the next msync, and be dirty until then. */
static void
failed_flush_makes_dirty_again(void) {
  bool stored[PAGES];
  struct softmap_stats before;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  store_runs(stored);
  T_OK(msync(p, t_pages(PAGES), MS_ASYNC)); /* written, not flushed */
  T_NDIRTY(p, PAGES, 0);
  engine_inject(HOST_CALL_flush, 1, 1, EIO);
  T_ERR(msync(p, t_pages(1), MS_SYNC), EIO);
  inject_disarm();
  engine_dirty_is(T_HERE, p, PAGES, stored);
  before = T_STATS();
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_EQ(T_STATS().pages_written - before.pages_written, 9);
  T_NDIRTY(p, PAGES, 0);
  before = T_STATS();
  T_OK(msync(p, t_pages(PAGES), MS_SYNC)); /* flushed: not again */
  T_EQ(T_STATS().pages_written - before.pages_written, 0);
  T_EQ(T_STATS().flushes - before.flushes, 1);
}

/* The same where the shim flushes, by the program's own descriptor: once, for the file and its mappings. */
static void
failed_flush_of_the_program_makes_dirty_again(void) {
  bool stored[PAGES];
  struct softmap_stats before;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  for (int data_only = 0; data_only < 2; data_only++) {
    store_runs(stored);
    engine_inject(HOST_CALL_flush, 1, 1, EIO);
    T_EQ(shim_flush(fd, data_only), EIO);
    T_EQ(inject_fired(), 1);
    inject_disarm();
    check_file(stored);
    engine_dirty_is(T_HERE, p, PAGES, stored);
    before = T_STATS();
    T_EQ(shim_flush(fd, data_only), 0);
    T_EQ(T_STATS().pages_written - before.pages_written, 9);
    T_EQ(T_STATS().flushes - before.flushes, 1);
    T_NDIRTY(p, PAGES, 0);
  }
  T_OK(munmap(p, t_pages(PAGES)));
  T_EQ(shim_flush(fd, true), ENOENT); /* nobody has it mapped: the program's own call */
}

static void *
release_when_told(void *arg) {
  const struct t_meeting *meetings = arg;

  while (inject_fired() == 0)
    (void)usleep(100);
  t_ping(&meetings[0]);
  t_wait(&meetings[1]);
  inject_release(1);
  return NULL;
}

/* One process's flush ends well while another's, of other pages, is still under way and then fails. */
static void
failed_flush_beside_a_good_one(void) {
  struct inject_rule rule = {
    .call = HOST_CALL_flush, .nth = 1, .times = 1, .error = EIO, .hold = 1
  };
  struct t_meeting meetings[2] = { t_meeting(), t_meeting() };
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  pid = t_fork();
  if (pid == 0) {
    pthread_t thread;

    inject_arm(&rule);
    T_EQ(pthread_create(&thread, NULL, release_when_told, meetings), 0);
    PUT(p + t_pages(5), 'f');
    T_ERR(msync(p, t_pages(PAGES), MS_SYNC), EIO);
    (void)pthread_join(thread, NULL);
    _exit(0);
  }
  t_wait(&meetings[0]);
  T_OK(msync(p, t_pages(1), MS_SYNC));
  t_ping(&meetings[1]);
  T_REAP(pid, T_EXITED(0));
  T_NDIRTY(p, PAGES, 1);
}

static void
error_at_munmap_is_reported_later(void) {
  bool stored[PAGES];
  unsigned char *other;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  other = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  store_runs(stored);
  engine_inject(HOST_CALL_write, 1, UINT32_MAX, ENOSPC);
  T_OK(munmap(p, t_pages(PAGES)));
  inject_disarm();
  p = other;
  engine_dirty_is(T_HERE, p, PAGES, stored);
  T_ERR(msync(p, t_pages(1), MS_SYNC), ENOSPC);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  check_file(stored);
}

/* The same with no mapping left: sync_all knows. */
static void
error_at_the_last_munmap_is_reported_by_sync_all(void) {
  bool stored[PAGES];

  p = T_MAP_NEW(NULL, &fd, PAGES);
  store_runs(stored);
  engine_inject(HOST_CALL_write, 1, UINT32_MAX, ENOSPC);
  T_OK(munmap(p, t_pages(PAGES)));
  T_ERR(softmap_sync_all(), ENOSPC);
  inject_disarm();
  (void)softmap_sync_all();
  T_OK(softmap_sync_all());
  check_file(stored);
}

/* And the file mapped again shows the stores. */
static void
error_at_the_last_munmap_and_mapped_again(void) {
  bool stored[PAGES];

  p = T_MAP_NEW(NULL, &fd, PAGES);
  store_runs(stored);
  engine_inject(HOST_CALL_write, 1, UINT32_MAX, ENOSPC);
  T_OK(munmap(p, t_pages(PAGES)));
  inject_disarm();
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  for (size_t i = 0; i < PAGES; i++)
    if (stored[i])
      T_EQ(GET(p + t_pages(i) + 7), value);
  engine_dirty_is(T_HERE, p, PAGES, stored);
  T_ERR(msync(p, t_pages(PAGES), MS_SYNC), ENOSPC);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  check_file(stored);
}

/* Whatever the write at MAP_FIXED and at mremap says, nothing is lost. */
static void
error_at_map_fixed_and_mremap(void) {
  bool stored[PAGES];

  p = T_MAP_NEW(NULL, &fd, PAGES);
  store_runs(stored);
  engine_inject(HOST_CALL_write, 1, UINT32_MAX, EIO);
  p = T_REMAP(p, t_pages(PAGES), t_pages(PAGES), MREMAP_MAYMOVE | MREMAP_FIXED, t_reserve(PAGES));
  inject_disarm();
  engine_dirty_is(T_HERE, p, PAGES, stored);
  (void)msync(p, t_pages(PAGES), MS_SYNC);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  check_file(stored);
  store_runs(stored);
  engine_inject(HOST_CALL_write, 1, 1, EIO);
  p = T_MAP(p, t_pages(PAGES), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  inject_disarm();
  T_ERR(msync(p, t_pages(PAGES), MS_SYNC), EIO);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  check_file(stored);
}

/* Both sides of a split. */
static void
error_with_a_split_mapping(void) {
  bool stored[PAGES];

  p = T_MAP_NEW(NULL, &fd, PAGES);
  T_OK(mprotect(p + t_pages(4), t_pages(6), PROT_READ));
  T_OK(mprotect(p + t_pages(4), t_pages(6), RW));
  store_runs(stored);
  T_OK(munmap(p + t_pages(8), t_pages(2)));
  engine_inject(HOST_CALL_write, 2, UINT32_MAX, EIO);
  T_ERR(softmap_sync_all(), EIO);
  inject_disarm();
  T_OK(softmap_sync_all());
  check_file(stored);
}

/* ---- Short ----------------------------------------------------------------------------------- */

static void
short_writes_are_continued(void) {
  static const uint32_t lengths[] = { 1, 511, 4095, 4097, 9000 };
  bool stored[PAGES];

  p = T_MAP_NEW(NULL, &fd, PAGES);
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    struct inject_rule rule = {
      .call = HOST_CALL_write, .nth = 1, .times = UINT32_MAX, .shorten = lengths[i]
    };

    memset(p, 's' + (int)i, t_pages(PAGES));
    if (lengths[i] < 100)
      T_OK(msync(p + t_pages(1), t_pages(PAGES - 1), MS_SYNC)); /* leave one page only */
    inject_arm(&rule);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    T_CHECK(inject_fired() > 1);
    inject_disarm();
    T_FILE_ALL(fd, 0, t_pages(PAGES), (unsigned char)('s' + i));
    T_FILE_SIZE(fd, (off_t)t_pages(PAGES));
  }
  store_runs(stored);
}

static void
short_reads_are_continued(void) {
  struct inject_rule rule = {
    .call = HOST_CALL_read, .nth = 1, .times = UINT32_MAX, .shorten = 1000
  };

  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  inject_arm(&rule);
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  T_MEM_OLD(p, t_pages(PAGES), 0);
  T_CHECK(inject_fired() > 0);
  inject_disarm();
}

/* ---- While the file grows -------------------------------------------------------------------- */

/* What follows the file's growth fails: the old pages are as before, and later it works. */
static void
failed_growth(void) {
  static const enum host_call sites[] = { HOST_CALL_read,      HOST_CALL_write,
                                          HOST_CALL_resize,    HOST_CALL_next_data,
                                          HOST_CALL_byte_lock, HOST_CALL_stat_fd };

  for (size_t s = 0; s < sizeof sites / sizeof *sites; s++)
    for (uint32_t n = 1; n <= 4; n++) {
      fd = t_tmpfile(NULL, (off_t)t_pages(2) + 10);
      p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, 0);
      PUT(p, 'a');
      T_PWRITE(fd, (off_t)t_pages(2) + 10, t_pages(2), 'g');
      engine_inject(sites[s], n, UINT32_MAX, EIO);
      (void)t_load(p + t_pages(3), &(unsigned char){ 0 }); /* SIGBUS, or it worked */
      (void)msync(p, t_pages(8), MS_SYNC);
      inject_disarm();
      T_LOADS(p + t_pages(3), 'g');
      T_LOADS(p + t_pages(2) + 9, t_old_byte((off_t)t_pages(2) + 9));
      T_LOADS(p + t_pages(2) + 10, 'g');
      T_STORES(p + t_pages(3), 'h');
      (void)msync(p, t_pages(8), MS_SYNC);
      T_OK(msync(p, t_pages(8), MS_SYNC));
      T_FILE_BYTE(fd, 0, 'a');
      T_FILE_BYTE(fd, (off_t)t_pages(3), 'h');
      T_FILE_SIZE(fd, (off_t)t_pages(4) + 10);
      T_OK(munmap(p, t_pages(8)));
      (void)close(fd);
    }
}

/* ---- At the end ------------------------------------------------------------------------------ */

static char path[T_PATH];

static void
exit_with_a_full_device(void *arg) {
  (void)arg;
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  for (size_t i = 0; i < 4; i++)
    if (i != 1)
      PUT(p + t_pages(i), t_old_byte((off_t)t_pages(i)) ^ 1);
  engine_inject(HOST_CALL_write, 1, UINT32_MAX, ENOSPC);
  /* by exit */
}

static void
exit_in_child(void *arg) {
  T_IN_CHILD(exit_with_a_full_device, arg, T_EXITED(0));
}

static void
map_only(void *arg) {
  *(void **)arg = mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
}

/* One line with file, pages and errno; the section stays, and the next one to map writes it. */
static void
failure_at_exit_is_said_and_the_section_stays(void) {
  char text[4096];
  void *again = NULL;
  size_t lines;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  lines = T_STDERR_OF(exit_in_child, NULL, text);
  t_note("%s", text);
  T_EQ(lines, 1);
  T_CHECK(strncmp(text, "softmap: ", 9) == 0);
  T_CHECK(strstr(text, path) != NULL);
  T_CHECK(strstr(text, "3 pages") != NULL);
  T_CHECK(strstr(text, "ENOSPC") != NULL);
  T_FILE_OLD(fd, 0, t_pages(PAGES));
  lines = T_STDERR_OF(map_only, &again, text);
  T_CHECK(again != MAP_FAILED);
  T_EQ(lines, 0);
  T_FILE_BYTE(fd, 0, t_old_byte(0) ^ 1);
}

static const struct t_case cases[] = {
  T_CASE(failed_write_once),
  T_CASE(failed_write_from_there_on),
  T_CASE(failed_write_asynchronously),
  T_CASE(failed_look_at_the_file),
  T_CASE(failed_flush),
  T_CASE(failed_flush_makes_dirty_again),
  T_CASE(failed_flush_of_the_program_makes_dirty_again),
  T_CASE(failed_flush_beside_a_good_one),
  T_CASE(error_at_munmap_is_reported_later),
  T_CASE(error_at_the_last_munmap_is_reported_by_sync_all),
  T_CASE(error_at_the_last_munmap_and_mapped_again),
  T_CASE(error_at_map_fixed_and_mremap),
  T_CASE(error_with_a_split_mapping),
  T_CASE(short_writes_are_continued),
  T_CASE(short_reads_are_continued),
  T_CASE(failed_growth),
  T_CASE_WITH(failure_at_exit_is_said_and_the_section_stays, T_MAPS_NOTHING | T_KILLS),
};
T_MAIN(cases)
