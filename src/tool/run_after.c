/* run_after.c - writing back what killed processes left. */
#include "tool/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
was_there(const struct run *run, const struct softmap_section *section) {
  for (char **name = run->before; *name; name++)
    if (strcmp(*name, section->name) == 0)
      return true;
  return false;
}

static void
recover_section(const struct run *run, const struct softmap_section *section, bool may_speak) {
  static const struct softmap_recover_options discard = { .size = sizeof discard,
                                                          .flags = SOFTMAP_RECOVER_DISCARD };
  bool is_clean = section->dirty_pages == 0 && !(section->flags & SOFTMAP_SECTION_DAMAGED);
  if (softmap_recover(section->name, NULL) == 0 || errno == EBUSY || errno == ENOENT)
    return;
  int error = errno;
  if (is_clean && softmap_recover(section->name, &discard) == 0)
    return; /* nothing of it was missing in the file */
  if (!may_speak || was_there(run, section))
    return; /* left by others, and told by `softmap ls` */
  char *title = section_title(section);
  errno = error;
  complain("%s: %llu pages that a killed process left are not written: %m; kept as section %s "
           "(softmap recover)",
           title, (unsigned long long)section->dirty_pages, section->name);
  free(title);
}

static bool
is_empty(const struct run *run) {
  char **names = environment_sections(run);
  bool is_empty_ = !names[0];
  for (char **name = names; *name; name++)
    free(*name);
  free(names);
  return is_empty_;
}

void
after_recover(const struct run *run, bool may_speak) {
  struct section_list now;
  if (is_empty(run) || sections_read(&now) != STATUS_OK)
    return;
  for (size_t i = 0; i < now.n; i++)
    if (now.at[i].live == 0)
      recover_section(run, &now.at[i], may_speak);
  free(now.at);
}
