/* handler_flags.c - how a handler is called: its mask, its stack, once or again and again. A mapping has
 * been stored to in every case, so softmap is there.
 */
#include "conform.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

static sigjmp_buf back;
static volatile sig_atomic_t calls;
static volatile sig_atomic_t depth;
static volatile sig_atomic_t last_code;
static volatile uintptr_t stack_seen;
static sigset_t mask_seen;
static unsigned char *closed;
static unsigned char *mapped;
static int mapped_fd;

static void
install(int signo, void (*handler)(int, siginfo_t *, void *), int flags, int also_blocked) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  (void)sigemptyset(&action.sa_mask);
  if (also_blocked != 0)
    (void)sigaddset(&action.sa_mask, also_blocked);
  T_OK(sigaction(signo, &action, NULL));
}

/* Maps a file after the handlers were installed, and stores to it. */
static void
begin(void) {
  closed = t_reserve(1);
  mapped_fd = t_tmpfile(NULL, (off_t)t_pages(1));
  mapped = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, mapped_fd, 0);
  PUT(mapped, 'm');
}

/* The mapping still works. */
static void
end(void) {
  T_OK(msync(mapped, t_pages(1), MS_SYNC));
  PUT(mapped + 1, 'n');
  T_OK(msync(mapped, t_pages(1), MS_SYNC));
  T_FILE_EQUALS(mapped_fd, 0, "mn", 2);
}

static void
look_and_jump(int signo, siginfo_t *info, void *context) {
  char here;

  (void)signo;
  (void)context;
  calls++;
  last_code = info->si_code;
  stack_seen = (uintptr_t)&here;
  (void)sigprocmask(SIG_SETMASK, NULL, &mask_seen);
  siglongjmp(back, 1);
}

static void
fault_and_come_back(volatile unsigned char *p) {
  if (sigsetjmp(back, 1) == 0) {
    *p = 1;
    t_fail(T_HERE, "the store didn't fault");
  }
}

/* ---- The mask while the handler runs ---- */

static void
signal_and_the_mask_of_the_handler_are_blocked_in_it(void) {
  sigset_t after;

  install(SIGSEGV, look_and_jump, 0, SIGUSR1);
  install(SIGBUS, look_and_jump, SA_NODEFER, SIGUSR2);
  begin();
  fault_and_come_back(closed);
  T_EQ(sigismember(&mask_seen, SIGSEGV), 1);
  T_EQ(sigismember(&mask_seen, SIGUSR1), 1);
  T_EQ(sigismember(&mask_seen, SIGUSR2), 0);
  T_EQ(sigismember(&mask_seen, SIGBUS), 0);
  fault_and_come_back(mapped + t_pages(1));
  T_EQ(sigismember(&mask_seen, SIGBUS), 0);
  T_EQ(sigismember(&mask_seen, SIGUSR2), 1);
  T_EQ(sigismember(&mask_seen, SIGUSR1), 0);
  T_OK(sigprocmask(SIG_SETMASK, NULL, &after));
  T_EQ(sigismember(&after, SIGSEGV), 0);
  T_EQ(sigismember(&after, SIGUSR1), 0);
  end();
}

/* What was blocked when the fault came stays blocked in the handler. */
static void
signals_blocked_before_are_blocked_in_the_handler(void) {
  sigset_t set;

  install(SIGSEGV, look_and_jump, 0, 0);
  begin();
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGWINCH);
  T_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  fault_and_come_back(closed);
  T_EQ(sigismember(&mask_seen, SIGWINCH), 1);
  T_EQ(sigismember(&mask_seen, SIGUSR1), 0);
  T_OK(sigprocmask(SIG_SETMASK, NULL, &set));
  T_EQ(sigismember(&set, SIGWINCH), 1);
  end();
}

/* ---- Faults inside handlers ---- */

static void
fault_again_inside(int signo, siginfo_t *info, void *context) {
  (void)signo;
  (void)info;
  (void)context;
  calls++;
  if (++depth < 5)
    PUT(closed + depth, 1);
  depth = 0;
  siglongjmp(back, 1);
}

static void
handler_with_sa_nodefer_is_called_inside_itself(void) {
  install(SIGSEGV, fault_again_inside, SA_NODEFER, 0);
  begin();
  fault_and_come_back(closed);
  T_EQ(calls, 5);
  fault_and_come_back(closed);
  T_EQ(calls, 10);
  end();
}

static void
fault_in_a_handler_that_blocks_its_signal(void *unused) {
  (void)unused;
  install(SIGSEGV, fault_again_inside, 0, 0);
  begin();
  fault_and_come_back(closed);
}

static void
handler_without_sa_nodefer_dies_of_a_fault_inside_itself(void) {
  T_IN_CHILD(fault_in_a_handler_that_blocks_its_signal, NULL, T_KILLED(SIGSEGV));
}

/* ---- SA_RESETHAND ---- */

static void
fault_twice(void *unused) {
  (void)unused;
  install(SIGSEGV, look_and_jump, (int)SA_RESETHAND, 0);
  begin();
  fault_and_come_back(closed);
  T_EQ(calls, 1);
  PUT(closed, 1);
}

static void
handler_with_sa_resethand_is_called_once(void) {
  T_IN_CHILD(fault_twice, NULL, T_KILLED(SIGSEGV));
}

static void
handler_without_sa_resethand_is_called_again(void) {
  install(SIGSEGV, look_and_jump, 0, 0);
  begin();
  for (int i = 1; i < 10; i++) {
    fault_and_come_back(closed);
    T_EQ(calls, i);
  }
  end();
}

/* ---- Stacks ---- */

enum { ALT_STACK = 65536 };
static char alt_stack[ALT_STACK];

static void
use_alt_stack(void *memory) {
  stack_t stack;

  memset(&stack, 0, sizeof stack);
  stack.ss_sp = memory;
  stack.ss_size = ALT_STACK;
  T_OK(sigaltstack(&stack, NULL));
}

static bool
was_on_alt_stack(void) {
  return stack_seen - (uintptr_t)alt_stack < ALT_STACK;
}

static void
handler_with_sa_onstack_runs_on_the_alternate_stack(void) {
  use_alt_stack(alt_stack);
  install(SIGSEGV, look_and_jump, SA_ONSTACK, 0);
  install(SIGBUS, look_and_jump, SA_ONSTACK, 0);
  begin();
  fault_and_come_back(closed);
  T_CHECK(was_on_alt_stack());
  fault_and_come_back(mapped + t_pages(1));
  T_CHECK(was_on_alt_stack());
  end();
}

static void
handler_without_sa_onstack_runs_on_the_stack_of_the_fault(void) {
  use_alt_stack(alt_stack);
  install(SIGSEGV, look_and_jump, 0, 0);
  begin();
  fault_and_come_back(closed);
  T_CHECK(!was_on_alt_stack());
  end();
}

static void
handler_with_sa_onstack_runs_where_there_is_no_other_stack(void) {
  install(SIGSEGV, look_and_jump, SA_ONSTACK, 0);
  begin();
  fault_and_come_back(closed);
  T_EQ(calls, 1);
  end();
}

/* A store that the program makes while it runs on its alternate stack. */
static void
store_on_alt_stack(int signo) {
  char here;

  stack_seen = (uintptr_t)&here;
  PUT(mapped + 1, signo);
}

static void
handler_on_the_alternate_stack_may_store(void) {
  struct sigaction action;

  use_alt_stack(alt_stack);
  memset(&action, 0, sizeof action);
  action.sa_handler = store_on_alt_stack;
  action.sa_flags = SA_ONSTACK;
  T_OK(sigaction(SIGUSR1, &action, NULL));
  begin();
  T_OK(msync(mapped, t_pages(1), MS_SYNC));
  T_OK(raise(SIGUSR1));
  T_CHECK(was_on_alt_stack());
  T_OK(msync(mapped, t_pages(1), MS_SYNC));
  T_FILE_BYTE(mapped_fd, 1, SIGUSR1);
  end();
}

/* The stack runs over: only a handler on another stack can be told. */
static volatile unsigned char depth_byte;

static int
recurse(int level) {
  volatile unsigned char page[512];

  page[0] = (unsigned char)level;
  depth_byte = page[0];
  return level == INT32_MAX ? 0 : recurse(level + 1) + page[0];
}

static void *
overflow(void *unused) {
  stack_t before; /* a sanitizer has set one, and wants it back */

  T_OK(sigaltstack(NULL, &before));
  use_alt_stack(alt_stack);
  if (sigsetjmp(back, 1) == 0)
    T_EQ(recurse(0), -1);
  PUT(mapped + 1, 'n');
  T_OK(sigaltstack(&before, NULL));
  return unused;
}

static void
handler_on_the_alternate_stack_is_told_of_a_stack_overflow(void) {
  pthread_attr_t attr;
  pthread_t thread;

  install(SIGSEGV, look_and_jump, SA_ONSTACK, 0);
  begin();
  T_EQ(pthread_attr_init(&attr), 0);
  T_EQ(pthread_attr_setstacksize(&attr, 256 * 1024), 0);
  T_EQ(pthread_create(&thread, &attr, overflow, NULL), 0);
  T_EQ(pthread_join(thread, NULL), 0);
  T_EQ(calls, 1);
  T_CHECK(was_on_alt_stack());
  end();
}

static const struct t_case cases[] = {
  T_CASE_NOT_TSAN(signal_and_the_mask_of_the_handler_are_blocked_in_it,
                  "handlers run with all signals blocked"),
  T_CASE_NOT_TSAN(signals_blocked_before_are_blocked_in_the_handler,
                  "handlers run with all signals blocked"),
  T_CASE_NOT_TSAN(handler_with_sa_nodefer_is_called_inside_itself,
                  "handlers run with all signals blocked"),
  T_CASE_WITH(handler_without_sa_nodefer_dies_of_a_fault_inside_itself, T_MAPS_NOTHING | T_KILLS),
  T_CASE_WITH(handler_with_sa_resethand_is_called_once, T_MAPS_NOTHING | T_KILLS),
  T_CASE(handler_without_sa_resethand_is_called_again),
  T_CASE(handler_with_sa_onstack_runs_on_the_alternate_stack),
  /* divergence: softmap's handler needs the alternate stack; it calls the program's from there. */
  T_CASE_DIVERGES(handler_without_sa_onstack_runs_on_the_stack_of_the_fault,
                  "the program's handler runs on the stack that softmap's runs on"),
  T_CASE(handler_with_sa_onstack_runs_where_there_is_no_other_stack),
  T_CASE_NOT_TSAN(handler_on_the_alternate_stack_may_store,
                  "handlers run with all signals blocked"),
  T_CASE(handler_on_the_alternate_stack_is_told_of_a_stack_overflow),
};

T_MAIN(cases)
