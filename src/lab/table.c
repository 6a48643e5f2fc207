/* table.c - the page table: a row a mapping, a column a page of the file. */
#include "lab/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/grammar.h"
#include "tool/tool.h"

/* ---- Cells --------------------------------------------------------------------------------- */

const char *
page_state_text(uint8_t state) {
  if (state < npage_state_names)
    return page_state_names[state];
  return state == HOST_PAGE_CACHED ? "cached" : state == HOST_PAGE_COPIED ? "copied" : "uncached";
}

const char *
protection_shown(uint8_t prot) {
  static const char *const shown[] = { "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx" };
  return prot < 8 ? shown[prot] : "???";
}

const struct actor_page *
row_page(const struct row *row, uint64_t page) {
  if (page < row->first || page - row->first >= row->n)
    return NULL;
  const struct actor_page *out = &row->page[page - row->first];
  return out->is_mapped ? out : NULL;
}

static bool
is_same(const struct actor_page *a, const struct actor_page *b) {
  return a == b || (a && b && memcmp(a, b, sizeof *a) == 0);
}

char *
row_title(const struct script *script, const struct row *row) {
  return text_of("%s %s %s", script->processes.name[row->process],
                 script->mappings.name[row->mapping], row->is_private ? "private" : "shared");
}

/* Without what is only for the terminal. */
static char *
cell_text(const struct actor_page *page) {
  if (!page)
    return text_of("-");
  return text_of("%s %s %s%s%s", protection_shown(page->asked), protection_shown(page->actual),
                 page_state_text(page->state), page->is_pinned ? " pinned" : "",
                 page->is_open_elsewhere ? " *" : "");
}

static const char *
cell_colour(const struct actor_page *page) {
  static const char *const colours[] = { "2", "33", "32", "1;31", "35", "1;33", "36" };
  if (!page || page->state >= sizeof colours / sizeof colours[0])
    return "0";
  return colours[page->state];
}

/* ---- Columns ------------------------------------------------------------------------------- */

void
table_columns(const struct frame *frame, int file, struct columns_of_pages *columns) {
  uint64_t low = UINT64_MAX, end = 0;
  columns->n = 0;
  for (size_t r = 0; r < frame->nrows; r++)
    if (frame->rows[r].file == file) {
      const struct row *row = &frame->rows[r];
      low = row->first < low ? row->first : low;
      end = row->first + row->n > end ? row->first + row->n : end;
    }
  for (uint64_t page = low; page < end && columns->n < PAGES_MAX; page++) {
    bool same = page > low;
    for (size_t r = 0; r < frame->nrows && same; r++)
      same = frame->rows[r].file != file ||
             is_same(row_page(&frame->rows[r], page), row_page(&frame->rows[r], page - 1));
    if (!same)
      columns->first[columns->n++] = page;
    columns->last[columns->n - 1] = page;
  }
}

/* ---- The table of one file ----------------------------------------------------------------- */

static size_t
wider(size_t a, size_t b) {
  return a > b ? a : b;
}

struct table {
  const struct script *script;
  const struct frame *frame;
  int file, indent;
  bool colour, has_star;
  struct columns_of_pages columns;
  size_t width[PAGES_MAX], title_width;
};

static char *
heading(const struct table *table, size_t column) {
  unsigned long long first = table->columns.first[column], last = table->columns.last[column];
  return first == last ? text_of("%llu", first) : text_of("%llu-%llu", first, last);
}

static void
measure(struct table *table) {
  const struct frame *frame = table->frame;
  table->title_width = strlen(table->script->files.name[table->file]);
  for (size_t c = 0; c < table->columns.n; c++) {
    char *text = heading(table, c);
    table->width[c] = strlen(text);
    free(text);
  }
  for (size_t r = 0; r < frame->nrows; r++) {
    if (frame->rows[r].file != table->file)
      continue;
    char *title = row_title(table->script, &frame->rows[r]);
    table->title_width = wider(table->title_width, strlen(title));
    free(title);
    for (size_t c = 0; c < table->columns.n; c++) {
      const struct actor_page *page = row_page(&frame->rows[r], table->columns.first[c]);
      char *text = cell_text(page);
      table->width[c] = wider(table->width[c], strlen(text));
      table->has_star |= page && page->is_open_elsewhere;
      free(text);
    }
  }
}

static void
put_padded(FILE *out, const char *text, size_t width, const char *colour, bool is_last) {
  if (colour)
    (void)fprintf(out, "\033[%sm%s\033[0m", colour, text);
  else
    (void)fputs(text, out);
  if (!is_last)
    (void)fprintf(out, "%*s", (int)(width - strlen(text) + 2), "");
}

static void
put_row(FILE *out, const struct table *table, const struct row *row) {
  char *title = row_title(table->script, row);
  (void)fprintf(out, "%*s", table->indent, "");
  put_padded(out, title, table->title_width, NULL, false);
  free(title);
  for (size_t c = 0; c < table->columns.n; c++) {
    const struct actor_page *page = row_page(row, table->columns.first[c]);
    char *text = cell_text(page);
    put_padded(out, text, table->width[c], table->colour ? cell_colour(page) : NULL,
               c + 1 == table->columns.n);
    free(text);
  }
  (void)fputc('\n', out);
}

static void
put_table(FILE *out, struct table *table) {
  table_columns(table->frame, table->file, &table->columns);
  if (table->columns.n == 0)
    return;
  measure(table);
  (void)fprintf(out, "%*s", table->indent, "");
  put_padded(out, table->script->files.name[table->file], table->title_width,
             table->colour ? "1" : NULL, false);
  for (size_t c = 0; c < table->columns.n; c++) {
    char *text = heading(table, c);
    put_padded(out, text, table->width[c], table->colour ? "1" : NULL, c + 1 == table->columns.n);
    free(text);
  }
  (void)fputc('\n', out);
  for (size_t r = 0; r < table->frame->nrows; r++)
    if (table->frame->rows[r].file == table->file)
      put_row(out, table, &table->frame->rows[r]);
  if (table->has_star)
    (void)fprintf(out, "%*s* another process can store to it without a fault\n", table->indent, "");
}

char *
table_text(const struct script *script, const struct frame *frame, int indent, bool colour) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = need(open_memstream(&text, &len));
  struct table *table = need(malloc(sizeof *table));
  for (int file = 0; file < (int)script->files.n; file++) {
    *table = (struct table){
      .script = script, .frame = frame, .file = file, .indent = indent, .colour = colour
    };
    put_table(out, table);
  }
  free(table);
  (void)fclose(out);
  return need(text);
}
