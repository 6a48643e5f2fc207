/* lives.c - how children end and what they leave: killed, exec'd, grandchildren, private memory. */
#include "t_engine.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static unsigned char *p;
static int fd;

/* A child that has stored into page `page` and waits to be killed. */
static pid_t
child_with_open_page(size_t page, unsigned char value) {
  struct t_meeting m = t_meeting();
  pid_t pid = t_fork();

  if (pid == 0) {
    PUT(p + t_pages(page), value);
    t_ping(&m);
    for (;;)
      pause();
  }
  t_wait(&m);
  return pid;
}

static void
killed_child_leaves_its_stores(void) {
  static const bool only_one[4] = { false, true, false, false };
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  pid = child_with_open_page(1, 'k');
  engine_dirty_is(T_HERE, p, 4, only_one);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'k');
  if (engine_is_exact())
    T_NDIRTY(p, 4, 0);
  else
    engine_dirty_is(T_HERE, p, 4, only_one); /* it could be storing: can't be told apart */
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
  if (!engine_is_exact())
    engine_dirty_is(T_HERE, p, 4, only_one);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_NDIRTY(p, 4, 0);
}

static void
killed_child_is_synced_for_the_first_time(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  pid = child_with_open_page(2, 'k');
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
  T_NDIRTY(p, 4, 1);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'k');
  T_NDIRTY(p, 4, 0);
}

/* A stopped one holds nobody up. */
static void
stopped_child_holds_nobody_up(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  pid = child_with_open_page(2, 's');
  T_STOP(pid);
  PUT(p + t_pages(2) + 1, 't');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 's');
  T_FILE_BYTE(fd, (off_t)t_pages(2) + 1, 't');
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
}

/* The last one to leave writes what the killed one stored. */
static void
end_of_the_parent_writes_for_the_killed(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  pid = child_with_open_page(3, 'k');
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
  T_OK(munmap(p, t_pages(4)));
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'k');
}

static void
grandchild(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  PUT(p, 'p');
  pid = t_fork();
  if (pid == 0) {
    pid_t grand;

    PUT(p + t_pages(1), 'c');
    grand = t_fork();
    if (grand == 0) {
      T_EQ(GET(p), 'p');
      T_EQ(GET(p + t_pages(1)), 'c');
      PUT(p + t_pages(2), 'g');
      T_OK(msync(p, t_pages(4), MS_SYNC));
      T_FILE_BYTE(fd, (off_t)t_pages(1), 'c');
      PUT(p + t_pages(3), 'h');
      _exit(0);
    }
    T_REAP(grand, T_EXITED(0));
    T_EQ(GET(p + t_pages(3)), 'h');
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(fd, 0, 'p');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'g');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'h');
}

/* Outlives its parent and is the last one out. */
static void
child_outlives_parent(void) {
  struct t_meeting gone = t_meeting();
  struct t_meeting written = t_meeting();
  pid_t pid;

  fd = t_tmpfile(NULL, (off_t)t_pages(2));
  pid = t_fork();
  if (pid == 0) {
    p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
    PUT(p, 'p');
    if (fork() == 0) {
      (void)alarm(20);
      t_wait(&gone);
      PUT(p + t_pages(1), 'c');
      T_OK(munmap(p, t_pages(2)));
      t_ping(&written);
      exit(0);
    }
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  t_ping(&gone);
  t_wait(&written);
  T_FILE_BYTE(fd, 0, 'p');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'c');
}

static void
child_that_execs_leaves_its_stores(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  pid = t_fork();
  if (pid == 0) {
    PUT(p + t_pages(1), 'e');
    (void)execl("/bin/true", "true", (char *)NULL);
    _exit(9);
  }
  T_REAP(pid, T_EXITED(0));
  T_NDIRTY(p, 4, 1);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'e');
  T_NDIRTY(p, 4, 0);
}

/* The same while the other program still runs: its pid and start time are those of the child. */
static void
program_that_was_a_child_counts_as_gone(void) {
  int ends[2];
  pid_t pid;
  char byte;

  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(pipe(ends));
  pid = t_fork();
  if (pid == 0) {
    PUT(p + t_pages(1), 'e');
    (void)dup2(ends[1], STDOUT_FILENO);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)execl("/bin/sh", "sh", "-c", "echo; exec sleep 40", (char *)NULL);
    _exit(9);
  }
  (void)close(ends[1]);
  T_EQ(read(ends[0], &byte, 1), 1);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'e');
  T_NDIRTY(p, 4, 0);
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
}

static void
private_pages_are_copies(void) {
  unsigned char *q;
  pid_t pid;

  fd = t_tmpfile(NULL, (off_t)t_pages(3));
  q = T_MAP(NULL, t_pages(3), RW, MAP_PRIVATE, fd, 0);
  PUT(q, 'p');
  pid = t_fork();
  if (pid == 0) {
    T_EQ(GET(q), 'p');
    PUT(q, 'c');
    PUT(q + t_pages(1), 'c');
    T_OK(msync(q, t_pages(3), MS_SYNC));
    exit(0);
  }
  PUT(q + t_pages(2), 'p');
  T_REAP(pid, T_EXITED(0));
  T_EQ(GET(q), 'p');
  T_EQ(GET(q + t_pages(1)), t_old_byte((off_t)t_pages(1)));
  T_OK(msync(q, t_pages(3), MS_SYNC));
  T_OK(munmap(q, t_pages(3)));
  T_FILE_OLD(fd, 0, t_pages(3));
}

/* Both sides write back what the parent had stored: the second write must not undo what another
 * process wrote in between (pitfall 19). */
static void
late_child_does_not_write_again(void) {
  struct t_meeting go = t_meeting();
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  PUT(p, 'p');
  pid = t_fork();
  if (pid == 0) {
    t_wait(&go);
    exit(0);
  }
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'p');
  T_PWRITE(fd, 0, 1, 'o');
  t_ping(&go);
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(fd, 0, 'o');
}

/* ---- Pinned ---------------------------------------------------------------------------------- */

static void
read_into(const char *text) {
  int ends[2];

  T_OK(pipe(ends));
  T_EQ(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
  T_EQ(read(ends[0], p + t_page_size() - 2, strlen(text)), (ssize_t)strlen(text));
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static void
pinned_pages_across_fork(void) {
  static const bool two[4] = { true, true, false, false };
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(softmap_pin(p + t_page_size() - 2, 5, PROT_WRITE));
  pid = t_fork();
  if (pid == 0) {
    PUT(p + t_pages(1) + 100, 'c'); /* a store of its own is noticed */
    PUT(p + t_pages(2), 'c');
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(1) + 100, 'c');
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  engine_dirty_is(T_HERE, p, 4, two); /* as long as it is pinned */
  read_into("hello");                 /* the parent's pages never closed */
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_page_size() - 2, "hello", 5);
  T_OK(softmap_unpin(p + t_page_size() - 2, 5));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_NDIRTY(p, 4, 0);
}

/* In the child nothing of it is open: its stores are noticed when the parent has long unpinned. */
static void
pinned_by_the_parent_alone(void) {
  struct t_meeting go = t_meeting();
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(softmap_pin(p, 1, PROT_WRITE));
  pid = t_fork();
  if (pid == 0) {
    t_wait(&go);
    PUT(p, 'c');
    T_NDIRTY(p, 4, 1);
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_BYTE(fd, 0, 'c');
    _exit(0);
  }
  T_OK(softmap_unpin(p, 1));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_NDIRTY(p, 4, 0);
  t_ping(&go);
  T_REAP(pid, T_EXITED(0));
}

/* The child's own pin opens the page for its own system calls. */
static void
pinned_by_parent_and_child(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(softmap_pin(p + t_page_size() - 2, 5, PROT_WRITE));
  pid = t_fork();
  if (pid == 0) {
    T_OK(softmap_pin(p + t_page_size() - 2, 5, PROT_WRITE));
    read_into("child");
    T_OK(softmap_unpin(p + t_page_size() - 2, 5));
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_EQUALS(fd, (off_t)t_page_size() - 2, "child", 5);
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_OK(softmap_unpin(p + t_page_size() - 2, 5));
}

static const struct t_case cases[] = {
  T_CASE(killed_child_leaves_its_stores),
  T_CASE(killed_child_is_synced_for_the_first_time),
  T_CASE(stopped_child_holds_nobody_up),
  T_CASE(end_of_the_parent_writes_for_the_killed),
  T_CASE(grandchild),
  T_CASE_MAPS_NOTHING(child_outlives_parent),
  T_CASE(child_that_execs_leaves_its_stores),
  T_CASE(program_that_was_a_child_counts_as_gone),
  T_CASE(private_pages_are_copies),
  T_CASE(late_child_does_not_write_again),
  T_CASE(pinned_pages_across_fork),
  T_CASE(pinned_by_the_parent_alone),
  T_CASE(pinned_by_parent_and_child),
};
T_MAIN(cases)
