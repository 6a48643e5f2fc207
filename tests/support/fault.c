/* fault.c - loads and stores that may fault, and what the fault said.
 *
 * The handlers are installed once, before the first mapping. An access that nobody expected to
 * fault ends the process and names the last check that had passed.
 */
#include "t.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Thread_local sigjmp_buf back;
static _Thread_local volatile sig_atomic_t is_armed;
static _Thread_local struct t_fault seen;

static void
caught(int signo, siginfo_t *info, void *context) {
  struct t_at at = t_last_check();

  (void)context;
  if (is_armed) {
    is_armed = 0;
    seen = (struct t_fault){ signo, info->si_code, info->si_addr };
    siglongjmp(back, 1);
  }
  t_note("%s:%d: after this check: unexpected signal %d, si_code %d, si_addr %p",
         at.file != NULL ? at.file : "start", at.line, signo, info->si_code, info->si_addr);
  _exit(1);
}

void
t_catch_faults(void) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_sigaction = caught;
  action.sa_flags = SA_SIGINFO;
  (void)sigemptyset(&action.sa_mask);
  if (sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0)
    t_fail(T_HERE, "sigaction: errno %d", errno);
}

struct t_fault
t_load(const volatile unsigned char *p, unsigned char *value) {
  seen = (struct t_fault){ 0, 0, NULL };
  if (sigsetjmp(back, 1) == 0) {
    is_armed = 1;
    *value = *p;
    is_armed = 0;
  }
  return seen;
}

struct t_fault
t_store(volatile unsigned char *p, unsigned char value) {
  seen = (struct t_fault){ 0, 0, NULL };
  if (sigsetjmp(back, 1) == 0) {
    is_armed = 1;
    *p = value;
    is_armed = 0;
  }
  return seen;
}

void *
t_fault_address(const volatile unsigned char *p) {
#ifdef __s390__
  return (void *)((uintptr_t)p & ~(uintptr_t)4095); /* NOLINT(performance-no-int-to-ptr) */
#else
  return (void *)(uintptr_t)p; /* NOLINT(performance-no-int-to-ptr) */
#endif
}

static void
check_fault(struct t_at at, const char *access, const volatile unsigned char *p, struct t_fault got,
            int signo, int code) {
  if (got.signo == 0)
    t_fail(at, "a %s went well, wanted signal %d", access, signo);
  if (got.signo != signo || got.code != code)
    t_fail(at, "a %s raised signal %d, si_code %d; wanted %d, %d", access, got.signo, got.code,
           signo, code);
  if (got.addr != t_fault_address(p))
    t_fail(at, "a %s at %p gave si_addr %p", access, (void *)(uintptr_t)p, got.addr);
}

void
t_load_faults(struct t_at at, const volatile unsigned char *p, int signo, int code) {
  unsigned char value;

  check_fault(at, "load", p, t_load(p, &value), signo, code);
}

void
t_store_faults(struct t_at at, volatile unsigned char *p, int signo, int code) {
  check_fault(at, "store", p, t_store(p, 1), signo, code);
}

void
t_loads(struct t_at at, const volatile unsigned char *p, unsigned char want) {
  unsigned char value = 0;
  struct t_fault got = t_load(p, &value);

  if (got.signo != 0)
    t_fail(at, "a load raised signal %d, si_code %d, si_addr %p", got.signo, got.code, got.addr);
  if (value != want)
    t_fail(at, "memory holds %#x, wanted %#x", value, want);
}

void
t_stores(struct t_at at, volatile unsigned char *p, unsigned char value) {
  struct t_fault got = t_store(p, value);

  if (got.signo != 0)
    t_fail(at, "a store raised signal %d, si_code %d, si_addr %p", got.signo, got.code, got.addr);
}
