/* contract.c - what an atomic mapping promises: kinds that don't mix, what a sync writes and what it
 * doesn't, whose stores go with a dead process, and failing calls of the host.
 */
#include "atomic.h"

#include "host/host.h"

#include <sys/prctl.h>
#include <sys/stat.h>

enum { PAGES = 8 };

static char path[T_PATH];
static int fd;

static unsigned char *
map_new(size_t npages) {
  fd = t_tmpfile(path, (off_t)t_pages(npages));
  return T_MAP(NULL, t_pages(npages), RW, ATOMIC, fd, 0);
}

static void
unmap(unsigned char *p, size_t npages) {
  T_OK(munmap(p, t_pages(npages)));
  T_EQ(journals(path), 0);
  (void)close(fd);
}

/* ---- Kinds ----------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  int first, second;
  int want;
} kinds[] = {
  { "atomic beside plain", MAP_SHARED, ATOMIC, EBUSY },
  { "plain beside atomic", ATOMIC, MAP_SHARED, EBUSY },
  { "atomic beside atomic", ATOMIC, ATOMIC, 0 },
  { "plain beside plain", MAP_SHARED, MAP_SHARED, 0 },
  { "private beside atomic", ATOMIC, MAP_PRIVATE, 0 },
  { "atomic beside private", MAP_PRIVATE, ATOMIC, 0 },
  { "plain beside private", MAP_PRIVATE, MAP_SHARED, 0 },
};

static void
map_second(void *row_at) {
  const int *row = row_at;
  void *p = mmap(NULL, t_pages(PAGES), RW, row[0], fd, 0);

  if (p == MAP_FAILED)
    _exit(errno);
  _exit(munmap(p, t_pages(PAGES)) == 0 ? 0 : 255);
}

/* In the same process, in its child, and in a stranger. */
static void
kinds_do_not_mix(void) {
  t_skip_on_valgrind("it raises SIGBUS in itself when a forked child maps a file");
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    int second = kinds[i].second;
    unsigned char *p;
    void *q;

    fd = t_tmpfile(path, (off_t)t_pages(PAGES));
    p = T_MAP(NULL, t_pages(PAGES), RW, kinds[i].first, fd, 0);
    T_ROW_IN_CHILD(kinds[i].name, map_second, &second, T_EXITED(kinds[i].want));
    T_ROW(kinds[i].name, AS_RESULT(q = mmap(NULL, t_pages(PAGES), RW, second, fd, 0)),
          kinds[i].want);
    if (q != MAP_FAILED)
      T_OK(munmap(q, t_pages(PAGES)));
    T_OK(munmap(p, t_pages(PAGES)));
    p = T_MAP(NULL, t_pages(PAGES), RW, second, fd, 0); /* nobody else is left */
    unmap(p, PAGES);
  }
}

static void
strangers_do_not_mix(void) {
  struct t_stranger plain = t_stranger();
  unsigned char *p = map_new(PAGES);

  T_ERR(S_MAP(plain, path, PAGES, S_SHARED), EBUSY);
  T_OK(S_MAP(plain, path, PAGES, S_PRIVATE));
  T_OK(S_UNMAP(plain));
  T_OK(munmap(p, t_pages(PAGES)));
  T_OK(S_MAP(plain, path, PAGES, S_SHARED));
  T_ERR(AS_RESULT(mmap(NULL, t_pages(PAGES), RW, ATOMIC, fd, 0)), EBUSY);
  T_DISMISS(plain);
  p = T_MAP(NULL, t_pages(PAGES), RW, ATOMIC, fd, 0);
  unmap(p, PAGES);
}

/* What a dead process stored through a plain mapping is written, by whoever comes. */
static void
plain_rest_is_written(void) {
  unsigned char *p;

  T_OK(setenv("SOFTMAP_TRACKER", "fault", 1)); /* what compare leaves, recover must write first */
  leave_dirt(path, PAGES, 3, 'k');
  fd = t_open(path, O_RDWR);
  p = T_MAP(NULL, t_pages(PAGES), RW, ATOMIC, fd, 0);
  for (size_t page = 0; page < 3; page++)
    T_FILE_BYTE(fd, (off_t)t_pages(page), 'k');
  unmap(p, PAGES);
}

/* ---- What a sync writes ---------------------------------------------------------------------- */

static void
range_alone_is_written(void) {
  unsigned char *p = map_new(PAGES);

  PUT(p + 3, 'a');
  PUT(p + t_pages(4), 'b');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 3, 'a');
  T_FILE_OLD(fd, (off_t)t_pages(4), t_pages(1));
  T_NDIRTY(p, PAGES, 1);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(4), 'b');
  T_NDIRTY(p, PAGES, 0);
  unmap(p, PAGES);
}

/* Two mappings side by side, of which the first has the later pages: one journal. */
static void
call_over_two_mappings_is_one_sync(void) {
  unsigned char *place = t_reserve(PAGES);
  uint64_t flushes;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  (void)T_MAP(place, t_pages(4), RW, ATOMIC | MAP_FIXED, fd, (off_t)t_pages(4));
  (void)T_MAP(place + t_pages(4), t_pages(4), RW, ATOMIC | MAP_FIXED, fd, 0);
  PUT(place, 'x');
  PUT(place + t_pages(5), 'y');
  flushes = T_STATS().flushes;
  T_OK(msync(place, t_pages(PAGES), MS_SYNC));
  T_EQ(T_STATS().flushes - flushes, 1);
  T_FILE_BYTE(fd, (off_t)t_pages(4), 'x');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'y');
  unmap(place, PAGES);
}

static void
nothing_leaves_early(void) {
  enum { MANY = 4000 };
  unsigned char *p = map_new(MANY);
  size_t limit = host_config.area_limit;

  host_config.area_limit = 600;
  for (size_t page = 0; page < MANY; page += 2)
    PUT(p + t_pages(page), 'm');
  host_config.area_limit = limit;
  T_CHECK(T_STATS().closed_early > 0);
  T_FILE_OLD(fd, 0, t_pages(MANY));
  T_EQ(T_STATS().pages_written, 0);
  T_NDIRTY(p, MANY, MANY / 2);
  T_OK(msync(p, t_pages(MANY), MS_SYNC));
  for (size_t page = 0; page < MANY; page += 2)
    T_FILE_BYTE(fd, (off_t)t_pages(page), 'm');
  unmap(p, MANY);
}

static void
end_of_file_stays(void) {
  off_t end = (off_t)t_pages(2) + 100;
  unsigned char *p;

  fd = t_tmpfile(path, end);
  p = T_MAP(NULL, t_pages(PAGES), RW, ATOMIC, fd, 0);
  memset(p + t_pages(2), 'e', t_pages(1));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_SIZE(fd, end);
  T_FILE_ALL(fd, (off_t)t_pages(2), 100, 'e');
  T_OK(ftruncate(fd, (off_t)t_pages(4)));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  PUT(p + t_pages(3), 'g');
  PUT(p + t_pages(1), 'g');
  T_OK(ftruncate(fd, (off_t)t_pages(3)));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_SIZE(fd, t_pages(3));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'g');
  unmap(p, PAGES);
}

static void
file_without_a_name_is_synced(void) {
  unsigned char *p = map_new(PAGES);

  T_OK(unlink(path));
  PUT(p, 'u');
  PUT(p + t_pages(6), 'u');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'u');
  T_FILE_BYTE(fd, (off_t)t_pages(6), 'u');
  unmap(p, PAGES);
}

static void
renamed_file_is_synced(void) {
  unsigned char *p = map_new(PAGES);
  char other[T_PATH + 8];

  (void)snprintf(other, sizeof other, "%s.moved", path);
  T_OK(rename(path, other));
  PUT(p, 'r');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'r');
  unmap(p, PAGES);
}

/* ---- Several processes ----------------------------------------------------------------------- */

/* A store that somebody else makes is in our sync; not in our MS_ASYNC, munmap, end. */
static void
ms_sync_writes_what_all_stored(void) {
  unsigned char *p = map_new(PAGES);
  struct t_stranger other = atomic_stranger(path, PAGES);

  T_OK(S_STORE(other, t_pages(2), 'o'));
  PUT(p, 'p');
  T_OK(msync(p, t_pages(PAGES), MS_ASYNC));
  T_FILE_BYTE(fd, 0, 'p');
  T_FILE_OLD(fd, (off_t)t_pages(2), t_pages(1));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'o');
  T_OK(S_STORE(other, t_pages(3), 'q'));
  unmap(p, PAGES);
  fd = t_open(path, O_RDWR);
  T_FILE_OLD(fd, (off_t)t_pages(3), t_pages(1));
  T_OK(S_UNMAP(other));
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'q');
  T_DISMISS(other);
  (void)close(fd);
}

static void
stores_go_with_the_process_that_made_them(void) {
  unsigned char *p = map_new(PAGES);
  struct t_stranger dead = atomic_stranger(path, PAGES);
  unsigned char old = t_old_byte((off_t)t_pages(1));

  T_OK(S_STORE(dead, t_pages(1), 'd'));
  T_OK(S_STORE(dead, t_pages(2), 'd'));
  PUT(p + t_pages(2) + 1, 'l');
  PUT(p + t_pages(3), 'l');
  T_EQ(GET(p + t_pages(1)), 'd'); /* as long as nobody syncs */
  T_KILL_STRANGER(dead);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_EQ(GET(p + t_pages(1)), old);
  T_FILE_BYTE(fd, (off_t)t_pages(1), old);
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'd'); /* a page that a living process has stored to */
  T_FILE_BYTE(fd, (off_t)t_pages(2) + 1, 'l');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'l');
  PUT(p + t_pages(1), 'n');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'n');
  unmap(p, PAGES);
}

/* Under a lock each syncs what it has stored before it lets go: then nothing of the dead remains. */
static void
synced_page_is_vouched_for_no_more(void) {
  unsigned char *p = map_new(PAGES);
  struct t_stranger dead = atomic_stranger(path, PAGES);

  PUT(p + t_pages(1), '1');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_OK(S_STORE(dead, t_pages(1), '2'));
  T_KILL_STRANGER(dead);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_EQ(GET(p + t_pages(1)), '1');
  T_FILE_BYTE(fd, (off_t)t_pages(1), '1');
  unmap(p, PAGES);
}

static void
child_syncs_its_parents_stores(void) {
  struct t_meeting m = t_meeting();
  unsigned char *p = map_new(PAGES);
  int id;
  pid_t *child = t_common(sizeof *child, &id);
  pid_t parent;

  t_skip_on_valgrind("it raises SIGBUS in itself when a forked child maps a file");
  T_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  parent = t_fork();
  if (parent == 0) {
    PUT(p + t_pages(5), 'f');
    pid_t forked = fork(); /* which is to outlive its parent */
    if (forked == 0) {
      t_wait(&m);
      _exit(msync(p, t_pages(PAGES), MS_SYNC) == 0 ? 0 : errno);
    }
    *child = forked;
    (void)kill(getpid(), SIGKILL);
  }
  T_REAP(parent, T_KILLED(SIGKILL));
  T_OK(msync(p, t_pages(1), MS_SYNC));
  t_ping(&m);
  T_REAP(*child, T_EXITED(0));
  T_FILE_BYTE(fd, (off_t)t_pages(5), 'f');
  unmap(p, PAGES);
}

/* ---- Failing calls --------------------------------------------------------------------------- */

/* Before, after, or to be completed by the journal. */
static bool
is_whole(const unsigned char *before, const unsigned char *after, size_t size) {
  static unsigned char got[PAGES << 16];

  T_EQ(pread(fd, got, size, 0), size);
  return memcmp(got, before, size) == 0 || memcmp(got, after, size) == 0 || journals(path) == 1;
}

static bool
fails_at(enum host_call site, uint32_t nth, uint32_t times, unsigned *failed) {
  static unsigned char before[PAGES << 16], after[PAGES << 16];
  unsigned char *p = map_new(PAGES);
  int result;
  bool fired;

  T_EQ(pread(fd, before, t_pages(PAGES), 0), t_pages(PAGES));
  for (size_t page = 0; page < PAGES; page += page == 2 ? 2 : 1)
    PUT(p + t_pages(page) + 1, 'i');
  memcpy(after, p, t_pages(PAGES));
  engine_inject(site, nth, times, EIO);
  result = msync(p, t_pages(PAGES), MS_SYNC);
  fired = inject_fired() != 0;
  inject_disarm();
  *failed += result != 0;
  T_CHECK(is_whole(before, after, t_pages(PAGES)));
  T_CHECK(memcmp(p, after, t_pages(PAGES)) == 0);
  PUT(p + 9, 'j');
  after[9] = 'j';
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_EQUALS(fd, 0, after, t_pages(PAGES));
  T_NDIRTY(p, PAGES, 0);
  unmap(p, PAGES);
  return fired;
}

/* Each call of a sync that changes or looks at a file fails, once and from then on: an error, the file
 * whole, and a retry that succeeds. */
static void
failing_calls_are_survived(void) {
  static const enum host_call sites[] = {
    HOST_CALL_open,    HOST_CALL_read,        HOST_CALL_write,  HOST_CALL_flush,
    HOST_CALL_unlink,  HOST_CALL_flush_names, HOST_CALL_reopen, HOST_CALL_stat_fd,
    HOST_CALL_path_of, HOST_CALL_stat_path,   HOST_CALL_close
  };
  unsigned cells = 0, failed = 0;

  for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
    for (uint32_t nth = 1; nth < 40; nth++) {
      if (!fails_at(sites[i], nth, 1, &failed))
        break;
      (void)fails_at(sites[i], nth, UINT32_MAX, &failed);
      cells += 2;
    }
  t_note("%u cells, %u syncs failed", cells, failed);
  T_CHECK(cells >= 40 && failed >= cells * 3 / 4);
}

/* The file can't be written any more, the journal could: the sync that failed is completed first. */
static void
cut_off_sync_is_completed(void) {
  unsigned char *p = map_new(PAGES);

  PUT(p, 'c');
  PUT(p + t_pages(3), 'c');
  engine_inject(HOST_CALL_write, 5, 1, ENOSPC); /* 2 pages, table, header; then the file */
  T_ERR(msync(p, t_pages(PAGES), MS_SYNC), ENOSPC);
  inject_disarm();
  T_EQ(journals(path), 1);
  T_NDIRTY(p, PAGES, 2);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'c');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'c');
  unmap(p, PAGES);
}

static const struct t_case cases[] = {
  T_CASE(kinds_do_not_mix),
  T_CASE(strangers_do_not_mix),
  T_CASE(plain_rest_is_written),
  T_CASE(range_alone_is_written),
  T_CASE(call_over_two_mappings_is_one_sync),
  T_CASE(nothing_leaves_early),
  T_CASE(end_of_file_stays),
  T_CASE(file_without_a_name_is_synced),
  T_CASE(renamed_file_is_synced),
  T_CASE(ms_sync_writes_what_all_stored),
  T_CASE(stores_go_with_the_process_that_made_them),
  T_CASE(synced_page_is_vouched_for_no_more),
  T_CASE(child_syncs_its_parents_stores),
  T_CASE(failing_calls_are_survived),
  T_CASE(cut_off_sync_is_completed),
};
T_MAIN(cases)
