/* host_posix_thread.c - waiting and waking, time, and starting a thread.
 */
#include "host/host_linux.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

#include "host/host.h"
#include "host/inject.h"

/* ---- Waiting ------------------------------------------------------------------------------- */

static struct raw_timespec
timespec_from_ns(uint64_t ns) {
  struct raw_timespec time = { .sec = 0, .nsec = 0 };
  uint64_t sec = ns / 1000000000U;
  if (sec > INT32_MAX)
    sec = INT32_MAX;
  time.sec = (__typeof__(time.sec))sec;
  time.nsec = (__typeof__(time.nsec))(ns % 1000000000U);
  return time;
}

/* Not FUTEX_PRIVATE_FLAG: the word may be in memory that processes share. */
void
host_wait(_Atomic uint32_t *word, uint32_t expect, uint64_t timeout_ns) {
  struct raw_timespec timeout = timespec_from_ns(timeout_ns);
  raw4(SYS_futex, word, FUTEX_WAIT, expect, timeout_ns == 0 ? NULL : &timeout);
}

void
host_wake(_Atomic uint32_t *word, int nthreads) {
  raw3(SYS_futex, word, FUTEX_WAKE, nthreads);
}

void
host_yield(void) {
  raw0(SYS_sched_yield);
}

void
host_nap(uint64_t ns) {
  struct raw_timespec rest = timespec_from_ns(ns);
#ifdef SYS_nanosleep
  while (raw2(SYS_nanosleep, &rest, &rest) == -EINTR)
    continue;
#else
  while (raw4(SYS_clock_nanosleep_time64, CLOCK_MONOTONIC, 0, &rest, &rest) == -EINTR)
    continue;
#endif
}

uint64_t
host_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now); /* in user space where the kernel offers that */
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* ---- Threads ------------------------------------------------------------------------------- */

#define STACK_FIRST (256U << 10)
#define STACK_LAST (64U << 20)

/* Lives on the starter's stack until the thread has copied it. */
struct thread_start {
  void *(*fn)(void *);
  void *arg;
  const char *name;
  _Atomic uint32_t is_copied;
};

static void *
thread_main(void *data) {
  struct thread_start *shared = (struct thread_start *)data;
  void *(*fn)(void *) = shared->fn;
  void *arg = shared->arg;
  raw2(SYS_prctl, PR_SET_NAME, shared->name);
  atomic_store_explicit(&shared->is_copied, 1, memory_order_release);
  host_wake(&shared->is_copied, 1); /* of a word that may be gone already: wakes nobody then */
  return fn(arg);
}

/* libc puts the thread-local variables of all libraries on the stack and says EINVAL where they
 * don't fit, but not how much they need. */
static int
create_thread(struct thread_start *start) {
  pthread_attr_t attr;
  pthread_t thread;
  size_t size = STACK_FIRST;
  long least = sysconf(_SC_THREAD_STACK_MIN);
  if (least > 0 && (size_t)least + (64U << 10) > size)
    size = (size_t)least + (64U << 10);

  int error = pthread_attr_init(&attr);
  if (error != 0)
    return error;
  error = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  if (error == 0) {
    do {
      error = pthread_attr_setstacksize(&attr, size);
      if (error == 0)
        error = pthread_create(&thread, &attr, thread_main, start);
      size *= 2;
    } while (error == EINVAL && size <= STACK_LAST);
  }
  pthread_attr_destroy(&attr);
  return error;
}

static int
start_thread(void *(*fn)(void *), void *arg, const char *name) {
  struct thread_start start = { .fn = fn, .arg = arg, .name = name, .is_copied = 0 };
  sigset_t mask;
  int saved = errno;

  host_signals_block(&mask); /* the thread inherits the mask */
  int error = create_thread(&start);
  host_signals_set(&mask);
  errno = saved;
  while (error == 0 && atomic_load_explicit(&start.is_copied, memory_order_acquire) == 0)
    host_wait(&start.is_copied, 0, 0);
  return error;
}

int
host_thread_start(void *(*fn)(void *), void *arg, const char *name) {
  int error = inject_before(HOST_CALL_thread_start);
  if (error != 0)
    return error;
  error = start_thread(fn, arg, name);
  inject_after(HOST_CALL_thread_start);
  return error;
}
