/* held.c - children that are held. */
#include "held.h"

#include <pthread.h>
#include <sched.h>

static struct t_meeting held, go;
static pthread_t thread;

pid_t
held_child(struct t_at at, void (*fn)(void *), void *arg) {
  pid_t pid;

  held = t_meeting();
  go = t_meeting();
  pid = t_fork();
  if (pid == 0) {
    fn(arg);
    _exit(0);
  }
  t_wait(&held);
  t_stop(at, pid);
  return pid;
}

void
held_child_goes_on(struct t_at at, pid_t pid) {
  T_OK(kill(pid, SIGCONT));
  t_ping(&go);
  t_reap(at, pid, T_EXITED(0));
}

void
held_wait(uint32_t threads) {
  while (inject_fired() < threads)
    (void)sched_yield();
}

void
held_meet(void) {
  t_ping(&held);
  t_wait(&go);
}

static void *
meet_when_held(void *arg) {
  held_wait(1);
  held_meet();
  inject_release(1);
  return arg;
}

void
held_begin(const struct inject_rule *rule) {
  inject_arm(rule);
  T_EQ(pthread_create(&thread, NULL, meet_when_held, NULL), 0);
}

void
held_end(void) {
  T_EQ(pthread_join(thread, NULL), 0);
}
