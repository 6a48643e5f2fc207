/* chain.c - faults that aren't ours, handed on as the kernel would have delivered them; handlers that
 * never return.
 */
#include "handlers.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>

static volatile sig_atomic_t plain_calls;

static void
plain(int signo) {
  plain_calls++;
  note(signo, NULL);
  siglongjmp(back, 1);
}

/* Makes what was forbidden possible, and returns: the instruction runs again. */
static void
that_repairs(int signo, siginfo_t *info, void *context) {
  (void)context;
  note(signo, info);
  if (syscall(SYS_mprotect, foreign, t_pages(1), RW) != 0)
    _exit(98);
}

/* ---- Styles ---------------------------------------------------------------------------------- */

static void
plain_handler(void) {
  T_CHECK(signal(SIGSEGV, plain) != SIG_ERR);
  map();
  touch(foreign);
  T_EQ(plain_calls, 1);
  T_EQ(last_signo, SIGSEGV);
  check_ours_works();
}

static void
mask_of_the_handler(void) {
  install(SIGSEGV, with_info, 0, SIGUSR1);
  map();
  touch(foreign);
  T_EQ(sigismember(&mask_seen, SIGSEGV), 1);
  T_EQ(sigismember(&mask_seen, SIGUSR1), 1);
  T_EQ(sigismember(&mask_seen, SIGUSR2), 0);
  T_EQ(sigismember(&mask_seen, SIGBUS), 0);
  install(SIGSEGV, with_info, SA_NODEFER, SIGUSR2);
  T_OK(mprotect(p, t_pages(1), RW));
  touch(foreign);
  T_EQ(sigismember(&mask_seen, SIGSEGV), 0);
  T_EQ(sigismember(&mask_seen, SIGUSR1), 0);
  T_EQ(sigismember(&mask_seen, SIGUSR2), 1);
}

/* What the thread had blocked stays blocked in the handler, and after it. */
static void
mask_of_the_thread(void) {
  sigset_t set;
  sigset_t after;

  install(SIGSEGV, that_repairs, 0, 0);
  map();
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGWINCH);
  T_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
  PUT(foreign, 1);
  T_EQ(calls, 1);
  T_EQ(sigismember(&mask_seen, SIGWINCH), 1);
  T_EQ(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
  T_EQ(sigismember(&after, SIGWINCH), 1);
  T_EQ(sigismember(&after, SIGSEGV), 0);
  T_EQ(sigismember(&after, SIGUSR1), 0);
  PUT(p, 1); /* and after one of ours */
  T_EQ(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
  T_EQ(sigismember(&after, SIGWINCH), 1);
  T_EQ(sigismember(&after, SIGSEGV), 0);
}

static void
twice_with_resethand(void *arg) {
  (void)arg;
  install(SIGSEGV, with_info, (int)SA_RESETHAND, 0);
  map();
  touch(foreign);
  T_EQ(calls, 1);
  check_ours_works();
  touch(foreign);
}

static void
resethand_is_for_once(void) {
  T_IN_CHILD(twice_with_resethand, NULL, T_KILLED(SIGSEGV));
}

static void
handler_that_repairs_and_returns(void) {
  install(SIGSEGV, that_repairs, 0, 0);
  map();
  PUT(foreign, 9);
  T_EQ(GET(foreign), 9);
  T_EQ(calls, 1);
}

/* SIGSEGV sent by somebody: no fault, but the handler's business. */
static void
signals_that_were_sent(void) {
  install(SIGSEGV, that_repairs, 0, 0);
  map();
  T_OK(kill(getpid(), SIGSEGV));
  T_EQ(calls, 1);
  T_EQ(last_code, SI_USER);
  T_OK(raise(SIGSEGV));
  T_EQ(calls, 2);
  check_ours_works();
}

static void
be_sent_a_signal(void *arg) {
  (void)signal(SIGSEGV, SIG_DFL);
  (void)signal(SIGBUS, SIG_DFL);
  map();
  (void)kill(getpid(), *(const int *)arg);
  check_ours_works();
}

static void
ignore_a_sent_signal(void *arg) {
  (void)signal(*(const int *)arg, SIG_IGN);
  map();
  (void)kill(getpid(), *(const int *)arg);
  check_ours_works();
}

static void
signals_that_were_sent_by_default(void) {
  T_IN_CHILD(be_sent_a_signal, &(int){ SIGSEGV }, T_KILLED(SIGSEGV));
  T_IN_CHILD(be_sent_a_signal, &(int){ SIGBUS }, T_KILLED(SIGBUS));
  T_IN_CHILD(ignore_a_sent_signal, &(int){ SIGSEGV }, T_EXITED(0));
}

/* ---- Default action -------------------------------------------------------------------------- */

static void
default_actions(void) {
  (void)signal(SIGSEGV, SIG_DFL);
  (void)signal(SIGBUS, SIG_DFL);
}

static void
store_to_foreign(void *arg) {
  (void)arg;
  default_actions();
  map();
  PUT(foreign, 1);
}

static void
store_to_protected(void *arg) {
  (void)arg;
  default_actions();
  map();
  PUT(p + t_pages(3), 1);
}

static void
store_past_the_end(void *arg) {
  (void)arg;
  default_actions();
  map();
  shrink(1);
  PUT(p + t_pages(2), 1);
}

static void
store_to_foreign_ignored(void *arg) {
  (void)arg;
  (void)signal(SIGSEGV, SIG_IGN);
  map();
  PUT(foreign, 1);
}

static void
control_without_a_fault(void *arg) {
  (void)arg;
  default_actions();
  map();
  check_ours_works();
}

static void
default_action_ends_the_process(void) {
  T_ROW_IN_CHILD("control", control_without_a_fault, NULL, T_EXITED(0));
  T_ROW_IN_CHILD("foreign", store_to_foreign, NULL, T_KILLED(SIGSEGV));
  T_ROW_IN_CHILD("foreign, ignored", store_to_foreign_ignored, NULL, T_KILLED(SIGSEGV));
  T_ROW_IN_CHILD("ours, PROT_NONE", store_to_protected, NULL, T_KILLED(SIGSEGV));
  T_ROW_IN_CHILD("ours, past the end", store_past_the_end, NULL, T_KILLED(SIGBUS));
}

/* ---- Execution ------------------------------------------------------------------------------- */

/* The kernel raises the deadly one itself, at the program's own instruction: so a core dump shows it. */
static void
signal_that_ends_the_process_is_the_faults(void) {
  unsigned seen = 0;
  int status;
  pid_t pid = t_fork();

  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
      _exit(77);
    default_actions();
    map();
    T_CHECK(raise(SIGSTOP) == 0);
    PUT(foreign, 1);
    _exit(1);
  }
  for (;;) {
    siginfo_t info;

    T_EQ(waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status))
      break;
    T_OK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info));
    if (WSTOPSIG(status) == SIGSEGV) {
      T_CHECK(info.si_code == SEGV_ACCERR || info.si_code == SEGV_MAPERR);
      seen++;
    }
    T_OK(ptrace(PTRACE_CONT, pid, NULL,
                (void *)(uintptr_t)(WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status))));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    t_skip("no ptrace here");
  T_EQ(seen, 2); /* the one that came to us, and the one after we had given it up */
  T_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* Running a page that may not be run is the program's fault, also when it is open for stores. */
static void
execution_is_foreign(void) {
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
  void (*run)(void);

  install(SIGSEGV, with_info, 0, 0);
  map();
  PUT(p + t_pages(1), 0xc3);
  memcpy(&run, &(void *){ p + t_pages(1) }, sizeof run);
  if (sigsetjmp(back, 1) == 0)
    run();
  T_EQ(calls, 1);
  T_CHECK(last_addr == p + t_pages(1));
  memcpy(&run, &(void *){ p + t_pages(2) }, sizeof run); /* closed */
  if (sigsetjmp(back, 1) == 0)
    run();
  T_EQ(calls, 2);
  check_ours_works();
#else
  t_skip("not on this machine");
#endif
}

/* ---- Never returning ------------------------------------------------------------------------- */

static void
siglongjmp_out_many_times(void) {
  int rounds = (int)engine_scale(10000, 100000, 1000000);
  unsigned char *q;
  pid_t pid;

  install(SIGSEGV, with_info, 0, 0);
  install(SIGBUS, with_info, 0, 0);
  map();
  shrink(2);
  for (int i = 0; i < rounds; i++) {
    switch (i % 3) {
    case 0:
      touch(p + t_pages(3)); /* PROT_NONE */
      break;
    case 1:
      touch(p + t_pages(2)); /* past the end */
      break;
    default:
      touch(foreign);
      break;
    }
    T_EQ(calls, i + 1);
  }
  T_OK(ftruncate(fd, (off_t)t_pages(4)));
  check_ours_works();
  q = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  T_OK(munmap(q, t_pages(4)));
  pid = t_fork();
  if (pid == 0) {
    check_ours_works();
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_OK(munmap(p, t_pages(4)));
}

static const struct t_case cases[] = {
  T_CASE(plain_handler),
  T_CASE(mask_of_the_handler),
  T_CASE(mask_of_the_thread),
  T_CASE_WITH(resethand_is_for_once, T_MAPS_NOTHING | T_KILLS),
  T_CASE(handler_that_repairs_and_returns),
  T_CASE(signals_that_were_sent),
  T_CASE_WITH(signals_that_were_sent_by_default, T_MAPS_NOTHING | T_KILLS),
  T_CASE_WITH(default_action_ends_the_process, T_MAPS_NOTHING | T_KILLS),
  T_CASE_WITH(signal_that_ends_the_process_is_the_faults, T_MAPS_NOTHING | T_KILLS),
  T_CASE(execution_is_foreign),
  T_CASE(siglongjmp_out_many_times),
};
T_MAIN(cases)
