/* bench.c - softmap's costs as ratios against floors measured in the same run.
 *
 * A goal that isn't reached is said in the table; the exit status is 0 all the same.  It is 1 when
 * something didn't work, 2 when the command line is wrong.
 */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <softmap/softmap.h>

struct options options = { .dir = ".", .memory = "/dev/shm", .rounds = 0 };

static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
  { "mappings", case_mappings }, /* first: their workers fork before softmap is used */
  { "share", case_share },       { "fault", case_fault },      { "ahead", case_ahead },
  { "trackers", case_trackers }, { "threads", case_threads },  { "size", case_size },
  { "sync", case_sync },         { "clean", case_sync_clean }, { "fill", case_fill },
  { "watch", case_watch },       { "atomic", case_atomic },
};
enum { NCASES = sizeof cases / sizeof *cases };

static void
print_usage(FILE *to) {
  fputs("usage: bench [--dir DIR] [--json FILE] [--rounds N] [--quick] [--only CASE]\n"
        "  --dir DIR     directory for files on a disk (default: the current one)\n"
        "  --memory DIR  directory for files in memory (default: /dev/shm)\n"
        "  --json FILE   write the figures there, too\n"
        "  --rounds N    rounds that count, 1 to 99 (default 9; with --quick 3)\n"
        "  --quick       fewer pages and rounds\n"
        "  --only CASE   run this one only:",
        to);
  for (int i = 0; i < NCASES; i++)
    fprintf(to, " %s", cases[i].name);
  fputc('\n', to);
}

static _Noreturn void
complain(void) {
  print_usage(stderr);
  exit(2);
}

static void
parse_rounds(const char *value) {
  char *end;
  long rounds = strtol(value, &end, 10);
  if (*value == '\0' || *end != '\0' || rounds < 1 || rounds > ROUNDS_MAX)
    complain();
  options.rounds = (int)rounds;
}

static void
parse_only(const char *value) {
  for (int i = 0; i < NCASES; i++)
    if (strcmp(value, cases[i].name) == 0)
      options.only = value;
  if (!options.only)
    complain();
}

static void
parse_one(int option) {
  switch (option) {
  case 'd':
    options.dir = optarg;
    break;
  case 'm':
    options.memory = optarg;
    break;
  case 'j':
    options.json = optarg;
    break;
  case 'r':
    parse_rounds(optarg);
    break;
  case 'q':
    options.is_quick = true;
    break;
  case 'o':
    parse_only(optarg);
    break;
  case 'h':
    print_usage(stdout);
    exit(0);
  default:
    complain();
  }
}

static void
parse(int argc, char **argv) {
  static const struct option known[] = {
    { "dir", required_argument, NULL, 'd' },  { "memory", required_argument, NULL, 'm' },
    { "json", required_argument, NULL, 'j' }, { "rounds", required_argument, NULL, 'r' },
    { "quick", no_argument, NULL, 'q' },      { "only", required_argument, NULL, 'o' },
    { "help", no_argument, NULL, 'h' },       { NULL, 0, NULL, 0 },
  };
  int option;
  while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
    parse_one(option);
  if (optind != argc)
    complain();
  if (options.rounds == 0)
    options.rounds = options.is_quick ? 3 : 9;
}

int
main(int argc, char **argv) {
  parse(argc, argv);
  machine_start();
  if (softmap_configure("fill", "whole") != 0)
    die("softmap_configure");
  for (int i = 0; i < NCASES; i++)
    if (!options.only || strcmp(options.only, cases[i].name) == 0)
      cases[i].run();
  report_end();
  return 0;
}
