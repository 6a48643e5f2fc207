/* arguments.c - the words behind the name of a step. */
#include "lab/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/* ---- Errors -------------------------------------------------------------------------------- */

const struct place *
parse_here(struct parse *parse) {
  const struct line *line = parse->line;
  if (parse->at < line->n) {
    parse->place.column = line->word[parse->at].column;
  } else if (line->n > 0) {
    const struct word *last = &line->word[line->n - 1];
    parse->place.column = last->column + (unsigned)last->len + (last->kind == WORD_TEXT ? 2 : 0);
  }
  return &parse->place;
}

bool
parse_unknown(struct parse *parse, const char *what, const char *name, const char *const *names,
              size_t n) {
  const char *near = n ? nearest_word(name, names, n) : NULL;
  if (near)
    return script_error(parse_here(parse), "unknown %s '%s'; did you mean '%s'?", what, name, near);
  return script_error(parse_here(parse), "unknown %s '%s'", what, name);
}

static bool
wanted(struct parse *parse, const char *what) {
  const struct grammar *step = parse->grammar;
  const char *second = step->second ? step->second : "";
  return script_error(parse_here(parse), "%s expected; '%s%s%s%s%s'", what, step->name,
                      *second ? " " : "", second, *step->usage ? " " : "", step->usage);
}

/* ---- Words --------------------------------------------------------------------------------- */

const char *
parse_name(struct parse *parse, const char *what) {
  const struct line *line = parse->line;
  if (parse->at < line->n && line->word[parse->at].kind == WORD_NAME)
    return line->word[parse->at].text;
  (void)wanted(parse, what);
  return NULL;
}

static int
find_name(const struct names *names, const char *name) {
  for (size_t i = 0; i < names->n; i++)
    if (strcmp(names->name[i], name) == 0)
      return (int)i;
  return -1;
}

static bool
take_known(struct parse *parse, const struct names *names, const char *what, int *out) {
  const char *list[NAMES_MAX];
  const char *name = parse_name(parse, what);
  if (!name)
    return false;
  *out = find_name(names, name);
  for (size_t i = 0; i < names->n; i++)
    list[i] = names->name[i];
  if (*out < 0)
    return parse_unknown(parse, what, name, list, names->n);
  parse->at++;
  return true;
}

/* A name that may be new.  Letters, digits and _ only, so that it can be a file's name, too. */
static bool
take_new(struct parse *parse, struct names *names, const char *what, int *out) {
  const char *name = parse_name(parse, what);
  if (!name)
    return false;
  for (const char *at = name; *at; at++)
    if (strchr(".+-*/", *at))
      return script_error(parse_here(parse), "a name has letters, digits and _ only");
  if (strlen(name) > NAME_LENGTH_MAX)
    return script_error(parse_here(parse), "the name is longer than %d letters", NAME_LENGTH_MAX);
  *out = find_name(names, name);
  if (*out < 0) {
    if (names->n == NAMES_MAX)
      return script_error(parse_here(parse), "more than %d names of that kind", NAMES_MAX);
    *out = (int)names->n++;
    memcpy(names->name[*out], name, strlen(name) + 1);
  }
  parse->at++;
  return true;
}

static bool
take_new_process(struct parse *parse) {
  struct step *step = &parse->step;
  size_t at = parse->at;
  if (!take_new(parse, &parse->script->processes, "process", &step->other_process))
    return false;
  if (parse->script->is_alive[step->other_process]) {
    parse->at = at;
    return script_error(parse_here(parse), "process '%s' is already there",
                        parse->script->processes.name[step->other_process]);
  }
  parse->script->is_alive[step->other_process] = true;
  return true;
}

static bool
must_live(struct parse *parse, size_t word, int process) {
  if (parse->script->is_alive[process])
    return true;
  parse->at = word;
  return script_error(parse_here(parse), "process '%s' has ended",
                      parse->script->processes.name[process]);
}

static bool
take_size(struct parse *parse, const char *what, uint64_t *out) {
  const char *text = parse_name(parse, what);
  if (!text)
    return false;
  if (!words_size(text, parse->script->page_size, out))
    return script_error(parse_here(parse), "'%s' is no %s; one is 100, 2p (pages), 2p+100, 4k",
                        text, what);
  if (*out > PAGES_MAX * parse->script->page_size)
    return script_error(parse_here(parse), "more than %d pages", PAGES_MAX);
  parse->at++;
  return true;
}

static bool
take_number(struct parse *parse, uint64_t max, uint64_t *out) {
  const char *text = parse_name(parse, "number");
  if (!text)
    return false;
  if (strspn(text, "0123456789") != strlen(text) || !words_size(text, 1, out) || *out > max)
    return script_error(parse_here(parse), "'%s' is no number from 0 to %llu", text,
                        (unsigned long long)max);
  parse->at++;
  return true;
}

bool
parse_text(struct parse *parse) {
  const struct line *line = parse->line;
  if (parse->at >= line->n || line->word[parse->at].kind != WORD_TEXT)
    return wanted(parse, "a text in quotes");
  const struct word *word = &line->word[parse->at++];
  char *bytes = need(malloc(word->len + 1));
  memcpy(bytes, word->text, word->len + 1);
  parse->step.bytes = script_own(parse->script, bytes);
  parse->step.nbytes = word->len;
  return true;
}

static bool
take_listed(struct parse *parse, const char *what, const char *const *names, size_t n, int *out) {
  const char *name = parse_name(parse, what);
  if (!name)
    return false;
  for (size_t i = 0; i < n; i++)
    if (strcmp(names[i], name) == 0) {
      *out = (int)i;
      parse->at++;
      return true;
    }
  return parse_unknown(parse, what, name, names, n);
}

static bool
take_error(struct parse *parse) {
  const char *name = parse_name(parse, "errno");
  if (!name)
    return false;
  parse->step.value = error_number(name);
  if (!parse->step.value) {
    const char *near = nearest_error(name);
    return parse_unknown(parse, "errno", name, &near, near ? 1 : 0);
  }
  parse->at++;
  return true;
}

static bool
take_signal(struct parse *parse) {
  static const char *const names[] = { "SIGBUS", "SIGSEGV", "SIGKILL", "SIGABRT" };
  int index;
  if (!take_listed(parse, "signal", names, sizeof names / sizeof names[0], &index))
    return false;
  parse->step.value = signal_number(names[index]);
  return true;
}

static bool
take_protection(struct parse *parse) {
  const char *name = parse_name(parse, "protection");
  if (!name)
    return false;
  if (!protection_parse(name, &parse->step.prot))
    return script_error(parse_here(parse), "'%s' is no protection; one is r, rw, rwx, none", name);
  parse->at++;
  return true;
}

static bool
take_word(struct parse *parse, const char **out) {
  const char *name = parse_name(parse, "word");
  if (!name)
    return false;
  *out = script_own(parse->script, text_of("%s", name));
  parse->at++;
  return true;
}

/* ---- Arguments ----------------------------------------------------------------------------- */

static bool
take_process(struct parse *parse) {
  size_t word = parse->at;
  return take_known(parse, &parse->script->processes, "process", &parse->step.other_process) &&
         must_live(parse, word, parse->step.other_process);
}

static bool
take_count(struct parse *parse, uint32_t *out) {
  uint64_t value = 0;
  bool ok = take_number(parse, 1000, &value);
  *out = (uint32_t)value;
  return ok;
}

static bool
take_page(struct parse *parse) {
  uint64_t page = 0;
  bool ok = take_number(parse, PAGES_MAX - 1, &page);
  parse->step.offset = page * parse->script->page_size;
  return ok;
}

static bool
take_call(struct parse *parse) {
  int index = 0;
  bool ok = take_listed(parse, "call", host_call_names, nhost_call_names, &index);
  parse->step.name = host_call_names[index];
  return ok;
}

static bool
take_argument(struct parse *parse, char letter) {
  struct script *script = parse->script;
  struct step *step = &parse->step;
  switch (letter) {
  case 'f':
    return take_known(parse, &script->files, "file", &step->file);
  case 'F':
    return take_new(parse, &script->files, "file", &step->file);
  case 'm':
    return take_known(parse, &script->mappings, "mapping", &step->mapping);
  case 'M':
    return take_new(parse, &script->mappings, "mapping", &step->mapping);
  case 'x':
    return take_known(parse, &script->mappings, "mapping", &step->other_mapping);
  case 'p':
    return take_process(parse);
  case 'P':
    return take_new_process(parse);
  case 'o':
    return take_size(parse, "offset", &step->offset);
  case 'O':
  case 'k':
    return take_size(parse, "offset", &step->other_offset);
  case 'l':
    step->has_length = true;
    return take_size(parse, "size", &step->length);
  case 'q':
    return take_page(parse);
  case 't':
    return parse_text(parse);
  case 'r':
    return take_protection(parse);
  case 's':
    return take_listed(parse, "page state", page_state_names, npage_state_names, &step->value);
  case 'e':
    return take_error(parse);
  case 'g':
    return take_signal(parse);
  case 'u':
    return take_count(parse, &step->after);
  case 'i':
    return take_count(parse, &step->times);
  case 'c':
    return take_call(parse);
  case 'w':
    return take_word(parse, &step->name);
  default:
    return take_word(parse, &step->option_value);
  }
}

bool
parse_arguments(struct parse *parse, const char *letters) {
  for (; *letters; letters++)
    if (!take_argument(parse, *letters))
      return false;
  return true;
}

bool
parse_subject(struct parse *parse) {
  return take_known(parse, &parse->script->processes, "process", &parse->step.process) &&
         must_live(parse, 0, parse->step.process);
}
