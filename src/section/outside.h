/* outside.h - asking twins from outside a section, by reading its files. */
#ifndef SOFTMAP_OUTSIDE_H
#define SOFTMAP_OUTSIDE_H

#include "section/section.h"

struct outside {
  int control_fd, data_fd;
  int twins_fd; /* -1: none, or not to be had */
  uint32_t twins;
  uint64_t size; /* of the file */
};

/* From the descriptors of files_open_named. */
SOFTMAP_MUST_CHECK int outside_begin(struct outside *outside, const int fds[3],
                                     const struct control *control);
SOFTMAP_MUST_CHECK int outside_end(struct outside *outside, int error);
/* Was a page in this state stored to?  In doubt it was. */
bool outside_is_stored(const struct outside *outside, uint64_t page, uint8_t state);
/* How many pages would a sync write?  EINVAL: there are states that no version of ours writes. */
SOFTMAP_MUST_CHECK int outside_count(const int fds[3], const struct control *control,
                                     uint64_t *out);

#endif
