/* grammar.h - which steps there are, and what each of them takes.
 *
 * Arguments, a letter each:
 *   f  a file              m  a mapping            p  a process that lives
 *   F  a file to make      M  a mapping to make    P  a process to make
 *   o  offset              l  length               q  number of a page, to offset
 *   t  text                r  protection           s  page state
 *   e  errno               g  signal               n  number 0 to 255
 *   c  call of the host    w  word, to name        v  word, to option_value
 *   u  after               i  times                k  offset, to other_offset
 *   O  offset in the other mapping (and x: that mapping)
 */
#ifndef LAB_GRAMMAR_H
#define LAB_GRAMMAR_H

#include "lab/script.h"

enum option_bit {
  OPTION_KIND = 1u << 0,   /* shared, private */
  OPTION_PROT = 1u << 1,   /* none, r, rw, ... */
  OPTION_OFFSET = 1u << 2, /* offset SIZE */
  OPTION_LENGTH = 1u << 3, /* length SIZE */
  OPTION_FROM = 1u << 4,   /* from SIZE */
  OPTION_AT = 1u << 5,     /* at MAPPING SIZE */
  OPTION_SYNC = 1u << 6,   /* async, invalidate, midway SIZE TEXT */
  OPTION_AFTER = 1u << 7,  /* after N, times N, always */
  OPTION_TEXT = 1u << 8    /* filled with: TEXT */
};

struct grammar {
  const char *name, *second; /* second: "expect file"; or NULL */
  enum verb verb;
  bool has_process; /* stands behind "PROCESS:" */
  const char *arguments;
  unsigned options;  /* enum option_bit */
  const char *usage; /* what its line looks like, behind the name */
};
extern const struct grammar grammar[];
extern const size_t ngrammar;

struct option_grammar {
  const char *name;
  unsigned bit;
  const char *arguments;
};
extern const struct option_grammar option_grammar[];
extern const size_t noption_grammar;

/* Names that are known from elsewhere. */
extern const char *const host_call_names[];
extern const size_t nhost_call_names;
extern const char *const page_state_names[]; /* DESIGN.md's words, by enum softmap_page_state */
extern const size_t npage_state_names;

/* A protection ("rw", "r--", "none"); false if it is none. */
bool protection_parse(const char *text, unsigned *out);

/* EIO ... and SIGBUS ...; NULL, 0: none. */
const char *error_name(int error);
int error_number(const char *name);
const char *signal_name(int number);
int signal_number(const char *name);
const char *nearest_error(const char *name);

#endif
