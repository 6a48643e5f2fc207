/* real.c - finding the libc's functions.
 *
 * All at once, by the loader's own look-up.  That allocates nothing as long as it finds what it
 * looks for, so an allocator that is just starting may have called us; and the calls that
 * allocators live on, mmap and its family, need none of these: the engine enters the kernel itself.
 */
#include "preload/real.h"

#include <string.h>

#include "api/shim.h"
#include "preload/broken.h"
#include "preload/end.h"
#include "preload/environment.h"
#include "preload/policy.h"
#include "preload/report.h"
#include "preload/signals.h"

struct real real_calls;

static void
find(const char *name, void *slot) {
  void *found = dlsym(RTLD_NEXT, name);
  memcpy(slot, &found, sizeof found); /* an object pointer for a function's, as POSIX allows */
}

static void
find_all(void) {
#define WRAP(type, name, params, args, ...) find(#name, &real_calls.name);
#define HAND(name) find(#name, &real_calls.name);
#include "preload/calls.def"
#undef WRAP
#undef HAND
}

__attribute__((constructor(101))) static void
begin(void) {
  shim_begin();
}

void
shim_begin(void) {
  static bool has_begun; /* there is one thread yet */
  if (has_begun)
    return;
  has_begun = true;
  int saved = errno;
  find_all();
  break_directory();
  shim_start(real_calls.sigaction);
  signals_begin();
  environment_read();
  policy_read();
  end_begin();
  report_begin();
  errno = saved;
}
