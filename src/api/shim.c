/* shim.c - what the engine does for its own shim. */
#include "api/shim.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "api/call.h"
#include "core/text.h"
#include "process/options.h"
#include "section/directory.h"
#include "section/files.h"
#include "section/registry.h"
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

bool
shim_has_section(int fd) {
  struct host_stat stat, found;
  struct text path = { 0 };
  if (host_stat_fd(fd, &stat) || !S_ISREG(stat.mode))
    return false;
  text_add(&path, directory_path());
  text_add(&path, "/");
  section_name_of(&stat, &path);
  return !host_stat_path(path.at, &found);
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
