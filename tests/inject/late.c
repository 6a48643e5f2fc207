/* late.c - a write to the file that comes too late: its process was stopped before it, others wrote the page,
 * and one of them opened it ahead. What is written then must not be what the page's twin doesn't know.
 */
#include "t_engine.h"

#include <pthread.h>
#include <sched.h>

enum { PAGES = 40, PAGE = 30 };

static unsigned char *p;
static int fd;
static struct t_meeting held, go;

static void *
meet_when_held(void *arg) {
  while (inject_fired() == 0)
    (void)sched_yield();
  t_ping(&held);
  t_wait(&go);
  inject_release(1);
  return arg;
}

/* In a child, which is stopped when its thread of softmap is about to write the page. */
static void
sync_late(void) {
  struct inject_rule rule = { .call = HOST_CALL_write, .nth = 1, .times = 1, .hold = 1 };
  pthread_t thread;

  PUT(p + t_pages(1), 'v'); /* so that there is a fence */
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  PUT(p + t_pages(PAGE), 'w');
  inject_arm(&rule);
  T_EQ(pthread_create(&thread, NULL, meet_when_held, NULL), 0);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_EQ(pthread_join(thread, NULL), 0);
  _exit(0);
}

static void
late_write_does_not_pass_by_a_twin(void) {
  char path[T_PATH];
  int status;
  pid_t pid;

  T_ON_FAULT();
  held = t_meeting();
  go = t_meeting();
  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  for (size_t i = 0; i < PAGES; i++)
    (void)GET(p + t_pages(i)); /* filled */
  if ((pid = t_fork()) == 0)
    sync_late();
  t_wait(&held);
  T_EQ(kill(pid, SIGSTOP), 0);
  T_EQ(waitpid(pid, &status, WUNTRACED), pid);
  T_CHECK(WIFSTOPPED(status));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC)); /* takes over */
  T_FILE_BYTE(fd, (off_t)t_pages(PAGE), 'w');
  for (size_t i = 10; i < PAGE; i++)
    PUT(p + t_pages(i), 'r'); /* and opens it ahead */
  PUT(p + t_pages(PAGE), 's');
  T_EQ(kill(pid, SIGCONT), 0);
  t_ping(&go);
  T_REAP(pid, T_EXITED(0));
  PUT(p + t_pages(PAGE), 'w');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(PAGE), 'w');
  T_OK(munmap(p, t_pages(PAGES)));
}

static const struct t_case cases[] = {
  T_CASE(late_write_does_not_pass_by_a_twin),
};
T_MAIN(cases)
