/* file.c - the kept descriptor.
 *
 * It shares the program's open description where that will do: opening a file again has side
 * effects on network file systems, and may be refused after privileges were dropped.
 */
#include "backing/file.h"

#include <errno.h>
#include <fcntl.h>

#include "trace/counters.h"

int
file_look(struct section *section) {
  struct host_stat stat;
  uint64_t seen;
  int error = section_note_mtime(section, section->file_fd, &stat, &seen);
  if (error)
    return error;
  if (seen && (seen != stat.mtime_ns || stat.size != atomic_load(&section->control->size)))
    counter_add(COUNT_CHANGED_OUTSIDE, 1);
  bool changed;
  return section_follow(section, &changed);
}

static void
vouch(struct control *control, uint32_t doubts) {
  uint32_t now = atomic_load(&control->mtime_vouched);
  while ((int32_t)(doubts - now) > 0 &&
         !atomic_compare_exchange_weak(&control->mtime_vouched, &now, doubts))
    ;
}

int
file_remember(struct section *section, int fd) {
  struct host_stat stat;
  uint64_t seen;
  uint32_t doubts = atomic_load(&section->control->mtime_doubts); /* later ones may write later */
  int error = section_note_mtime(section, fd, &stat, &seen);
  if (!error)
    vouch(section->control, doubts);
  return error;
}

int
file_make_writable(struct section *section) {
  int flags;
  int error = host_open_flags(section->file_fd, &flags);
  if (error || (section->file_is_writable && !(flags & (O_DIRECT | O_APPEND))))
    return error;
  int fd;
  error = host_reopen(&fd, section->file_fd, O_RDWR | O_CLOEXEC);
  if (error && section->file_is_writable && !(flags & O_DIRECT))
    return 0; /* host_write doesn't append, or says that it can't help it */
  if (error)
    return error == EPERM ? EACCES : error;
  error = data_change_file(section, fd);
  if (error && host_close(fd))
    return EBADF;
  section->file_is_writable |= !error;
  return error;
}
