/* svg.c - a recording as a timeline: time across, pages down.
 *
 * A band for each file (which of its pages changed) and for each mapping (the states of its pages).
 * Expectations have no column: nothing happens in them.
 */
#include "lab/picture.h"

#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

void
put_escaped(FILE *out, const char *text) {
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '&')
      (void)fputs("&amp;", out);
    else if (c == '<')
      (void)fputs("&lt;", out);
    else if (c == '>')
      (void)fputs("&gt;", out);
    else if (c == '"')
      (void)fputs("&quot;", out);
    else
      (void)fputc(c == '\n' || (c >= ' ' && c < 0x7f) ? c : '?', out);
  }
}

/* ---- Lay-out ------------------------------------------------------------------------------- */

static struct band *
find_band(struct picture *picture, int process, int mapping, int file) {
  for (size_t i = 0; i < picture->nbands; i++) {
    struct band *band = &picture->band[i];
    if (band->process == process && band->mapping == mapping && band->file == file)
      return band;
  }
  struct band *band = &picture->band[picture->nbands];
  if (picture->nbands + 1 < BANDS_MAX)
    picture->nbands++;
  *band =
      (struct band){ .process = process, .mapping = mapping, .file = file, .first = UINT64_MAX };
  return band;
}

static void
widen(struct band *band, uint64_t first, uint64_t end) {
  band->first = first < band->first ? first : band->first;
  band->end = end > band->end ? end : band->end;
}

static void
find_bands(struct picture *picture) {
  const struct recording *recording = picture->recording;
  uint64_t page_size = recording->script->page_size;
  for (int file = 0; file < (int)recording->script->files.n; file++)
    for (size_t i = 0; i < recording->n; i++)
      if (recording->frames[i].size[file])
        widen(find_band(picture, -1, -1, file), 0,
              (recording->frames[i].size[file] + page_size - 1) / page_size);
  for (size_t i = 0; i < recording->n; i++) {
    const struct frame *frame = &recording->frames[i];
    picture->ncolumns += has_column(frame);
    for (size_t r = 0; r < frame->nrows; r++) {
      const struct row *row = &frame->rows[r];
      struct band *band = find_band(picture, row->process, row->mapping, row->file);
      band->is_private = row->is_private;
      widen(band, row->first, row->first + row->n);
    }
  }
}

static void
lay_out(struct picture *picture) {
  uint64_t rows = 0;
  find_bands(picture);
  for (size_t i = 0; i < picture->nbands; i++)
    rows += picture->band[i].end - picture->band[i].first;
  picture->cell_height = rows <= 30 ? 24 : rows <= 60 ? 14 : 6;
  picture->top = MARGIN + (picture->recording->script->title ? 44 : 8) + 26;
  int y = picture->top;
  for (size_t i = 0; i < picture->nbands; i++) {
    picture->band[i].y = y;
    y += (int)(picture->band[i].end - picture->band[i].first) * picture->cell_height + GAP;
  }
  picture->height = y;
  picture->width = MARGIN + LABELS + (int)picture->ncolumns * CELL + MARGIN;
  int list = list_width(picture);
  int title = picture->recording->script->title
                  ? 2 * MARGIN + 14 * (int)strlen(picture->recording->script->title)
                  : 0;
  picture->width = list > picture->width ? list : picture->width;
  picture->width = title > picture->width ? title : picture->width;
  picture->width =
      picture->width < 4 * LEGEND_ITEM + 2 * MARGIN ? 4 * LEGEND_ITEM + 2 * MARGIN : picture->width;
}

static int
column_x(size_t column) {
  return MARGIN + LABELS + (int)column * CELL;
}

static int
page_y(const struct picture *picture, const struct band *band, uint64_t page) {
  return band->y + (int)(page - band->first) * picture->cell_height;
}

/* ---- Bands --------------------------------------------------------------------------------- */

static void
put_labels(const struct picture *picture, const struct band *band) {
  const struct script *script = picture->recording->script;
  int high = (int)(band->end - band->first) * picture->cell_height;
  char *name = band->process < 0 ? text_of("file %s", script->files.name[band->file])
                                 : text_of("%s: %s", script->processes.name[band->process],
                                           script->mappings.name[band->mapping]);
  (void)fprintf(picture->out, "<text x='%d' y='%d' class='band'>", MARGIN,
                band->y + (high < 30 ? high / 2 + 5 : 17));
  put_escaped(picture->out, name);
  (void)fputs("</text>\n", picture->out);
  if (band->process >= 0 && high >= 40)
    (void)fprintf(picture->out, "<text x='%d' y='%d' class='small'>%s</text>\n", MARGIN,
                  band->y + 34, band->is_private ? "private" : "shared");
  for (uint64_t page = band->first; page < band->end && picture->cell_height >= 14; page++)
    (void)fprintf(picture->out, "<text x='%d' y='%d' class='page'>page %llu</text>\n",
                  MARGIN + LABELS - 10, page_y(picture, band, page) + picture->cell_height / 2 + 4,
                  (unsigned long long)page);
  free(name);
}

static void
put_rect(const struct picture *picture, size_t column, const struct band *band, uint64_t page,
         const char *fill, const char *class) {
  (void)fprintf(picture->out, "<rect x='%d' y='%d' width='%d' height='%d' fill='%s' class='%s'/>\n",
                column_x(column) + 1, page_y(picture, band, page) + 1, CELL - 2,
                picture->cell_height - 2, fill, class);
}

static void
put_file_cells(const struct picture *picture, const struct band *band, const struct frame *frame,
               size_t column) {
  uint64_t page_size = picture->recording->script->page_size;
  for (uint64_t page = band->first; page < band->end; page++) {
    bool has_changed = frame_has_written(frame, band->file, page);
    if (!frame->exists[band->file] || page * page_size >= frame->size[band->file])
      continue;
    put_rect(picture, column, band, page, has_changed ? "#2f5d8c" : "#dbe4ee", "cell");
    if (has_changed && picture->cell_height >= 14)
      (void)fprintf(picture->out, "<path d='M%d %d v8 m-4 -4 l4 4 l4 -4' class='write'/>\n",
                    column_x(column) + CELL / 2,
                    page_y(picture, band, page) + picture->cell_height / 2 - 4);
  }
}

static const struct row *
row_of(const struct frame *frame, const struct band *band) {
  for (size_t r = 0; r < frame->nrows; r++)
    if (frame->rows[r].process == band->process && frame->rows[r].mapping == band->mapping &&
        frame->rows[r].file == band->file)
      return &frame->rows[r];
  return NULL;
}

/* Whether the step stores into this page of the band. */
static bool
is_stored(const struct picture *picture, const struct band *band, const struct frame *frame,
          uint64_t page) {
  const struct step *step = frame->step;
  uint64_t page_size = picture->recording->script->page_size;
  const struct row *row = row_of(frame, band);
  if (!row || step->process != band->process || step->mapping != band->mapping || !step->nbytes ||
      (step->verb != VERB_STORE && !(step->verb == VERB_SYNC && step->is_midway)))
    return false;
  uint64_t from = step->verb == VERB_STORE ? step->offset : step->other_offset;
  return page >= row->first + from / page_size &&
         page <= row->first + (from + step->nbytes - 1) / page_size;
}

/* A page that wasn't writable before the step and is now: a fault opened it. */
static bool
is_opened(const struct band *band, const struct frame *frame, const struct frame *before,
          uint64_t page) {
  const struct row *row = row_of(frame, band), *old = before ? row_of(before, band) : NULL;
  const struct actor_page *now = row ? row_page(row, page) : NULL;
  const struct actor_page *was = old ? row_page(old, page) : NULL;
  return now && was && frame->faults && now->actual != 0xff && (now->actual & 2) &&
         !(was->actual & 2);
}

static void
put_mapping_cells(struct picture *picture, const struct band *band, const struct frame *frame,
                  const struct frame *before, size_t column) {
  const struct row *row = row_of(frame, band);
  for (uint64_t page = band->first; row && page < band->end; page++) {
    const struct actor_page *cell = row_page(row, page);
    if (!cell)
      continue;
    picture->is_used[cell->state & 31] = true;
    bool is_open = cell->state < HOST_PAGE_CACHED && !row->is_private && (cell->actual & 2) &&
                   cell->actual != 0xff;
    put_rect(picture, column, band, page, picture_colour(cell->state), is_open ? "open" : "cell");
    int x = column_x(column), y = page_y(picture, band, page), middle = picture->cell_height / 2;
    if (picture->cell_height < 14)
      continue;
    if (is_opened(band, frame, before, page))
      (void)fprintf(picture->out,
                    "<path d='M%d %d l-5 7 h4 l-2 6 l7 -8 h-4 l3 -5 z' class='fault'/>\n", x + 11,
                    y + middle - 7);
    if (is_stored(picture, band, frame, page))
      (void)fprintf(picture->out, "<circle cx='%d' cy='%d' r='4' class='store'/>\n", x + CELL - 11,
                    y + middle);
  }
}

/* ---- Steps --------------------------------------------------------------------------------- */

static bool
is_sync(const struct step *step) {
  return step->verb == VERB_SYNC;
}

static void
put_heads(const struct picture *picture) {
  const struct recording *recording = picture->recording;
  int bottom = picture->height - GAP;
  for (size_t i = 0, column = 0; i < recording->n; i++) {
    const struct frame *frame = &recording->frames[i];
    if (!has_column(frame))
      continue;
    int x = column_x(column++), middle = x + CELL / 2;
    bool has_failed = frame->error || frame->signal || frame->complaint;
    if (is_sync(frame->step))
      (void)fprintf(picture->out, "<rect x='%d' y='%d' width='%d' height='%d' class='sync'/>\n", x,
                    picture->top - 24, CELL, bottom - picture->top + 28);
    (void)fprintf(picture->out, "<text x='%d' y='%d' class='%s'>%zu</text>\n", middle,
                  picture->top - 8, has_failed ? "failed" : "number", frame->number);
  }
}

/* ---- The picture --------------------------------------------------------------------------- */

static void
put_cells(struct picture *picture) {
  const struct recording *recording = picture->recording;
  const struct frame *before = NULL;
  for (size_t i = 0, column = 0; i < recording->n; i++) {
    const struct frame *frame = &recording->frames[i];
    if (!has_column(frame))
      continue;
    for (size_t b = 0; b < picture->nbands; b++)
      if (picture->band[b].process < 0)
        put_file_cells(picture, &picture->band[b], frame, column);
      else
        put_mapping_cells(picture, &picture->band[b], frame, before, column);
    before = frame;
    column++;
  }
}

void
svg_timeline(FILE *out, const struct recording *recording) {
  struct picture *picture = need(calloc(1, sizeof *picture));
  char *body = NULL;
  size_t len = 0;
  picture->out = need(open_memstream(&body, &len));
  picture->recording = recording;
  lay_out(picture);
  int grid_bottom = picture->height - GAP;
  put_heads(picture);
  for (size_t i = 0; i < picture->nbands; i++)
    put_labels(picture, &picture->band[i]);
  put_cells(picture);
  (void)fprintf(picture->out,
                "<rect id='now' x='%d' y='%d' width='%d' height='%d' class='now' "
                "visibility='hidden'/>\n",
                column_x(0), picture->top - 24, CELL, grid_bottom - picture->top + 28);
  put_list(picture);
  put_legend(picture);
  (void)fclose(picture->out);
  (void)fprintf(out,
                "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
                "viewBox='0 0 %d %d' role='img'>\n%s"
                "<rect width='100%%' height='100%%' fill='#fff'/>\n",
                picture->width, picture->height, picture->width, picture->height, picture_style);
  if (recording->script->title) {
    (void)fprintf(out, "<title>");
    put_escaped(out, recording->script->title);
    (void)fprintf(out, "</title>\n<text x='%d' y='%d' class='title' xml:space='preserve'>", MARGIN,
                  MARGIN + 20);
    put_escaped(out, recording->script->title);
    (void)fputs("</text>\n", out);
  }
  (void)fputs(need(body), out);
  (void)fputs("</svg>\n", out);
  free(body);
  free(picture);
}

void
output_svg(const struct recording *recording) {
  svg_timeline(stdout, recording);
}
