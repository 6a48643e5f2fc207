/* say.h - the one line that a user gets about a section that can't be had. */
#ifndef SOFTMAP_SAY_H
#define SOFTMAP_SAY_H

#include "core/text.h"

struct section;

/* Keep a line for later: keepers have no standard error (their descriptor table is their own).
 * [under the sections lock] */
void say_later(const struct text *text);
/* Print it, from a thread of the program. */
void say_now(void);
/* A file's section can't be used: a line with its path, why, and the section's name.  EBUSY.
 * [keeper] */
int say_refused(struct section *section, const char *why);

#endif
