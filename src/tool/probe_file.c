/* probe_file.c - a file to try mappings on, that never stays behind. */
#include "tool/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Without a name ------------------------------------------------------------------------ */

/* A file that nobody finds is no good if it can't be opened anew, or doesn't work without its name
 * (9p, FUSE). */
static bool
is_usable(const struct probe_file *file) {
  struct stat st;
  char byte = 'x';
  int anew = probe_file_open(file, O_RDWR);
  if (anew < 0)
    return false;
  bool works = ftruncate(file->fd, 0) == 0 && pwrite(file->fd, &byte, 1, 0) == 1 &&
               pread(anew, &byte, 1, 0) == 1 && fstat(anew, &st) == 0 && st.st_size == 1;
  (void)close(anew);
  return works;
}

static bool
make_nameless(struct probe_file *file) {
#ifdef O_TMPFILE
  file->fd = openat(file->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file->fd >= 0 && is_usable(file))
    return true;
  if (file->fd >= 0)
    (void)close(file->fd);
#endif
  return false;
}

/* ---- The guard ----------------------------------------------------------------------------- */

/* Waits for the end of all that have the file, and removes it.  In a session of its own, so that
 * what is typed at the terminal doesn't reach it. */
__attribute__((noreturn)) static void
guard(const struct probe_file *file, int until) {
  static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM };
  char byte;
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    (void)signal(ignored[i], SIG_IGN);
  (void)setsid();
  /* Who reads our output shall not wait for us. */
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
    (void)dup2(null, fd);
  while (read(until, &byte, 1) < 0 && errno == EINTR)
    ;
  _exit(unlinkat(file->dir, file->name, 0) == 0 || errno == ENOENT ? 0 : 1);
}

static int
start_guard(struct probe_file *file) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return errno;
  file->guard = fork();
  if (file->guard < 0) {
    int error = errno;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return error;
  }
  if (file->guard == 0) {
    (void)close(ends[1]);
    guard(file, ends[0]);
  }
  (void)close(ends[0]);
  file->guard_pipe = ends[1];
  return 0;
}

/* ---- With a name --------------------------------------------------------------------------- */

static int
choose_name(struct probe_file *file) {
  uint64_t number;
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    return errno;
  (void)snprintf(file->name, sizeof file->name, ".softmap-probe-%016" PRIx64, number);
  return 0;
}

/* The guard is there before the name is: no instant at which the file could stay. */
static int
make_named(struct probe_file *file, const char **failed) {
  *failed = "a name";
  int error = choose_name(file);
  if (!error) {
    *failed = "a process";
    error = start_guard(file);
  }
  if (error)
    return error;
  *failed = "a file in it";
  file->fd = openat(file->dir, file->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  return file->fd < 0 ? errno : 0;
}

static bool
lose_name(struct probe_file *file) {
  char name[PROBE_NAME_SIZE];
  if (unlinkat(file->dir, file->name, 0) < 0)
    return false;
  memcpy(name, file->name, sizeof name);
  file->name[0] = '\0';
  if (is_usable(file))
    return true;
  /* The guard knows the name still, and the file gets it again. */
  (void)close(file->fd);
  memcpy(file->name, name, sizeof name);
  file->fd = openat(file->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  return file->fd >= 0;
}

/* ---- The file ------------------------------------------------------------------------------ */

int
probe_file_make(struct probe_file *file, const char *dir, const char **failed) {
  *file = (struct probe_file){ .fd = -1, .guard_pipe = -1 };
  *failed = NULL;
  file->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (file->dir < 0)
    return errno;
  if (make_nameless(file))
    return 0;
  int error = make_named(file, failed);
  if (!error && !lose_name(file) && file->fd < 0)
    error = errno;
  if (error)
    probe_file_remove(file);
  return error;
}

int
probe_file_open(const struct probe_file *file, int flags) {
  char path[32];
  if (file->name[0])
    return openat(file->dir, file->name, flags | O_CLOEXEC);
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file->fd);
  return open(path, flags | O_CLOEXEC);
}

bool
probe_file_remove(struct probe_file *file) {
  int status = 0;
  if (file->fd >= 0)
    (void)close(file->fd);
  if (file->guard > 0) {
    (void)close(file->guard_pipe);
    while (waitpid(file->guard, &status, 0) < 0 && errno == EINTR)
      ;
    /* Somebody has killed the guard, say. */
    if (status != 0 && file->name[0] && unlinkat(file->dir, file->name, 0) == 0)
      status = 0;
  }
  (void)close(file->dir);
  return status == 0;
}
