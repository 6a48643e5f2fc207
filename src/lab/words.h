/* words.h - a line of a script, cut into words that know their column. */
#ifndef LAB_WORDS_H
#define LAB_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  LINE_LENGTH_MAX = 2000,
  WORDS_MAX = 64,
  TEXT_MAX = 1024 /* bytes of one quoted text */
};

enum word_kind { WORD_NAME, WORD_TEXT, WORD_COLON };

struct word {
  enum word_kind kind;
  unsigned column; /* from 1; bytes */
  size_t len;
  char *text; /* without quotes and escapes; has a '\0' behind it, and perhaps others in a text */
};

/* Where in a script; for errors. */
struct place {
  const char *file;
  unsigned line, column;
};

/* Words of a line.  Names are letters, digits and _ . + - * /; a text stands in double quotes and knows
 * \n \t \0 \" \\ and \xHH; # begins a comment.  False: *column and *problem say what is wrong. */
struct line {
  struct word word[WORDS_MAX];
  size_t n;
  char store[LINE_LENGTH_MAX + WORDS_MAX + 1];
};
bool words_cut(const char *text, size_t len, struct line *line, unsigned *column,
               const char **problem);

/* A number of bytes: terms with + or - between them, each with p (pages), k, m or nothing behind it. */
bool words_size(const char *text, uint64_t page_size, uint64_t *out);

/* Bytes as a quoted text of a script would have them, at most max of them shown; to be freed. */
char *words_quote(const char *bytes, size_t len, size_t max);

#endif
