/* later.c - what happens to a file, and to the rights on it, after mapping. */
#include "t_engine.h"

#include <dirent.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

/* ---- Rights ---------------------------------------------------------------------------------- */

static void
become_nobody(void) {
  if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
    t_skip("not root");
}

/* As nobody from the start, with a section directory of its own. */
static void
mode_zero_after_mapping(void) {
  char path[T_PATH];
  char dir[T_PATH];
  int fd;
  unsigned char *p;

  fd = t_tmpfile(path, (off_t)t_pages(2));
  if (getuid() == 0)
    T_OK(fchown(fd, NOBODY, NOBODY));
  become_nobody();
  t_sections_of(geteuid(), dir);
  T_OK(softmap_configure("dir", dir));
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  T_OK(fchmod(fd, 0));
  T_ERR(open("/proc/self/fd/0/none", O_RDONLY), ENOTDIR);
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
  PUT(p, 'y');
  T_OK(munmap(p, t_pages(2)));
  T_FILE_BYTE(fd, 0, 'y');
  T_OK(rmdir(dir));
}

static void
privileges_dropped_after_mapping(void) {
  int fd;
  unsigned char *p;
  unsigned char *q;
  int readable;

  if (geteuid() != 0)
    t_skip("not root");
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(fchmod(fd, 0600));
  readable = dup(fd);
  become_nobody();
  T_OK(close(fd));
  T_EQ(GET(p + t_pages(2)), t_old_byte((off_t)t_pages(2)));
  PUT(p, 'x');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(readable, 0, 'x');
  q = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, readable, 0);
  PUT(q + t_pages(3), 'q');
  T_OK(munmap(q, t_pages(4)));
  T_FILE_BYTE(readable, (off_t)t_pages(3), 'q');
  T_OK(munmap(p, t_pages(4)));
}

/* The threads of softmap must not stand in the way of a thread that changes everybody's ids. */
static void
ids_can_be_changed_while_mapped(void) {
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 2);

  if (geteuid() != 0)
    t_skip("not root");
  for (int i = 0; i < 20; i++) {
    PUT(p, i);
    T_OK(seteuid(NOBODY));
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_OK(seteuid(0));
    T_FILE_BYTE(fd, 0, (unsigned char)i);
  }
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void
unlinked_after_mapping(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 2);

  T_OK(unlink(path));
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
  PUT(p, 'y');
  T_OK(munmap(p, t_pages(2)));
  T_FILE_BYTE(fd, 0, 'y');
}

static void
unlinked_before_mapping(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(2));
  unsigned char *p;

  T_OK(unlink(path));
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  T_EQ(T_STATS().mappings_made, 1);
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
}

static void
renamed_over_after_mapping(void) {
  char path[T_PATH];
  char new_path[T_PATH];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 2);
  int new_fd = t_tmpfile(new_path, (off_t)t_pages(2));

  T_OK(rename(new_path, path));
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
  T_FILE_OLD(new_fd, 0, t_pages(2));
}

/* Two names are one file, and a new file with an old name is another one. */
static void
identity_is_the_files(void) {
  char path[T_PATH];
  char link_path[T_PATH + 8];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 2);
  unsigned char *q;
  int other;

  (void)snprintf(link_path, sizeof link_path, "%s-link", path);
  T_OK(link(path, link_path));
  q = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, t_open(link_path, O_RDWR), 0);
  PUT(p, 'x');
  T_EQ(GET(q), 'x');
  T_EQ(T_STATS().sections_now, 1);
  T_OK(unlink(path));
  other = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  T_OK(ftruncate(other, (off_t)t_pages(2)));
  q = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, other, 0);
  T_EQ(GET(q), 0);
  T_EQ(T_STATS().sections_now, 2);
}

/* ---- Changes by others ----------------------------------------------------------------------- */

static void
changes_by_others_are_counted(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 4);
  struct timespec far[2] = { { 1000, 0 }, { 1000, 0 } };

  for (int i = 0; i < 3; i++) { /* our own writes aren't */
    PUT(p, i);
    T_OK(msync(p, t_pages(4), MS_SYNC));
  }
  T_EQ(T_STATS().changed_outside, 0);
  T_OK(futimens(fd, far)); /* an mtime that no granularity of clocks hides */
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_EQ(T_STATS().changed_outside, 1);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_EQ(T_STATS().changed_outside, 1);
  T_OK(ftruncate(fd, (off_t)t_pages(5)));
  PUT(p, 9);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_EQ(T_STATS().changed_outside, 2);
}

/* Bytes that others wrote into pages we didn't survive. */
static void
changes_by_others_survive(void) {
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 16);

  PUT(p + t_pages(3), 'a');
  PUT(p + t_pages(5), 'b');
  T_PWRITE(fd, (off_t)t_pages(4), t_page_size(), 'o');
  T_PWRITE(fd, (off_t)t_pages(10), t_page_size(), 'o');
  T_OK(msync(p, t_pages(16), MS_SYNC));
  T_FILE_ALL(fd, (off_t)t_pages(4), t_page_size(), 'o');
  T_FILE_ALL(fd, (off_t)t_pages(10), t_page_size(), 'o');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'a');
  T_FILE_BYTE(fd, (off_t)t_pages(5), 'b');
  T_EQ(T_STATS().pages_written, 2);
}

/* ---- RLIMIT_FSIZE ---------------------------------------------------------------------------- */

static volatile sig_atomic_t size_signals;

static void
count_size_signal(int signo) {
  (void)signo;
  size_signals++;
}

static void
set_size_limit(rlim_t bytes) {
  struct rlimit limit;

  T_OK(getrlimit(RLIMIT_FSIZE, &limit));
  limit.rlim_cur = bytes;
  T_OK(setrlimit(RLIMIT_FSIZE, &limit));
}

/* Nor does one wait for a thread, ours included: it would come with the next one of its kind. */
static void
check_none_waits(void) {
  DIR *tasks = opendir("/proc/self/task");

  T_CHECK(tasks != NULL);
  for (struct dirent *t; (t = readdir(tasks)) != NULL;) {
    char name[T_PATH];
    char line[256];
    FILE *status;

    (void)snprintf(name, sizeof name, "/proc/self/task/%s/status", t->d_name);
    status = t->d_name[0] == '.' ? NULL : fopen(name, "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
      if (strncmp(line, "SigPnd:", 7) == 0 || strncmp(line, "ShdPnd:", 7) == 0)
        T_EQ(strtoull(line + 7, NULL, 16) >> (SIGXFSZ - 1) & 1, 0);
    if (status != NULL)
      (void)fclose(status);
  }
  (void)closedir(tasks);
}

static void
check_no_size_signal(void) {
  T_EQ(size_signals, 0);
  check_none_waits();
}

static void
file_size_limit(void) {
  static const bool one[8] = { false, false, false, false, false, true, false, false };
  static const bool none[8];
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 8);

  T_CHECK(signal(SIGXFSZ, count_size_signal) != SIG_ERR);
  PUT(p, 'a');
  PUT(p + t_pages(5), 'b');
  set_size_limit(t_pages(2));
  T_ERR(msync(p, t_pages(8), MS_SYNC), EFBIG);
  check_no_size_signal();
  T_FILE_BYTE(fd, 0, 'a'); /* below the limit */
  T_FILE_OLD(fd, (off_t)t_pages(5), t_page_size());
  engine_dirty_is(T_HERE, p, 8, one);
  T_ERR(msync(p, t_pages(8), MS_ASYNC), EFBIG);
  check_no_size_signal();
  set_size_limit(RLIM_INFINITY);
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(5), 'b');
  engine_dirty_is(T_HERE, p, 8, none);
  check_no_size_signal();
}

/* The limit lies in the middle of a run of dirty pages. */
static void
file_size_limit_inside_a_run(void) {
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 8);

  T_CHECK(signal(SIGXFSZ, count_size_signal) != SIG_ERR);
  memset(p, 'r', t_pages(8));
  set_size_limit(t_pages(3) + 10);
  T_ERR(msync(p, t_pages(8), MS_SYNC), EFBIG);
  check_no_size_signal();
  T_FILE_ALL(fd, 0, t_pages(3), 'r');
  T_NDIRTY(p, 8, 5);
  set_size_limit(RLIM_INFINITY);
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_ALL(fd, 0, t_pages(8), 'r');
}

/* Default action: a SIGXFSZ that leaks would end the process. */
static void
file_size_limit_with_the_default_action(void) {
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 2);

  PUT(p + t_pages(1), 'x');
  set_size_limit(0);
  T_ERR(msync(p, t_pages(2), MS_SYNC), EFBIG);
  T_ERR(softmap_sync_all(), EFBIG);
  PUT(p, 'x');
  T_ERR(msync(p, t_pages(1), MS_SYNC), EFBIG);
  set_size_limit(RLIM_INFINITY);
  T_OK(softmap_sync_all());
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'x');
  T_FILE_BYTE(fd, 0, 'x');
}

static void
map_under_limit(void *arg) {
  T_ERR(AS_RESULT(mmap(NULL, t_pages(8), RW, MAP_SHARED, *(int *)arg, 0)), ENOMEM);
}

/* Under a limit at map time: it works, or a clear errno and one line; never the signal. */
static void
file_size_limit_when_mapping(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(8));
  char text[2048];
  size_t lines;
  unsigned char *p;

  T_CHECK(signal(SIGXFSZ, count_size_signal) != SIG_ERR);
  set_size_limit(t_pages(2));
  lines = T_STDERR_OF(map_under_limit, &fd, text);
  T_EQ(lines, 1);
  T_CHECK(strstr(text, "RLIMIT_FSIZE") != NULL);
  check_no_size_signal();
  set_size_limit(RLIM_INFINITY);
  p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, 0);
  T_MEM_OLD(p, t_pages(8), 0);
}

static const struct t_case cases[] = {
  T_CASE(mode_zero_after_mapping),
  T_CASE_WITH(privileges_dropped_after_mapping, T_KILLS), /* it may not remove its section */
  T_CASE(ids_can_be_changed_while_mapped),
  T_CASE(unlinked_after_mapping),
  T_CASE(unlinked_before_mapping),
  T_CASE(renamed_over_after_mapping),
  T_CASE(identity_is_the_files),
  T_CASE(changes_by_others_are_counted),
  T_CASE(changes_by_others_survive),
  T_CASE(file_size_limit),
  T_CASE(file_size_limit_inside_a_run),
  T_CASE(file_size_limit_with_the_default_action),
  T_CASE(file_size_limit_when_mapping),
};
T_MAIN(cases)
