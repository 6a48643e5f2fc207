/* top.h - what softmap top shows: samples of sections, taken from outside. */
#ifndef TOOL_TOP_H
#define TOOL_TOP_H

#include <stdio.h>
#include <sys/types.h>

#include "tool/sections.h"

enum { TOP_PAGES_MAX = 1 << 20 }; /* of a section, that are looked at */

struct top_section {
  struct softmap_section info;
  uint64_t npages;  /* of the file */
  uint8_t *state;   /* enum softmap_page_state, one a page looked at */
  uint8_t *is_open; /* somebody can store to it without a fault */
  size_t n;         /* pages looked at */
  uint64_t dirty, open, writing, unfilled;
  double dirtied, written; /* pages a second since the last sample; negative: no last sample */
};

struct top_sample {
  struct top_section *at;
  size_t n;
  double when; /* seconds */
};

/* Which sections are meant: all, if there are no operands.  An operand is a process id, or what
 * softmap recover takes. */
struct top_choice {
  char **operand;
  size_t n;
};

/* Takes a sample; rates are those since `last` (n 0: none).  STATUS_OK, or STATUS_FAILED and something
 * was said. */
int top_take(struct top_sample *sample, const struct top_sample *last,
             const struct top_choice *choice);
void top_free(struct top_sample *sample);

enum top_order { TOP_BY_DIRTY, TOP_BY_RATE, TOP_BY_FILE, TOP_ORDERS };
extern const char *const top_order_names[TOP_ORDERS];
void top_sort(struct top_sample *sample, enum top_order order);

/* The sign of pages [first, first + n) taken together, n > 0: _ unfilled, . clean, d dirty, D dirty and
 * open, W being written; of several pages 1 to 9 say how many tenths are dirty. */
char top_sign(const struct top_section *section, size_t first, size_t n);

/* Pages that a sign stands for, so that the map has at most so many signs. */
size_t top_scale(const struct top_section *section, size_t signs);

/* One frame, without a terminal. */
void top_print(const struct top_sample *sample);

/* Until the user ends it; the exit status. (top_screen.c) */
int top_watch(const struct top_choice *choice, double interval);

#endif
