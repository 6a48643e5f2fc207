/* fill.h - from the file to the section. */
#ifndef SOFTMAP_FILL_H
#define SOFTMAP_FILL_H

#include "section/section.h"

/* Fill the pages of [first, first + npages) that exist and aren't filled; on return all of them
 * are, or the first error.  [keeper] */
SOFTMAP_MUST_CHECK int fill(struct section *section, uint64_t first, uint64_t npages);
/* The same from anywhere. */
SOFTMAP_MUST_CHECK int fill_from_anywhere(struct section *section, uint64_t first,
                                          uint64_t npages) SOFTMAP_SIGSAFE;

#endif
