/* grammar.c - the table of steps; names of errors, signals, states. */
#include "lab/grammar.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include <softmap/softmap.h>

#include "host/inject.h"
#include "tool/tool.h"

/* ---- Steps --------------------------------------------------------------------------------- */

const struct grammar grammar[] = {
  { "title", NULL, VERB_TITLE, false, "t", 0, "TEXT" },
  { "pagesize", NULL, VERB_PAGESIZE, false, "l", 0, "SIZE" },
  { "include", NULL, VERB_INCLUDE, false, "t", 0, "\"FILE\"" },
  { "process", NULL, VERB_PROCESS, false, "P", 0, "NAME" },
  { "create", NULL, VERB_CREATE, false, "Fl", OPTION_TEXT, "FILE SIZE [TEXT]" },
  { "write", NULL, VERB_WRITE, false, "fot", 0, "FILE OFFSET TEXT" },
  { "read", NULL, VERB_READ, false, "fol", 0, "FILE OFFSET LENGTH" },
  { "truncate", NULL, VERB_TRUNCATE, false, "fl", 0, "FILE SIZE" },
  { "unlink", NULL, VERB_UNLINK, false, "f", 0, "FILE" },
  { "kill", NULL, VERB_KILL, false, "p", 0, "PROCESS" },
  { "recover", NULL, VERB_RECOVER, false, "f", 0, "FILE" },
  { "show", NULL, VERB_SHOW, false, "", 0, "" },
  { "map", NULL, VERB_MAP, true, "Mf",
    OPTION_KIND | OPTION_PROT | OPTION_OFFSET | OPTION_LENGTH | OPTION_AT,
    "MAPPING FILE [shared|private] [PROTECTION] [offset SIZE] [length SIZE] [at MAPPING SIZE]" },
  { "store", NULL, VERB_STORE, true, "mot", 0, "MAPPING OFFSET TEXT" },
  { "load", NULL, VERB_LOAD, true, "mol", 0, "MAPPING OFFSET LENGTH" },
  { "protect", NULL, VERB_PROTECT, true, "mr", OPTION_FROM | OPTION_LENGTH,
    "MAPPING PROTECTION [from SIZE] [length SIZE]" },
  { "sync", NULL, VERB_SYNC, true, "m", OPTION_FROM | OPTION_LENGTH | OPTION_SYNC,
    "MAPPING [sync|async] [invalidate] [from SIZE] [length SIZE] [midway OFFSET TEXT]" },
  { "unmap", NULL, VERB_UNMAP, true, "m", OPTION_FROM | OPTION_LENGTH,
    "MAPPING [from SIZE] [length SIZE]" },
  { "remap", NULL, VERB_REMAP, true, "ml", 0, "MAPPING SIZE" },
  { "pin", NULL, VERB_PIN, true, "mol", 0, "MAPPING OFFSET LENGTH" },
  { "unpin", NULL, VERB_UNPIN, true, "mol", 0, "MAPPING OFFSET LENGTH" },
  { "fork", NULL, VERB_FORK, true, "P", 0, "NAME" },
  { "exec", NULL, VERB_EXEC, true, "", 0, "" },
  { "exit", NULL, VERB_EXIT, true, "", 0, "" },
  { "fail", NULL, VERB_FAIL, true, "ce", OPTION_AFTER, "CALL ERRNO [after N] [times N | always]" },
  { "grow", NULL, VERB_GROW, true, "fl", 0, "FILE SIZE" },
  { "option", NULL, VERB_OPTION, true, "wv", 0, "NAME VALUE" },
  { "expect", "ok", VERB_EXPECT_OK, false, "", 0, "" },
  { "expect", "error", VERB_EXPECT_ERROR, false, "e", 0, "ERRNO" },
  { "expect", "signal", VERB_EXPECT_SIGNAL, false, "g", 0, "SIGNAL" },
  { "expect", "file", VERB_EXPECT_FILE, false, "fot", 0, "FILE OFFSET TEXT" },
  { "expect", "size", VERB_EXPECT_SIZE, false, "fl", 0, "FILE SIZE" },
  { "expect", "memory", VERB_EXPECT_MEMORY, true, "mot", 0, "MAPPING OFFSET TEXT" },
  { "expect", "page", VERB_EXPECT_PAGE, true, "mqs", 0, "MAPPING PAGE STATE" },
  { "expect", "actual", VERB_EXPECT_ACTUAL, true, "mqr", 0, "MAPPING PAGE PROTECTION" },
};
const size_t ngrammar = sizeof grammar / sizeof grammar[0];

const struct option_grammar option_grammar[] = {
  { "shared", OPTION_KIND, "" },     { "private", OPTION_KIND, "" },
  { "offset", OPTION_OFFSET, "o" },  { "length", OPTION_LENGTH, "l" },
  { "from", OPTION_FROM, "o" },      { "at", OPTION_AT, "xO" },
  { "sync", OPTION_SYNC, "" },       { "async", OPTION_SYNC, "" },
  { "invalidate", OPTION_SYNC, "" }, { "midway", OPTION_SYNC, "kt" },
  { "after", OPTION_AFTER, "u" },    { "times", OPTION_AFTER, "i" },
  { "always", OPTION_AFTER, "" },
};
const size_t noption_grammar = sizeof option_grammar / sizeof option_grammar[0];

/* ---- Names --------------------------------------------------------------------------------- */

const char *const host_call_names[] = {
#define X(name) #name,
  HOST_CALLS(X)
#undef X
};
const size_t nhost_call_names = sizeof host_call_names / sizeof host_call_names[0];

const char *const page_state_names[] = {
  [SOFTMAP_PAGE_UNFILLED] = "unfilled",
  [SOFTMAP_PAGE_FILLING] = "filling",
  [SOFTMAP_PAGE_CLEAN] = "clean",
  [SOFTMAP_PAGE_DIRTY] = "dirty",
  [SOFTMAP_PAGE_OPENED_AHEAD] = "opened-ahead",
  [SOFTMAP_PAGE_WRITING] = "writing",
  [SOFTMAP_PAGE_PAST_END] = "past-end",
};
const size_t npage_state_names = sizeof page_state_names / sizeof page_state_names[0];

bool
protection_parse(const char *text, unsigned *out) {
  static const char letters[] = "rwx";
  static const unsigned bits[] = { PROT_READ, PROT_WRITE, PROT_EXEC };
  size_t next = 0;
  *out = PROT_NONE;
  if (strcmp(text, "none") == 0)
    return true;
  for (; *text; text++) {
    if (*text == '-' && next < 3) {
      next++;
      continue;
    }
    const char *letter = strchr(letters, *text);
    if (!letter || (size_t)(letter - letters) < next)
      return false;
    *out |= bits[letter - letters];
    next = (size_t)(letter - letters) + 1;
  }
  return next > 0;
}

enum { ERROR_MAX = 133 }; /* EHWPOISON */

const char *
error_name(int error) {
  const char *name = error > 0 && error <= ERROR_MAX ? strerrorname_np(error) : NULL;
  return name ? name : "unknown";
}

int
error_number(const char *name) {
  for (int i = 1; i <= ERROR_MAX; i++)
    if (strcmp(error_name(i), name) == 0)
      return i;
  return 0;
}

const char *
nearest_error(const char *name) {
  const char *names[ERROR_MAX];
  for (int i = 0; i < ERROR_MAX; i++)
    names[i] = error_name(i + 1);
  return nearest_word(name, names, ERROR_MAX);
}

static const struct {
  const char *name;
  int number;
} signals[] = {
  { "SIGBUS", SIGBUS }, { "SIGSEGV", SIGSEGV }, { "SIGKILL", SIGKILL }, { "SIGABRT", SIGABRT }
};

const char *
signal_name(int number) {
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
    if (signals[i].number == number)
      return signals[i].name;
  return "a signal";
}

int
signal_number(const char *name) {
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
    if (strcmp(signals[i].name, name) == 0)
      return signals[i].number;
  return 0;
}
