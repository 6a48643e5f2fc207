/* survey.h - looking at sections from outside, without joining one.
 *
 * By the calling thread and in its descriptor table: closing a control file in the keepers' would
 * drop our own lanes' locks.  What is read is not believed before it was checked.
 */
#ifndef SOFTMAP_SURVEY_H
#define SOFTMAP_SURVEY_H

#include "section/control.h"

struct survey {
  char name[64];
  struct control header;
  uint64_t dirty_pages;
  uint32_t live, dead;
  int damage; /* 0, EINVAL, or EPROTO: of another version; only the name is told then */
  bool is_gone, is_changed;
};

/* Every section; fn's result other than 0 ends it and is returned. */
SOFTMAP_MUST_CHECK int survey_each(int (*fn)(const struct survey *survey, void *arg), void *arg);
/* One.  ENOENT; a damaged one is told as such. */
SOFTMAP_MUST_CHECK int survey_one(const char *name, struct survey *out);
/* States of its pages [first, first + n), and with open[] whether a living lane has them open.
 * EINVAL, EPROTO: as control_check. */
SOFTMAP_MUST_CHECK int survey_pages(const char *name, uint64_t first, uint64_t n, uint8_t *states,
                                    uint8_t *open);
/* Is it the file that the section was made of, and as it was after softmap's last write to it?
 * dead_writing: a dead process was just writing, so its mtime proves nothing. */
bool survey_is_same_file(const struct control *header, const struct host_stat *file);
bool survey_is_unchanged(const struct control *header, const struct host_stat *file,
                         bool dead_writing);
/* Add to *count pages that were stored to though no state tells (survey_watched.c).  fds as
 * files_open_named. */
SOFTMAP_MUST_CHECK int survey_count_watched(const int fds[3], const struct control *header,
                                            uint64_t *count);
/* May it be the name of a section? */
bool survey_is_name(const char *name);

#endif
