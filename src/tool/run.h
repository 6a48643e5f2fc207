/* run.h - what the files of `softmap run` share. */
#ifndef TOOL_RUN_H
#define TOOL_RUN_H

#include "tool/sections.h"

#include <signal.h>
#include <sys/types.h>

/* As env(1) and timeout(1): of run itself, of a program that can't be started, that isn't there. */
enum { RUN_FAILED = 125, RUN_CANNOT_START = 126, RUN_NOT_FOUND = 127, RUN_SIGNAL = 128 };

struct report;

struct run {
  char **argv;         /* of the program */
  const char *dir;     /* --dir, or NULL */
  char *map;           /* SOFTMAP_MAP; to be freed */
  const char *tracker; /* the environment's values; NULL: not to be set */
  const char *fill;
  const char *coherence;
  const char *atomic;
  const char *report_to; /* NULL: no report; "": standard error */
  const char *trace;     /* NULL: none; what the user said */
  bool force;
  char *path;              /* of the program's file; to be freed */
  struct report *counters; /* NULL: no report */
  int report_fd;
  char *trace_path; /* absolute; to be freed */
  char **before;           /* names of the sections that there were; ends in NULL; to be freed */
};

/* ---- The program (run_program.c) ------------------------------------------------------------ */

/* Finds its file; 0, or the exit status, and something was said. */
int program_find(struct run *run);
/* Can the shim get into it?  0, or the exit status, and why not was said. */
int program_judge(const struct run *run);

/* ---- The environment (run_environment.c) ---------------------------------------------------- */

/* Is the section directory usable?  Makes it.  0, or the exit status, and something was said. */
int environment_check_dir(const struct run *run);
/* The names of what is in the section directory: without starting the library's threads, which a
 * process that is going to fork has no use for.  To be freed. */
char **environment_sections(const struct run *run);
/* Sets LD_PRELOAD and the variables.  0, or the exit status. */
int environment_set(const struct run *run);

/* ---- Processes (run_processes.c) ------------------------------------------------------------ */

/* Runs the program and waits for it.  The exit status. */
int processes_run(struct run *run);

/* ---- Afterwards (run_after.c) --------------------------------------------------------------- */

/* Writes back what dead processes left. */
void after_recover(const struct run *run, bool may_speak);

/* ---- The report (run_report.c) -------------------------------------------------------------- */

/* Makes the memory that the processes count in.  0, or the exit status. */
int report_make(struct run *run);
/* Writes the report.  0, or the exit status. */
int report_write(const struct run *run);

/* ---- The trace (run_trace.c) ---------------------------------------------------------------- */

/* Makes room for a new trace: one of before is removed.  0, or the exit status. */
int trace_prepare(struct run *run);
/* Says where it is, and how to look at it. */
void trace_say(const struct run *run);

#endif
