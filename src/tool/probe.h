/* probe.h - softmap probe: what mmap really does in a directory; what its parts know of each other. */
#ifndef TOOL_PROBE_H
#define TOOL_PROBE_H

#include "tool/tool.h"

#include <sys/types.h>

/* ---- The file to map (probe_file.c) -------------------------------------------------------- */

enum { PROBE_NAME_SIZE = 48 };

/* A file of the directory's file system that is gone when we are, however we end.  Without a name
 * where that works; else a guard, a process of its own, removes it. */
struct probe_file {
  int dir;
  int fd;                     /* read and write */
  char name[PROBE_NAME_SIZE]; /* empty: it has none, and opens through /proc/self/fd */
  int guard_pipe;             /* the guard removes the file when nobody holds this end any more */
  pid_t guard;
};

/* Returns 0, or an errno, and *failed says what couldn't be had; NULL: the directory. */
int probe_file_make(struct probe_file *file, const char *dir, const char **failed);

/* Opens it anew; -1 and errno. */
int probe_file_open(const struct probe_file *file, int flags);

/* Returns whether it is gone. */
bool probe_file_remove(struct probe_file *file);

/* ---- A check and its answer (probe_child.c) ------------------------------------------------ */

enum probe_answer { PROBE_YES, PROBE_NO, PROBE_UNKNOWN };

struct probe_result {
  enum probe_answer answer;
  int error;        /* errno, if a call failed */
  bool is_refused;  /* the call was mmap */
  char reason[120]; /* why it isn't yes */
};

/* Each runs in a process of its own, on a file that holds PROBE_BYTES of probe_byte; it returns if
 * the answer is yes. */
struct probe_check {
  const char *key;   /* in JSON: part of the interface */
  const char *title; /* in the table */
  void (*run)(const struct probe_file *file);
};

/* Returns whether it came to an end in time. */
bool probe_run(const struct probe_check *check, const struct probe_file *file,
               struct probe_result *result);

/* What ends a check, from any of its processes; the first answer counts. */
__attribute__((noreturn, format(printf, 1, 2))) void probe_no(const char *reason, ...);
/* `call` failed with errno.  It is mmap's fault, or something else's. */
__attribute__((noreturn)) void probe_no_call(const char *call);
__attribute__((noreturn)) void probe_unknown(const char *call);
/* Somebody else has answered. */
__attribute__((noreturn)) void probe_end(void);
/* In a process that was just forked: end when the parent does, or has. */
void probe_end_with(pid_t parent);

/* ---- The checks (probe_checks.c, probe_peers.c) -------------------------------------------- */

/* Bytes of the file: some pages and a tail. */
enum { PROBE_FULL_PAGES = 3, PROBE_TAIL = 100 };
size_t probe_page(void);
size_t probe_bytes(void);
char probe_byte(size_t off);

extern const struct probe_check probe_checks[];
extern const size_t probe_nchecks;

/* Steps of checks; they answer if they fail. */
char *probe_map(int fd, size_t npages, int prot, int flags);
int probe_reopen(const struct probe_file *file, int flags);
void probe_store(char *at, const char *text);
bool probe_holds(const char *at, const char *text);
/* The file has the text, asked anew, and past the page cache; `after` what. */
void probe_must_have(const struct probe_file *file, size_t off, const char *text,
                     const char *after);

void probe_two_processes(const struct probe_file *file);
void probe_fork(const struct probe_file *file);
void probe_kill(const struct probe_file *file);

/* ---- The mount (probe_mount.c) ------------------------------------------------------------- */

/* To be freed; NULL where it isn't known. */
struct probe_mount {
  char *type;
  char *point;
};
void probe_mount_find(struct probe_mount *mount, const char *path);

/* ---- Saying it (probe_say.c) --------------------------------------------------------------- */

struct probe_report {
  const char *dir; /* absolute */
  struct probe_mount mount;
  struct probe_result *results; /* probe_nchecks of them */
  enum probe_answer answer;     /* whether mmap is right */
  char *command;                /* what to start programs with; NULL: as they are */
};

void probe_print_table(const struct probe_report *report);
void probe_print_json(const struct probe_report *report);

#endif
