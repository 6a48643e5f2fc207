/* text.h - put together one line of text without stdio or memory.  Async-signal-safe. */
#ifndef SOFTMAP_TEXT_H
#define SOFTMAP_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A line under construction; too long a text is cut off. */
struct text {
  size_t len;
  char at[480];
};

void text_add(struct text *text, const char *string);
void text_add_number(struct text *text, uint64_t number);
void text_add_hex(struct text *text, uint64_t number);
/* "No space left on device (ENOSPC)" for the errors of file input and output, else "error 123". */
void text_add_error(struct text *text, int error);

#endif
