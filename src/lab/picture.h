/* picture.h - the timeline while it is drawn: svg.c has the grid, legend.c what stands below it. */
#ifndef LAB_PICTURE_H
#define LAB_PICTURE_H

#include "lab/output.h"
#include "lab/table.h"

enum {
  MARGIN = 24,
  LABELS = 190, /* left of the grid */
  CELL = 34,    /* width of a column */
  GAP = 16,     /* between bands */
  LIST_LINE = 20,
  LIST_LETTER = 8, /* at 13 px, rounded up */
  LEGEND_ITEM = 176,
  BANDS_MAX = NAMES_MAX * NAMES_MAX + NAMES_MAX
};

struct band {
  int process, mapping; /* process -1: the file itself */
  int file;
  bool is_private;
  uint64_t first, end; /* pages of the file */
  int y;
};

struct picture {
  FILE *out;
  const struct recording *recording;
  struct band band[BANDS_MAX];
  size_t nbands;
  size_t ncolumns;
  int cell_height;
  int top, width, height;
  bool is_used[32]; /* page states */
};

/* The fill of a page of this state. */
const char *picture_colour(uint8_t state);
extern const char picture_style[];

/* Whether a frame has a column: expectations have none. */
static inline bool
has_column(const struct frame *frame) {
  return frame->step->verb < VERB_EXPECT_OK;
}

/* How wide the list of steps is. */
int list_width(const struct picture *picture);

/* Below what is drawn; they move picture->height. */
void put_list(struct picture *picture);
void put_legend(struct picture *picture);

#endif
