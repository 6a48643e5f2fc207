/* options.h - what the user chose: softmap_configure, then the environment, then the default. */
#ifndef SOFTMAP_OPTIONS_H
#define SOFTMAP_OPTIONS_H

#include "host/host.h"

/* Set one; 0, EINVAL (unknown name or value), EOPNOTSUPP (not on this host, or not built). */
SOFTMAP_MUST_CHECK int options_set(const char *name, const char *value);
/* Take those from the environment that were not set yet.  A bad one gets one line on standard
 * error, and its default. */
void options_from_environment(void);

/* Read a file at once whose mapping has so many bytes? */
bool options_fill_whole(uint64_t bytes);
/* Are all shared mappings atomic? */
bool options_atomic(void);

/* How many pages of a section may be opened ahead at a time; 0: none. */
uint32_t options_ahead(void);

#endif
