/* install.h - our handlers for SIGSEGV and SIGBUS: put in front, kept in front.
 *
 * Outside the handler: may lock and call what it likes.  The actions that ours replaced are read
 * by src/fault/chain.c.
 */
#ifndef SOFTMAP_INSTALL_H
#define SOFTMAP_INSTALL_H

#include "host/host.h"

/* Put ours in front, or back in front if the program has installed its own since; what it
 * displaces is where faults go that aren't ours.  Under the space lock, or before there is a
 * second thread that knows us. */
SOFTMAP_MUST_CHECK int signals_install(void);

/* What sigaction does for a program whose signals we stand before: set and tell the action behind
 * ours.  [under the space lock] */
SOFTMAP_MUST_CHECK int signals_replace(int sig, const struct sigaction *new_action,
                                       struct sigaction *old_action);
/* See chain_block. */
unsigned signals_block_behind(unsigned blocked);
unsigned signals_blocked_behind(void);

#endif
