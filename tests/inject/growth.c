/* growth.c - stores to the last page while the file becomes longer in it: behind the old end, of what was
 * there before, so that a twin made too early knows no difference. Threads are held at chosen calls of
 * the host, so that the order is always the same.
 */
#include "t_engine.h"

#include <pthread.h>
#include <sched.h>

enum { PAGES = 100, LACKS = 100 };

static unsigned char *p;
static int fd;

static void
new_mapping(void) {
  char path[T_PATH];

  T_OK(softmap_configure("tracker", "fault"));
  fd = t_tmpfile(path, (off_t)t_pages(PAGES) - LACKS - 1);
  p = T_MAP(NULL, t_pages(2 * (size_t)PAGES), RW, MAP_SHARED, fd, 0);
  for (size_t i = 0; i < PAGES; i++) /* fill them */
    (void)GET(p + t_pages(i));
  T_PWRITE(fd, (off_t)t_pages(PAGES) - LACKS - 1, 1, 'y'); /* so that there is a fence */
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
}

/* By others: the rest of the page and some more. */
static void
make_longer(void) {
  static char bytes[2 << 16];

  memset(bytes, 'x', sizeof bytes);
  T_EQ(pwrite(fd, bytes, LACKS + t_page_size(), (off_t)t_pages(PAGES) - LACKS),
       LACKS + t_page_size());
}

static void *
sync_all(void *unused) {
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  return unused;
}

/* Looks at the file's size. */
static void *
load_behind(void *unused) {
  T_EQ(GET(p + t_pages(PAGES)), 'x');
  return unused;
}

/* A thread that is held at the nth call. */
static pthread_t
hold(void *(*fn)(void *), enum host_call call, uint32_t nth) {
  struct inject_rule rule = { .call = call, .nth = nth, .times = 1, .hold = 1 };
  pthread_t thread;

  inject_arm(&rule);
  T_EQ(pthread_create(&thread, NULL, fn, NULL), 0);
  while (inject_fired() == 0)
    (void)sched_yield();
  return thread;
}

static void
let_go(pthread_t thread) {
  inject_release(1);
  T_EQ(pthread_join(thread, NULL), 0);
  inject_disarm();
}

/* Stores in order: the last page is opened ahead, and not stored to. */
static void
store_up_to_the_last(void) {
  for (size_t i = 0; i < PAGES - 1; i++)
    PUT(p + t_pages(i), 'a');
}

/* As the last page was behind the old end. */
static void
put_back(void) {
  T_EQ(GET(p + t_pages(PAGES) - 1), 'x');
  for (size_t i = t_pages(PAGES) - LACKS; i < t_pages(PAGES); i++)
    PUT(p + i, 0);
}

static void
sync_has_what_was_put(void) {
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  for (size_t i = t_pages(PAGES) - LACKS; i < t_pages(PAGES); i++)
    T_FILE_BYTE(fd, (off_t)i, 0);
  T_OK(munmap(p, t_pages(2 * (size_t)PAGES)));
}

/* ---- Cases ----------------------------------------------------------------------------------- */

/* Its twin is made between who makes the section longer looking at the states, and the new bytes. */
static void
opened_ahead_while_it_grows(void) {
  pthread_t thread;

  new_mapping();
  make_longer();
  thread = hold(load_behind, HOST_CALL_read, 1);
  store_up_to_the_last();
  let_go(thread);
  put_back();
  sync_has_what_was_put();
}

static void
open_ahead_in_a_child(const struct t_meeting *is_open, const struct t_meeting *is_long) {
  store_up_to_the_last();
  t_ping(is_open);
  t_wait(is_long);
  put_back();
  _exit(0);
}

/* By a sync that lets it go as it was, since it is open elsewhere. */
static void
compared_while_it_grows(void) {
  struct t_meeting is_open = t_meeting(), is_long = t_meeting();
  pthread_t thread;
  pid_t pid;

  new_mapping();
  if ((pid = t_fork()) == 0)
    open_ahead_in_a_child(&is_open, &is_long);
  t_wait(&is_open);
  thread = hold(sync_all, HOST_CALL_read, 2); /* it has compared all, and reads one to write it */
  make_longer();
  (void)load_behind(NULL);
  let_go(thread);
  t_ping(&is_long);
  T_REAP(pid, T_EXITED(0));
  sync_has_what_was_put();
}

/* The sync is held before it comes to the last page. */
static void
sync_in_a_child(const struct t_meeting *is_syncing, const struct t_meeting *is_put,
                const struct t_meeting *is_synced) {
  pthread_t thread;

  PUT(p, 'a');
  PUT(p + t_pages(PAGES - 1), 'b');
  thread = hold(sync_all, HOST_CALL_write, 1);
  t_ping(is_syncing);
  t_wait(is_put);
  put_back();
  let_go(thread);
  t_ping(is_synced);
  _exit(0);
}

/* The new bytes are there, and stored to, when a sync writes the page up to the old end. */
static void
written_while_it_grows(void) {
  struct t_meeting is_syncing = t_meeting(), is_put = t_meeting(), is_synced = t_meeting();
  pthread_t thread;
  pid_t pid;

  new_mapping();
  if ((pid = t_fork()) == 0)
    sync_in_a_child(&is_syncing, &is_put, &is_synced);
  t_wait(&is_syncing);
  make_longer();
  thread = hold(load_behind, HOST_CALL_write, 2); /* the page behind it */
  t_ping(&is_put);
  t_wait(&is_synced);
  let_go(thread);
  T_REAP(pid, T_EXITED(0));
  sync_has_what_was_put();
}

static const struct t_case cases[] = {
  T_CASE(opened_ahead_while_it_grows),
  T_CASE(compared_while_it_grows),
  T_CASE(written_while_it_grows),
};
T_MAIN(cases)
