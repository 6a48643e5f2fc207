/* ls.c - softmap ls: the sections of the section directory. */
#include "tool/sections.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tool/ls_json.h"

enum { COL_FILE, COL_SIZE, COL_DIRTY, COL_LIVE, COL_DEAD, COL_STATE, COL_NAME, NCOLUMNS };
static const char *const headings[NCOLUMNS] = { "FILE", "SIZE",  "DIRTY", "LIVE",
                                                "DEAD", "STATE", "NAME" };
enum { FILE_COLUMNS_MIN = 12 };

/* ---- Cells --------------------------------------------------------------------------------- */

struct row {
  char *cell[NCOLUMNS];
};

/* In tenths below ten; rounded up, so that a file that isn't empty is never said to be. */
static char *
human_size(uint64_t bytes) {
  uint64_t unit = 1024;
  const char *letter = "KMGTPE";
  if (bytes < unit)
    return text_of("%" PRIu64, bytes);
  while (bytes > 1023 * unit && letter[1]) {
    unit *= 1024;
    letter++;
  }
  uint64_t parts = bytes % unit / (unit / 1024) + (bytes % (unit / 1024) > 0); /* of 1024 */
  uint64_t tenths = bytes / unit * 10 + (parts * 10 + 1023) / 1024;
  if (tenths >= 100)
    return text_of("%" PRIu64 "%c", (tenths + 9) / 10, *letter);
  return text_of("%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, *letter);
}

static char *
number(uint64_t value) {
  return text_of("%" PRIu64, value);
}

static void
fill_row(struct row *row, const struct softmap_section *section) {
  bool is_known = !(section->flags & SOFTMAP_SECTION_DAMAGED);
  row->cell[COL_FILE] = is_known ? section_title(section) : text_of("-");
  row->cell[COL_SIZE] = is_known ? human_size(section->size) : text_of("-");
  row->cell[COL_DIRTY] = is_known ? number(section->dirty_pages) : text_of("-");
  row->cell[COL_LIVE] = is_known ? number(section->live) : text_of("-");
  row->cell[COL_DEAD] = is_known ? number(section->dead) : text_of("-");
  row->cell[COL_STATE] = text_of("%s", section_state_name(section_state(section)));
  row->cell[COL_NAME] = printable(section->name);
}

/* ---- The table ----------------------------------------------------------------------------- */

/* Columns of the terminal; 0 if standard output isn't one. */
static size_t
terminal_width(void) {
  struct winsize size;
  if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
    return 0;
  return size.ws_col;
}

static void
measure(const struct row *rows, size_t n, size_t width[NCOLUMNS]) {
  for (int c = 0; c < NCOLUMNS; c++) {
    width[c] = strlen(headings[c]);
    for (size_t i = 0; i < n; i++)
      if (columns(rows[i].cell[c]) > width[c])
        width[c] = columns(rows[i].cell[c]);
  }
}

/* On a terminal long paths lose their beginning, so that a section stays on one line; its name, by
 * which it can be recovered, is always whole. */
static void
fit_files(struct row *rows, size_t n, size_t width[NCOLUMNS]) {
  size_t sum = (size_t)2 * (NCOLUMNS - 1), limit = terminal_width();
  for (int c = 0; c < NCOLUMNS; c++)
    sum += width[c];
  if (limit == 0 || sum <= limit)
    return;
  size_t too_much = sum - limit;
  size_t room =
      width[COL_FILE] > too_much + FILE_COLUMNS_MIN ? width[COL_FILE] - too_much : FILE_COLUMNS_MIN;
  for (size_t i = 0; i < n; i++) {
    char *file = rows[i].cell[COL_FILE], *end = file;
    if (columns(file) <= room)
      continue;
    while (columns(end) > room - 3)
      do
        end++;
      while (((unsigned char)*end & 0xc0) == 0x80); /* within a character of UTF-8 */
    rows[i].cell[COL_FILE] = text_of("...%s", end);
    free(file);
  }
}

static void
print_cell(const char *text, int column, size_t width) {
  size_t blanks = width - columns(text);
  bool is_right = column >= COL_SIZE && column <= COL_DEAD;
  if (column > 0)
    (void)fputs("  ", stdout);
  if (is_right)
    (void)printf("%*s", (int)blanks, "");
  (void)fputs(text, stdout);
  if (!is_right && column < NCOLUMNS - 1)
    (void)printf("%*s", (int)blanks, "");
}

static void
print_table(const struct section_list *list) {
  struct row *rows = need(calloc(list->n, sizeof *rows));
  size_t width[NCOLUMNS];
  for (size_t i = 0; i < list->n; i++)
    fill_row(&rows[i], &list->at[i]);
  measure(rows, list->n, width);
  fit_files(rows, list->n, width);
  measure(rows, list->n, width);
  for (int c = 0; c < NCOLUMNS; c++)
    print_cell(headings[c], c, width[c]);
  (void)putchar('\n');
  for (size_t i = 0; i < list->n; i++) {
    for (int c = 0; c < NCOLUMNS; c++) {
      print_cell(rows[i].cell[c], c, width[c]);
      free(rows[i].cell[c]);
    }
    (void)putchar('\n');
  }
  free(rows);
}

/* ---- The command --------------------------------------------------------------------------- */

static int
list_sections(bool as_json) {
  struct section_list list;
  int status = sections_read(&list);
  if (status != STATUS_OK)
    return status;
  if (as_json) {
    ls_print_json(&list);
  } else if (list.n > 0) {
    print_table(&list);
  } else {
    char *dir = sections_dir();
    complain("no sections in %s", dir);
    free(dir);
  }
  free(list.at);
  return STATUS_OK;
}

static int
run_ls(int argc, char **argv) {
  static const struct option options[] = { { "dir", required_argument, NULL, 'd' },
                                           { "json", no_argument, NULL, 'j' },
                                           { "help", no_argument, NULL, 'h' },
                                           { 0 } };
  bool as_json = false;
  for (int option; (option = next_option(argc, argv, options)) != -1;)
    switch (option) {
    case 'd':
      if (sections_choose_dir(optarg) != STATUS_OK)
        return STATUS_USAGE;
      break;
    case 'j':
      as_json = true;
      break;
    case 'h':
      return show_help(&command_ls);
    default:
      return usage_hint();
    }
  if (optind < argc)
    return usage_error("ls takes no arguments");
  return list_sections(as_json);
}

const struct command command_ls = {
  .name = "ls",
  .summary = "list the sections of the section directory",
  .help = "usage: softmap ls [--json] [--dir DIR]\n"
          "\n"
          "Lists the sections of the section directory: files that programs have mapped, and\n"
          "what programs that died left of them.\n"
          "\n"
          "  -j, --json     print a JSON array\n"
          "  -d, --dir DIR  the section directory (otherwise SOFTMAP_DIR, or\n"
          "                 /dev/shm/softmap-UID)\n"
          "  -h, --help     say this\n"
          "\n"
          "  FILE   the file's path when it was first mapped\n"
          "  SIZE   its bytes, in units of 1024\n"
          "  DIRTY  pages that aren't in the file yet\n"
          "  LIVE   processes that have it mapped\n"
          "  DEAD   processes that died with it\n"
          "  STATE  in use        somebody has it mapped, whose next sync writes it\n"
          "         left          nobody has, and pages are dirty: softmap recover\n"
          "         clean         nobody has, and nothing is dirty\n"
          "         file gone     left, and its file was removed or replaced\n"
          "         file changed  left, and its file was changed by others since\n"
          "         damaged       can't be read\n"
          "  NAME   the section's own name\n",
  .run = run_ls,
};
