/* start.c - from nothing to a process that can map. */
#include <errno.h>

#include "backing/keeper.h"
#include "host/lock.h"
#include "process/options.h"
#include "process/process.h"
#include "signal/install.h"
#include "trace/ring.h"

static struct lock start_lock = LOCK_INIT(LOCK_START);
static _Atomic bool is_started;

bool
process_is_started(void) {
  return atomic_load(&is_started);
}

static int
start(void) {
  int error = host_start();
  if (error)
    return error;
  host_lineage_renew(); /* the host may have been started before a fork that nobody watched */
  options_from_environment();
  trace_start();
  error = keeper_start();
  if (!error)
    error = signals_install();
  if (!error)
    error = process_watch_fork();
  if (!error)
    error = process_watch_exit();
  return error;
}

int
process_start(void) {
  if (process_is_started() && keeper_is_running())
    return 0;
  sigset_t mask;
  host_signals_block(&mask);
  lock_take(&start_lock);
  /* Again in a forked child whose keepers couldn't be started. */
  int error = process_is_started() && keeper_is_running() ? 0 : start();
  if (!error)
    atomic_store(&is_started, true);
  lock_drop(&start_lock);
  host_signals_set(&mask);
  return error;
}
