/* script.h - a script of softmap lab, read and checked: a list of steps.
 *
 * What can be known before anything runs is checked here: words, names, numbers, which process lives.
 */
#ifndef LAB_SCRIPT_H
#define LAB_SCRIPT_H

#include "lab/words.h"

enum {
  STEPS_MAX = 1000,
  NAMES_MAX = 16,  /* processes, files, mappings: of each */
  PAGES_MAX = 256, /* of a file, of a mapping */
  NAME_LENGTH_MAX = 24
};

enum verb {
  VERB_PROCESS,
  VERB_CREATE,
  VERB_WRITE,
  VERB_READ,
  VERB_TRUNCATE,
  VERB_UNLINK,
  VERB_KILL,
  VERB_RECOVER,
  VERB_SHOW,
  VERB_MAP,
  VERB_STORE,
  VERB_LOAD,
  VERB_PROTECT,
  VERB_SYNC,
  VERB_UNMAP,
  VERB_REMAP,
  VERB_PIN,
  VERB_UNPIN,
  VERB_FORK,
  VERB_EXEC,
  VERB_EXIT,
  VERB_FAIL,
  VERB_GROW,
  VERB_OPTION,
  VERB_EXPECT_OK,
  VERB_EXPECT_ERROR,
  VERB_EXPECT_SIGNAL,
  VERB_EXPECT_FILE,
  VERB_EXPECT_SIZE,
  VERB_EXPECT_MEMORY,
  VERB_EXPECT_PAGE,
  VERB_EXPECT_ACTUAL,
  VERB_TITLE, /* these are no steps */
  VERB_PAGESIZE,
  VERB_INCLUDE
};

struct step {
  enum verb verb;
  struct place place;
  char *text;                 /* the line, one blank between words */
  int process, file, mapping; /* numbers of names; -1: none */
  int other_process, other_mapping;
  uint64_t offset, length; /* bytes */
  bool has_length;
  uint64_t other_offset; /* in other_mapping, or of the store in the middle of a sync */
  char *bytes;           /* what is written, stored or expected */
  size_t nbytes;
  unsigned prot; /* PROT_* */
  bool is_private, is_midway, is_async, is_invalidating;
  int value; /* errno, signal, page state, exit status */
  uint32_t after, times;
  const char *name, *option_value; /* of a host call; of an option */
};

/* Names are numbered in the order in which they come. */
struct names {
  char name[NAMES_MAX][NAME_LENGTH_MAX + 1];
  size_t n;
};

struct script {
  const char *path;
  char *title; /* or NULL */
  uint64_t page_size;
  struct names processes, files, mappings;
  struct step *steps;
  size_t n;
  /* While it is read: */
  bool is_alive[NAMES_MAX];
  unsigned depth; /* of includes */
  char **owned;   /* what must be freed with it */
  size_t nowned;
};

/* Reads a script.  False: it said what is wrong, with file, line and column. */
bool script_read(const char *path, struct script *script);
void script_free(struct script *script);

/* Keeps memory as long as the script. */
void *script_own(struct script *script, void *memory);

/* Says FILE:LINE:COLUMN: message; returns false. */
__attribute__((format(printf, 2, 3))) bool script_error(const struct place *place,
                                                        const char *format, ...);

/* One line, cut into words, to a step (verbs.c). */
bool script_parse(struct script *script, const struct line *line, const struct place *place);

/* Reads another script in its place (for include). */
bool script_include(struct script *script, const struct place *place, const char *path);

#endif
