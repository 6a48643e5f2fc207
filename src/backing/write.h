/* write.h - the bytes of claimed pages into the file. */
#ifndef SOFTMAP_WRITE_H
#define SOFTMAP_WRITE_H

#include "section/section.h"

/* Write the bytes of a run of claimed pages, up to the end of the file; *done receives how many
 * pages are in the file now.  ECANCELED: as data_write_file.  [keeper; sync_lock is held] */
SOFTMAP_MUST_CHECK int write_run(struct section *section, const unsigned char *fence,
                                 uint64_t first, uint64_t n, uint64_t *done);
/* The same for pages that are to be stamped: the stamp must be of the very bytes that went into the
 * file, so those are copied first. */
SOFTMAP_MUST_CHECK int write_stamped(struct section *section, const unsigned char *fence,
                                     uint64_t first, uint64_t n, uint64_t *done);

#endif
