/* killed.c - watch: what only the kernel of a process knew of is not lost with it.
 *
 * A child stores and is killed, or goes on as another program; then its stores reach the file by
 * who is left, by who comes next, or by softmap_recover; and nothing that it didn't store to does.
 */
#include "watch.h"

#include <sys/stat.h>

enum { PAGES = 64 };

static unsigned char *p;
static int fd;
static char path[T_PATH];

static struct softmap_section
the_section(void) {
  struct softmap_section section;

  T_EQ(softmap_sections(&section, 1), 1);
  return section;
}

/* Where the child stops: stored to pages 3 and 40, having synced page 5. */
static void
store_and_ping(struct t_meeting *m) {
  PUT(p + t_pages(5), 's');
  T_OK(msync(p + t_pages(5), t_pages(1), MS_SYNC));
  PUT(p + t_pages(3), 'k');
  PUT(p + t_pages(40), 'k');
  t_ping(m);
  for (;;)
    pause();
}

static void
kill_it(pid_t pid) {
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
}

/* The file: only what was stored to. */
static void
check_file(void) {
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'k');
  T_FILE_BYTE(fd, (off_t)t_pages(40), 'k');
  T_FILE_BYTE(fd, (off_t)t_pages(5), 's');
}

/* Another program's write into a page that nobody stored to. */
static void
meddle(void) {
  struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, 0 } };
  struct stat stat;

  T_OK(fstat(fd, &stat));
  times[1] = stat.st_mtim;
  T_EQ(pwrite(fd, "m", 1, (off_t)t_pages(7)), 1);
  T_OK(futimens(fd, times)); /* or the file counts as changed */
}

/* Two processes of their own map, store and are killed: nobody is in the section then. Whoever comes
 * gets the lane of the first, which left nothing. */
static void
leave_a_section(void) {
  struct t_meeting m = t_meeting(), other = t_meeting();
  pid_t pid = t_fork();
  pid_t second;

  if (pid == 0) {
    p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0); /* watches this page alone */
    PUT(p, 'o');
    T_OK(msync(p, t_pages(1), MS_SYNC));
    t_ping(&other);
    for (;;)
      pause();
  }
  t_wait(&other);
  second = t_fork();
  if (second == 0) {
    p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
    store_and_ping(&m);
  }
  t_wait(&m);
  kill_it(pid);
  kill_it(second);
}

static void
new_file(void) {
  use_watch();
  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
}

static void
survivor_writes_it(void) {
  struct t_meeting m = t_meeting();
  pid_t pid;

  new_file();
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  pid = t_fork();
  if (pid == 0)
    store_and_ping(&m);
  t_wait(&m);
  T_EQ(pages_synced(p, PAGES), 2); /* of a living one */
  check_file();
  T_EQ(pages_synced(p, PAGES), 0);
  kill_it(pid);
  T_EQ(pages_synced(p, PAGES), 0);
}

static void
survivor_writes_it_when_it_leaves(void) {
  struct t_meeting m = t_meeting();
  pid_t pid;

  new_file();
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  pid = t_fork();
  if (pid == 0)
    store_and_ping(&m);
  t_wait(&m);
  kill_it(pid);
  meddle();
  T_OK(munmap(p, t_pages(PAGES)));
  check_file();
  T_FILE_BYTE(fd, (off_t)t_pages(7), 'm');
  T_EQ(softmap_sections(NULL, 0), 0);
}

static void
next_one_writes_it(void) {
  new_file();
  leave_a_section();
  meddle();
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  check_file();
  T_FILE_BYTE(fd, (off_t)t_pages(7), 'm');
  T_OK(munmap(p, t_pages(PAGES)));
  T_EQ(softmap_sections(NULL, 0), 0);
}

/* Somebody else wrote the file meanwhile: what is right can't be told. */
static void
changed_since_is_refused(void) {
  new_file();
  leave_a_section();
  T_EQ(pwrite(fd, "m", 1, (off_t)t_pages(7)), 1);
  T_ERR(AS_RESULT(mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0)), EBUSY);
}

/* ... though it has another tracker. */
static void
next_one_with_fault_writes_it(void) {
  new_file();
  leave_a_section();
  T_OK(softmap_configure("tracker", "fault"));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  check_file();
  PUT(p + t_pages(9), 'f');
  T_EQ(pages_synced(p, PAGES), 1);
  T_OK(munmap(p, t_pages(PAGES)));
  T_EQ(softmap_sections(NULL, 0), 0);
}

static void
recover_writes_it(void) {
  struct softmap_section section;

  new_file();
  leave_a_section();
  meddle();
  section = the_section();
  T_EQ(section.dirty_pages, 2);
  T_OK(softmap_recover(section.name, NULL));
  check_file();
  T_FILE_BYTE(fd, (off_t)t_pages(7), 'm');
  T_EQ(softmap_sections(NULL, 0), 0);
}

static void
discarded_is_not_written(void) {
  struct softmap_section section;
  struct softmap_recover_options options = { .size = sizeof options,
                                             .flags = SOFTMAP_RECOVER_DISCARD };

  new_file();
  leave_a_section();
  section = the_section();
  T_OK(softmap_recover(section.name, &options));
  T_FILE_OLD(fd, (off_t)t_pages(3), t_pages(1));
  T_FILE_BYTE(fd, (off_t)t_pages(5), 's');
  T_EQ(softmap_sections(NULL, 0), 0);
}

/* exec drops its lane. */
static void
exec_leaves_it(void) {
  pid_t pid;

  new_file();
  pid = t_fork();
  if (pid == 0) {
    p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
    PUT(p + t_pages(5), 's');
    PUT(p + t_pages(3), 'k');
    PUT(p + t_pages(40), 'k');
    (void)execl("/bin/true", "true", (char *)NULL);
    _exit(9);
  }
  T_REAP(pid, T_EXITED(0));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  check_file();
  T_OK(munmap(p, t_pages(PAGES)));
  T_EQ(softmap_sections(NULL, 0), 0);
}

/* Killed at any instant, while another process syncs all the time: each store that its own msync
 * vouched for is in the file, and in the end all of them are. */
static void
killed_at_any_instant(void) {
  unsigned rounds = engine_scale(30, 600, 6000);
  struct t_random random = t_random_start();

  new_file();
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  for (unsigned i = 1; i <= rounds; i++) {
    struct t_meeting m = t_meeting();
    pid_t pid = t_fork();

    if (pid == 0) {
      t_ping(&m);
      for (uint32_t n = 1;; n++) {
        memcpy(p + t_pages(n % PAGES), &n, sizeof n);
        T_OK(msync(p + t_pages(n % PAGES), t_pages(1), MS_ASYNC));
        memcpy(p + t_pages(n % PAGES) + 8, &n, sizeof n);
      }
    }
    t_wait(&m);
    for (uint32_t n = t_random_below(&random, 20); n > 0; n--)
      T_OK(msync(p, t_pages(PAGES), MS_ASYNC));
    kill_it(pid);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    T_FILE_EQUALS(fd, 0, p, t_pages(PAGES));
    T_NDIRTY(p, PAGES, 0);
  }
}

static const struct t_case cases[] = {
  T_CASE_WITH(survivor_writes_it, T_KILLS),
  T_CASE_WITH(survivor_writes_it_when_it_leaves, T_KILLS),
  T_CASE_WITH(next_one_writes_it, T_KILLS),
  T_CASE_WITH(next_one_with_fault_writes_it, T_KILLS),
  T_CASE_WITH(changed_since_is_refused, T_KILLS | T_MAPS_NOTHING),
  T_CASE_WITH(recover_writes_it, T_KILLS | T_MAPS_NOTHING),
  T_CASE_WITH(discarded_is_not_written, T_KILLS | T_MAPS_NOTHING),
  T_CASE_WITH(exec_leaves_it, T_KILLS),
  T_CASE_WITH(killed_at_any_instant, T_KILLS),
};
T_MAIN(cases)
