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

#endif
