/* fill.h - from the file to the section. */
#ifndef SOFTMAP_FILL_H
#define SOFTMAP_FILL_H

#include "section/section.h"

/* Fill the pages of [first, first + npages) that exist and aren't filled; on return all of them
 * are, or the first error.  [keeper] */
SOFTMAP_MUST_CHECK int fill(struct section *section, uint64_t first, uint64_t npages);
/* Wait until nobody fills the page; take it over from a dead process.  [keeper] */
SOFTMAP_MUST_CHECK int fill_wait(struct section *section, uint64_t page);
/* Fill from anywhere. */
SOFTMAP_MUST_CHECK int fill_from_anywhere(struct section *section, uint64_t first,
                                          uint64_t npages) SOFTMAP_SIGSAFE;

#endif
