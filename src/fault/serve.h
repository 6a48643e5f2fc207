/* serve.h - what a fault on one of our pages needs.  See rules.h. */
#ifndef SOFTMAP_SERVE_H
#define SOFTMAP_SERVE_H

#include <signal.h>

enum served {
  SERVED,         /* run the instruction again */
  SERVED_FOREIGN, /* not ours, or the program's own fault */
  SERVED_BUS,     /* ours, but the page can't be had: SIGBUS, as for a page of a mapped file that
                     can't be read or for which there is no room */
};

enum served serve(int sig, const siginfo_t *info, const void *context);

#endif
