/* inside.c - both handlers: serve what is ours, hand on what isn't. */
#include "fault/inside.h"

#include <errno.h>

#include "fault/chain.h"
#include "fault/serve.h"
#include "host/host.h"

#include "fault/rules.h" /* last: poisons names that other headers use */

/* Sent by somebody, not raised by an instruction. */
static int
is_sent(const siginfo_t *info) {
  return info->si_code <= 0;
}

void
fault_inside(int sig, siginfo_t *info, void *context) {
  int saved_errno = errno;
  /* The kernel entered us with everything blocked; a handler of the program that chains to us
   * has not, and must not be interrupted while a page bit is held. */
  sigset_t mask;
  host_signals_block(&mask);
  enum served served = is_sent(info) ? SERVED_FOREIGN : serve(sig, info, context);
  if (host_signals_any_open(&mask)) /* else there is nothing to give back */
    host_signals_set(&mask);
  if (served == SERVED_BUS) {
    siginfo_t bus = *info;
    bus.si_signo = SIGBUS;
    bus.si_code = BUS_ADRERR;
    chain_fault(SIGBUS, &bus, context, true);
  } else if (served == SERVED_FOREIGN) {
    chain_fault(sig, info, context, false);
  }
  errno = saved_errno;
}
