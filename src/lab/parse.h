/* parse.h - what parse.c and arguments.c share: a line at work. */
#ifndef LAB_PARSE_H
#define LAB_PARSE_H

#include "lab/grammar.h"

/* A line at work. */
struct parse {
  struct script *script;
  const struct line *line;
  size_t at; /* next word */
  struct place place;
  struct step step;
  const struct grammar *grammar;
};

/* Where the next word stands, or the end of the line. */
const struct place *parse_here(struct parse *parse);

/* An unknown word, with the one of n names that may be meant; false. */
bool parse_unknown(struct parse *parse, const char *what, const char *name,
                   const char *const *names, size_t n);

/* The next word if it is a name; NULL and an error otherwise. */
const char *parse_name(struct parse *parse, const char *what);

/* Arguments, a letter each (grammar.h); false: an error was said. */
bool parse_arguments(struct parse *parse, const char *letters);

/* A text in quotes. */
bool parse_text(struct parse *parse);

/* "PROCESS" of "PROCESS:". */
bool parse_subject(struct parse *parse);

#endif
