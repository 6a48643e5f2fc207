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

#endif
