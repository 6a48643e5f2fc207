/* progress.h - a bar on standard error while something takes long. */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

#include <pthread.h>

#include "tool/tool.h"

struct progress {
  const char *title;
  _Atomic uint64_t done, total; /* pages */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool is_ended; /* under the lock */
  bool is_drawn, has_thread;
};

/* Begins to show a bar after half a second; shows none where standard error is no terminal.  The
 * title must stay.  Meanwhile signals find a thread that takes them, so that the command can be
 * ended: the one that recovers blocks them. */
void progress_begin(struct progress *progress, const char *title, bool is_quiet);
void progress_end(struct progress *progress);

/* For softmap_recover: the argument is a struct progress. */
void progress_tell(void *progress, uint64_t done, uint64_t total);

#endif
