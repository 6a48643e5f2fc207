/* legend.c - below the timeline: the list of steps, and what the signs mean. */
#include "lab/picture.h"

#include <stdlib.h>
#include <string.h>

#include <softmap/softmap.h>

/* ---- Colours ------------------------------------------------------------------------------- */

struct colour {
  uint8_t state;
  const char *fill;
};
static const struct colour colours[] = {
  { SOFTMAP_PAGE_UNFILLED, "#eceff3" },     { SOFTMAP_PAGE_FILLING, "#b9c4d0" },
  { SOFTMAP_PAGE_CLEAN, "#8fcfae" },        { SOFTMAP_PAGE_DIRTY, "#e8663d" },
  { SOFTMAP_PAGE_OPENED_AHEAD, "#f4c04e" }, { SOFTMAP_PAGE_WRITING, "#8d6bb8" },
  { SOFTMAP_PAGE_PAST_END, "url(#past)" },  { HOST_PAGE_CACHED, "#9fc8e8" },
  { HOST_PAGE_UNCACHED, "#eceff3" },        { HOST_PAGE_COPIED, "#d49bc8" },
};
enum { NCOLOURS = sizeof colours / sizeof colours[0] };

const char *
picture_colour(uint8_t state) {
  for (size_t i = 0; i < NCOLOURS; i++)
    if (colours[i].state == state)
      return colours[i].fill;
  return "#ffffff";
}

/* ---- The list of steps --------------------------------------------------------------------- */

static size_t
longest_step(const struct recording *recording) {
  size_t longest = 0;
  for (size_t i = 0; i < recording->n; i++)
    if (has_column(&recording->frames[i]) && strlen(recording->frames[i].step->text) > longest)
      longest = strlen(recording->frames[i].step->text);
  return longest;
}

/* Lines of the list of steps: one or two columns of them. */
static size_t
list_lines(const struct picture *picture) {
  return (picture->ncolumns + 1) / 2;
}

static int
list_column_width(const struct picture *picture) {
  return (int)(longest_step(picture->recording) + 5) * LIST_LETTER + MARGIN;
}

int
list_width(const struct picture *picture) {
  return 2 * list_column_width(picture) + MARGIN;
}

void
put_list(struct picture *picture) {
  const struct recording *recording = picture->recording;
  size_t lines = list_lines(picture), n = 0;
  if (lines == 0)
    return;
  for (size_t i = 0; i < recording->n; i++) {
    const struct frame *frame = &recording->frames[i];
    if (!has_column(frame))
      continue;
    bool has_failed = frame->error || frame->signal || frame->complaint;
    int x = MARGIN + (n >= lines ? list_column_width(picture) : 0);
    int y = picture->height + 16 + (int)(n % lines) * LIST_LINE;
    (void)fprintf(picture->out,
                  "<text x='%d' y='%d' class='page'>%zu</text>"
                  "<text x='%d' y='%d' class='%s' xml:space='preserve'>",
                  x + 26, y, frame->number, x + 36, y, has_failed ? "step bad" : "step");
    put_escaped(picture->out, frame->step->text);
    (void)fputs("</text>\n", picture->out);
    n++;
  }
  picture->height += (int)lines * LIST_LINE + 20;
}

/* ---- Legend -------------------------------------------------------------------------------- */

/* The place of the next item; *y moves on to the next line when this one is full. */
static int
legend_x(const struct picture *picture, int *n, int *y) {
  int a_line = (picture->width - 2 * MARGIN) / LEGEND_ITEM;
  int x = MARGIN + *n % a_line * LEGEND_ITEM;
  if (*n && *n % a_line == 0)
    *y += 26;
  ++*n;
  return x;
}

void
put_legend(struct picture *picture) {
  FILE *out = picture->out;
  int n = 0, y = picture->height + 10;
  for (size_t i = 0; i < NCOLOURS; i++)
    if (picture->is_used[colours[i].state & 31]) {
      int x = legend_x(picture, &n, &y);
      (void)fprintf(out,
                    "<rect x='%d' y='%d' width='24' height='16' fill='%s' class='cell'/>"
                    "<text x='%d' y='%d' class='small'>%s</text>\n",
                    x, y - 12, colours[i].fill, x + 32, y, page_state_text(colours[i].state));
    }
  int x = legend_x(picture, &n, &y);
  (void)fprintf(out,
                "<rect x='%d' y='%d' width='24' height='16' fill='#fff' class='open'/>"
                "<text x='%d' y='%d' class='small'>open: no fault</text>\n",
                x, y - 12, x + 32, y);
  x = legend_x(picture, &n, &y);
  (void)fprintf(out,
                "<circle cx='%d' cy='%d' r='4' class='store' style='stroke:#22303c'/>"
                "<text x='%d' y='%d' class='small'>store</text>\n",
                x + 12, y - 4, x + 32, y);
  x = legend_x(picture, &n, &y);
  (void)fprintf(out,
                "<path d='M%d %d l-5 7 h4 l-2 6 l7 -8 h-4 l3 -5 z' class='fault'/>"
                "<text x='%d' y='%d' class='small'>fault</text>\n",
                x + 13, y - 11, x + 32, y);
  x = legend_x(picture, &n, &y);
  (void)fprintf(out,
                "<rect x='%d' y='%d' width='24' height='16' class='sync'/>"
                "<text x='%d' y='%d' class='small'>sync</text>\n",
                x, y - 12, x + 32, y);
  x = legend_x(picture, &n, &y);
  (void)fprintf(out,
                "<rect x='%d' y='%d' width='24' height='16' fill='#2f5d8c' class='cell'/>"
                "<path d='M%d %d v8 m-4 -4 l4 4 l4 -4' class='write'/>"
                "<text x='%d' y='%d' class='small'>file changed</text>\n",
                x, y - 12, x + 12, y - 8, x + 32, y);
  picture->height = y + MARGIN;
}

/* ---- Style --------------------------------------------------------------------------------- */

const char picture_style[] =
    "<style>\n"
    "text{font-family:'DejaVu "
    "Sans',Verdana,Helvetica,Arial,sans-serif;font-size:13px;fill:#22303c}\n"
    ".title{font-size:22px;font-weight:bold}.band{font-size:15px;font-weight:bold}\n"
    ".small{font-size:13px}.page{font-size:12px;text-anchor:end;fill:#5a6b7a}\n"
    ".number,.failed{font-size:12px;text-anchor:middle}.failed{fill:#c0311a;font-weight:bold}\n"
    ".step{font-family:'DejaVu Sans "
    "Mono',Menlo,Consolas,monospace;font-size:13px;white-space:pre}\n"
    ".bad{fill:#c0311a}.cell{stroke:#fff;stroke-width:1}\n"
    ".open{stroke:#22303c;stroke-width:2.5}\n"
    ".sync{fill:#2f5d8c;fill-opacity:.13;stroke:#2f5d8c;stroke-opacity:.5;stroke-dasharray:3 3}\n"
    ".write{fill:none;stroke:#fff;stroke-width:2}.fault{fill:#fff3b0;stroke:#22303c;stroke-width:."
    "8}\n"
    ".store{fill:#fff;stroke:#22303c;stroke-width:1.2}\n"
    ".now{fill:none;stroke:#22303c;stroke-width:2;rx:4px}\n"
    "</style>\n"
    "<defs><pattern id='past' width='7' height='7' patternUnits='userSpaceOnUse' "
    "patternTransform='rotate(45)'><rect width='7' height='7' fill='#fff'/>"
    "<rect width='2' height='7' fill='#b9c4d0'/></pattern></defs>\n";
