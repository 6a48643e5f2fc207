/* access.c - stores and loads that may raise a signal. */
#include "actor/actor.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t is_accessing;

static struct {
  char path[TEXT_MAX + 1];
  uint64_t size;
  volatile sig_atomic_t is_set;
} grow;

/* The program's handler, that softmap hands on what isn't its own. */
static void
on_fault(int number) {
  if (!is_accessing) {
    (void)signal(number, SIG_DFL); /* a mistake of ours: end of it */
    return;
  }
  if (number == SIGBUS && grow.is_set) {
    grow.is_set = 0;
    if (truncate(grow.path, (off_t)grow.size) == 0)
      return; /* the access is tried again */
  }
  siglongjmp(back, number);
}

void
access_start(void) {
  struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
  (void)sigemptyset(&action.sa_mask);
  (void)sigaction(SIGSEGV, &action, NULL);
  (void)sigaction(SIGBUS, &action, NULL);
}

int
access_copy(char *to, const char *from, size_t n) {
  volatile char *out = to;
  const volatile char *in = from;
  int number = sigsetjmp(back, 1);
  if (number == 0) {
    is_accessing = 1;
    for (size_t i = 0; i < n; i++)
      out[i] = in[i];
  }
  is_accessing = 0;
  return number;
}

void
access_grow(const char *path, uint64_t size) {
  strncpy(grow.path, path, sizeof grow.path - 1);
  grow.size = size;
  grow.is_set = 1;
}
