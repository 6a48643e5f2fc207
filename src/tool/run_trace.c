/* run_trace.c - the file that a run's processes trace into. */
#include "tool/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOFTMAP_TRACE_READER
#include "trace/ring.h"

/* NULL: errno tells the reason. */
static int
refuse(const struct run *run, const char *reason) {
  int error = errno;
  char *shown = printable(run->trace);
  errno = error;
  if (reason)
    complain("run: --trace=%s: %s", shown, reason);
  else
    complain("run: --trace=%s: %m", shown);
  free(shown);
  return RUN_FAILED;
}

/* How many events it has; false: it is no trace. */
static bool
read_events(const char *path, uint64_t *nevents) {
  char magic[sizeof TRACE_MAGIC - 1];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  bool is_trace = fd >= 0 && pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
                  memcmp(magic, TRACE_MAGIC, sizeof magic) == 0 &&
                  pread(fd, nevents, sizeof *nevents, offsetof(struct trace_header, next)) ==
                      (ssize_t)sizeof *nevents;
  if (fd >= 0)
    (void)close(fd);
  return is_trace;
}

/* Empty, or a trace of before, as with the output file of any command. */
static bool
may_be_replaced(const char *path, const struct stat *stat) {
  uint64_t nevents;
  return S_ISREG(stat->st_mode) && (stat->st_size == 0 || read_events(path, &nevents));
}

/* A new file: processes of an earlier run that still trace keep theirs. */
int
trace_prepare(struct run *run) {
  char *cwd = run->trace[0] == '/' ? NULL : need(getcwd(NULL, 0));
  run->trace_path = text_of("%s%s%s", cwd ? cwd : "", cwd ? "/" : "", run->trace);
  free(cwd);
  struct stat stat;
  if (lstat(run->trace_path, &stat) == 0) {
    if (!may_be_replaced(run->trace_path, &stat))
      return refuse(run, "is there, and no trace of softmap; it stays as it is");
    if (unlink(run->trace_path) != 0)
      return refuse(run, NULL);
  }
  /* Can it be made?  The first process that maps a file will make it. */
  int fd = open(run->trace_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return refuse(run, NULL);
  (void)close(fd);
  if (unlink(run->trace_path) != 0)
    return refuse(run, NULL);
  if (softmap_configure("trace", run->trace_path) != 0)
    return refuse(run, "the path is too long");
  return 0;
}

void
trace_say(const struct run *run) {
  uint64_t nevents = 0;
  char *shown = printable(run->trace);
  if (read_events(run->trace_path, &nevents) && nevents > 0)
    complain("run: the trace is in %s; softmap trace %s shows it", shown, shown);
  else
    complain("run: nothing to trace: softmap mapped no file");
  free(shown);
}
