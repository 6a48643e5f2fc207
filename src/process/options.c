/* options.c - names, values and defaults of the options, in one table. */
#include "process/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "section/directory.h"
#include "section/twins.h"
#include "trace/ring.h"
#include "track/track.h"

enum fill_mode { FILL_AUTO, FILL_WHOLE, FILL_TOUCH };

static enum fill_mode fill_mode = FILL_AUTO;
static uint64_t fill_threshold = (uint64_t)4 << 20;
static uint32_t ahead = 1024;

static int
set_fill(const char *value) {
  if (strcmp(value, "auto") == 0)
    fill_mode = FILL_AUTO;
  else if (strcmp(value, "whole") == 0)
    fill_mode = FILL_WHOLE;
  else if (strcmp(value, "touch") == 0)
    fill_mode = FILL_TOUCH;
  else
    return EINVAL;
  return 0;
}

static int
number(const char *value, uint64_t *out) {
  uint64_t result = 0;
  if (!*value)
    return EINVAL;
  for (; *value; value++) {
    if (*value < '0' || *value > '9' || result > (UINT64_MAX - 9) / 10)
      return EINVAL;
    result = result * 10 + (uint64_t)(*value - '0');
  }
  *out = result;
  return 0;
}

static int
set_fill_threshold(const char *value) {
  return number(value, &fill_threshold);
}

/* Twins come in blocks, and their number is a power of two. */
static int
set_ahead(const char *value) {
  uint64_t pages;
  int error = number(value, &pages);
  if (error || pages > TWINS_MAX)
    return EINVAL;
  ahead = pages ? TWINS_BLOCK : 0;
  while (ahead < pages)
    ahead *= 2;
  return 0;
}

static bool is_atomic;

static int
set_atomic(const char *value) {
  bool yes = strcmp(value, "yes") == 0;
  if (!yes && strcmp(value, "no") != 0)
    return EINVAL;
  is_atomic = yes;
  return 0;
}

static struct option {
  const char *name, *variable, *allowed;
  int (*set)(const char *value);
  bool is_set;
  const char *if_refused; /* why, and what is done */
} options[] = {
  { "tracker", "SOFTMAP_TRACKER", "fault, watch, compare, auto", track_choose, false,
    " (watch takes Linux 6.7, userfaultfd, and /proc/self/pagemap; compare process_vm_readv); using "
    "fault" },
  { "ahead", "SOFTMAP_AHEAD", "a number of pages", set_ahead, false, NULL },
  { "fill", "SOFTMAP_FILL", "auto, whole, touch", set_fill, false, NULL },
  { "fill_threshold", "SOFTMAP_FILL_THRESHOLD", "a number of bytes", set_fill_threshold, false,
    NULL },
  { "atomic", "SOFTMAP_ATOMIC", "no, yes", set_atomic, false, NULL },
  { "dir", "SOFTMAP_DIR", "the absolute path of a directory", directory_choose, false, NULL },
  { "trace", "SOFTMAP_TRACE", "the absolute path of a file", trace_choose, false, NULL },
};

int
options_set(const char *name, const char *value) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (strcmp(options[i].name, name) == 0) {
      int error = options[i].set(value);
      options[i].is_set |= !error;
      return error;
    }
  return EINVAL;
}

static void
complain(const struct option *option, const char *value, int error) {
  struct text text = { 0 };
  text_add(&text, "softmap: ");
  text_add(&text, option->variable);
  text_add(&text, "=");
  text_add(&text, value);
  if (error == EOPNOTSUPP) {
    text_add(&text, " can't be had here");
    text_add(&text, option->if_refused ? option->if_refused : "");
  } else {
    text_add(&text, " ignored; allowed: ");
    text_add(&text, option->allowed);
  }
  text_add(&text, "\n");
  host_message(text.at, text.len);
}

void
options_from_environment(void) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    /* Once a process, under the start lock; a program that changes its environment meanwhile does
     * so at its own risk, as with every getenv. */
    const char *value = getenv(options[i].variable); /* NOLINT(concurrency-mt-unsafe) */
    int error = value && *value && !options[i].is_set ? options[i].set(value) : 0;
    if (error)
      complain(&options[i], value, error);
  }
}

bool
options_fill_whole(uint64_t bytes) {
  return fill_mode == FILL_WHOLE || (fill_mode == FILL_AUTO && bytes <= fill_threshold);
}

uint32_t
options_ahead(void) {
  return ahead;
}

bool
options_atomic(void) {
  return is_atomic;
}
