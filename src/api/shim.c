/* shim.c - what the engine does for its own shim. */
#include "api/shim.h"


#include "api/call.h"
#include "process/options.h"
#include "signal/install.h"
#include "trace/counters.h"

void
shim_start(int (*real_sigaction)(int, const struct sigaction *, struct sigaction *)) {
  host_use_sigaction(real_sigaction);
  if (call_page_size())
    options_from_environment();
}

bool
shim_is_started(void) {
  return process_is_started();
}

/* ---- Mapping ------------------------------------------------------------------------------- */

bool
shim_touches(const void *addr, size_t len) {
  return process_is_started() && len && !call_is_foreign(addr, len);
}

/* ---- Signals ------------------------------------------------------------------------------- */

int
shim_sigaction(int sig, const struct sigaction *new_action, struct sigaction *old_action) {
  struct sigaction new_copy, old;
  struct space_call call;
  if (new_action)
    new_copy = *new_action; /* it may lie on a closed page of ours: not under the lock */
  space_lock(&call);
  int error = signals_replace(sig, new_action ? &new_copy : NULL, &old);
  space_unlock(&call);
  if (!error && old_action)
    *old_action = old;
  return fail(error);
}

unsigned
shim_blocked_behind(void) {
  return signals_blocked_behind();
}

unsigned
shim_block_behind(unsigned blocked) {
  return signals_block_behind(blocked);
}

/* ---- The end ------------------------------------------------------------------------------- */

void
shim_write_back(void) {
  if (!process_is_started() || call_is_orphan() || host_is_vfork_child())
    return;
  if (process_sync_all(false, false))
    return; /* stays dirty in its section; whoever recovers that says what is wrong */
}

/* ---- Counting ------------------------------------------------------------------------------ */

_Static_assert((int)SHIM_COUNTERS == (int)COUNTER_COUNT, "struct softmap_stats and the counters agree");

void
shim_count_in(_Atomic uint64_t *shared) {
  counters_shared = shared;
}
