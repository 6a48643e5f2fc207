/* window.h - views of a section's data apart from the program's mappings. */
#ifndef SOFTMAP_WINDOW_H
#define SOFTMAP_WINDOW_H

#include "section/section.h"

/* ---- The window -------------------------------------------------------------------------- */

/* Where [first, first + n) of the data can be read by the kernel on our behalf; n is at most
 * WINDOW_RUN.  Never touched by our own loads: another process may cut the data off meanwhile.
 * [keeper; sync_lock is held] */
#define WINDOW_RUN SUMMARY_PAGES
SOFTMAP_MUST_CHECK int window_cover(struct section *section, uint64_t first, uint64_t n,
                                    unsigned char **out);
void window_close(struct section *section);

/* ---- The inlet ---------------------------------------------------------------------------- */

/* A view through which threads of the program, which have no descriptor of the data, have the kernel
 * copy into it.  Never touched by our own stores. */

/* [keeper] */
SOFTMAP_MUST_CHECK int inlet_ready(struct section *section);
/* Read [offset, offset + len) of the file through fd, in the caller's table, into the data; 0 < offset.
 * fence: as data_write's.  False: not all of it, whatever the reason. */
SOFTMAP_MUST_CHECK bool inlet_read(struct section *section, const unsigned char *fence, int fd,
                                   size_t len, uint64_t offset);
void inlet_close(struct section *section);

#endif
