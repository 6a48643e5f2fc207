/* host_posix_signal.c - signal actions and masks, and words to the user.
 *
 * Masks are set by raw calls: a preloaded library that keeps SIGSEGV open for us wraps libc's,
 * and would be asked by its own engine.  sigfillset leaves out the signals that libc uses within
 * (cancellation, setuid in all threads), so those stay open.
 */
#include "host/host_linux.h"

#include <poll.h>
#include <string.h>

#include "host/host.h"
#include "host/inject.h"

#define MESSAGE_WAIT_NS 200000000 /* for room in a pipe that nobody may be reading */

/* ---- Actions and masks --------------------------------------------------------------------- */

static int (*libc_sigaction)(int, const struct sigaction *, struct sigaction *) = sigaction;

void
host_use_sigaction(int (*function)(int, const struct sigaction *, struct sigaction *)) {
  libc_sigaction = function;
}

/* libc's, which knows the return path from a handler that the kernel wants to be told. */
int
host_signal_action(int sig, const struct sigaction *new_action, struct sigaction *old_action) {
  struct sigaction old;
  int saved = errno;
  int error = inject_before(HOST_CALL_signal_action);
  if (error != 0)
    return error;
  if (libc_sigaction(sig, new_action, &old) != 0)
    error = errno;
  else if (old_action != NULL)
    *old_action = old;
  errno = saved;
  inject_after(HOST_CALL_signal_action);
  return error;
}

void
host_signals_block(sigset_t *old) {
  sigset_t all;
  sigfillset(&all);
  sigemptyset(old);
  raw_sigprocmask(SIG_BLOCK, &all, old);
}

void
host_signals_set(const sigset_t *mask) {
  raw_sigprocmask(SIG_SETMASK, mask, NULL);
}

bool
host_signals_any_open(const sigset_t *mask) {
  unsigned long all[RAW_SIGSET_BYTES / sizeof(unsigned long)];
  unsigned long blocked[RAW_SIGSET_BYTES / sizeof(unsigned long)];
  sigset_t most;
  sigfillset(&most);
  sigdelset(&most, SIGKILL); /* these can't be blocked */
  sigdelset(&most, SIGSTOP);
  memcpy(all, &most, sizeof all);
  memcpy(blocked, mask, sizeof blocked);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i] & ~blocked[i])
      return true;
  return false;
}

void
host_signal_raise(int sig) {
  raw3(SYS_tgkill, raw0(SYS_getpid), raw0(SYS_gettid), sig);
}

/* ---- Signals that our own calls raise ------------------------------------------------------ */

bool
host_signal_waits(int sig) {
  sigset_t waiting;
  sigemptyset(&waiting);
  raw2(SYS_rt_sigpending, &waiting, RAW_SIGSET_BYTES);
  return sigismember(&waiting, sig) == 1;
}

void
host_signal_consume(int sig) {
  static const struct raw_timespec now = { 0, 0 };
  sigset_t mask, set;
  sigemptyset(&mask);
  raw_sigprocmask(SIG_BLOCK, NULL, &mask);
  if (sigismember(&mask, sig) != 1)
    return; /* it has been delivered, and another may come */
  sigemptyset(&set);
  sigaddset(&set, sig);
  while (raw4(SYS_rt_sigtimedwait, &set, NULL, &now, RAW_SIGSET_BYTES) == -EINTR)
    continue;
}

/* ---- Words to the user --------------------------------------------------------------------- */

/* Standard error may be a pipe without a reader (SIGPIPE) or with one that doesn't read (dropped
 * then), a file at its limit (SIGXFSZ), a terminal that stops writers in the background
 * (SIGTTOU). */
void
host_message(const char *text, size_t len) {
  const struct raw_timespec wait = { 0, MESSAGE_WAIT_NS };
  struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
  sigset_t mask;

  host_signals_block(&mask);
  bool pipe_waited = host_signal_waits(SIGPIPE);
  bool size_waited = host_signal_waits(SIGXFSZ);
  struct raw_timespec rest = wait; /* the kernel counts it down */
  if (raw5(SYS_ppoll, &room, 1, &rest, NULL, RAW_SIGSET_BYTES) > 0) {
    int error = raw_error(raw3(SYS_write, STDERR_FILENO, text, len));
    if (error == EPIPE && !pipe_waited)
      host_signal_consume(SIGPIPE);
    if (error == EFBIG && !size_waited)
      host_signal_consume(SIGXFSZ);
  }
  host_signals_set(&mask);
}
