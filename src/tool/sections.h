/* sections.h - the sections of the section directory, as the command sees them. */
#ifndef TOOL_SECTIONS_H
#define TOOL_SECTIONS_H

#include "tool/tool.h"

#include <softmap/softmap.h>

struct section_list {
  struct softmap_section *at;
  size_t n;
};

enum section_state {
  STATE_IN_USE,
  STATE_LEFT,  /* nobody is alive in it, and it holds what was never written */
  STATE_CLEAN, /* nobody is alive in it, and it holds nothing */
  STATE_GONE,
  STATE_CHANGED,
  STATE_DAMAGED
};

/* Has the library use the directory that --dir names; STATUS_OK, or the exit status. */
int sections_choose_dir(const char *dir);

/* The section directory, for messages; to be freed. */
char *sections_dir(void);

/* Reads the list; STATUS_OK, or STATUS_FAILED and something was said. */
int sections_read(struct section_list *list);

/* Whether there is a section of this name now. */
bool sections_has(const char *name);

enum section_state section_state(const struct softmap_section *section);
const char *section_state_name(enum section_state state);

/* What a section is called in messages: its file, or its own name where that isn't known.  To be
 * freed. */
char *section_title(const struct softmap_section *section);

/* Whether what the user said means this section: its name, its file's path as it was recorded, or
 * another path of that file. */
bool section_is_meant(const struct softmap_section *section, const char *operand);

/* Whether the path may have been longer than the library could tell. */
bool section_path_is_cut(const struct softmap_section *section);

#endif
