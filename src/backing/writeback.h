/* writeback.h - from the section to the file. */
#ifndef SOFTMAP_WRITEBACK_H
#define SOFTMAP_WRITEBACK_H

#include "section/section.h"

/* Write the dirty pages of [first, first + npages), and with `flush` the file to storage.
 * On failure the pages concerned are dirty again; the rest of the range is still tried.
 * Also returns an error that an earlier write-back could not report.  [keeper] */
SOFTMAP_MUST_CHECK int writeback(struct section *section, uint64_t first, uint64_t npages,
                                 bool flush);
/* The same for what is marked already: of a mapping that went, not of others that stay. */
SOFTMAP_MUST_CHECK int writeback_marked(struct section *section, uint64_t first, uint64_t npages);
/* Make the states tell what a sync would write: what trackers know only when they are asked is
 * marked.  [keeper] */
SOFTMAP_MUST_CHECK int writeback_gather(struct section *section, uint64_t first, uint64_t npages);
/* Write all dirty pages, and flush the file by `flush` through another descriptor of it: so its errors
 * are told to whoever asked.  [keeper] */
SOFTMAP_MUST_CHECK int writeback_through(struct section *section, int (*flush)(int fd), int fd);
/* Read the pages of the range again that are clean and closed everywhere (MS_INVALIDATE).
 * [keeper] */
SOFTMAP_MUST_CHECK int refresh(struct section *section, uint64_t first, uint64_t npages);
/* Those of one page that is in our hand to be filled; fence: that from before.  [keeper] */
SOFTMAP_MUST_CHECK int refresh_bytes(struct section *section, const unsigned char *fence,
                                     uint64_t page);

#endif
