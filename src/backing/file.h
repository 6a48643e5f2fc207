/* file.h - the file's side of a section: the descriptor that we keep, and its identity. */
#ifndef SOFTMAP_FILE_H
#define SOFTMAP_FILE_H

#include "section/section.h"

/* Is the kept descriptor's file still the section's?  Follows its size, and notices changes that
 * others made (counted).  ESTALE: another file.  [keeper] */
SOFTMAP_MUST_CHECK int file_look(struct section *section);
/* Remember how the file looks after our own writes, by a descriptor in the caller's table.  ESTALE:
 * that is another file's. */
SOFTMAP_MUST_CHECK int file_remember(struct section *section, int fd);
/* See to it that the descriptor can be written by page and tail: open for writing, no O_DIRECT;
 * opens the file again if need be.  EACCES: it can't be had.  [keeper; sync_lock is held] */
SOFTMAP_MUST_CHECK int file_make_writable(struct section *section);

#endif
