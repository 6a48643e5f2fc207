/* run.c - softmap run: a program with its file mappings in softmap. */
#include "tool/run.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELP                                                                                       \
  "usage: softmap run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"                                    \
  "\n"                                                                                             \
  "Runs a program, and all that it starts, with its file mappings in softmap.\n"                   \
  "\n"                                                                                             \
  "      --map=auto             map what the host refuses to map (default)\n"                      \
  "      --map=all              map every regular file\n"                                          \
  "      --map=GLOB             map files whose absolute path fits; may be repeated\n"             \
  "      --tracker=NAME         how stores are noticed: auto (default), fault, watch, compare\n"   \
  "      --fill=HOW             when pages are read: auto (default), whole, touch\n"               \
  "      --coherence=full|none  whether read and write see the mappings (default: full)\n"         \
  "      --atomic               a sync of a mapping is all or nothing, whatever crashes\n"           \
  "      --report[=FILE]        say at the end what softmap did; JSON if FILE ends in .json\n"     \
  "      --trace=FILE           what happens to the pages goes to FILE, for softmap trace\n"       \
  "      --dir=DIR              use this section directory\n"                                      \
  "      --force                run a static or set-uid program, too: without softmap\n"           \
  "  -h, --help                 say this\n"                                                        \
  "\n"                                                                                             \
  "Exit status: the program's; 128+N if signal N ended it; 125 if softmap failed; 126 if the\n"    \
  "program can't be started; 127 if there is none.\n"

enum { MAP = 256, TRACKER, FILL, COHERENCE, ATOMIC, REPORT, TRACE, DIRECTORY, FORCE };

/* `text` is freed. */
static int
usage(char *text) {
  char *shown = printable(text);
  complain("run: %s", shown);
  free(shown);
  free(text);
  (void)usage_hint();
  return RUN_FAILED;
}

/* ---- Options ------------------------------------------------------------------------------- */

static bool
is_one_of(const char *value, const char *const *names) {
  for (; *names; names++)
    if (strcmp(value, *names) == 0)
      return true;
  return false;
}

/* Patterns are separated by colons; a '?' fits the colon of a path as well. */
static int
add_map(struct run *run, const char *value) {
  static const char *const words[] = { "auto", "all", NULL };
  bool is_word = is_one_of(value, words);
  if (!*value)
    return usage(text_of("--map: the pattern is empty"));
  if (run->map && (is_word || is_one_of(run->map, words)) && strcmp(run->map, value) != 0)
    return usage(text_of("--map=%s contradicts --map=%s", value, run->map));
  if (run->map && is_word)
    return 0;
  char *copy = text_of("%s", value);
  for (char *at = copy; (at = strchr(at, ':'));)
    *at = '?';
  char *joined = run->map ? text_of("%s:%s", run->map, copy) : text_of("%s", copy);
  free(run->map);
  free(copy);
  run->map = joined;
  return 0;
}

/* "auto": the fastest one that this host has. */
static int
set_tracker(struct run *run, const char *value) {
  run->tracker = value;
  if (strcmp(value, "auto") == 0) {
    run->tracker = softmap_configure("tracker", "watch") == 0 ? "watch" : "fault";
    return 0;
  }
  if (softmap_configure("tracker", value) == 0)
    return 0;
  return usage(errno == EOPNOTSUPP
                 ? text_of("--tracker=%s: this host hasn't got it", value)
                 : text_of("--tracker=%s: must be auto, fault, watch or compare", value));
}

static int
set_fill(struct run *run, const char *value) {
  run->fill = value;
  return softmap_configure("fill", value) == 0
           ? 0
           : usage(text_of("--fill=%s: must be auto, whole or touch", value));
}

static int
set_coherence(struct run *run, const char *value) {
  static const char *const values[] = { "full", "none", NULL };
  run->coherence = value;
  return is_one_of(value, values) ? 0 : usage(text_of("--coherence=%s: must be full or none", value));
}

static int
set_dir(struct run *run, const char *value) {
  run->dir = value;
  return sections_choose_dir(value) == STATUS_OK ? 0 : RUN_FAILED;
}

static int
take_option(struct run *run, int option) {
  switch (option) {
  case MAP:
    return add_map(run, optarg);
  case TRACKER:
    return set_tracker(run, optarg);
  case FILL:
    return set_fill(run, optarg);
  case COHERENCE:
    return set_coherence(run, optarg);
  case ATOMIC:
    run->atomic = "yes";
    return 0;
  case REPORT:
    run->report_to = optarg ? optarg : "";
    return 0;
  case TRACE:
    run->trace = optarg;
    return *optarg ? 0 : usage(text_of("--trace: the file's name is empty"));
  case DIRECTORY:
    return set_dir(run, optarg);
  case FORCE:
    run->force = true;
    return 0;
  default:
    (void)usage_hint();
    return RUN_FAILED;
  }
}

/* ---- The command --------------------------------------------------------------------------- */

static int
prepare(struct run *run) {
  int status = program_find(run);
  if (!status && !run->force)
    status = program_judge(run);
  if (!status)
    status = environment_check_dir(run);
  if (!status)
    run->before = environment_sections(run);
  if (!status && run->report_to)
    status = report_make(run);
  if (!status && run->trace)
    status = trace_prepare(run);
  return status;
}

static int
run_program(int argc, char **argv) {
  static const struct option options[] = {
    { "map", required_argument, NULL, MAP },
    { "tracker", required_argument, NULL, TRACKER },
    { "fill", required_argument, NULL, FILL },
    { "coherence", required_argument, NULL, COHERENCE },
    { "atomic", no_argument, NULL, ATOMIC },
    { "report", optional_argument, NULL, REPORT },
    { "trace", required_argument, NULL, TRACE },
    { "dir", required_argument, NULL, DIRECTORY },
    { "force", no_argument, NULL, FORCE },
    { "help", no_argument, NULL, 'h' },
    { 0 },
  };
  struct run run = { .report_fd = -1 };
  int option, status = 0;
  /* "+": the program's options are its own.  NOLINTNEXTLINE(concurrency-mt-unsafe): see main.c */
  while (!status && (option = getopt_long(argc, argv, "+h", options, NULL)) != -1)
    if (option == 'h')
      return show_help(&command_run);
    else
      status = take_option(&run, option);
  if (!status && optind >= argc)
    status = usage(text_of("a program is missing"));
  if (!status && !run.tracker)
    status = getenv("SOFTMAP_TRACKER") ? 0 : set_tracker(&run, "auto"); /* NOLINT(concurrency-mt-unsafe) */
  run.argv = argv + optind;
  if (!status)
    status = prepare(&run);
  if (!status) {
    status = processes_run(&run);
    int report_status = run.counters ? report_write(&run) : 0;
    if (report_status && !status)
      status = report_status;
    if (run.trace)
      trace_say(&run);
  }
  for (char **name = run.before; name && *name; name++)
    free(*name);
  free(run.before);
  free(run.path);
  free(run.trace_path);
  free(run.map);
  return status;
}

const struct command command_run = {
  .name = "run",
  .summary = "run a program with its file mappings in softmap",
  .help = HELP,
  .run = run_program,
};
