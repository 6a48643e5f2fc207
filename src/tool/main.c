/* main.c - softmap(1): the table of sub-commands, and what they have in common. */
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <softmap/softmap.h>

static const struct command *const commands[] = { &command_run, &command_probe, &command_ls,
                                                  &command_recover };
/* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers */
enum { NCOMMANDS = sizeof commands / sizeof commands[0] };

/* ---- Help ---------------------------------------------------------------------------------- */

int
show_help(const struct command *command) {
  (void)fputs(command->help, stdout);
  return STATUS_OK;
}

static int
show_general_help(void) {
  (void)fputs("usage: softmap COMMAND [OPTION...] [ARGUMENT...]\n"
              "       softmap help COMMAND\n"
              "\n"
              "Looks after files that programs map with softmap.\n"
              "\n",
              stdout);
  for (size_t i = 0; i < NCOMMANDS; i++)
    (void)printf("  %-12s%s\n", commands[i]->name, commands[i]->summary);
  (void)fputs("\n"
              "  -h, --help     say this; 'softmap COMMAND --help' tells about a command\n"
              "  -V, --version  say the version of softmap\n"
              "\n"
              "The whole: man softmap. The library: man 7 softmap.\n",
              stdout);
  return STATUS_OK;
}

/* ---- Which command ------------------------------------------------------------------------- */

static size_t
least(size_t a, size_t b) {
  return a < b ? a : b;
}

enum { NAME_MAX_COMPARED = 15 };

/* How many letters must be added, removed, changed or swapped with their neighbour. */
static size_t
distance(const char *a, const char *b) {
  size_t row[NAME_MAX_COMPARED + 1][NAME_MAX_COMPARED + 1] = { { 0 } };
  size_t na = strnlen(a, NAME_MAX_COMPARED), nb = strnlen(b, NAME_MAX_COMPARED);
  for (size_t i = 0; i <= na; i++)
    for (size_t j = 0; j <= nb; j++) {
      if (i == 0 || j == 0) {
        row[i][j] = i + j;
        continue;
      }
      size_t changed = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      row[i][j] = least(changed, least(row[i - 1][j], row[i][j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
    }
  return row[na][nb];
}

/* The command that is meant, if one is near. */
static const char *
nearest(const char *name) {
  const char *found = NULL;
  size_t len = strlen(name), best = len / 3 > 2 ? len / 3 : 2;
  if (len > NAME_MAX_COMPARED)
    return NULL;
  for (size_t i = 0; i < NCOMMANDS; i++) {
    size_t at = distance(name, commands[i]->name);
    if (at < len && (at < best || (at == best && !found))) {
      best = at;
      found = commands[i]->name;
    }
  }
  return found;
}

static const struct command *
find(const char *name) {
  for (size_t i = 0; i < NCOMMANDS; i++)
    if (strcmp(commands[i]->name, name) == 0)
      return commands[i];
  const char *near = nearest(name);
  char *shown = printable(name);
  if (near)
    usage_error("unknown command '%s'; did you mean '%s'?", shown, near);
  else
    usage_error("unknown command '%s'", shown);
  free(shown);
  return NULL;
}

/* ---- Options ------------------------------------------------------------------------------- */

enum { OPTIONS_MAX = 32 };

int
next_option(int argc, char **argv, const struct option *options) {
  char letters[2 * OPTIONS_MAX + 1];
  size_t n = 0;
  for (const struct option *option = options; option->name && n + 2 < sizeof letters; option++)
    if (option->val <= CHAR_MAX) {
      letters[n++] = (char)option->val;
      if (option->has_arg == required_argument)
        letters[n++] = ':';
    }
  letters[n] = '\0';
  /* NOLINTNEXTLINE(concurrency-mt-unsafe): see main */
  return getopt_long(argc, argv, letters, options, NULL);
}

static int
help_command(int argc, char **argv) {
  if (argc < 2 || strcmp(argv[1], "help") == 0)
    return show_general_help();
  if (argc > 2)
    return usage_error("help: one command at a time");
  const struct command *command = find(argv[1]);
  return command ? show_help(command) : STATUS_USAGE;
}

static int
run(int argc, char **argv) {
  static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                           { "version", no_argument, NULL, 'V' },
                                           { 0 } };
  static char name[] = "softmap";
  argv[0] = name; /* getopt_long's messages begin with it, however the program was started */
  /* "+": the command's own options are left to it. */
  /* NOLINTNEXTLINE(concurrency-mt-unsafe): see main */
  int option = getopt_long(argc, argv, "+hV", options, NULL);
  if (option == 'h')
    return show_general_help();
  if (option == 'V') {
    (void)printf("softmap %s\n", softmap_version());
    return STATUS_OK;
  }
  if (option != -1)
    return usage_hint();
  if (optind >= argc)
    return usage_error("a command is missing");
  argc -= optind;
  argv += optind;
  optind = 0; /* getopt_long starts anew */
  if (strcmp(argv[0], "help") == 0)
    return help_command(argc, argv);
  const struct command *command = find(argv[0]);
  if (!command)
    return STATUS_USAGE;
  argv[0] = name;
  return command->run(argc, argv);
}

/* ---- The process --------------------------------------------------------------------------- */

void (*sigpipe_before)(int);

/* A file opened as number 1 or 2 would get what we print.  Opened the wrong way round, so that the
 * loss of what is printed is noticed. */
static void
guard_standard_descriptors(void) {
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
        open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
      _Exit(STATUS_FAILED);
}

/* What couldn't be printed is a failure: somebody relies on having it. */
static int
close_output(int status) {
  int failed = ferror(stdout);
  errno = 0;
  if (fclose(stdout) != 0 || failed) {
    if (errno)
      complain("standard output: %m");
    else
      complain("standard output can't be written");
    return status == STATUS_USAGE ? status : STATUS_FAILED;
  }
  return status;
}

int
main(int argc, char **argv) {
  guard_standard_descriptors();
  /* A reader that goes away must not end a recovery half-way; the failed write is noticed above. */
  sigpipe_before = signal(SIGPIPE, SIG_IGN);
  /* There is one thread yet, here and where options are looked at. */
  (void)setlocale(LC_ALL, ""); /* NOLINT(concurrency-mt-unsafe) */
  if (argc < 1)
    return usage_error("a command is missing");
  return close_output(run(argc, argv));
}
