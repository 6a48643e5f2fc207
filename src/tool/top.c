/* top.c - softmap top: the page states of running programs, read from outside. */
#include "tool/top.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- One frame ----------------------------------------------------------------------------- */

enum { MAP_COLUMNS = 64, MAP_LINES = 64, RANGES_SHOWN = 32 };

static void
print_map(const struct top_section *section) {
  size_t scale = top_scale(section, (size_t)MAP_COLUMNS * MAP_LINES);
  if (scale > 1)
    (void)printf("  a sign is %zu pages\n", scale);
  for (size_t page = 0; page < section->n; page += scale) {
    if (page % (scale * MAP_COLUMNS) == 0)
      (void)printf("%s%10zu  ", page ? "\n" : "", page);
    (void)putchar(top_sign(section, page, scale));
  }
  if (section->n)
    (void)putchar('\n');
}

/* "1, 4-6"; the first of them. */
static void
print_dirty(const struct top_section *section) {
  size_t shown = 0;
  for (size_t i = 0; i < section->n; i++) {
    size_t first = i;
    while (i < section->n && (section->state[i] == SOFTMAP_PAGE_DIRTY ||
                              section->state[i] == SOFTMAP_PAGE_WRITING))
      i++;
    if (i == first)
      continue;
    if (shown == RANGES_SHOWN) {
      (void)fputs(", ...", stdout);
      break;
    }
    (void)printf("%s%zu", shown++ ? ", " : "  dirty: ", first);
    if (i - first > 1)
      (void)printf("-%zu", i - 1);
  }
  if (shown)
    (void)putchar('\n');
}

void
top_print(const struct top_sample *sample) {
  for (size_t i = 0; i < sample->n; i++) {
    const struct top_section *section = &sample->at[i];
    char *title = section_title(&section->info);
    (void)printf("%s%s\n", i ? "\n" : "", title);
    (void)printf("  %" PRIu64 " pages: %" PRIu64 " dirty, %" PRIu64 " open, %" PRIu64
                 " being written, %" PRIu64 " unfilled; %" PRIu32 " process%s\n",
                 section->npages, section->dirty, section->open, section->writing,
                 section->unfilled, section->info.live, section->info.live == 1 ? "" : "es");
    if (section->n < section->npages)
      (void)printf("  the first %zu of them:\n", section->n);
    print_dirty(section);
    print_map(section);
    free(title);
  }
}

/* ---- The command --------------------------------------------------------------------------- */

static int
print_once(const struct top_choice *choice) {
  const struct top_sample none = { 0 };
  struct top_sample sample;
  int status = top_take(&sample, &none, choice);
  if (status != STATUS_OK)
    return status;
  top_sort(&sample, TOP_BY_FILE);
  top_print(&sample);
  if (sample.n == 0) {
    char *dir = sections_dir();
    complain(choice->n ? "none of that in %s" : "no sections in %s", dir);
    free(dir);
  }
  status = sample.n || !choice->n ? STATUS_OK : STATUS_FAILED;
  top_free(&sample);
  return status;
}

static int
take_interval(const char *text, double *out) {
  char *end;
  *out = strtod(text, &end);
  return *text && !*end && *out >= 0.1 && *out <= 3600
             ? STATUS_OK
             : usage_error("--interval: a number of seconds from 0.1 to 3600");
}

static int
run_top(int argc, char **argv) {
  static const struct option options[] = { { "dir", required_argument, NULL, 'd' },
                                           { "interval", required_argument, NULL, 'i' },
                                           { "once", no_argument, NULL, '1' },
                                           { "help", no_argument, NULL, 'h' },
                                           { 0 } };
  bool once = false;
  double interval = 1;
  for (int option; (option = next_option(argc, argv, options)) != -1;)
    switch (option) {
    case 'd':
      if (sections_choose_dir(optarg) != STATUS_OK)
        return STATUS_USAGE;
      break;
    case 'i':
      if (take_interval(optarg, &interval) != STATUS_OK)
        return STATUS_USAGE;
      break;
    case '1':
      once = true;
      break;
    case 'h':
      return show_help(&command_top);
    default:
      return usage_hint();
    }
  struct top_choice choice = { argv + optind, (size_t)(argc - optind) };
  if (once)
    return print_once(&choice);
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
    return usage_error("top needs a terminal; without one: --once");
  return top_watch(&choice, interval);
}

const struct command command_top = {
  .name = "top",
  .summary = "watch the page states of running programs",
  .help = "usage: softmap top [--once] [--interval SECONDS] [--dir DIR] [PID|FILE|NAME...]\n"
          "\n"
          "Shows the sections of running programs, and the states of their pages, without\n"
          "touching the programs. All of them, or those of these processes or files.\n"
          "\n"
          "  -1, --once              print one frame, and end\n"
          "  -i, --interval SECONDS  how often to look (default: 1)\n"
          "  -d, --dir DIR           the section directory (otherwise SOFTMAP_DIR, or\n"
          "                          /dev/shm/softmap-UID)\n"
          "  -h, --help              say this\n"
          "\n"
          "  _ not read yet   . clean   d dirty   D dirty, and open: stores don't fault\n"
          "  W being written  1 to 9: of several pages, so many tenths are dirty\n"
          "\n"
          "Keys: up and down choose a section, s sorts, + and - change the interval, space\n"
          "stops and goes on, q ends.\n",
  .run = run_top,
};
