/* numbers.c - descriptor numbers: reused, closed in bulk, used up; ours are never among them. */
#include "t_engine.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { NUMBERS = 1024 };

/* Which numbers /proc/self/fd shows; how many. */
static size_t
open_numbers(bool open_ones[NUMBERS]) {
  DIR *dir = opendir("/proc/self/fd");
  size_t count = 0;

  T_CHECK(dir != NULL);
  memset(open_ones, 0, NUMBERS * sizeof *open_ones);
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    long number = e->d_name[0] == '.' ? -1 : strtol(e->d_name, NULL, 10);

    if (number >= 0 && number < NUMBERS && number != dirfd(dir)) {
      open_ones[number] = true;
      count++;
    }
  }
  (void)closedir(dir);
  return count;
}

static void
check_same_numbers(struct t_at at, const bool before[NUMBERS]) {
  bool now[NUMBERS];

  open_numbers(now);
  for (size_t i = 0; i < NUMBERS; i++)
    if (before[i] != now[i])
      t_fail(at, "descriptor %zu is %s", i, now[i] ? "new" : "gone");
}

/* Descriptors in all tables of this process. */
static size_t
count_in_all_tables(void) {
  size_t count = 0;
  DIR *tasks = opendir("/proc/self/task");

  T_CHECK(tasks != NULL);
  for (struct dirent *t; (t = readdir(tasks)) != NULL;) {
    char path[T_PATH];
    DIR *fds;

    if (t->d_name[0] == '.')
      continue;
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/fd", t->d_name);
    fds = opendir(path);
    for (struct dirent *e; fds != NULL && (e = readdir(fds)) != NULL;)
      count++;
    if (fds != NULL)
      (void)closedir(fds);
  }
  (void)closedir(tasks);
  return count;
}

static void
number_reused_by_another_file(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  int witness = dup(fd);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  int other;

  T_OK(close(fd));
  other = t_tmpfile(NULL, (off_t)t_pages(2));
  T_EQ(other, fd);
  PUT(p, 'x');
  PUT(p + t_page_size(), 'y');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(witness, 0, 'x');
  T_FILE_BYTE(witness, (off_t)t_page_size(), 'y');
  T_FILE_OLD(other, 0, t_pages(2));
}

static void
number_duped_over_by_another_file(void) {
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 2);
  int witness = dup(fd);
  int other = t_tmpfile(NULL, (off_t)t_pages(2));

  T_EQ(dup2(other, fd), fd);
  PUT(p, 'x');
  T_OK(msync(p, t_pages(1), MS_SYNC));
  PUT(p + t_page_size(), 'y');
  T_OK(munmap(p, t_pages(2)));
  T_FILE_BYTE(witness, 0, 'x');
  T_FILE_BYTE(witness, (off_t)t_page_size(), 'y');
  T_FILE_OLD(other, 0, t_pages(2));
}

/* The next mapping and a fork need descriptors, too. */
static void
check_all_works(unsigned char *p, const char *path) {
  int witness;
  unsigned char *q;
  pid_t pid;

  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  witness = t_open(path, O_RDWR);
  T_FILE_BYTE(witness, 0, 'x');
  q = T_MAP_NEW(NULL, &(int){ -1 }, 1);
  PUT(q, 'q');
  T_OK(msync(q, t_pages(1), MS_SYNC));
  pid = t_fork();
  if (pid == 0) {
    PUT(p + t_page_size(), 'c');
    T_OK(msync(p, t_pages(2), MS_SYNC));
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(witness, (off_t)t_page_size(), 'c');
  T_OK(munmap(p, t_pages(2)));
}

static void
close_range_reaches_nothing_of_ours(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 2);

  if (syscall(SYS_close_range, 3, ~0u, 0) != 0)
    t_skip("no close_range");
  check_all_works(p, path);
}

static void
close_range_that_unshares_reaches_nothing_of_ours(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 2);

  if (syscall(SYS_close_range, 3, ~0u, 2 /* CLOSE_RANGE_UNSHARE */) != 0)
    t_skip("no close_range");
  check_all_works(p, path);
}

static void
closing_every_number_reaches_nothing_of_ours(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 2);

  for (int i = 3; i < NUMBERS; i++)
    (void)close(i);
  check_all_works(p, path);
}

static void
standard_descriptors_closed(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = T_MAP_NEW(path, &fd, 2);
  int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);

  for (int i = 0; i < 3; i++)
    (void)close(i);
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_EQ(t_open(path, O_RDONLY), 0); /* the lowest number is the program's */
  T_EQ(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
  T_FILE_BYTE(fd, 0, 'x');
}

/* The lowest free number is what open must return, also while softmap is at work. */
static void
ours_never_show_among_the_programs(void) {
  bool before[NUMBERS];
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p;
  pid_t pid;

  open_numbers(before);
  p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  check_same_numbers(T_HERE, before);
  PUT(p, 1);
  T_OK(msync(p, t_pages(4), MS_SYNC | MS_INVALIDATE));
  check_same_numbers(T_HERE, before);
  pid = t_fork();
  if (pid == 0) {
    check_same_numbers(T_HERE, before);
    PUT(p, 2);
    T_OK(msync(p, t_pages(4), MS_SYNC));
    check_same_numbers(T_HERE, before);
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  check_same_numbers(T_HERE, before);
  T_OK(munmap(p, t_pages(4)));
  check_same_numbers(T_HERE, before);
}

static void
use_up_numbers(void) {
  while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
    continue;
  T_EQ(errno, EMFILE);
}

/* Before there is any mapping: it works or says EMFILE; with a number free again it works. */
static void
no_number_left_before_the_first_mapping(void) {
  struct rlimit limit = { 32, 32 };
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p;

  T_OK(setrlimit(RLIMIT_NOFILE, &limit));
  use_up_numbers();
  p = mmap(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  T_CHECK(p != MAP_FAILED || errno == EMFILE);
  if (p == MAP_FAILED) {
    for (int i = 31; i > 20; i--)
      T_OK(close(i));
    p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  }
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
}

/* Running softmap needs none of the program's numbers to sync, to fill, or to map more. */
static void
no_number_left_while_running(void) {
  struct rlimit limit = { 32, 32 };
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 2);
  int fd2 = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *q;

  T_OK(setrlimit(RLIMIT_NOFILE, &limit));
  use_up_numbers();
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
  q = mmap(NULL, t_pages(2), RW, MAP_SHARED, fd2, 0);
  T_CHECK(q != MAP_FAILED || errno == EMFILE);
  if (q != MAP_FAILED) {
    PUT(q, 'y');
    T_OK(msync(q, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd2, 0, 'y');
  }
}

/* The program lowers the limit below what is open: new descriptors are refused, ours too. Either a
 * clear error, or it works; nothing is lost when the limit is raised again. */
static void
limit_lowered_to_nothing_while_running(void) {
  struct rlimit limit;
  struct rlimit low;
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 2);
  int fd2 = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *q;

  T_OK(getrlimit(RLIMIT_NOFILE, &limit));
  low = limit;
  low.rlim_cur = 0;
  T_OK(setrlimit(RLIMIT_NOFILE, &low));
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  q = mmap(NULL, t_pages(2), RW, MAP_SHARED, fd2, 0);
  T_CHECK(q != MAP_FAILED || errno == EMFILE);
  T_OK(setrlimit(RLIMIT_NOFILE, &limit));
  T_FILE_BYTE(fd, 0, 'x');
  if (q == MAP_FAILED)
    q = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd2, 0);
  PUT(q, 'y');
  T_OK(msync(q, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd2, 0, 'y');
}

/* One forked while no number is free: it shares the file, or touching it raises SIGBUS; the parent
 * goes on. */
static void
fork_without_a_free_number(void) {
  struct rlimit limit = { 32, 32 };
  int fd;
  unsigned char *p = T_MAP_NEW(NULL, &fd, 2);
  int err = dup(STDERR_FILENO);
  int null = open("/dev/null", O_WRONLY);
  pid_t pid;

  T_EQ(dup2(null, STDERR_FILENO), STDERR_FILENO); /* the child may say that it could not join */
  T_OK(setrlimit(RLIMIT_NOFILE, &limit));
  use_up_numbers();
  pid = t_fork();
  if (pid == 0) {
    struct t_fault fault = t_store(p, 'c');

    if (fault.signo != 0)
      _exit(fault.signo == SIGBUS ? 0 : 1);
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd, 0, 'c');
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  (void)dup2(err, STDERR_FILENO);
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
}

static void
nothing_leaks_over_many_cycles(void) {
  unsigned cycles = engine_scale(5000, 20000, 100000);
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  size_t before = 0;

  T_OK(munmap(p, t_pages(2)));
  T_OK(close(fd));
  for (unsigned i = 0; i < cycles; i++) {
    if (i == 16)
      before = count_in_all_tables();
    fd = open(path, i % 2 == 0 ? O_RDWR : O_RDONLY);
    p = T_MAP(NULL, t_pages(2), i % 2 == 0 ? RW : PROT_READ, MAP_SHARED, fd, 0);
    T_OK(close(fd));
    if (i % 4 == 0)
      PUT(p + t_page_size(), i);
    T_OK(munmap(p, t_pages(2)));
  }
  T_EQ(count_in_all_tables(), before);
}

/* The same while another mapping of the file stays. */
static void
nothing_leaks_while_one_mapping_stays(void) {
  char path[T_PATH];
  int fd;
  unsigned char *stays = T_MAP_NEW(path, &fd, 2);
  size_t before = 0;

  for (unsigned i = 0; i < 2000; i++) {
    int again = open(path, i % 2 == 0 ? O_RDWR : O_RDONLY);
    unsigned char *p = T_MAP(NULL, t_pages(2), PROT_READ, MAP_SHARED, again, 0);

    T_OK(close(again));
    T_OK(munmap(p, t_pages(2)));
    if (i == 16)
      before = count_in_all_tables();
  }
  T_EQ(count_in_all_tables(), before);
  PUT(stays, 1);
}

/* A mapping that fails gives everything back. */
static void
nothing_leaks_over_failures(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  int fd2 = t_tmpfile(NULL, (off_t)t_pages(2));
  size_t before = 0;
  enum host_call sites[] = { HOST_CALL_map,  HOST_CALL_open,      HOST_CALL_resize,
                             HOST_CALL_rename, HOST_CALL_byte_lock, HOST_CALL_stat_fd };

  for (unsigned i = 0; i < 600; i++) {
    void *q;

    if (i == 60)
      before = count_in_all_tables();
    engine_inject(sites[i % 6], 1 + i / 6 % 5, 1, EIO);
    q = mmap(NULL, t_pages(2), RW, MAP_SHARED, fd2, 0);
    inject_disarm();
    if (q != MAP_FAILED)
      T_OK(munmap(q, t_pages(2)));
  }
  T_EQ(count_in_all_tables(), before);
  PUT(p, 1);
  T_OK(msync(p, t_pages(2), MS_SYNC));
}

static const struct t_case cases[] = {
  T_CASE(number_reused_by_another_file),
  T_CASE(number_duped_over_by_another_file),
  T_CASE(close_range_reaches_nothing_of_ours),
  T_CASE(close_range_that_unshares_reaches_nothing_of_ours),
  T_CASE(closing_every_number_reaches_nothing_of_ours),
  T_CASE(standard_descriptors_closed),
  T_CASE(ours_never_show_among_the_programs),
  T_CASE(no_number_left_before_the_first_mapping),
  T_CASE(no_number_left_while_running),
  T_CASE(limit_lowered_to_nothing_while_running),
  T_CASE(fork_without_a_free_number),
  T_CASE(nothing_leaks_over_many_cycles),
  T_CASE(nothing_leaks_while_one_mapping_stays),
  T_CASE(nothing_leaks_over_failures),
};
T_MAIN(cases)
