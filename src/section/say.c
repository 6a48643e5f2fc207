/* say.c - a line on its way from a keeper to standard error. */
#include "section/say.h"

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
