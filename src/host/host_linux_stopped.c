/* host_linux_stopped.c - whether a process is stopped, as /proc tells.
 *
 * A stopped thread is at the edge of user space: none of its system calls is under way.
 */
#include "host/host_linux.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "host/host.h"

#define PATH_SIZE 64
#define TEXT_SIZE 1024

/* "/proc/PID", then more. */
static void
path_of_process(char path[PATH_SIZE], uint64_t pid, const char *rest) {
  char digits[20];
  size_t n = 0;
  size_t at = sizeof "/proc/" - 1;
  memcpy(path, "/proc/", at);
  do
    digits[n++] = (char)('0' + pid % 10);
  while ((pid /= 10) != 0);
  while (n > 0)
    path[at++] = digits[--n];
  memcpy(path + at, rest, strlen(rest) + 1);
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
  size_t len = strlen(threads->directory);
  if (len + strlen(name) + sizeof "//stat" > sizeof path)
    return ENAMETOOLONG;
  memcpy(path, threads->directory, len);
  path[len++] = '/';
  memcpy(path + len, name, strlen(name));
  memcpy(path + len + strlen(name), "/stat", sizeof "/stat");
  const char *fields = fields_of(path, text);
  if (fields != NULL && strchr("TtZX", *fields) == NULL)
    threads->any_runs = true;
  return 0;
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
  errno = saved;
  path_of_process(path, process->pid, "/stat");
  if (!is_here || start_of(fields_of(path, text)) != process->start_ticks)
    return false;
  path_of_process(path, process->pid, "/task");
  return host_each_name(path, look_at_thread, &threads) == 0 && !threads.any_runs;
}
