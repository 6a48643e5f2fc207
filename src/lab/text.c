/* text.c - a recording as text. */
#include <stdlib.h>
#include <string.h>

#include "lab/grammar.h"
#include "lab/output.h"
#include "lab/table.h"
#include "tool/tool.h"

enum { INDENT = 4, LABEL = 8 };

static void
label(FILE *out, const char *name) {
  (void)fprintf(out, "%*s%-*s", INDENT, "", LABEL, name);
}

/* The first line of the table stands behind its label. */
static void
put_pages(FILE *out, const struct script *script, const struct frame *frame,
          const struct frame *before, bool colour) {
  char *now = table_text(script, frame, INDENT + LABEL, false);
  char *old = before ? table_text(script, before, INDENT + LABEL, false) : text_of("%s", "");
  bool is_same = strcmp(now, old) == 0;
  if (*now && (!is_same || frame->step->verb == VERB_SHOW)) {
    char *shown = table_text(script, frame, INDENT + LABEL, colour);
    label(out, "pages");
    (void)fputs(shown + INDENT + LABEL, out);
    free(shown);
  } else if (*now || *old) {
    label(out, "pages");
    (void)fputs(*now ? "as before\n" : "nothing is mapped\n", out);
  }
  free(old);
  free(now);
}

static void
put_said(FILE *out, const char *said) {
  for (const char *at = said; at;) {
    const char *end = strchr(at, '\n');
    label(out, "said");
    (void)fprintf(out, "%.*s\n", end ? (int)(end - at) : (int)strlen(at), at);
    at = end ? end + 1 : NULL;
  }
}

static void
put_files(FILE *out, const struct frame *frame) {
  for (size_t i = 0; i < frame->nchanges; i++) {
    label(out, i ? "" : "files");
    (void)fprintf(out, "%s\n", frame->changes[i]);
  }
  if (frame->nchanges == 0) {
    label(out, "files");
    (void)fputs("unchanged\n", out);
  }
}

static void
put_complaint(FILE *out, const struct frame *frame, bool colour) {
  label(out, "");
  (void)fprintf(out, colour ? "\033[1;31mNOT AS EXPECTED: %s\033[0m\n" : "NOT AS EXPECTED: %s\n",
                frame->complaint);
}

void
output_frame(FILE *out, const struct script *script, const struct frame *frame,
             const struct frame *before, bool colour) {
  bool is_expectation = frame->step->verb >= VERB_EXPECT_OK;
  (void)fprintf(out, colour ? "\033[1m%3zu %s\033[0m%s\n" : "%3zu %s%s\n", frame->number,
                frame->step->text, is_expectation && !frame->complaint ? "    ok" : "");
  if (is_expectation) {
    if (frame->complaint)
      put_complaint(out, frame, colour);
    return;
  }
  if (frame->error || frame->signal || frame->outcome) {
    label(out, frame->error ? "failed" : frame->signal ? "signal" : "result");
    (void)fprintf(out, "%s\n",
                  frame->error     ? error_name(frame->error)
                  : frame->outcome ? frame->outcome
                                   : signal_name(frame->signal));
  }
  if (frame->said)
    put_said(out, frame->said);
  if (frame->faults) {
    label(out, "faults");
    (void)fprintf(out, "%u\n", frame->faults);
  }
  put_pages(out, script, frame, before, colour);
  put_files(out, frame);
  if (frame->complaint)
    put_complaint(out, frame, colour);
}

void
output_text(const struct recording *recording, bool colour) {
  const struct script *script = recording->script;
  if (script->title)
    (void)printf(colour ? "\033[1m%s\033[0m\n\n" : "%s\n\n", script->title);
  (void)printf(
      "A row is a mapping, a column a page of the file.  In it: the protection asked for, the\n"
      "protection %s, and %s.\n\n",
      strcmp(recording->engine, "native") == 0 ? "in /proc/self/maps" : "in force",
      strcmp(recording->engine, "native") == 0 ? "what mincore and pagemap say"
                                               : "the page's state");
  for (size_t i = 0; i < recording->n; i++)
    output_frame(stdout, script, &recording->frames[i], i ? &recording->frames[i - 1] : NULL,
                 colour);
}
