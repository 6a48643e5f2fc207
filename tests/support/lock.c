/* lock.c - locked memory, where it can be had. */
#include "t.h"

#include "t_mman.h"

/* Sanitizers turn the host's mlock into a call that does nothing; then it refuses nothing either. */
static bool
locking_is_real(void) {
  return mlock(t_vacant(1), t_page_size()) != 0 && errno == ENOMEM;
}

void
t_lock_or_skip(const void *addr, size_t len) {
  if (!locking_is_real())
    t_skip("mlock does nothing in this build");
  if (mlock(addr, len) != 0)
    t_skip("no right to lock memory");
}
