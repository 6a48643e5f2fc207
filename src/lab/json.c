/* json.c - a recording as JSON, in ASCII. */
#include <string.h>

#include "lab/grammar.h"
#include "lab/output.h"
#include "lab/table.h"

/* ---- Values -------------------------------------------------------------------------------- */

/* All texts of a recording are ASCII but for what processes said. */
static void
put_string(const char *text) {
  (void)putchar('"');
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      (void)printf("\\%c", c);
    else if (c >= ' ' && c < 0x7f)
      (void)putchar(c);
    else
      (void)printf("\\u%04x", c);
  }
  (void)putchar('"');
}

static void
put_key(const char *key, bool is_first) {
  (void)printf("%s\"%s\": ", is_first ? "" : ", ", key);
}

static void
put_text(const char *key, const char *text) {
  put_key(key, false);
  if (text)
    put_string(text);
  else
    (void)fputs("null", stdout);
}

static void
put_number(const char *key, uint64_t value) {
  put_key(key, false);
  (void)printf("%llu", (unsigned long long)value);
}

static void
put_bool(const char *key, bool value) {
  put_key(key, false);
  (void)fputs(value ? "true" : "false", stdout);
}

/* ---- A step -------------------------------------------------------------------------------- */

static void
put_page(const struct actor_page *page) {
  if (!page->is_mapped) {
    (void)fputs("null", stdout);
    return;
  }
  (void)printf("{\"asked\": \"%s\", \"actual\": \"%s\", \"state\": \"%s\"",
               protection_shown(page->asked), protection_shown(page->actual),
               page_state_text(page->state));
  put_bool("pinned", page->is_pinned);
  put_bool("open_elsewhere", page->is_open_elsewhere);
  (void)putchar('}');
}

static void
put_rows(const struct script *script, const struct frame *frame) {
  put_key("mappings", false);
  (void)putchar('[');
  for (size_t r = 0; r < frame->nrows; r++) {
    const struct row *row = &frame->rows[r];
    (void)printf("%s\n    {\"process\": \"%s\", \"mapping\": \"%s\", \"file\": \"%s\"",
                 r ? "," : "", script->processes.name[row->process],
                 script->mappings.name[row->mapping], script->files.name[row->file]);
    put_bool("private", row->is_private);
    put_number("first_page", row->first);
    (void)fputs(", \"pages\": [", stdout);
    for (size_t i = 0; i < row->n; i++) {
      (void)fputs(i ? ", " : "", stdout);
      put_page(&row->page[i]);
    }
    (void)fputs("]}", stdout);
  }
  (void)putchar(']');
}

static void
put_files(const struct script *script, const struct frame *frame) {
  put_key("files", false);
  (void)putchar('[');
  for (int file = 0, n = 0; file < (int)script->files.n; file++) {
    if (!frame->exists[file])
      continue;
    (void)printf("%s{\"name\": \"%s\"", n++ ? ", " : "", script->files.name[file]);
    put_number("size", frame->size[file]);
    (void)fputs(", \"written_pages\": [", stdout);
    for (uint64_t page = 0, written = 0; page < PAGES_MAX; page++)
      if (frame_has_written(frame, file, page))
        (void)printf("%s%llu", written++ ? ", " : "", (unsigned long long)page);
    (void)fputs("]}", stdout);
  }
  (void)putchar(']');
}

static void
put_frame(const struct script *script, const struct frame *frame) {
  const struct step *step = frame->step;
  (void)printf("  {\"number\": %zu", frame->number);
  put_text("script", step->place.file);
  put_number("line", step->place.line);
  put_text("step", step->text);
  put_text("process", step->process >= 0 ? script->processes.name[step->process] : NULL);
  put_bool("expectation", step->verb >= VERB_EXPECT_OK);
  put_text("error", frame->error ? error_name(frame->error) : NULL);
  put_text("signal", frame->signal ? signal_name(frame->signal) : NULL);
  put_text("result", frame->outcome);
  put_text("said", frame->said);
  put_text("not_as_expected", frame->complaint);
  put_number("faults", frame->faults);
  put_key("changes", false);
  (void)putchar('[');
  for (size_t i = 0; i < frame->nchanges; i++) {
    (void)fputs(i ? ", " : "", stdout);
    put_string(frame->changes[i]);
  }
  (void)putchar(']');
  put_files(script, frame);
  put_rows(script, frame);
  (void)putchar('}');
}

void
output_json(const struct recording *recording) {
  (void)fputs("{\"engine\": ", stdout);
  put_string(recording->engine);
  put_text("title", recording->script->title);
  put_number("page_size", recording->script->page_size);
  (void)fputs(", \"steps\": [\n", stdout);
  for (size_t i = 0; i < recording->n; i++) {
    put_frame(recording->script, &recording->frames[i]);
    (void)fputs(i + 1 < recording->n ? ",\n" : "\n", stdout);
  }
  (void)fputs("]}\n", stdout);
}
