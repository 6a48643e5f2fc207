/* chain.h - faults that aren't ours: to the program's handler as the kernel would have delivered
 * them, as far as user space can.  See rules.h. */
#ifndef SOFTMAP_CHAIN_H
#define SOFTMAP_CHAIN_H

#include <signal.h>
#include <stdbool.h>

/* Hand the signal on.  is_ours: a SIGBUS of our making; running the instruction again would raise
 * SIGSEGV.  May not return. */
void chain_fault(int sig, siginfo_t *info, void *context, bool is_ours);
/* Remember the action that ours replaced.  [outside the handler, under the space lock] */
void chain_set_next(int sig, const struct sigaction *action);

/* What the program has blocked of the two in the calling thread, though the host has them open for
 * us: CHAIN_SEGV, CHAIN_BUS.  A fault then ends the process, as the host would have it; what
 * somebody sends is held until it is let through. */
enum { CHAIN_SEGV = 1, CHAIN_BUS = 2 };
unsigned chain_block(unsigned blocked);
unsigned chain_blocked(void);
/* The action that faults which aren't ours meet now. */
void chain_next(int sig, struct sigaction *out);

#endif
