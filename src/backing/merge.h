/* merge.h - writing only the bytes of a page that changed. */
#ifndef SOFTMAP_MERGE_H
#define SOFTMAP_MERGE_H

#include "section/section.h"

/* Write the bytes of a claimed page that differ from its twin, which then is as the file; and end
 * it.  was, is_open: as for settle_same.  ENOENT: it has no twin, and stays claimed.  Else what
 * could not be written stays to be written; ECANCELED: others may have it in hand by now.
 * [keeper; sync_lock is held] */
SOFTMAP_MUST_CHECK int merge_page(struct section *section, const unsigned char *fence,
                                  uint64_t page, uint8_t was, bool is_open);
/* Put bytes into a twin.  ECANCELED: as data_write.  EOPNOTSUPP and others: not to be had.  The twin
 * is no good then.  [keeper; the page is claimed] */
SOFTMAP_MUST_CHECK int merge_renew_twin(const unsigned char *fence, unsigned char *twin,
                                        const unsigned char *bytes, size_t len);

#endif
