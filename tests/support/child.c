/* child.c - child processes and how they should end. */
#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_A_CHILD = 50 };

/* It ends with its parent, and when its time is up. */
void
t_limit_this_process(unsigned seconds) {
#ifdef PR_SET_PDEATHSIG
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  (void)alarm(seconds);
}

static bool
is_set(const char *name) {
  const char *value = getenv(name);

  return value != NULL && *value != '\0';
}

int
t_slowness(void) {
  return is_set("SOFTMAP_TEST_VALGRIND") ? 10 : is_set("SOFTMAP_TEST_SANITIZER") ? 3 : 1;
}

void
t_skip_on_valgrind(const char *why) {
  if (is_set("SOFTMAP_TEST_VALGRIND"))
    t_skip(why);
}

pid_t
t_fork(void) {
  pid_t parent = getpid();
  pid_t pid = fork();

  if (pid < 0)
    t_fail(T_HERE, "fork: errno %d", errno);
  if (pid == 0)
    t_limit_this_process(SECONDS_A_CHILD);
  if (pid == 0 && getppid() != parent) /* it ended before that */
    _exit(1);
  return pid;
}

static void
describe(int end, char buf[64]) {
  if (end >= 256)
    (void)snprintf(buf, 64, "signal %d", end - 256);
  else
    (void)snprintf(buf, 64, "exit code %d", end);
}

static int
wait_for(struct t_at at, pid_t pid, int flags) {
  int status;

  while (waitpid(pid, &status, flags) < 0)
    if (errno != EINTR)
      t_fail(at, "waitpid: errno %d", errno);
  return status;
}

void
t_stop(struct t_at at, pid_t pid) {
  if (kill(pid, SIGSTOP) != 0)
    t_fail(at, "can't stop a child: errno %d", errno);
  if (!WIFSTOPPED(wait_for(at, pid, WUNTRACED)))
    t_fail(at, "a child has ended, and wasn't stopped");
}

/* Waits for the child. False if it ended otherwise than wanted; text then says how. */
static bool
ended_as_wanted(struct t_at at, pid_t pid, int want, char text[160]) {
  char got_text[64];
  char want_text[64];
  int status = wait_for(at, pid, 0);
  int end = WIFSIGNALED(status) ? T_KILLED(WTERMSIG(status)) : T_EXITED(WEXITSTATUS(status));

  describe(end, got_text);
  describe(want, want_text);
  (void)snprintf(text, 160, "a child ended with %s, wanted %s", got_text, want_text);
  return end == want;
}

void
t_reap(struct t_at at, pid_t pid, int want) {
  char text[160];

  if (!ended_as_wanted(at, pid, want, text))
    t_fail(at, "%s", text);
}

static pid_t
start(void (*fn)(void *), void *arg) {
  pid_t pid = t_fork();

  if (pid == 0) {
    fn(arg);
    exit(t_rows_failed() != 0 ? 1 : 0);
  }
  return pid;
}

void
t_in_child(struct t_at at, void (*fn)(void *), void *arg, int want) {
  t_reap(at, start(fn, arg), want);
}

void
t_row_in_child(struct t_at at, const char *row, void (*fn)(void *), void *arg, int want) {
  char text[160];

  if (!ended_as_wanted(at, start(fn, arg), want, text))
    t_row_fail(at, row, "%s", text);
}
