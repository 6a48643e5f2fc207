/* configure.c - softmap_configure, softmap_page_size. */
#include <string.h>

#include "api/call.h"
#include "process/options.h"

int
softmap_configure(const char *name, const char *value) {
  if (!name || !value)
    return fail(EINVAL);
  struct space_call call;
  space_lock(&call);
  bool is_busy = strcmp(name, "dir") == 0 && process_is_started() && space_count() > 0;
  is_busy |= strcmp(name, "trace") == 0 && process_is_started();
  int error = is_busy ? EBUSY : options_set(name, value);
  space_unlock(&call);
  return fail(error);
}

long
softmap_page_size(void) {
  return (long)call_page_size();
}
