/* install.c - installing the handlers.
 *
 * Every call that maps or protects looks whether another handler has been put in front since; if
 * so, ours goes back and chains to it.  Should that one chain to us in turn (it saved ours as the
 * old action), the fault goes to what was there before us: fault/chain.c.
 */
#include "signal/install.h"

#include <string.h>

#include "fault/chain.h"
#include "fault/inside.h"

static int
put_in_front(int sig, int restart) {
  struct sigaction ours;
  memset(&ours, 0, sizeof ours);
  ours.sa_sigaction = fault_inside;
  sigfillset(&ours.sa_mask);
  /* On the program's alternate stack if it has one: it may be there because the stack overflowed. */
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | restart;
  return host_signal_action(sig, &ours, NULL);
}

static int
install(int sig) {
  struct sigaction now;
  int error = host_signal_action(sig, NULL, &now);
  if (error)
    return error;
  if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == fault_inside)
    return 0;
  chain_set_next(sig, &now);
  return put_in_front(sig, now.sa_flags & SA_RESTART);
}

int
signals_replace(int sig, const struct sigaction *new_action, struct sigaction *old_action) {
  struct sigaction new_copy, old;
  if (new_action)
    new_copy = *new_action; /* before `old_action` is written, which may be the same */
  chain_next(sig, &old);
  if (old_action)
    *old_action = old;
  if (!new_action)
    return 0;
  chain_set_next(sig, &new_copy);
  return put_in_front(sig, new_copy.sa_flags & SA_RESTART);
}

unsigned
signals_blocked_behind(void) {
  return chain_blocked();
}

unsigned
signals_block_behind(unsigned blocked) {
  return chain_block(blocked);
}

int
signals_install(void) {
  int error = install(SIGSEGV);
  return error ? error : install(SIGBUS);
}
