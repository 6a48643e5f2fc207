/* process.h - the life of a process with softmap in it: started at the first file mapping, forked,
 * ended. */
#ifndef SOFTMAP_PROCESS_H
#define SOFTMAP_PROCESS_H

#include "host/host.h"

/* Get everything going: host, options, keepers, handlers, fork and exit hooks.  Idempotent;
 * called by every call that may make the first mapping.  ENOMEM, EAGAIN, EMFILE ... */
SOFTMAP_MUST_CHECK int process_start(void);
/* Has it? */
bool process_is_started(void);

/* start.c calls it once. */
SOFTMAP_MUST_CHECK int process_watch_fork(void);
SOFTMAP_MUST_CHECK int process_watch_exit(void);

/* Sync all sections of this process, those included that nobody maps any more; the first error,
 * after trying all.  With `say`: one line on standard error for each that failed. */
SOFTMAP_MUST_CHECK int process_sync_all(bool flush, bool say);

#endif
