/* world.c - where a script runs: a directory of its own, removed afterwards. */
#include "lab/world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/tool.h"

/* ---- The directory ------------------------------------------------------------------------- */

/* Where SOFTMAP_LAB_DIR says, else in memory if there is such a place. */
static char *
make_dir(void) {
  const char *named = getenv("TMPDIR");           /* NOLINT(concurrency-mt-unsafe) */
  const char *chosen = getenv("SOFTMAP_LAB_DIR"); /* NOLINT(concurrency-mt-unsafe) */
  const char *const places[] = { chosen, "/dev/shm", named, "/tmp" };
  size_t n = chosen && *chosen ? 1 : sizeof places / sizeof places[0];
  for (size_t i = 0; i < n; i++) {
    if (!places[i] || places[i][0] != '/')
      continue;
    char *path = text_of("%s/softmap-lab.XXXXXX", places[i]);
    char *sections = mkdtemp(path) ? text_of("%s/sections", path) : NULL;
    if (sections && mkdir(sections, 0700) == 0) {
      free(sections);
      return path;
    }
    free(sections);
    free(path);
  }
  complain("no directory for the files of the lab (SOFTMAP_LAB_DIR must be absolute): %m");
  return NULL;
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where) {
  (void)st;
  (void)kind;
  (void)where;
  (void)remove(path);
  return 0;
}

static void
remove_dir(const char *path) {
  /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
  (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- What processes said ------------------------------------------------------------------- */

/* Paths lose what is particular to this run. */
static void
strip_dir(const struct world *world, char *text) {
  size_t len = strlen(world->dir) + 1;
  for (char *at = text; (at = strstr(at, world->dir));)
    memmove(at, at[len - 1] == '/' ? at + len : at + len - 1, strlen(at + len - 1) + 1);
}

/* What is new; NULL: nothing. */
static char *
take_said(struct world *world) {
  char *path = text_of("%s/said", world->dir), buffer[2048];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? 0 : pread(fd, buffer, sizeof buffer - 1, world->said);
  free(path);
  if (fd >= 0)
    (void)close(fd);
  if (got <= 0)
    return NULL;
  world->said += got;
  buffer[got] = '\0';
  strip_dir(world, buffer);
  for (char *end = buffer + strlen(buffer); end > buffer && end[-1] == '\n';)
    *--end = '\0';
  return text_of("%s", buffer);
}

/* ---- Signals ------------------------------------------------------------------------------- */

static volatile sig_atomic_t is_interrupted;

static void
on_interrupt(int number) {
  (void)number;
  is_interrupted = 1;
}

bool
world_is_interrupted(void) {
  return is_interrupted;
}

/* So that the files are removed then, too. */
static void
catch_interrupts(void) {
  static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
  struct sigaction action = { .sa_handler = on_interrupt };
  (void)sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    (void)sigaction(numbers[i], &action, NULL);
}

/* ---- The world ----------------------------------------------------------------------------- */

bool
world_open(struct world *world, const struct script *script, const char *engine) {
  *world = (struct world){ .script = script, .engine = engine };
  for (int i = 0; i < NAMES_MAX; i++)
    world->actors[i].channel = -1;
  (void)umask(022); /* of the files that scripts make */
  catch_interrupts();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
    complain("can't become the parent of orphans: %m");
    return false;
  }
  world->dir = make_dir();
  if (!world->dir)
    return false;
  char *real = realpath(world->dir, NULL);
  if (real) {
    free(world->dir);
    world->dir = real;
  }
  world->reply = need(calloc(1, sizeof *world->reply));
  return true;
}

void
world_close(struct world *world) {
  actor_kill_all(world);
  for (int i = 0; i < NAMES_MAX; i++)
    free(world->files[i].bytes);
  if (world->dir)
    remove_dir(world->dir);
  free(world->dir);
  free(world->reply);
  *world = (struct world){ 0 };
}

void
frame_free(struct frame *frame) {
  for (size_t i = 0; i < frame->nchanges; i++)
    free(frame->changes[i]);
  for (size_t i = 0; i < frame->nrows; i++)
    free(frame->rows[i].page);
  free(frame->changes);
  free(frame->rows);
  free(frame->outcome);
  free(frame->said);
  free(frame->complaint);
  *frame = (struct frame){ 0 };
}

/* Among the expectations behind step i. */
static bool
is_failure_expected(const struct world *world, size_t i) {
  const struct step *steps = world->script->steps;
  for (i++; i < world->script->n && steps[i].verb >= VERB_EXPECT_OK; i++)
    if (steps[i].verb == VERB_EXPECT_ERROR || steps[i].verb == VERB_EXPECT_SIGNAL)
      return true;
  return false;
}

bool
world_step(struct world *world, size_t i, struct frame *frame) {
  *frame = (struct frame){ .step = &world->script->steps[i], .number = i + 1 };
  if (is_interrupted) {
    complain("interrupted");
    return false;
  }
  if (frame->step->verb >= VERB_EXPECT_OK) {
    if (!expect_check(world, frame))
      return false;
  } else {
    if (!step_do(world, frame))
      return false;
    world->last_error = frame->error;
    world->last_signal = frame->signal;
    if (!frame->complaint && (frame->error || frame->signal) && !is_failure_expected(world, i))
      frame->complaint = text_of("this wasn't expected to fail");
  }
  files_look(world, frame);
  frame->said = take_said(world);
  return view_rows(world, frame);
}

/* ---- A recording --------------------------------------------------------------------------- */

bool
recording_make(struct recording *recording, const struct script *script, const char *engine) {
  struct world world;
  *recording = (struct recording){ .script = script, .engine = engine };
  bool ok = world_open(&world, script, engine);
  recording->frames = need(calloc(script->n, sizeof *recording->frames));
  for (size_t i = 0; i < script->n && ok; i++) {
    ok = world_step(&world, i, &recording->frames[i]);
    recording->n = i + 1;
    recording->ncomplaints += recording->frames[i].complaint != NULL;
  }
  world_close(&world);
  return ok;
}

void
recording_free(struct recording *recording) {
  for (size_t i = 0; i < recording->n; i++)
    frame_free(&recording->frames[i]);
  free(recording->frames);
  *recording = (struct recording){ 0 };
}
