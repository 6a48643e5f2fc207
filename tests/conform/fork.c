/* fork.c - a child shares the shared mappings and has copies of the private ones. */
#include "conform.h"

#include <stdlib.h>
#include <string.h>

static void
shared_stores_are_seen_both_ways(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  struct t_meeting to_child = t_meeting();
  struct t_meeting to_parent = t_meeting();
  pid_t pid;

  p[0] = 'a';
  pid = t_fork();
  if (pid == 0) {
    T_LOADS(p, 'a');
    p[1] = 'b';
    p[t_pages(1)] = 'B';
    t_ping(&to_parent);
    t_wait(&to_child);
    T_LOADS(p + 2, 'c');
    T_LOADS(p + t_pages(2), 'C');
    exit(0);
  }
  t_wait(&to_parent);
  T_LOADS(p + 1, 'b');
  T_LOADS(p + t_pages(1), 'B');
  p[2] = 'c';
  p[t_pages(2)] = 'C';
  t_ping(&to_child);
  T_REAP(pid, T_EXITED(0));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "abc", 3);
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'B');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'C');
}

static void
private_stores_are_seen_by_nobody_else(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, fd, 0);
  struct t_meeting to_child = t_meeting();
  struct t_meeting to_parent = t_meeting();
  pid_t pid;

  p[0] = 'a';
  pid = t_fork();
  if (pid == 0) {
    T_LOADS(p, 'a');
    T_LOADS(p + t_pages(1), t_old_byte((off_t)t_pages(1)));
    p[0] = 'c';
    p[t_pages(1)] = 'c';
    t_ping(&to_parent);
    t_wait(&to_child);
    T_LOADS(p, 'c');
    T_LOADS(p + 1, t_old_byte(1));
    exit(0);
  }
  t_wait(&to_parent);
  T_LOADS(p, 'a');
  T_LOADS(p + t_pages(1), t_old_byte((off_t)t_pages(1)));
  p[1] = 'p';
  t_ping(&to_child);
  T_REAP(pid, T_EXITED(0));
  T_LOADS(p + 1, 'p');
  T_FILE_OLD(fd, 0, t_pages(2));
}

/* {what the child does after its store} and the file must hold the store once the child is gone. */
enum child_end { SYNCS, UNMAPS, EXITS };

static void
store_of_the_child_is_in_the_file_after(enum child_end end) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  pid_t pid;

  p[0] = 'p';
  pid = t_fork();
  if (pid == 0) {
    p[t_pages(1)] = 'c';
    if (end == SYNCS)
      T_OK(msync(p, t_pages(3), MS_SYNC));
    if (end == UNMAPS)
      T_OK(munmap(p, t_pages(3)));
    if (end == SYNCS)
      _exit(0);
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'c');
  T_LOADS(p + t_pages(1), 'c');
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'p');
  p[t_pages(1)] = 'q';
  T_OK(munmap(p, t_pages(3)));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'q');
}

static void
store_of_the_child_is_in_the_file_after_its_msync(void) {
  store_of_the_child_is_in_the_file_after(SYNCS);
}

static void
store_of_the_child_is_in_the_file_after_its_munmap(void) {
  store_of_the_child_is_in_the_file_after(UNMAPS);
}

static void
store_of_the_child_is_in_the_file_after_its_exit(void) {
  store_of_the_child_is_in_the_file_after(EXITS);
}

/* The child still lives, and has synced nothing. */
static void
store_of_the_child_is_in_the_file_after_the_parents_msync(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  struct t_meeting to_child = t_meeting();
  struct t_meeting to_parent = t_meeting();
  pid_t pid = t_fork();

  if (pid == 0) {
    for (unsigned char round = 1; round < 20; round++) {
      p[round] = round;
      t_ping(&to_parent);
      t_wait(&to_child);
    }
    exit(0);
  }
  for (unsigned char round = 1; round < 20; round++) {
    t_wait(&to_parent);
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd, round, round);
    t_ping(&to_child);
  }
  T_REAP(pid, T_EXITED(0));
}

/* What the parent stored before fork is in the file after the child's sync and after its own. */
static void
store_before_fork_is_in_the_file_after_either_sync(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  pid_t pid;

  memset(p, 'b', t_pages(2));
  pid = t_fork();
  if (pid == 0) {
    T_OK(msync(p, t_pages(1), MS_SYNC));
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_FILE_ALL(fd, 0, t_pages(1), 'b');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_ALL(fd, 0, t_pages(2), 'b');
  T_FILE_OLD(fd, (off_t)t_pages(2), t_pages(2));
}

/* A late child doesn't write old bytes over what others wrote since. */
static void
exit_of_a_child_that_stored_nothing_writes_nothing(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(2));
  int other = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  struct t_meeting to_child = t_meeting();
  pid_t pid;

  p[0] = 'p';
  pid = t_fork();
  if (pid == 0) {
    t_wait(&to_child);
    exit(0);
  }
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_PWRITE(other, 0, t_pages(1), 'o');
  t_ping(&to_child);
  T_REAP(pid, T_EXITED(0));
  T_FILE_ALL(fd, 0, t_pages(1), 'o');
}

/* Each generation stores, has the next one store, and sees that. */
static _Noreturn void
descend(unsigned char *p) {
  for (size_t depth = 1;; depth++) {
    pid_t pid;

    T_LOADS(p + t_pages(depth - 1), (unsigned char)('0' + depth - 1));
    p[t_pages(depth)] = (unsigned char)('0' + depth);
    if (depth == 3)
      exit(0);
    pid = t_fork();
    if (pid == 0)
      continue;
    T_REAP(pid, T_EXITED(0));
    T_LOADS(p + t_pages(depth + 1), (unsigned char)('0' + depth + 1));
    exit(0);
  }
}

static void
grandchildren_share_too(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  pid_t pid;

  p[0] = '0';
  pid = t_fork();
  if (pid == 0)
    descend(p);
  T_REAP(pid, T_EXITED(0));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  for (size_t page = 0; page < 4; page++)
    T_FILE_BYTE(fd, (off_t)t_pages(page), (unsigned char)('0' + page));
}

static void
what_the_child_maps_and_unmaps_is_its_own(void) {
  unsigned char *p;
  pid_t pid;
  int fd;

  t_skip_on_valgrind("it raises SIGBUS in itself when a forked child maps a file");
  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  pid = t_fork();
  if (pid == 0) {
    T_OK(munmap(p, t_pages(2)));
    T_OK(mprotect(p + t_pages(2), t_pages(1), PROT_NONE));
    T_MAP(p, t_pages(1), RW, MAP_SHARED | MAP_FIXED, fd, (off_t)t_pages(3))[1] = 'c';
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_MEM_OLD(p, t_pages(3), 0);
  T_LOADS(p + t_pages(3) + 1, 'c');
  T_STORES(p + t_pages(2), 'p');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'p');
  T_FILE_BYTE(fd, (off_t)t_pages(3) + 1, 'c');
}

static void
mapping_made_in_a_child_meets_the_parents(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  pid_t pid;

  t_skip_on_valgrind("it raises SIGBUS in itself when a forked child maps a file");
  PUT(p, 'p');
  pid = t_fork();
  if (pid == 0) {
    unsigned char *q = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, t_open(path, O_RDWR), 0);

    T_LOADS(q, 'p');
    q[1] = 'c';
    T_LOADS(p + 1, 'c');
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_LOADS(p + 1, 'c');
  T_FILE_BYTE(fd, 1, 'c');
}

static void
child_of_vfork_may_store(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *volatile p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  pid_t pid;

  t_skip_on_valgrind("its vfork is fork");
  PUT(p, 'p');
  pid = vfork();
  if (pid == 0) {
    PUT(p + 1, 'v');
    PUT(p + t_pages(1), 'v');
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_LOADS(p + 1, 'v');
  PUT(p + 2, 'p');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "pvp", 3);
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'v');
}

static const struct t_case cases[] = {
  T_CASE(shared_stores_are_seen_both_ways),
  T_CASE(private_stores_are_seen_by_nobody_else),
  T_CASE(store_of_the_child_is_in_the_file_after_its_msync),
  T_CASE(store_of_the_child_is_in_the_file_after_its_munmap),
  T_CASE(store_of_the_child_is_in_the_file_after_its_exit),
  T_CASE(store_of_the_child_is_in_the_file_after_the_parents_msync),
  T_CASE(store_before_fork_is_in_the_file_after_either_sync),
  T_CASE(exit_of_a_child_that_stored_nothing_writes_nothing),
  T_CASE(grandchildren_share_too),
  T_CASE(what_the_child_maps_and_unmaps_is_its_own),
  T_CASE(mapping_made_in_a_child_meets_the_parents),
  T_CASE(child_of_vfork_may_store),
};

T_MAIN(cases)
