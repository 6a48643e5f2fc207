/* chain.c - handing a fault to the action that ours replaced.
 *
 * A handler of the program is called in its own style, with the mask that the kernel would have
 * set: the interrupted one, its sa_mask, and the signal itself unless SA_NODEFER.  It may leave by
 * siglongjmp: nothing of ours is held here.  The default action is taken by the kernel: it is put
 * back and the instruction runs again, so that the core shows it.
 * Left to the kernel: its choice of stack (ours runs on the alternate stack if there is one, and
 * so does what it calls: D7).
 */
#include "fault/chain.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <ucontext.h>

#include "host/host.h"

#include "fault/rules.h" /* last: poisons names that other headers use */

/* Actions are published by index, so that a handler never reads one being written. */
#define ACTIONS 16

struct chain {
  struct sigaction first; /* before our first handler */
  struct sigaction ring[ACTIONS];
  _Atomic unsigned current;
  _Atomic bool has_first;
};

static struct chain chains[2]; /* SIGSEGV, SIGBUS */

static _Thread_local struct {
  unsigned char blocked, held; /* CHAIN_* */
} own __attribute__((tls_model("initial-exec")));

static struct chain *
chain_of(int sig) {
  return &chains[sig == SIGBUS];
}

void
chain_set_next(int sig, const struct sigaction *action) {
  struct chain *chain = chain_of(sig);
  unsigned next = (atomic_load(&chain->current) + 1) % ACTIONS;
  chain->ring[next] = *action;
  if (!atomic_load(&chain->has_first)) {
    chain->first = *action;
    atomic_store(&chain->has_first, true);
  }
  atomic_store(&chain->current, next);
}

void
chain_next(int sig, struct sigaction *out) {
  struct chain *chain = chain_of(sig);
  *out = chain->ring[atomic_load(&chain->current)];
}

unsigned
chain_blocked(void) {
  return own.blocked;
}

unsigned
chain_block(unsigned blocked) {
  unsigned was = own.blocked;
  unsigned released = own.held & ~blocked;
  own.blocked = (unsigned char)blocked;
  own.held &= (unsigned char)blocked;
  if (released & CHAIN_SEGV)
    host_signal_raise(SIGSEGV);
  if (released & CHAIN_BUS)
    host_signal_raise(SIGBUS);
  return was;
}

/* The kernel enters our handler with everything blocked.  If something isn't, a handler of the
 * program that had been put in front, or that we chained to, called us: don't go round in a
 * circle. */
static bool
is_called_by_program(void) {
  sigset_t mask;
  host_signals_block(&mask);
  host_signals_set(&mask);
  static const int some[] = { SIGHUP, SIGINT, SIGUSR1, SIGTERM, SIGALRM, SIGCHLD, SIGWINCH };
  for (size_t i = 0; i < sizeof some / sizeof *some; i++)
    if (!sigismember(&mask, some[i]))
      return true;
  return false;
}

static bool
is_handler(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) ||
         (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static void
set_mask(int sig, const struct sigaction *action, const ucontext_t *context) {
  sigset_t mask = context->uc_sigmask;
  for (int other = 1; other < NSIG; other++)
    if (sigismember(&action->sa_mask, other) == 1)
      sigaddset(&mask, other);
  if (!(action->sa_flags & SA_NODEFER))
    sigaddset(&mask, sig);
  host_signals_set(&mask);
}

static void
call_handler(int sig, const struct sigaction *action, siginfo_t *info, void *context) {
  struct sigaction taken = *action;
  if (taken.sa_flags & (int)SA_RESETHAND) {
    struct sigaction reset;
    memset(&reset, 0, sizeof reset);
    reset.sa_handler = SIG_DFL;
    chain_set_next(sig, &reset);
  }
  set_mask(sig, &taken, context);
  if (taken.sa_flags & SA_SIGINFO)
    taken.sa_sigaction(sig, info, context);
  else
    taken.sa_handler(sig);
}

/* Have the kernel do what it does by default.  The disposition stays default: the process ends. */
static void
take_default(int sig, const siginfo_t *info, ucontext_t *context, bool is_ours) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  if (host_signal_action(sig, &action, NULL))
    return;
  if (info->si_code <= 0 || is_ours) {
    sigdelset(&context->uc_sigmask, sig); /* the kernel lets nobody block a fault */
    host_signal_raise(sig); /* nothing raises it again by itself; delivered when we return */
  }
}

void
chain_fault(int sig, siginfo_t *info, void *context, bool is_ours) {
  struct chain *chain = chain_of(sig);
  const struct sigaction *action = &chain->ring[atomic_load(&chain->current)];
  unsigned char bit = sig == SIGBUS ? CHAIN_BUS : CHAIN_SEGV;
  if (own.blocked & bit) {
    if (info->si_code <= 0)
      own.held |= bit;
    else
      take_default(sig, info, context, is_ours);
    return;
  }
  if (is_called_by_program())
    action = &chain->first;
  if (is_handler(action)) {
    call_handler(sig, action, info, context);
    return;
  }
  bool is_ignored = action->sa_handler == SIG_IGN;
  if (is_ignored && info->si_code <= 0)
    return;
  take_default(sig, info, context, is_ours);
}
