/* kills.c - a process killed at any call of the host during msync: what it had stored reaches the
 * file by the next one's msync, which waits for nobody.
 */
#include "t_engine.h"

enum { PAGES = 16 };

static unsigned char *p;
static int fd;

static void
store(unsigned char value) {
  for (size_t i = 0; i < PAGES; i += 3)
    PUT(p + t_pages(i), value);
  PUT(p + t_pages(4), value);
}

static void
check_file(unsigned char value) {
  for (size_t i = 0; i < PAGES; i += 3)
    T_FILE_BYTE(fd, (off_t)t_pages(i), value);
  T_FILE_BYTE(fd, (off_t)t_pages(4), value);
}

/* The child stores and syncs; killed at the nth call of the site, or when that call is done. False
 * when it wasn't: there are no more calls. */
static bool
kill_at(enum host_call site, uint32_t n, bool after, unsigned char value) {
  pid_t pid = t_fork();
  int status;

  if (pid == 0) {
    struct inject_rule rule = {
      .call = site, .nth = n, .times = 1, .kill = !after, .kill_after = after
    };

    store(value);
    inject_arm(&rule);
    (void)msync(p, t_pages(PAGES), MS_SYNC);
    inject_disarm();
    _exit(0);
  }
  while (waitpid(pid, &status, 0) < 0)
    T_EQ(errno, EINTR);
  if (WIFEXITED(status))
    T_EQ(WEXITSTATUS(status), 0);
  else
    T_EQ(WTERMSIG(status), SIGKILL);
  return WIFSIGNALED(status);
}

static void
survivor_writes_what_the_killed_stored(void) {
  unsigned char value = 0;
  unsigned killed = 0;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  for (int site = 0; site < HOST_CALL_COUNT; site++)
    for (uint32_t n = 1; n < 40; n++) {
      bool more = kill_at((enum host_call)site, n, n % 2 == 0, ++value);

      killed += more;
      T_OK(msync(p, t_pages(PAGES), MS_SYNC));
      check_file(value);
      T_NDIRTY(p, PAGES, 0);
      PUT(p + 1, value); /* and it goes on */
      T_OK(msync(p, t_pages(1), MS_SYNC));
      T_FILE_BYTE(fd, 1, value);
      if (!more)
        break;
    }
  t_note("killed %u times", killed);
  T_CHECK(killed > 10);
}

/* The parent has stores of its own in the same pages. */
static void
survivor_writes_its_own_stores_too(void) {
  unsigned char value = 0;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  for (uint32_t n = 1; n < 40; n++) {
    bool more;

    value++;
    for (size_t i = 0; i < PAGES; i++)
      PUT(p + t_pages(i) + 5, value);
    more = kill_at(HOST_CALL_write, (n + 1) / 2, n % 2 == 0, value);
    for (size_t i = 0; i < PAGES; i++)
      PUT(p + t_pages(i) + 6, value);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    check_file(value);
    for (size_t i = 0; i < PAGES; i++) {
      T_FILE_BYTE(fd, (off_t)t_pages(i) + 5, value);
      T_FILE_BYTE(fd, (off_t)t_pages(i) + 6, value);
    }
    T_NDIRTY(p, PAGES, 0);
    if (!more)
      break;
  }
}

/* Killed while it fills: the pages are filled again by who touches them next. */
static void
killed_while_filling(void) {
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 64);
  for (uint32_t n = 0; n < 8; n++) {
    enum host_call site = n % 2 == 0 ? HOST_CALL_read : HOST_CALL_write;
    pid_t pid = t_fork();

    if (pid == 0) {
      struct inject_rule rule = {
        .call = site, .nth = 1, .times = 1, .kill = n < 4, .kill_after = n >= 4
      };

      inject_arm(&rule);
      (void)GET(p + t_pages(n * 8));
      _exit(0);
    }
    T_REAP(pid, T_KILLED(SIGKILL));
    T_LOADS(p + t_pages(n * 8), t_old_byte((off_t)t_pages(n * 8)));
    T_STORES(p + t_pages(n * 8), 'x');
    T_OK(msync(p, t_pages(64), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(n * 8), 'x');
  }
}

/* Killed while it follows the file's growth. */
static void
killed_while_growing(void) {
  static const enum host_call sites[] = { HOST_CALL_read, HOST_CALL_write, HOST_CALL_resize,
                                          HOST_CALL_next_data, HOST_CALL_byte_unlock };

  for (size_t s = 0; s < sizeof sites / sizeof *sites; s++)
    for (uint32_t n = 1; n <= 2; n++) {
      pid_t pid;
      int status;

      fd = t_tmpfile(NULL, (off_t)t_pages(2) + 10);
      p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, 0);
      pid = t_fork();
      if (pid == 0) {
        struct inject_rule rule = { .call = sites[s], .nth = n, .times = 1, .kill = 1 };

        T_PWRITE(fd, (off_t)t_pages(2) + 10, t_pages(2), 'g');
        inject_arm(&rule);
        (void)GET(p + t_pages(3));
        _exit(0);
      }
      T_EQ(waitpid(pid, &status, 0), pid);
      T_LOADS(p + t_pages(3), 'g');
      T_LOADS(p + t_pages(2) + 9, t_old_byte((off_t)t_pages(2) + 9));
      T_STORES(p + t_pages(3), 'h');
      T_OK(msync(p, t_pages(8), MS_SYNC));
      T_FILE_BYTE(fd, (off_t)t_pages(3), 'h');
      T_FILE_BYTE(fd, (off_t)t_pages(3) + 1, 'g');
      T_OK(munmap(p, t_pages(8)));
      (void)close(fd);
    }
}

/* In a child: map, unmap, killed at the nth call of the site. Was it? */
static bool
kill_while_mapping(enum host_call site, uint32_t n) {
  pid_t pid = t_fork();
  int status;

  if (pid == 0) {
    struct inject_rule rule = { .call = site, .nth = n, .times = 1, .kill = 1 };

    inject_arm(&rule);
    p = mmap(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
      (void)munmap(p, t_pages(4));
    _exit(0);
  }
  T_EQ(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status);
}

static void
map_and_store(void *arg) {
  (void)arg;
  p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  PUT(p, 'n');
}

/* Killed at any call of mapping and unmapping, with nothing stored: the next process can map. */
static void
killed_while_mapping(void) {
  unsigned killed = 0;

  for (int site = 0; site < HOST_CALL_COUNT; site++)
    for (uint32_t n = 1; n < 40; n++) {
      bool more;

      fd = t_tmpfile(NULL, (off_t)t_pages(4));
      more = kill_while_mapping((enum host_call)site, n);
      T_IN_CHILD(map_and_store, NULL, T_EXITED(0));
      T_FILE_BYTE(fd, 0, 'n');
      (void)close(fd);
      killed += more;
      if (!more)
        break;
    }
  t_note("killed %u times", killed);
  T_CHECK(killed > 40);
}

static const struct t_case cases[] = {
  T_CASE(survivor_writes_what_the_killed_stored),
  T_CASE(survivor_writes_its_own_stores_too),
  T_CASE(killed_while_filling),
  T_CASE(killed_while_growing),
  T_CASE_WITH(killed_while_mapping, T_MAPS_NOTHING | T_KILLS),
};
T_MAIN(cases)
