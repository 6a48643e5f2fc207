/* tail.h - changing bytes of a page that may be stored to at the same time, known to a kernel only (its
 * stamp then differs): the new stamp is made of a copy of the page. */
#ifndef SOFTMAP_TAIL_H
#define SOFTMAP_TAIL_H

#include "section/section.h"

struct tail {
  bool is_stamped;
  uint64_t page;
};

/* Before the first change of the page; uses the second half of the keeper's buffer until the end.
 * [keeper; the gate of resizing is ours] */
SOFTMAP_MUST_CHECK int tail_begin(struct section *section, uint64_t page, struct tail *tail);
/* Bytes of the page into the data.  ECANCELED: as data_write. */
SOFTMAP_MUST_CHECK int tail_put(struct section *section, const struct tail *tail,
                                const unsigned char *from, size_t len, uint64_t offset);
/* All changes are made. */
void tail_end(struct section *section, const struct tail *tail);

#endif
