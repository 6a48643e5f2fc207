/* Waiting, waking, time, and starting threads. */
#include "host_test.h"

#include <limits.h>
#include <pthread.h>
#include <sys/time.h>

/* libc puts it on every thread's stack: more than the first stack size that is tried. */
static __thread volatile char much_local_data[1 << 20];

/* ---- Waiting ------------------------------------------------------------------------------- */

static void
wait_returns_if_the_word_differs(void **state) {
  _Atomic uint32_t word = 1;
  (void)state;
  errno = ERRNO_UNTOUCHED;
  host_wait(&word, 2, 0); /* else for ever */
  assert_int_equal(errno, ERRNO_UNTOUCHED);
}

static void
wait_ends_with_its_time(void **state) {
  _Atomic uint32_t word = 1;
  uint64_t before = host_now_ns();
  (void)state;
  errno = ERRNO_UNTOUCHED;
  while (host_now_ns() - before < 20000000)
    host_wait(&word, 1, 20000000);
  assert_int_equal(errno, ERRNO_UNTOUCHED);
  assert_in_range(host_now_ns() - before, 20000000, 10000000000U);
}

static void
nap_lasts_its_time(void **state) {
  uint64_t before = host_now_ns();
  (void)state;
  errno = ERRNO_UNTOUCHED;
  host_nap(20000000);
  host_yield();
  assert_int_equal(errno, ERRNO_UNTOUCHED);
  assert_in_range(host_now_ns() - before, 20000000, 10000000000U);
}

static void
on_alarm(int sig) {
  (void)sig;
}

static int
nap_through_signals(void *arg) {
  struct sigaction action = { .sa_handler = on_alarm };
  struct itimerval every_ms = { { 0, 1000 }, { 0, 1000 } };
  (void)arg;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &every_ms, NULL);
  uint64_t before = host_now_ns();
  host_nap(50000000);
  CHILD_CHECK(host_now_ns() - before >= 50000000);
  return 0;
}

static void
nap_is_continued_after_signals(void **state) {
  (void)state;
  assert_int_equal(in_child(nap_through_signals, NULL), 0);
}

#define NWAITERS 3U

struct waiters {
  _Atomic uint32_t word, woken;
};

static void *
wait_once(void *arg) {
  struct waiters *waiters = (struct waiters *)arg;
  while (atomic_load(&waiters->word) == 0)
    host_wait(&waiters->word, 0, 0);
  atomic_fetch_add(&waiters->woken, 1);
  return NULL;
}

static void
wake_reaches_all(void **state) {
  struct waiters waiters = { .word = 0, .woken = 0 };
  pthread_t threads[NWAITERS];
  (void)state;
  for (size_t i = 0; i < NWAITERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, wait_once, &waiters), 0);
  atomic_store(&waiters.word, 1);
  errno = ERRNO_UNTOUCHED;
  host_wake(&waiters.word, INT_MAX);
  assert_int_equal(errno, ERRNO_UNTOUCHED);
  for (size_t i = 0; i < NWAITERS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(atomic_load(&waiters.woken), NWAITERS);
}

/* A word in memory that processes share. */
static int
set_and_wake(void *arg) {
  _Atomic uint32_t *word = (_Atomic uint32_t *)arg;
  host_nap(10000000);
  atomic_store(word, 1);
  host_wake(word, 1);
  return 0;
}

static void
wake_reaches_another_process(void **state) {
  void *out = NULL;
  (void)state;
  EXPECT(host_map(&out, NULL, host_config.page_size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0),
         0);
  _Atomic uint32_t *word = (_Atomic uint32_t *)out;
  pid_t pid = start_child(set_and_wake, out);
  while (atomic_load(word) == 0)
    host_wait(word, 0, 0);
  assert_int_equal(reap(pid), 0);
  EXPECT(host_unmap(out, host_config.page_size), 0);
}

/* ---- Threads ------------------------------------------------------------------------------- */

struct report {
  _Atomic uint32_t is_done;
  sigset_t mask;
  char name[16];
  int detach_state;
  size_t stack_size;
};

static void *
report_self(void *arg) {
  struct report *report = (struct report *)arg;
  pthread_attr_t attr;
  much_local_data[sizeof much_local_data - 1] = 1;
  sigemptyset(&report->mask);
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &report->mask, 8); /* NOLINT: without libc's view */
  prctl(PR_GET_NAME, report->name);
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getdetachstate(&attr, &report->detach_state);
  pthread_attr_getstacksize(&attr, &report->stack_size);
  pthread_attr_destroy(&attr);
  atomic_store(&report->is_done, 1);
  host_wake(&report->is_done, 1);
  return NULL;
}

static void
run_report(struct report *report) {
  char name[] = "softmap-test";
  *report = (struct report){ .is_done = 0 };
  EXPECT(host_thread_start(report_self, report, name), 0);
  memset(name, 'x', sizeof name - 1); /* the name was copied */
  while (atomic_load(&report->is_done) == 0)
    host_wait(&report->is_done, 0, 0);
}

static void
thread_is_detached_named_and_deaf(void **state) {
  struct report report;
  sigset_t before, after;
  (void)state;
  pthread_sigmask(SIG_BLOCK, NULL, &before);
  run_report(&report);
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  assert_int_equal(memcmp(&before, &after, 8), 0);
  assert_string_equal(report.name, "softmap-test");
  assert_int_equal(report.detach_state, PTHREAD_CREATE_DETACHED);
  for (int sig = 1; sig <= 31; sig++)
    if (sig != SIGKILL && sig != SIGSTOP && sigismember(&report.mask, sig) != 1)
      fail_msg("signal %d is open in the thread", sig);
  assert_int_equal(sigismember(&report.mask, SIGKILL), 0); /* the control: not just all ones */
}

static void
thread_s_stack_holds_the_local_data(void **state) {
  struct report report;
  (void)state;
  much_local_data[0] = 1;
  run_report(&report);
  assert_true(report.stack_size >= 64 << 10);
}

static void *
count(void *arg) {
  atomic_fetch_add((_Atomic uint32_t *)arg, 1);
  host_wake((_Atomic uint32_t *)arg, 1);
  return NULL;
}

static void
threads_start_one_after_another(void **state) {
  _Atomic uint32_t n = 0;
  (void)state;
  for (uint32_t i = 0; i < 200; i++) {
    EXPECT(host_thread_start(count, &n, "softmap"), 0);
    while (atomic_load(&n) == i)
      host_wait(&n, i, 0);
  }
  assert_int_equal(atomic_load(&n), 200);
}

static int
start_without_processes(void *arg) {
  _Atomic uint32_t n = 0;
  (void)arg;
  if (refuse_syscall(SYS_clone3, ENOSYS) != 0 || refuse_syscall(SYS_clone, EAGAIN) != 0)
    return 77;
  errno = ERRNO_UNTOUCHED;
  CHILD_CHECK(host_thread_start(count, &n, "softmap") == EAGAIN);
  CHILD_CHECK(errno == ERRNO_UNTOUCHED);
  CHILD_CHECK(atomic_load(&n) == 0);
  return 0;
}

static void
thread_that_can_t_be_had_is_an_error(void **state) {
  (void)state;
  if (is_sanitized(NULL))
    skip(); /* the sanitizers' own pthread_create ends the process */
  int status = in_child(start_without_processes, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(wait_returns_if_the_word_differs),
    cmocka_unit_test(wait_ends_with_its_time),
    cmocka_unit_test(nap_lasts_its_time),
    cmocka_unit_test(nap_is_continued_after_signals),
    cmocka_unit_test(wake_reaches_all),
    cmocka_unit_test(wake_reaches_another_process),
    cmocka_unit_test(thread_is_detached_named_and_deaf),
    cmocka_unit_test(thread_s_stack_holds_the_local_data),
    cmocka_unit_test(threads_start_one_after_another),
    cmocka_unit_test(thread_that_can_t_be_had_is_an_error),
  };
  return cmocka_run_group_tests(tests, start_host, NULL);
}
