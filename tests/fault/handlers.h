/* handlers.h - handlers of the program, and what they saw; for the tests of this folder. */
#ifndef TESTS_FAULT_HANDLERS_H
#define TESTS_FAULT_HANDLERS_H

#include "t_engine.h"

#include <pthread.h>
#include <setjmp.h>

static unsigned char *p; /* ours, four pages, the last one PROT_NONE */
static int fd;
static unsigned char *volatile foreign; /* a page of the host's that can't be touched */

static volatile sig_atomic_t calls, last_signo, last_code;
static void *volatile last_addr;
static sigset_t mask_seen;
static sigjmp_buf back;

static inline void
map(void) {
  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(mprotect(p + t_pages(3), t_pages(1), PROT_NONE));
  foreign = t_reserve(1);
}

/* The next sync notices. */
static inline void
shrink(size_t npages) {
  T_OK(ftruncate(fd, (off_t)t_pages(npages)));
  T_OK(msync(p, t_pages(4), MS_ASYNC));
}

static inline void
note(int signo, siginfo_t *info) {
  calls++;
  last_signo = signo;
  last_code = info != NULL ? info->si_code : 0;
  last_addr = info != NULL ? info->si_addr : NULL;
  (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_seen);
}

static inline void
with_info(int signo, siginfo_t *info, void *context) {
  (void)context;
  note(signo, info);
  siglongjmp(back, 1);
}

static inline void
install(int signo, void (*fn)(int, siginfo_t *, void *), int flags, int masked) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_sigaction = fn;
  action.sa_flags = SA_SIGINFO | flags;
  (void)sigemptyset(&action.sa_mask);
  if (masked != 0)
    (void)sigaddset(&action.sa_mask, masked);
  T_OK(sigaction(signo, &action, NULL));
}

static inline void
touch(volatile unsigned char *at) {
  if (sigsetjmp(back, 1) == 0)
    *at = 1;
}

static inline void
check_ours_works(void) {
  static unsigned char value;

  PUT(p, ++value);
  PUT(p + t_pages(1), value);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 0, value);
  T_FILE_BYTE(fd, (off_t)t_pages(1), value);
}

#endif
