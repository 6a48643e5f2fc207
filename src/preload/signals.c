/* signals.c - the program's own handlers, and masks, for SIGSEGV and SIGBUS.
 *
 * Ours stand in front of them and the kernel never has the two blocked, or the next store to a
 * closed page would end the process.  The program reads back what it set; a handler of its own gets
 * the faults that aren't ours, unless it has the signal blocked.
 */
#include "preload/real.h"

#include <stdatomic.h>
#include <string.h>

#include "api/shim.h"
#include "preload/pins.h"
#include "preload/signals.h"

static bool
is_behind_ours(int sig) {
  return (sig == SIGSEGV || sig == SIGBUS) && shim_is_started();
}

/* The two signals in a set, as bits; taken out of it. */
static unsigned
take_out(sigset_t *set) {
  unsigned bits = (sigismember(set, SIGSEGV) == 1 ? SHIM_SEGV : 0u) |
                  (sigismember(set, SIGBUS) == 1 ? SHIM_BUS : 0u);
  (void)sigdelset(set, SIGSEGV);
  (void)sigdelset(set, SIGBUS);
  return bits;
}

static void
put_back(sigset_t *set, unsigned bits) {
  if (bits & SHIM_SEGV)
    (void)sigaddset(set, SIGSEGV);
  if (bits & SHIM_BUS)
    (void)sigaddset(set, SIGBUS);
}

/* ---- Actions ------------------------------------------------------------------------------- */

static _Atomic unsigned char masked_by[NSIG]; /* of the two, in the sa_mask of each signal */

EXPORT int
sigaction(int sig, const struct sigaction *new_action, struct sigaction *old_action) {
  struct sigaction new_copy, old;
  unsigned bits = 0;
  shim_begin();
  if (is_behind_ours(sig))
    return shim_sigaction(sig, new_action, old_action);
  if (sig == SIGSEGV || sig == SIGBUS || sig <= 0 || sig >= NSIG)
    return REAL(sigaction)(sig, new_action, old_action);
  if (new_action) {
    new_copy = *new_action;
    bits = take_out(&new_copy.sa_mask);
  }
  int result = REAL(sigaction)(sig, new_action ? &new_copy : NULL, &old);
  if (result)
    return result;
  unsigned before = new_action ? atomic_exchange(&masked_by[sig], (unsigned char)bits)
                               : atomic_load(&masked_by[sig]);
  put_back(&old.sa_mask, before);
  if (old_action)
    *old_action = old;
  return 0;
}

static sighandler_t
set_handler(int sig, sighandler_t handler, int flags) {
  struct sigaction action = { .sa_flags = flags }, old;
  action.sa_handler = handler;
  if (handler == SIG_ERR) {
    errno = EINVAL;
    return SIG_ERR;
  }
  return shim_sigaction(sig, &action, &old) ? SIG_ERR : old.sa_handler;
}

EXPORT sighandler_t
signal(int sig, sighandler_t handler) {
  shim_begin();
  return is_behind_ours(sig) ? set_handler(sig, handler, SA_RESTART) : REAL(signal)(sig, handler);
}

EXPORT sighandler_t
ssignal(int sig, sighandler_t handler) {
  return signal(sig, handler);
}

EXPORT sighandler_t
sysv_signal(int sig, sighandler_t handler) {
  shim_begin();
  return is_behind_ours(sig) ? set_handler(sig, handler, (int)(SA_RESETHAND | SA_NODEFER))
                             : REAL(sysv_signal)(sig, handler);
}

EXPORT sighandler_t
__sysv_signal(int sig, sighandler_t handler) {
  return sysv_signal(sig, handler);
}

/* ---- Masks --------------------------------------------------------------------------------- */

/* What is blocked of the two after a change. */
static unsigned
changed(int how, unsigned now, unsigned bits) {
  return how == SIG_BLOCK ? now | bits : how == SIG_UNBLOCK ? now & ~bits : bits;
}

static int
change_mask(int (*change)(int, const sigset_t *, sigset_t *), int how, const sigset_t *set,
            sigset_t *old) {
  sigset_t copy, was;
  unsigned bits = 0;
  if (set) {
    copy = *set;
    bits = take_out(&copy);
  }
  int error = change(how, set ? &copy : NULL, &was);
  if (error)
    return error;
  unsigned now = shim_blocked_behind();
  unsigned then = set ? changed(how, now, bits) : now;
  put_back(&was, now);
  (void)shim_block_behind(then);
  if (old)
    *old = was;
  return 0;
}

EXPORT int
sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  return change_mask(REAL(sigprocmask), how, set, old);
}

EXPORT int
pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  return change_mask(REAL(pthread_sigmask), how, set, old);
}

/* ---- Masks for the time of a call ----------------------------------------------------------- */

static const sigset_t *
without_ours(const sigset_t *set, sigset_t *copy) {
  if (!set)
    return NULL;
  *copy = *set;
  (void)take_out(copy);
  return copy;
}

EXPORT int
sigsuspend(const sigset_t *set) {
  sigset_t copy;
  return REAL(sigsuspend)(without_ours(set, &copy));
}

EXPORT int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set) {
  PINS(pins);
  sigset_t copy;
  if (shim_is_started()) {
    OUT(fds, n * sizeof *fds);
    IN_ONE(timeout);
  }
  return REAL(ppoll)(fds, n, timeout, without_ours(set, &copy));
}

EXPORT int
pselect(int n, fd_set *in, fd_set *out, fd_set *error, const struct timespec *timeout,
        const sigset_t *set) {
  PINS(pins);
  sigset_t copy;
  if (shim_is_started()) {
    OUT(in, (n + 7) / 8);
    OUT(out, (n + 7) / 8);
    OUT(error, (n + 7) / 8);
    IN_ONE(timeout);
  }
  return REAL(pselect)(n, in, out, error, timeout, without_ours(set, &copy));
}

EXPORT int
epoll_pwait(int fd, struct epoll_event *events, int max, int timeout, const sigset_t *set) {
  PINS(pins);
  sigset_t copy;
  if (shim_is_started())
    OUT(events, (size_t)(max > 0 ? max : 0) * sizeof *events);
  return REAL(epoll_pwait)(fd, events, max, timeout, without_ours(set, &copy));
}

/* ---- Starting ------------------------------------------------------------------------------ */

/* The program that we were started by may have had them blocked. */
void
signals_begin(void) {
  sigset_t both, was;
  (void)sigemptyset(&was);
  (void)sigemptyset(&both);
  put_back(&both, SHIM_SEGV | SHIM_BUS);
  if (REAL(pthread_sigmask)(SIG_UNBLOCK, &both, &was) == 0)
    (void)shim_block_behind(take_out(&was));
}
