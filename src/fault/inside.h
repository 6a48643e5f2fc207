/* inside.h - the entry of both handlers.  See rules.h. */
#ifndef SOFTMAP_INSIDE_H
#define SOFTMAP_INSIDE_H

#include <signal.h>

void fault_inside(int sig, siginfo_t *info, void *context);

#endif
