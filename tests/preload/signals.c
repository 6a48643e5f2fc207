/* signals.c - what a program sets for SIGSEGV and SIGBUS it reads back, and it means what it says, while
 * stores to a mapped file go on. */
#include "conform.h"

#include <pthread.h>
#include <setjmp.h>
#include <string.h>

static unsigned char *p;
static volatile sig_atomic_t calls;
static sigjmp_buf back;

static void
begin(void) {
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, t_tmpfile(NULL, (off_t)t_pages(2)), 0);
  PUT(p, 1);
}

static void
stores_go_on(void) {
  T_OK(msync(p, t_pages(2), MS_SYNC));
  PUT(p, 2);
  PUT(p + t_pages(1), 2);
}

static void
count(int signo) {
  (void)signo;
  calls++;
}

static void
count_with_info(int signo, siginfo_t *info, void *context) {
  (void)info;
  (void)context;
  count(signo);
}

static void
jump(int signo) {
  count(signo);
  siglongjmp(back, 1);
}

static void
actions_are_read_back(void) {
  static const int signals[] = { SIGSEGV, SIGBUS, SIGUSR1 };
  begin();
  for (int i = 0; i < 3; i++) {
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER }, old;
    action.sa_sigaction = count_with_info;
    T_OK(sigemptyset(&action.sa_mask));
    T_OK(sigaddset(&action.sa_mask, SIGSEGV));
    T_OK(sigaddset(&action.sa_mask, SIGUSR2));
    T_OK(sigaction(signals[i], &action, NULL));
    T_OK(sigaction(signals[i], NULL, &old));
    T_CHECK(old.sa_sigaction == count_with_info);
    T_EQ(old.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER), action.sa_flags);
    T_CHECK(sigismember(&old.sa_mask, SIGSEGV) && sigismember(&old.sa_mask, SIGUSR2) &&
            !sigismember(&old.sa_mask, SIGBUS));
    T_CHECK(signal(signals[i], count) == (void (*)(int))(uintptr_t)count_with_info);
    T_CHECK(signal(signals[i], SIG_DFL) == count);
    T_CHECK(signal(signals[i], SIG_IGN) == SIG_DFL);
    stores_go_on();
  }
}

static void
masks_are_read_back(void) {
  sigset_t set, old;
  T_OK(sigemptyset(&set));
  T_OK(sigaddset(&set, SIGSEGV));
  T_OK(sigaddset(&set, SIGUSR1));
  begin();
  T_OK(sigprocmask(SIG_BLOCK, &set, &old));
  T_CHECK(!sigismember(&old, SIGSEGV));
  T_OK(pthread_sigmask(SIG_SETMASK, NULL, &old));
  T_CHECK(sigismember(&old, SIGSEGV) && sigismember(&old, SIGUSR1) && !sigismember(&old, SIGBUS));
  stores_go_on();
  T_OK(sigdelset(&set, SIGUSR1));
  T_OK(sigprocmask(SIG_UNBLOCK, &set, &old));
  T_CHECK(sigismember(&old, SIGSEGV));
  T_OK(sigprocmask(SIG_BLOCK, NULL, &old));
  T_CHECK(!sigismember(&old, SIGSEGV) && sigismember(&old, SIGUSR1));
}

static void
signal_sent_while_it_is_blocked_waits(void) {
  sigset_t set;
  begin();
  T_CHECK(signal(SIGSEGV, count) != SIG_ERR);
  T_OK(sigemptyset(&set));
  T_OK(sigaddset(&set, SIGSEGV));
  T_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  T_OK(raise(SIGSEGV));
  stores_go_on();
  T_EQ(calls, 0);
  T_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  T_EQ(calls, 1);
}

static void
fault_with_the_signal_blocked(void *arg) {
  sigset_t set;
  begin();
  T_CHECK(signal(SIGSEGV, jump) != SIG_ERR);
  T_OK(sigfillset(&set));
  if (arg)
    T_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  T_OK(mprotect(p, t_page_size(), PROT_READ));
  if (sigsetjmp(back, 1) == 0)
    PUT(p, 3);
  _exit(calls);
}

static void
fault_with_the_signal_blocked_ends_the_process(void) {
  T_IN_CHILD(fault_with_the_signal_blocked, NULL, T_EXITED(1));
  T_IN_CHILD(fault_with_the_signal_blocked, &p, T_KILLED(SIGSEGV));
}

static void *
store_in_thread(void *arg) {
  sigset_t all;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
  for (int i = 0; i < 100; i++) {
    PUT((unsigned char *)arg, i); /* a byte of its own */
    (void)msync(p, t_pages(2), MS_ASYNC);
  }
  return arg;
}

static void
threads_that_block_everything_may_store(void) {
  pthread_t threads[4];
  begin();
  for (int i = 0; i < 4; i++)
    T_EQ(pthread_create(&threads[i], NULL, store_in_thread, p + i), 0);
  for (int i = 0; i < 4; i++)
    T_EQ(pthread_join(threads[i], NULL), 0);
}

/* ---- What the shim can't do ------------------------------------------------------------------ */

static volatile sig_atomic_t calls_in_handler;

static void
send_in_handler(int signo) {
  (void)signo;
  (void)raise(SIGSEGV);
  calls_in_handler = calls;
}

static void
mask_of_a_handler_holds_back_what_is_sent(void) {
  struct sigaction action = { .sa_handler = send_in_handler };

  begin();
  T_CHECK(signal(SIGSEGV, count) != SIG_ERR);
  T_OK(sigemptyset(&action.sa_mask));
  T_OK(sigaction(SIGUSR1, &action, NULL));
  T_OK(raise(SIGUSR1)); /* the control */
  T_EQ(calls_in_handler, 1);
  T_OK(sigaddset(&action.sa_mask, SIGSEGV));
  T_OK(sigaction(SIGUSR1, &action, NULL));
  T_OK(raise(SIGUSR1));
  T_EQ(calls_in_handler, 1);
  T_EQ(calls, 2);
}

static void *
is_blocked(void *arg) {
  sigset_t set;

  (void)pthread_sigmask(SIG_SETMASK, NULL, &set);
  return sigismember(&set, SIGUSR1) == 1 && sigismember(&set, SIGSEGV) == 1 ? arg : NULL;
}

static void
thread_inherits_what_its_creator_blocks(void) {
  pthread_t thread;
  sigset_t set;
  void *result;

  begin();
  T_OK(sigemptyset(&set));
  T_OK(sigaddset(&set, SIGSEGV));
  T_OK(sigaddset(&set, SIGUSR1));
  T_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
  T_EQ(pthread_create(&thread, NULL, is_blocked, p), 0);
  T_EQ(pthread_join(thread, &result), 0);
  T_CHECK(result == p);
}

static void
siglongjmp_restores_the_mask(void) {
  sigset_t set;

  begin();
  T_OK(sigemptyset(&set));
  T_OK(sigaddset(&set, SIGSEGV));
  T_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
  if (sigsetjmp(back, 1) == 0) {
    T_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    siglongjmp(back, 1);
  }
  T_EQ(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
  T_EQ(sigismember(&set, SIGSEGV), 1);
}

static const struct t_case cases[] = {
  T_CASE(actions_are_read_back),
  T_CASE(masks_are_read_back),
  T_CASE(signal_sent_while_it_is_blocked_waits),
  T_CASE_WITH(fault_with_the_signal_blocked_ends_the_process, T_KILLS),
  T_CASE(threads_that_block_everything_may_store),
#ifdef T_TSAN
  T_CASE_NOT_TSAN(mask_of_a_handler_holds_back_what_is_sent, "handlers run with all signals blocked"),
#else
  T_CASE_DIVERGES(mask_of_a_handler_holds_back_what_is_sent, "faults must come through"),
#endif
  T_CASE_DIVERGES(thread_inherits_what_its_creator_blocks, "faults must come through"),
  T_CASE_DIVERGES(siglongjmp_restores_the_mask, "the kernel's mask never has the two"),
};

T_MAIN(cases)
