/* world.h - a script while it runs: its files, its processes, and what each step came to. */
#ifndef LAB_WORLD_H
#define LAB_WORLD_H

#include <sys/types.h>

#include "lab/protocol.h"

/* ---- What a step came to ------------------------------------------------------------------- */

/* A mapping of a process. */
struct row {
  int process, mapping, file;
  bool is_private;
  uint64_t first; /* page of the file */
  size_t n;
  struct actor_page *page;
};

struct frame {
  const struct step *step;
  size_t number; /* from 1 */
  int error, signal;
  bool is_skipped; /* this engine can't do it */
  char *outcome;   /* a line, or NULL: what was loaded or read, how it ended */
  char *said;      /* on standard error, by the processes; or NULL */
  char *complaint; /* not as expected; or NULL */
  char **changes;  /* a line each: what changed in the files */
  size_t nchanges;
  struct row *rows;
  size_t nrows;
  uint32_t faults;          /* served for the step's process */
  uint64_t size[NAMES_MAX]; /* of each file, bytes */
  bool exists[NAMES_MAX];
  uint8_t written[NAMES_MAX][PAGES_MAX / 8]; /* pages of files that changed in this step */
};
void frame_free(struct frame *frame);

static inline bool
frame_has_written(const struct frame *frame, int file, uint64_t page) {
  return page < PAGES_MAX && (frame->written[file][page / 8] >> (page % 8) & 1);
}

/* ---- The world ----------------------------------------------------------------------------- */

struct actor {
  pid_t pid;
  int channel;   /* -1: not alive */
  int parent;    /* the process that forked it; -1: the lab */
  bool has_exec; /* began anew: knows no mapping */
  struct {
    int file; /* -1: not mapped */
    bool is_private;
  } region[NAMES_MAX];
};

/* A file as it was after the last step. */
struct snapshot {
  bool exists;
  uint64_t size;
  char *bytes;
};

struct world {
  const struct script *script;
  const char *engine;
  char *dir; /* absolute; files and, below it, sections */
  struct actor actors[NAMES_MAX];
  struct snapshot files[NAMES_MAX];
  off_t said;                  /* how much of what processes said is known */
  int last_error, last_signal; /* of the last step that is no expectation */
  struct actor_reply *reply;   /* the last one */
};

/* Whether a signal asks us to end (SIGINT, SIGTERM, SIGHUP). */
bool world_is_interrupted(void);

/* False: it said why not. */
bool world_open(struct world *world, const struct script *script, const char *engine);
void world_close(struct world *world);

/* Does step i; false: it can't go on, and said why. */
bool world_step(struct world *world, size_t i, struct frame *frame);

/* The whole script.  The processes are gone afterwards. */
struct recording {
  const struct script *script;
  const char *engine;
  struct frame *frames;
  size_t n;
  size_t ncomplaints;
};
bool recording_make(struct recording *recording, const struct script *script, const char *engine);
void recording_free(struct recording *recording);

/* ---- Parts of it --------------------------------------------------------------------------- */

/* actors.c: false: it said why not. */
bool actor_start(struct world *world, int process);
/* One step of a process.  When it doesn't survive that, reply->signal says how it ended. */
bool actor_ask(struct world *world, int process, struct actor_request *request);
bool actor_fork(struct world *world, int process, int child);
bool actor_end(struct world *world, int process, int signal, int *status);
void actor_kill_all(struct world *world);
bool actor_is_alive(const struct world *world, int process);

/* files.c */
char *file_path(const struct world *world, int file);
int file_create(struct world *world, const struct step *step);
int file_write(struct world *world, const struct step *step);
int file_truncate(struct world *world, const struct step *step);
/* Compares the files with what they were, and notes what changed. */
void files_look(struct world *world, struct frame *frame);

/* expect.c: compares; a complaint in the frame if it isn't so. */
bool expect_check(struct world *world, struct frame *frame);

/* steps.c: does a step that is no expectation. */
bool step_do(struct world *world, struct frame *frame);

/* view.c: the rows of the table. */
bool view_rows(struct world *world, struct frame *frame);

/* In pages and bytes: "3 pages + 100 bytes".  To be freed. */
char *size_text(uint64_t size, uint64_t page_size);

#endif
