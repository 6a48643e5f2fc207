/* recover.h - what softmap recover is asked to do, and what it says about it. */
#ifndef TOOL_RECOVER_H
#define TOOL_RECOVER_H

#include "tool/sections.h"

struct recover_request {
  const char *save_to, *write_as; /* or NULL */
  bool is_dry_run, is_discard, is_quiet;
};

/* The pages that would be lost ("3-7, 12"), or NULL if nobody can tell.  To be freed. */
char *recover_dirty_pages(const struct softmap_section *section);

/* What was done, or with a dry run would be.  `lost` is what recover_dirty_pages said before. */
void recover_say_done(const struct softmap_section *section, const struct recover_request *request,
                      const char *lost);

/* What is wrong, why, and what to do. */
void recover_say_failed(const struct softmap_section *section,
                        const struct recover_request *request, int error);

#endif
