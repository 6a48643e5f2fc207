/* flush.h - from the host's cache to storage. */
#ifndef SOFTMAP_FLUSH_H
#define SOFTMAP_FLUSH_H

#include "section/section.h"

/* By `flush`, through a descriptor of the section's file.  The kernel reports a failed flush once and
 * then calls the file clean: so on failure all pages written since the last good flush are dirty again.
 * [keeper; sync_lock is held] */
SOFTMAP_MUST_CHECK int flush_written(struct section *section, int (*flush)(int fd), int fd);

#endif
