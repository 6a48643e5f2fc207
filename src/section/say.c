/* say.c - a line on its way from a keeper to standard error. */
#include "section/say.h"

#include <errno.h>
#include <string.h>

#include "host/host.h"
#include "section/section.h"

static struct text waiting;

void
say_later(const struct text *text) {
  waiting = *text;
}

void
say_now(void) {
  section_lock_all();
  struct text text = waiting;
  waiting.len = 0;
  section_unlock_all();
  if (text.len)
    host_message(text.at, text.len);
}

int
say_refused(struct section *section, const char *why) {
  static char last[sizeof section->name]; /* once, though every call of the program may ask */
  struct text text = { 0 };
  char path[400];
  if (strcmp(last, section->name) == 0)
    return EBUSY;
  memcpy(last, section->name, sizeof last);
  text_add(&text, "softmap: ");
  text_add(&text, host_path_of(section->file_fd, path, sizeof path) ? section->name : path);
  text_add(&text, why);
  text_add(&text, " (section ");
  text_add(&text, section->name);
  text_add(&text, ")\n");
  say_later(&text);
  return EBUSY;
}
