/* run.c - runs the cases of a program, each in a process and a directory of its own. */
#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_A_CASE = 60 };

#ifdef T_TSAN
/* A child of a process with threads may start some; and nobody waits a second at each exit. */
const char *__tsan_default_options(void);
const char *
__tsan_default_options(void) {
  return "die_after_fork=0:atexit_sleep_ms=0";
}
#endif

void
t_skip(const char *why) {
  t_note("skipped: %s", why);
  exit(77);
}

/* The body of the child. Ends by exit, as a program does, so that what is dirty is written. */
static _Noreturn void
run_case(const struct t_case *c) {
  struct rlimit no_core = { 0, 0 };

  (void)setrlimit(RLIMIT_CORE, &no_core);
  t_limit_this_process(SECONDS_A_CASE);
  t_catch_faults();
  c->run();
  if ((c->flags & T_MAPS_NOTHING) == 0 && t_mappings_served() == 0)
    t_fail(T_HERE, "the case passed, but softmap served none of its mappings");
  exit(t_rows_failed() != 0 ? 1 : 0);
}

/* What the case forked and left may still be at work in its directories. */
static void
wait_for_orphans(void) {
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
    continue;
}

/* Returns what the case exited with; a signal counts as a failure and is named. */
static int
run_apart(const struct t_case *c) {
  char dir[T_PATH];
  char sections[T_PATH];
  const char *top = getenv("TMPDIR");
  int status = 0;
  pid_t pid;

  (void)snprintf(dir, sizeof dir, "%s/conform-XXXXXX", top != NULL && *top != '\0' ? top : "/tmp");
  if (mkdtemp(dir) == NULL) {
    t_note("no temporary directory %s", dir);
    return 99;
  }
  t_sections_begin(sections);
  pid = fork();
  if (pid == 0) {
    if (setenv("T_DIR", dir, 1) != 0)
      _exit(99);
    run_case(c);
  }
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  wait_for_orphans();
  t_remove_directory(dir);
  if (pid < 0)
    return 99;
  if (WIFSIGNALED(status))
    t_note("%s was ended by signal %d (%s)", c->name, WTERMSIG(status),
           strsignal(WTERMSIG(status)));
  if (!t_sections_end(sections, (c->flags & T_KILLS) != 0))
    return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool
is_wanted(const struct t_case *c, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], c->name) == 0)
      return true;
  return argc < 2;
}

static bool
is_left_out(const struct t_case *c) {
  if ((c->flags & T_SKIPPED) != 0)
    return true;
  if (t_is_softmap())
    return (c->flags & (T_SHIM_ONLY | T_DIVERGES)) != 0;
  return (c->flags & T_DIVERGES) != 0 && getenv("T_UNDER_SHIM") != NULL;
}

const char *
t_emulator(void) {
  const char *name = getenv("T_EMULATOR");

  return name != NULL && *name != '\0' ? name : NULL;
}

/* T_LEFT_OUT: names of cases, each between blanks, that can't run on the machine at hand. */
static bool
is_named_to_be_left_out(const struct t_case *c) {
  const char *list = getenv("T_LEFT_OUT");
  size_t len = strlen(c->name);

  for (const char *at = list; at != NULL && (at = strstr(at, c->name)) != NULL; at += len)
    if (at > list && at[-1] == ' ' && at[len] == ' ')
      return true;
  return false;
}

/* A program whose name ends in .64k asks for pages of that size, and must get them. */
static bool
has_page_size(const char *program) {
  const char *end = strrchr(program, '.');

  if (end == NULL || strcmp(end, ".64k") != 0)
    return true;
  return setenv("SOFTMAP_TEST_PAGE_SIZE", "65536", 1) == 0 && t_page_size() == 65536;
}

int
t_run(const struct t_case *cases, size_t count, int argc, char **argv) {
  size_t failed = 0;
  size_t skipped = 0;
  size_t number = 0;

  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (!has_page_size(argv[0])) {
    t_note("%s: the pages are of %zu bytes", argv[0], t_page_size());
    return 99;
  }
  if (argc == 4 && strcmp(argv[1], T_STRANGER_WORD) == 0)
    t_stranger_serve(argv[2], argv[3]);
  for (size_t i = 0; i < count; i++) {
    int code;

    if (!is_wanted(&cases[i], argc, argv))
      continue;
    number++;
    if (is_left_out(&cases[i])) {
      skipped++;
      printf("ok %zu - %s # SKIP %s\n", number, cases[i].name, cases[i].why);
      continue;
    }
    if (is_named_to_be_left_out(&cases[i])) {
      skipped++;
      printf("ok %zu - %s # SKIP tests/emulator-exempt has the reason\n", number, cases[i].name);
      continue;
    }
    code = run_apart(&cases[i]);
    if (code == 77)
      skipped++;
    else if (code != 0)
      failed++;
    printf("%s %zu - %s%s\n", code != 0 && code != 77 ? "not ok" : "ok", number, cases[i].name,
           code == 77 ? " # SKIP" : "");
  }
  printf("1..%zu\n", number);
  if (failed != 0 || number == 0)
    return 1;
  return skipped == number ? 77 : 0;
}
