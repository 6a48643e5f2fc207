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

static const struct command *const commands[] = { &command_run, &command_probe,   &command_ls,
                                                  &command_recover, &command_top, &command_trace,
                                                  &command_lab };
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

/* The command that is meant, if one is near. */
static const char *
nearest(const char *name) {
  const char *names[NCOMMANDS];
  for (size_t i = 0; i < NCOMMANDS; i++)
    names[i] = commands[i]->name;
  return nearest_word(name, names, NCOMMANDS);
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
