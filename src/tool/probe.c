/* probe.c - softmap probe: does the host's own mmap work in a directory? */
#include "tool/probe.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_RIGHT = 0, STATUS_NEEDED = 1, STATUS_CANT_TELL = 2 };

/* ---- What to do about it ------------------------------------------------------------------- */

/* What `softmap run` takes over by itself: --map=auto. */
static bool
is_taken_over(const struct probe_result *result) {
  switch (result->error) {
  case ENODEV:
  case EINVAL:
  case ENOSYS:
  case ENOTSUP:
  case EAGAIN:
    return result->is_refused;
  default:
    return false;
  }
}

/* The directory's files as a glob, in single quotes for a shell. */
static char *
quoted_glob(const char *dir) {
  char *out = need(malloc(4 * strlen(dir) + sizeof "'/*'"));
  char *to = out;
  *to++ = '\'';
  for (const char *at = strcmp(dir, "/") == 0 ? "" : dir; *at; at++) {
    if (strchr("*?[]\\", *at))
      *to++ = '\\';
    if (*at == '\'')
      to = stpcpy(to, "'\\'");
    *to++ = *at;
  }
  (void)stpcpy(to, "/*'");
  return out;
}

/* No fault is certain only if all was asked. */
static void
judge(struct probe_report *report) {
  bool is_auto = true;
  report->answer = PROBE_YES;
  for (size_t i = 0; i < probe_nchecks; i++) {
    const struct probe_result *result = &report->results[i];
    if (result->answer == PROBE_NO) {
      report->answer = PROBE_NO;
      is_auto &= is_taken_over(result);
    } else if (result->answer == PROBE_UNKNOWN && report->answer == PROBE_YES) {
      report->answer = PROBE_UNKNOWN;
    }
  }
  if (report->answer != PROBE_NO)
    return;
  if (is_auto) {
    report->command = text_of("softmap run -- PROGRAM");
  } else {
    char *glob = quoted_glob(report->dir);
    report->command = text_of("softmap run --map=%s -- PROGRAM", glob);
    free(glob);
  }
}

/* ---- The command --------------------------------------------------------------------------- */

static int
say_cant_tell(const char *operand, const char *failed, int error) {
  char *shown = printable(operand);
  errno = error;
  if (failed)
    complain("%s: can't tell: %s: %m", shown, failed);
  else
    complain("%s: can't tell: %m", shown);
  free(shown);
  return STATUS_CANT_TELL;
}

/* What hangs once hangs again: the rest isn't tried. */
static void
run_checks(const struct probe_file *file, struct probe_result *results) {
  bool goes_on = true;
  for (size_t i = 0; i < probe_nchecks; i++)
    if (goes_on)
      goes_on = probe_run(&probe_checks[i], file, &results[i]);
    else
      results[i] = (struct probe_result){ .answer = PROBE_UNKNOWN, .reason = "not tried" };
}

static int
probe(const char *operand, bool as_json) {
  struct probe_report report = { .answer = PROBE_UNKNOWN };
  struct probe_file file;
  const char *failed;
  char *dir = realpath(operand, NULL);
  if (!dir)
    return say_cant_tell(operand, NULL, errno);
  int error = probe_file_make(&file, dir, &failed);
  if (error) {
    free(dir);
    return say_cant_tell(operand, failed, error);
  }
  report.dir = dir;
  report.results = need(calloc(probe_nchecks, sizeof *report.results));
  probe_mount_find(&report.mount, dir);
  run_checks(&file, report.results);
  if (!probe_file_remove(&file))
    complain("%s: the file %s can't be removed", operand, file.name);
  judge(&report);
  if (as_json)
    probe_print_json(&report);
  else
    probe_print_table(&report);
  /* An answer that nobody gets is none; main says why. */
  if (fflush(stdout) != 0)
    report.answer = PROBE_UNKNOWN;
  free(report.command);
  free(report.mount.type);
  free(report.mount.point);
  free(report.results);
  free(dir);
  return report.answer == PROBE_YES  ? STATUS_RIGHT
         : report.answer == PROBE_NO ? STATUS_NEEDED
                                     : STATUS_CANT_TELL;
}

static int
run_probe(int argc, char **argv) {
  static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                           { "help", no_argument, NULL, 'h' },
                                           { 0 } };
  bool as_json = false;
  for (int option; (option = next_option(argc, argv, options)) != -1;)
    switch (option) {
    case 'j':
      as_json = true;
      break;
    case 'h':
      return show_help(&command_probe);
    default:
      return usage_hint();
    }
  if (argc - optind != 1)
    return usage_error("probe: name one directory");
  return probe(argv[optind], as_json);
}

const struct command command_probe = {
  .name = "probe",
  .summary = "find out what mmap really does in a directory",
  .help = "usage: softmap probe [--json] DIR\n"
          "\n"
          "Maps a file of DIR in all the ways that programs do, and looks whether the host's\n"
          "own mmap does what it says: some file systems refuse it, others take it and lose\n"
          "data. Says what to start programs with that keep files there.\n"
          "The file is 16 KiB large, hidden, and gone afterwards, also if softmap is killed.\n"
          "\n"
          "  -j, --json  print a JSON object\n"
          "  -h, --help  say this\n"
          "\n"
          "Exit status: 0 mmap is right there, 1 softmap is needed, 2 it can't be told.\n",
  .run = run_probe,
};
