/* tool.h - what the sub-commands of softmap(1) share.  The command sees <softmap/softmap.h> only. */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* A sub-command.  Add one: define it in a file of its own, and put it into the table of main.c. */
struct command {
  const char *name;
  const char *summary; /* its line in softmap --help */
  const char *help;    /* softmap NAME --help */
  /* argv[0] is "softmap", for getopt_long's messages.  Returns the exit status. */
  int (*run)(int argc, char **argv);
};

extern const struct command command_lab, command_ls, command_probe, command_recover, command_run,
    command_top, command_trace;

/* What SIGPIPE did before the command ignored it, for programs that it starts. */
extern void (*sigpipe_before)(int);

/* What a command does at --help: prints its help. */
int show_help(const struct command *command);

/* The next option of a command, as getopt_long; values up to CHAR_MAX are its letters, too. */
struct option;
int next_option(int argc, char **argv, const struct option *options);

/* ---- Messages (say.c) ---------------------------------------------------------------------- */

/* One line on standard error, with "softmap: " before it. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* The same and where to find help; returns STATUS_USAGE. */
__attribute__((format(printf, 1, 2))) int usage_error(const char *format, ...);

/* Points at the help; returns STATUS_USAGE. */
int usage_hint(void);

/* The text with all that could play tricks on a terminal as escapes of C (\n, \033): control and
 * format characters, and what isn't a character in this locale; a backslash is doubled, so that
 * nothing is ambiguous.  To be freed. */
char *printable(const char *text);

/* Columns that printable text takes on a terminal. */
size_t columns(const char *printable_text);

/* The one of n names that a misspelt one means; NULL if none is near. (nearest.c) */
const char *nearest_word(const char *name, const char *const *names, size_t n);

/* malloc and friends for a program that can't go on without. */
void *need(void *allocated);

/* printf into memory that is to be freed. */
__attribute__((format(printf, 1, 2))) char *text_of(const char *format, ...);

/* A file that belongs to the command: the one that the environment names; else where a build tree, or an
 * installation that was moved, has it, relative to the command (a list that ends in NULL); else
 * where it was installed.  Its real path, to be freed; NULL: it isn't there, as was said. (parts.c) */
char *find_part(const char *variable, const char *const *places, const char *installed);

#endif
