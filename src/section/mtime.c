/* mtime.c - what the file's mtime was when we looked last: another one is a change by others. */
#include <errno.h>

#include "section/section.h"

/* Others do the same: an older look must not come last, or what was written by one of us would
 * be taken for somebody else's change. */
int
section_note_mtime(struct section *section, int fd, struct host_stat *stat, uint64_t *seen) {
  int error;
  *seen = atomic_load(&section->control->mtime_ns);
  do {
    error = host_stat_fd(fd, stat);
    if (!error && (stat->device != section->key.device || stat->inode != section->key.inode))
      error = ESTALE;
  } while (!error &&
           !atomic_compare_exchange_strong(&section->control->mtime_ns, seen, stat->mtime_ns));
  return error;
}
