/* compare.c - a script on two engines, step by step, side by side.
 *
 * Where they differ in what a program can notice (results, signals, bytes, files), the divergence of
 * doc/divergences.md that allows it is named; if there is none, they must not differ.
 */
#include <stdlib.h>
#include <string.h>

#include <softmap/softmap.h>

#include "lab/grammar.h"
#include "lab/output.h"
#include "lab/table.h"
#include "tool/tool.h"

/* ---- Why a difference is allowed ----------------------------------------------------------- */

enum reason {
  REASON_NONE,
  REASON_D4,
  REASON_D5,
  REASON_D6,
  REASON_D8,
  REASON_D17,
  REASON_D21,
  REASON_FAIL,
  NREASONS
};
static const struct {
  const char *number, *title;
} reasons[NREASONS] = {
  [REASON_NONE] = { "NOT ALLOWED", "no divergence says so" },
  [REASON_D4] = { "D4", "changes from outside are noticed late" },
  [REASON_D5] = { "D5", "read(2) sees stores only after a sync" },
  [REASON_D6] = { "D6", "the tail of the last page" },
  [REASON_D8] = { "D8", "whole pages are written" },
  [REASON_D17] = { "D17", "only an orderly end writes" },
  [REASON_D21] = { "D21", "private mappings are private to the section, not to the file" },
  [REASON_FAIL] = { "fail", "the host can't be told to fail" },
};

struct side {
  struct world world;
  struct frame frame;
  bool is_native;
};

struct compare {
  const struct script *script;
  struct side left, right;
  bool colour;
  bool was_failed;             /* a step "fail" came before */
  bool was_left[NAMES_MAX];    /* file: a process that had it mapped ended in disorder */
  bool was_changed[NAMES_MAX]; /* file: by others than mappings */
  uint64_t tail[NAMES_MAX];    /* where the file ended before it grew; 0: it didn't */
  bool is_used[NREASONS];
  char *before; /* the differences of the last step */
};

static const struct frame *
softmap_frame(const struct compare *compare) {
  return compare->left.is_native ? &compare->right.frame : &compare->left.frame;
}

static bool
is_dirty(const struct frame *frame, int file, uint64_t page) {
  for (size_t r = 0; r < frame->nrows; r++) {
    const struct row *row = &frame->rows[r];
    const struct actor_page *seen =
        row->file == file && !row->is_private ? row_page(row, page) : NULL;
    if (seen && (seen->state == SOFTMAP_PAGE_DIRTY || seen->state == SOFTMAP_PAGE_WRITING))
      return true;
  }
  return false;
}

static enum reason
why_file(const struct compare *compare, int file, uint64_t at) {
  uint64_t page_size = compare->script->page_size;
  if (compare->left.is_native == compare->right.is_native)
    return REASON_NONE;
  if (compare->was_left[file])
    return REASON_D17;
  if (at >= compare->tail[file] && compare->tail[file] &&
      at / page_size == (compare->tail[file] - 1) / page_size)
    return REASON_D6;
  if (is_dirty(softmap_frame(compare), file, at / page_size))
    return REASON_D5;
  if (compare->was_changed[file])
    return REASON_D8;
  return compare->was_failed ? REASON_FAIL : REASON_NONE;
}

/* Of what the step's own mapping showed. */
static enum reason
why_memory(const struct compare *compare, const struct step *step) {
  if (compare->left.is_native == compare->right.is_native)
    return REASON_NONE;
  if (compare->was_failed && softmap_frame(compare)->error)
    return REASON_FAIL;
  for (size_t r = 0; r < softmap_frame(compare)->nrows; r++) {
    const struct row *row = &softmap_frame(compare)->rows[r];
    if (row->process != step->process || row->mapping != step->mapping)
      continue;
    if (row->is_private)
      return REASON_D21;
    if (compare->was_changed[row->file])
      return REASON_D4;
    if (compare->was_left[row->file])
      return REASON_D17;
  }
  return compare->was_failed ? REASON_FAIL : REASON_NONE;
}

/* What later differences may come from. */
static void
note_causes(struct compare *compare, const struct step *step) {
  int gone = step->verb == VERB_KILL   ? step->other_process
             : step->verb == VERB_EXEC ? step->process
                                       : -1;
  if (step->verb == VERB_FAIL)
    compare->was_failed = true;
  if (step->verb == VERB_WRITE || step->verb == VERB_TRUNCATE || step->verb == VERB_GROW)
    compare->was_changed[step->file] = true;
  if (step->verb == VERB_RECOVER)
    compare->was_left[step->file] = false;
  if (gone < 0)
    return;
  const struct frame *before = softmap_frame(compare);
  for (size_t r = 0; r < before->nrows; r++)
    if (before->rows[r].process == gone && !before->rows[r].is_private)
      compare->was_left[before->rows[r].file] = true;
}

/* ---- Differences --------------------------------------------------------------------------- */

static void
differ(FILE *out, struct compare *compare, enum reason reason, char *text) {
  compare->is_used[reason] = true;
  (void)fprintf(out, "    differs %s\n            %s: %s\n", text, reasons[reason].number,
                reasons[reason].title);
  free(text);
}

static const char *
result_name(const struct frame *frame) {
  return frame->error    ? error_name(frame->error)
         : frame->signal ? signal_name(frame->signal)
                         : "no error";
}

/* What was loaded, or how the process ended. */
static const char *
outcome_text(const struct frame *frame) {
  return frame->outcome ? frame->outcome : "nothing in particular";
}

static void
differ_results(FILE *out, struct compare *compare) {
  const struct frame *left = &compare->left.frame, *right = &compare->right.frame;
  const char *l = result_name(left), *r = result_name(right);
  if (left->is_skipped || right->is_skipped)
    return;
  if (strcmp(l, r) != 0)
    differ(out, compare, why_memory(compare, left->step),
           text_of("in the result: %s, and %s", l, r));
  else if (strcmp(outcome_text(left), outcome_text(right)) != 0)
    differ(out, compare,
           left->step->verb == VERB_READ ? why_file(compare, left->step->file, left->step->offset)
                                         : why_memory(compare, left->step),
           text_of("in the result: %s, and %s", outcome_text(left), outcome_text(right)));
}

/* One line a page that differs. */
static void
differ_bytes(FILE *out, struct compare *compare, int file) {
  const struct snapshot *left = &compare->left.world.files[file];
  const struct snapshot *right = &compare->right.world.files[file];
  uint64_t page_size = compare->script->page_size;
  uint64_t end = left->size < right->size ? left->size : right->size;
  for (uint64_t at = 0; at < end; at++) {
    if (left->bytes[at] == right->bytes[at])
      continue;
    uint64_t page = at / page_size,
             stop = (page + 1) * page_size < end ? (page + 1) * page_size : end;
    uint64_t last = at;
    for (uint64_t i = at; i < stop; i++)
      if (left->bytes[i] != right->bytes[i])
        last = i;
    char *l = words_quote(left->bytes + at, last + 1 - at, 24);
    char *r = words_quote(right->bytes + at, last + 1 - at, 24);
    differ(out, compare, why_file(compare, file, at),
           text_of("in file %s, page %llu, byte %llu: %s, and %s",
                   compare->script->files.name[file], (unsigned long long)page,
                   (unsigned long long)(at % page_size), l, r));
    free(l);
    free(r);
    at = stop - 1;
  }
}

static void
differ_files(FILE *out, struct compare *compare) {
  for (int file = 0; file < (int)compare->script->files.n; file++) {
    const struct snapshot *left = &compare->left.world.files[file];
    const struct snapshot *right = &compare->right.world.files[file];
    if (left->exists != right->exists || left->size != right->size) {
      char *l = size_text(left->size, compare->script->page_size);
      char *r = size_text(right->size, compare->script->page_size);
      differ(out, compare, compare->was_changed[file] ? REASON_D4 : REASON_NONE,
             text_of("in the size of %s: %s, and %s", compare->script->files.name[file],
                     left->exists ? l : "gone", right->exists ? r : "gone"));
      free(l);
      free(r);
    }
    if (left->exists && right->exists)
      differ_bytes(out, compare, file);
  }
}

/* ---- Printing ------------------------------------------------------------------------------ */

static size_t
widest_line(const char *text) {
  size_t widest = 0;
  for (const char *at = text; *at;) {
    size_t len = strcspn(at, "\n");
    widest = len > widest ? len : widest;
    at += len + (at[len] == '\n');
  }
  return widest;
}

static void
put_beside(const struct compare *compare) {
  char *left = table_text(compare->script, &compare->left.frame, 0, false);
  char *right = table_text(compare->script, &compare->right.frame, 0, false);
  const char *l = left, *r = right;
  size_t width = widest_line(left);
  while (*l || *r) {
    size_t nl = strcspn(l, "\n"), nr = strcspn(r, "\n");
    (void)printf("    %-*.*s  |%s%.*s\n", (int)width, (int)nl, l, nr ? "  " : "", (int)nr, r);
    l += nl + (l[nl] == '\n');
    r += nr + (r[nr] == '\n');
  }
  free(left);
  free(right);
}

static void
put_step(struct compare *compare) {
  const struct frame *left = &compare->left.frame;
  char *text = NULL;
  size_t len = 0;
  if (left->step->verb >= VERB_EXPECT_OK)
    return;
  FILE *out = need(open_memstream(&text, &len));
  differ_results(out, compare);
  long results = ftell(out);
  differ_files(out, compare);
  (void)fclose(out);
  (void)printf(compare->colour ? "\033[1m%3zu %s\033[0m\n" : "%3zu %s\n", left->number,
               left->step->text);
  put_beside(compare);
  /* A file that goes on to differ is said once. */
  if (compare->before && strcmp(compare->before, text + results) == 0)
    (void)printf("%.*s%s", (int)results, text, text[results] ? "    differs as before\n" : "");
  else
    (void)fputs(text, stdout);
  free(compare->before);
  compare->before = text_of("%s", text + results);
  free(text);
}

static int
put_summary(const struct compare *compare) {
  bool any = false;
  (void)printf("\nDifferences:");
  for (enum reason i = 0; i < NREASONS; i++)
    if (compare->is_used[i]) {
      (void)printf("%s %s", any ? "," : "", reasons[i].number);
      any = true;
    }
  (void)puts(any ? "" : " none");
  return compare->is_used[REASON_NONE] ? STATUS_FAILED : STATUS_OK;
}

/* ---- Both ---------------------------------------------------------------------------------- */

/* Files that grew in this step, on either side. */
static void
note_growth(struct compare *compare, const uint64_t *before) {
  for (size_t i = 0; i < compare->script->files.n; i++)
    if (before[i] && (compare->left.world.files[i].size > before[i] ||
                      compare->right.world.files[i].size > before[i]))
      compare->tail[i] = before[i];
}

static bool
step_both(struct compare *compare, size_t i) {
  uint64_t before[NAMES_MAX];
  for (size_t file = 0; file < NAMES_MAX; file++)
    before[file] = compare->left.world.files[file].size;
  note_causes(compare, &compare->script->steps[i]);
  frame_free(&compare->left.frame);
  frame_free(&compare->right.frame);
  bool ok = world_step(&compare->left.world, i, &compare->left.frame) &&
            world_step(&compare->right.world, i, &compare->right.frame);
  note_growth(compare, before);
  return ok;
}

int
compare_engines(const struct script *script, const char *engine, const char *other, bool colour) {
  struct compare *compare = need(calloc(1, sizeof *compare));
  compare->script = script;
  compare->colour = colour;
  compare->left.is_native = strcmp(engine, "native") == 0;
  compare->right.is_native = strcmp(other, "native") == 0;
  int status = STATUS_FAILED;
  bool left = world_open(&compare->left.world, script, engine);
  bool ok = left && world_open(&compare->right.world, script, other);
  if (ok)
    (void)printf("Left: %s.  Right: %s.\n\n", engine, other);
  for (size_t i = 0; i < script->n && ok; i++) {
    ok = step_both(compare, i);
    if (ok)
      put_step(compare);
  }
  if (ok)
    status = put_summary(compare);
  frame_free(&compare->left.frame);
  frame_free(&compare->right.frame);
  if (left)
    world_close(&compare->left.world);
  if (compare->right.world.script)
    world_close(&compare->right.world);
  free(compare->before);
  free(compare);
  return status;
}
