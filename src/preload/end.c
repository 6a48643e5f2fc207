/* end.c - ends of the process that run no exit handlers: what is dirty is written before.
 *
 * exit itself is the engine's (process/exit.c); what a signal ends is written by the launcher, or
 * by whoever comes next.
 */
#include "preload/real.h"

#include "api/shim.h"
#include "preload/end.h"

void
end_begin(void) {
  if (at_quick_exit(shim_write_back))
    return; /* no memory: left to the launcher */
}

EXPORT void
_exit(int status) {
  shim_write_back();
  REAL(_exit)(status);
  __builtin_unreachable();
}

EXPORT void
_Exit(int status) {
  shim_write_back();
  REAL(_Exit)(status);
  __builtin_unreachable();
}

EXPORT void
abort(void) {
  shim_write_back();
  REAL(abort)();
  __builtin_unreachable();
}
