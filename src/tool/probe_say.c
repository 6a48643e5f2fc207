/* probe_say.c - what softmap probe found, as a table and as JSON. */
#include "tool/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/json.h"

static const char *const answer_names[] = {
  [PROBE_YES] = "yes",
  [PROBE_NO] = "no",
  [PROBE_UNKNOWN] = "unknown",
};

/* ---- The table ----------------------------------------------------------------------------- */

/* https://no-color.org */
static bool
wants_colour(void) {
  /* NOLINTBEGIN(concurrency-mt-unsafe): one thread */
  const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
  /* NOLINTEND(concurrency-mt-unsafe) */
  return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && !(no_colour && *no_colour);
}

static void
print_answer(const struct probe_result *result, bool has_colour) {
  static const char *const colours[] = {
    [PROBE_YES] = "\033[32m",
    [PROBE_NO] = "\033[1;31m",
    [PROBE_UNKNOWN] = "\033[33m",
  };
  const char *name = result->answer == PROBE_UNKNOWN ? "?" : answer_names[result->answer];
  if (has_colour)
    (void)printf("%s%s\033[m", colours[result->answer], name);
  else
    (void)fputs(name, stdout);
  if (result->answer != PROBE_YES)
    (void)printf("%*s%s", (int)(5 - strlen(name)), "", result->reason);
  (void)putchar('\n');
}

static void
print_place(const struct probe_report *report) {
  char *dir = printable(report->dir);
  (void)printf("directory    %s\n", dir);
  free(dir);
  if (report->mount.type) {
    char *type = printable(report->mount.type), *point = printable(report->mount.point);
    (void)printf("file system  %s, mounted on %s\n", type, point);
    free(type);
    free(point);
  }
}

static void
print_verdict(const struct probe_report *report, bool has_colour) {
  const char *bold = has_colour ? "\033[1m" : "", *plain = has_colour ? "\033[m" : "";
  if (report->answer == PROBE_YES) {
    (void)puts("mmap is right here: programs need no softmap.");
  } else if (report->answer == PROBE_UNKNOWN) {
    (void)puts("No fault was found, but not all could be tried.");
  } else {
    char *command = printable(report->command);
    (void)printf("mmap isn't right here. Start programs with:\n    %s%s%s\n", bold, command, plain);
    free(command);
  }
}

void
probe_print_table(const struct probe_report *report) {
  bool has_colour = wants_colour();
  size_t width = 0;
  print_place(report);
  (void)putchar('\n');
  for (size_t i = 0; i < probe_nchecks; i++)
    if (strlen(probe_checks[i].title) > width)
      width = strlen(probe_checks[i].title);
  for (size_t i = 0; i < probe_nchecks; i++) {
    (void)printf("  %-*s  ", (int)width, probe_checks[i].title);
    print_answer(&report->results[i], has_colour);
  }
  (void)putchar('\n');
  print_verdict(report, has_colour);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static struct json_object *
check_value(const struct probe_check *check, const struct probe_result *result) {
  struct json_object *value = need(json_object_new_object());
  json_add_string(value, "check", check->key);
  json_add_string(value, "answer", answer_names[result->answer]);
  json_add_string(value, "error", result->error ? strerrorname_np(result->error) : NULL);
  json_add_string(value, "reason", result->answer == PROBE_YES ? NULL : result->reason);
  return value;
}

void
probe_print_json(const struct probe_report *report) {
  struct json_object *value = need(json_object_new_object());
  struct json_object *checks = need(json_object_new_array());
  json_add_path(value, "directory", "directory_hex", report->dir);
  json_add_string(value, "file_system", report->mount.type);
  json_add_path(value, "mount_point", "mount_point_hex", report->mount.point);
  for (size_t i = 0; i < probe_nchecks; i++)
    if (json_object_array_add(checks, check_value(&probe_checks[i], &report->results[i])) != 0)
      need(NULL);
  json_add(value, "checks", checks);
  json_add_string(value, "mmap_is_right", answer_names[report->answer]);
  json_add_path(value, "command", "command_hex", report->command);
  json_print(value);
  json_object_put(value);
}
