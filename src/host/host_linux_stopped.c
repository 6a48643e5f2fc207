/* host_linux_stopped.c - whether a process is stopped, as /proc tells.
 *
 * A stopped thread is at the edge of user space: none of its system calls is under way.
 */
#include "host/host_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "host/host.h"

#define PATH_SIZE 64
#define TEXT_SIZE 1024

/* Returns where the text ends. */
static char *
append(char *to, const char *text) {
  size_t len = strlen(text);
  memcpy(to, text, len + 1);
  return to + len;
}

/* "/proc/PID", then more. */
static void
path_of_process(char path[PATH_SIZE], uint64_t pid, const char *rest) {
  char digits[20];
  size_t n = 0;
  char *at = append(path, "/proc/");
  do
    digits[n++] = (char)('0' + pid % 10);
  while ((pid /= 10) != 0);
  while (n > 0)
    *at++ = digits[--n];
  append(at, rest);
}

/* The fields behind the name in parentheses, which may hold anything; NULL: it ended. */
static const char *
fields_of(const char *path, char text[TEXT_SIZE]) {
  if (host_read_small(path, text, TEXT_SIZE) != 0)
    return NULL;
  const char *end = strrchr(text, ')');
  return end != NULL && end[1] == ' ' ? end + 2 : NULL;
}

static uint64_t
start_of(const char *fields) {
  uint64_t ticks = 0;
  for (int field = 3; fields != NULL && field < 22; field++) {
    fields = strchr(fields, ' ');
    fields = fields != NULL ? fields + 1 : NULL;
  }
  for (; fields != NULL && *fields >= '0' && *fields <= '9'; fields++)
    ticks = ticks * 10 + (uint64_t)(*fields - '0');
  return ticks;
}

struct threads {
  const char *directory;
  bool any_runs;
};

static int
look_at_thread(const char *name, void *arg) {
  struct threads *threads = arg;
  char path[PATH_SIZE * 2];
  char text[TEXT_SIZE];
  if (strlen(threads->directory) + strlen(name) + sizeof "//stat" > sizeof path)
    return ENAMETOOLONG;
  append(append(append(append(path, threads->directory), "/"), name), "/stat");
  const char *fields = fields_of(path, text);
  if (fields != NULL && strchr("TtZX", *fields) == NULL)
    threads->any_runs = true;
  return 0;
}

/* Nothing to be read may also mean that we may not look. */
static bool
has_ended(uint64_t pid) {
  return raw2(SYS_kill, (long)pid, 0) == -ESRCH;
}

bool
host_is_stopped(const struct host_identity *process) {
  char path[PATH_SIZE];
  char text[TEXT_SIZE];
  struct stat own;
  struct threads threads = { .directory = path };
  int saved = errno;
  bool is_here =
      fstatat(AT_FDCWD, "/proc/self/ns/pid", &own, 0) == 0 && own.st_ino == process->pid_namespace;
  path_of_process(path, process->pid, "/stat");
  const char *fields = is_here ? fields_of(path, text) : NULL;
  errno = saved;
  if (fields == NULL)
    return is_here && has_ended(process->pid);
  if (start_of(fields) != process->start_ticks)
    return false; /* another one, or with another clock: time namespaces */
  path_of_process(path, process->pid, "/task");
  return host_each_name(path, look_at_thread, &threads) == 0 && !threads.any_runs;
}
