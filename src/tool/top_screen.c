/* top_screen.c - softmap top on a terminal (ncurses). */
#include "tool/top.h"

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum paint { PAINT_CLEAN = 1, PAINT_DIRTY, PAINT_WRITING, PAINT_UNFILLED, PAINT_SOME };

struct screen {
  const struct top_choice *choice;
  struct top_sample sample;
  enum top_order order;
  double interval;
  char chosen[64]; /* name of the section whose map is shown */
  bool is_stopped, has_ended;
};

/* ---- Drawing ------------------------------------------------------------------------------- */

static int
paint_of(char sign) {
  switch (sign) {
  case '.':
    return COLOR_PAIR(PAINT_CLEAN);
  case 'd':
  case 'D':
    return COLOR_PAIR(PAINT_DIRTY) | (sign == 'D' ? (int)A_BOLD : 0);
  case 'W':
    return COLOR_PAIR(PAINT_WRITING) | (int)A_BOLD;
  case '_':
    return COLOR_PAIR(PAINT_UNFILLED) | (int)A_DIM;
  default:
    return COLOR_PAIR(PAINT_SOME) | (sign >= '6' ? (int)A_BOLD : 0);
  }
}

static size_t
chosen_index(struct screen *screen) {
  for (size_t i = 0; i < screen->sample.n; i++)
    if (strcmp(screen->sample.at[i].info.name, screen->chosen) == 0)
      return i;
  return 0;
}

static void
choose(struct screen *screen, size_t i) {
  if (i < screen->sample.n)
    memcpy(screen->chosen, screen->sample.at[i].info.name, sizeof screen->chosen);
}

static void
draw_rate(int y, int x, double rate) {
  if (rate < 0)
    (void)mvprintw(y, x, "%10s", "-");
  else
    (void)mvprintw(y, x, "%10.0f", rate);
}

static void
draw_line(const struct top_section *section, int y, bool is_chosen) {
  char *title = section_title(&section->info);
  int room = COLS - 62 > 12 ? COLS - 62 : 12;
  size_t len = strlen(title);
  const char *shown = len > (size_t)room ? title + (len - (size_t)room) : title;
  (void)attrset(is_chosen ? A_REVERSE : A_NORMAL);
  (void)mvprintw(y, 0, "%-*.*s %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64 " %4" PRIu32,
                 room, room, shown, section->npages, section->dirty, section->open,
                 section->writing, section->info.live);
  draw_rate(y, room + 41, section->dirtied);
  draw_rate(y, room + 51, section->written);
  (void)attrset(A_NORMAL);
  free(title);
}

static void
draw_map(const struct top_section *section, int top) {
  int columns_left = COLS - 12, lines = LINES - top - 2;
  if (columns_left < 8 || lines < 1 || section->n == 0)
    return;
  size_t a_line = (size_t)columns_left / 8 * 8;
  size_t scale = top_scale(section, a_line * (size_t)lines);
  for (size_t i = 0; i * scale < section->n; i++) {
    int y = top + 1 + (int)(i / a_line), x = 11 + (int)(i % a_line);
    if (i % a_line == 0)
      (void)mvprintw(y, 0, "%10zu", i * scale);
    char sign = top_sign(section, i * scale, scale);
    (void)mvaddch(y, x, (chtype)(unsigned char)sign | (chtype)paint_of(sign));
  }
  (void)mvprintw(top, 0, "_ not read  . clean  d dirty  D dirty, open  W being written");
  if (scale > 1)
    (void)printw("  1-9 tenths dirty of %zu pages", scale);
}

static void
draw(struct screen *screen) {
  struct top_sample *sample = &screen->sample;
  size_t chosen = chosen_index(screen), dirty = 0;
  int table = LINES / 3 > 3 ? LINES / 3 : 3;
  for (size_t i = 0; i < sample->n; i++)
    dirty += sample->at[i].dirty;
  (void)erase();
  (void)attrset(A_BOLD);
  (void)mvprintw(0, 0, "softmap top: %zu section%s, %zu dirty pages; every %.1f s%s", sample->n,
                 sample->n == 1 ? "" : "s", dirty, screen->interval,
                 screen->is_stopped ? ", stopped" : "");
  (void)attrset(A_NORMAL);
  (void)mvprintw(1, 0, "up/down choose   s sort: %s   +/- interval   space stop   q end",
                 top_order_names[screen->order]);
  int room = COLS - 62 > 12 ? COLS - 62 : 12;
  (void)attrset(A_UNDERLINE);
  (void)mvprintw(2, 0, "%-*s %10s %8s %8s %6s %4s %10s%10s", room, "FILE", "PAGES", "DIRTY", "OPEN",
                 "WRITE", "LIVE", "DIRTIED/s", "WRITTEN/s");
  (void)attrset(A_NORMAL);
  size_t first = chosen >= (size_t)table ? chosen - (size_t)table + 1 : 0;
  int y = 3;
  for (size_t i = first; i < sample->n && y < 3 + table; i++)
    draw_line(&sample->at[i], y++, i == chosen);
  if (sample->n)
    draw_map(&sample->at[chosen], y + 1);
  else
    (void)mvprintw(4, 0, "Nobody has mapped a file with softmap now.");
  (void)refresh();
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static void
on_key(struct screen *screen, int key) {
  size_t chosen = chosen_index(screen);
  switch (key) {
  case 'q':
  case 'Q':
    screen->has_ended = true;
    break;
  case 's':
    screen->order = (screen->order + 1) % TOP_ORDERS;
    top_sort(&screen->sample, screen->order);
    break;
  case KEY_DOWN:
  case 'j':
    choose(screen, chosen + 1);
    break;
  case KEY_UP:
  case 'k':
    choose(screen, chosen ? chosen - 1 : 0);
    break;
  case '+':
    screen->interval = screen->interval * 2 < 60 ? screen->interval * 2 : 60;
    break;
  case '-':
    screen->interval = screen->interval / 2 > 0.1 ? screen->interval / 2 : 0.1;
    break;
  case ' ':
    screen->is_stopped = !screen->is_stopped;
    break;
  default:
    break;
  }
}

static void
begin_screen(void) {
  (void)initscr();
  (void)cbreak();
  (void)noecho();
  (void)keypad(stdscr, TRUE);
  (void)curs_set(0);
  if (has_colors()) {
    (void)start_color();
    (void)use_default_colors();
    (void)init_pair(PAINT_CLEAN, COLOR_GREEN, -1);
    (void)init_pair(PAINT_DIRTY, COLOR_RED, -1);
    (void)init_pair(PAINT_WRITING, COLOR_MAGENTA, -1);
    (void)init_pair(PAINT_UNFILLED, COLOR_BLUE, -1);
    (void)init_pair(PAINT_SOME, COLOR_YELLOW, -1);
  }
}

/* A new sample in the place of the old one. */
static int
look_again(struct screen *screen) {
  struct top_sample old = screen->sample;
  int status = top_take(&screen->sample, &old, screen->choice);
  if (status == STATUS_OK)
    top_sort(&screen->sample, screen->order);
  top_free(&old);
  return status;
}

int
top_watch(const struct top_choice *choice, double interval) {
  struct screen screen = { .choice = choice, .interval = interval };
  int status = look_again(&screen); /* what is wrong is said before the screen is taken */
  if (status != STATUS_OK)
    return status;
  begin_screen();
  while (!screen.has_ended && status == STATUS_OK) {
    draw(&screen);
    timeout((int)(screen.interval * 1000));
    int key = getch();
    if (key != ERR)
      on_key(&screen, key);
    else if (!screen.is_stopped)
      status = look_again(&screen);
  }
  (void)endwin();
  top_free(&screen.sample);
  return status;
}
