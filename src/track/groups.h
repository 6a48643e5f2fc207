/* groups.h - which groups of a mapping's pages were ever armed.
 *
 * To the kernel, pages that were never armed count as stored to, and looking at them makes page
 * tables for them: only armed groups are looked at.  So a sync costs as much as was ever touched.
 */
#ifndef SOFTMAP_GROUPS_H
#define SOFTMAP_GROUPS_H

#include "core/mapping.h"
#include "host/host.h"

/* Bytes of views->groups. */
size_t groups_size(size_t npages);
/* Pages [first, first + n) are about to be armed.  ENOMEM. */
SOFTMAP_MUST_CHECK int groups_note(const struct mapping *mapping, uint64_t first, uint64_t n);
/* The next run of groups that were: the part [*first, *run_end) of [*first, end).  False: no more.
 * None is, of a mapping that the kernel doesn't watch. */
bool groups_next(const struct mapping *mapping, uint64_t *first, uint64_t end, uint64_t *run_end);

#endif
