/* parse.c - one line of a script to a step. */
#include "lab/parse.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/* ---- Options ------------------------------------------------------------------------------- */

static void
set_flag(struct step *step, const char *name) {
  if (strcmp(name, "private") == 0)
    step->is_private = true;
  else if (strcmp(name, "async") == 0)
    step->is_async = true;
  else if (strcmp(name, "invalidate") == 0)
    step->is_invalidating = true;
  else if (strcmp(name, "midway") == 0)
    step->is_midway = true;
  else if (strcmp(name, "always") == 0)
    step->times = UINT32_MAX;
}

/* What may follow here, for the error. */
static bool
no_option(struct parse *parse, const char *name) {
  const char *names[16];
  size_t n = 0;
  for (size_t i = 0; i < noption_grammar; i++)
    if (option_grammar[i].bit & parse->grammar->options)
      names[n++] = option_grammar[i].name;
  if (n == 0)
    return script_error(parse_here(parse), "'%s' is too much here", name);
  return parse_unknown(parse, "word", name, names, n);
}

static bool
take_option(struct parse *parse) {
  const struct word *word = &parse->line->word[parse->at];
  unsigned options = parse->grammar->options;
  if (word->kind == WORD_TEXT && (options & OPTION_TEXT) && !parse->step.bytes)
    return parse_text(parse);
  if (word->kind != WORD_NAME)
    return script_error(parse_here(parse),
                        word->kind == WORD_TEXT ? "no text expected here" : "no ':' expected here");
  for (size_t i = 0; i < noption_grammar; i++)
    if ((option_grammar[i].bit & options) && strcmp(option_grammar[i].name, word->text) == 0) {
      parse->at++;
      set_flag(&parse->step, word->text);
      return parse_arguments(parse, option_grammar[i].arguments);
    }
  if ((options & OPTION_PROT) && protection_parse(word->text, &parse->step.prot)) {
    parse->at++;
    return true;
  }
  return no_option(parse, word->text);
}

/* ---- A line -------------------------------------------------------------------------------- */

/* "PROCESS:" */
static bool
take_subject(struct parse *parse) {
  if (parse->line->n < 2 || parse->line->word[1].kind != WORD_COLON)
    return true;
  static const struct grammar any = { .name = "PROCESS: step", .usage = "" };
  parse->grammar = &any;
  if (!parse_subject(parse))
    return false;
  parse->at = 2;
  if (parse->line->n > 2)
    return true;
  return script_error(parse_here(parse), "a step expected behind the process");
}

/* Whether the line begins with a step of this name; the second word of an expectation is left for
 * later. */
static bool
find_step(struct parse *parse) {
  static const struct grammar any = { .name = "STEP", .usage = "" };
  const char *names[64];
  size_t n = 0;
  bool has_process = parse->step.process >= 0, is_known = false;
  parse->grammar = &any;
  const char *name = parse_name(parse, "the name of a step");
  const struct word *next =
      parse->at + 1 < parse->line->n ? &parse->line->word[parse->at + 1] : NULL;
  if (!name)
    return false;
  for (size_t i = 0; i < ngrammar; i++) {
    const struct grammar *grammar_of = &grammar[i];
    bool is_it = strcmp(grammar_of->name, name) == 0;
    is_known |= is_it;
    if (is_it && grammar_of->has_process == has_process &&
        (!grammar_of->second || (next && strcmp(next->text, grammar_of->second) == 0))) {
      parse->grammar = grammar_of;
      parse->at += grammar_of->second ? 2 : 1;
      return true;
    }
    if (grammar_of->has_process == has_process && !(is_it && !grammar_of->second))
      names[n++] = is_it ? grammar_of->second : grammar_of->name;
  }
  if (strcmp(name, "expect") == 0) {
    parse->at++;
    return next ? parse_unknown(parse, "expectation", next->text, names, n)
                : script_error(parse_here(parse), "what is expected?");
  }
  if (is_known)
    return script_error(parse_here(parse),
                        has_process ? "'%s' is no step of a process"
                                    : "'%s' is a step of a process: 'NAME: %s'",
                        name, name);
  return parse_unknown(parse, "step", name, names, n);
}

/* What the line looks like, one blank between words. */
static char *
line_text(const struct line *line) {
  char *out = text_of("%s", "");
  for (size_t i = 0; i < line->n; i++) {
    const struct word *word = &line->word[i];
    char *shown = word->kind == WORD_TEXT ? words_quote(word->text, word->len, 40)
                                          : text_of("%s", word->text);
    char *longer = text_of("%s%s%s", out, i && word->kind != WORD_COLON ? " " : "", shown);
    free(shown);
    free(out);
    out = longer;
  }
  return out;
}

static bool
set_page_size(struct parse *parse) {
  struct script *script = parse->script;
  uint64_t size = parse->step.length;
  if (script->n > 0)
    return script_error(&parse->step.place, "pagesize must come before the first step");
  if (size < script->page_size || size > 1 << 20 || (size & (size - 1)))
    return script_error(&parse->step.place, "pagesize: a power of 2 from this machine's %llu to 1m",
                        (unsigned long long)script->page_size);
  script->page_size = size;
  return true;
}

static bool
keep(struct parse *parse) {
  struct script *script = parse->script;
  struct step *step = &parse->step;
  switch ((int)step->verb) {
  case VERB_TITLE:
    script->title = step->bytes;
    return true;
  case VERB_PAGESIZE:
    return set_page_size(parse);
  case VERB_INCLUDE:
    return script_include(script, &step->place, step->bytes);
  case VERB_KILL:
    script->is_alive[step->other_process] = false;
    break;
  case VERB_EXIT:
    script->is_alive[step->process] = false;
    break;
  default:
    break;
  }
  if (script->n == STEPS_MAX)
    return script_error(&step->place, "more than %d steps", STEPS_MAX);
  step->text = script_own(script, line_text(parse->line));
  script->steps = need(reallocarray(script->steps, script->n + 1, sizeof *script->steps));
  script->steps[script->n++] = *step;
  return true;
}

bool
script_parse(struct script *script, const struct line *line, const struct place *place) {
  struct parse parse = { .script = script, .line = line, .place = *place };
  parse.step = (struct step){ .process = -1,
                              .file = -1,
                              .mapping = -1,
                              .other_process = -1,
                              .other_mapping = -1,
                              .times = 1,
                              .prot = UINT_MAX };
  if (!take_subject(&parse))
    return false;
  parse.step.place = *parse_here(&parse);
  if (!find_step(&parse))
    return false;
  parse.step.verb = parse.grammar->verb;
  if (!parse_arguments(&parse, parse.grammar->arguments))
    return false;
  while (parse.at < line->n)
    if (!take_option(&parse))
      return false;
  return keep(&parse);
}
