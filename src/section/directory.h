/* directory.h - the section directory: where it is, and whether it can be trusted. */
#ifndef SOFTMAP_DIRECTORY_H
#define SOFTMAP_DIRECTORY_H

#include "host/host.h"

/* Its path: what was configured, else SOFTMAP_DIR, else /dev/shm/softmap-UID. */
const char *directory_path(void);
/* Choose another one.  EINVAL: not an absolute path, or too long. */
SOFTMAP_MUST_CHECK int directory_choose(const char *path);

/* A descriptor of it, made if it isn't there, kept open.  EACCES, and one line on standard error
 * the first time, if it is a symbolic link, not ours, or open to others.  [keeper] */
SOFTMAP_MUST_CHECK int directory_open(int *fd);
/* The same for who only looks, not kept and not made: ENOENT.  [any thread; the caller closes] */
SOFTMAP_MUST_CHECK int directory_look(int *fd);
/* In a forked child, whose keepers have nothing open: forget it. */
void directory_forget(void);
/* Is the file behind this path one of a section?  (Those are never mapped through sections.) */
bool directory_holds(const char *path);

#endif
