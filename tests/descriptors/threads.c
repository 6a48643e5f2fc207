/* threads.c - the threads of softmap: how many there are, and what they stand in the way of. */
#include "t_engine.h"

#include <dirent.h>
#include <sched.h>

/* Threads of this process; of those that /proc calls so, if a name is given. */
static size_t
threads_called(const char *name) {
  DIR *tasks = opendir("/proc/self/task");
  size_t count = 0;

  T_CHECK(tasks != NULL);
  for (struct dirent *t; (t = readdir(tasks)) != NULL;) {
    char path[T_PATH];
    char comm[64] = "";
    FILE *file;

    if (t->d_name[0] == '.')
      continue;
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", t->d_name);
    file = fopen(path, "re");
    T_CHECK(file != NULL && fgets(comm, sizeof comm, file) != NULL);
    (void)fclose(file);
    comm[strcspn(comm, "\n")] = '\0';
    count += name == NULL || strcmp(name, comm) == 0;
  }
  (void)closedir(tasks);
  return count;
}

static void
are_there(size_t others) {
  T_EQ(threads_called("softmap"), 2);
  T_EQ(threads_called("softmap-waiter"), 1);
  T_EQ(threads_called(NULL), others + 3);
}

static void
first_mapping_starts_three_and_no_other_does(void) {
  size_t others = threads_called(NULL);
  unsigned char *p[8];
  pid_t pid;

  for (size_t i = 0; i < 8; i++) {
    p[i] = T_MAP_NEW(NULL, &(int){ -1 }, 2);
    are_there(others);
  }
  pid = t_fork();
  if (pid == 0) {
    PUT(p[0], 'c');
    T_OK(munmap(p[0], t_pages(2)));
    are_there(1);
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  for (size_t i = 0; i < 8; i++)
    T_OK(munmap(p[i], t_pages(2)));
  are_there(others);
}

/* The kernel gives these to a process of a single thread alone. */
static void
new_user_namespace(void *arg) {
  int fd;

  if (arg != NULL)
    T_OK(munmap(T_MAP_NEW(NULL, &fd, 2), t_pages(2)));
  if (unshare(CLONE_NEWUSER) != 0)
    _exit(errno == EINVAL ? 2 : 3);
  _exit(0);
}

static void
user_namespace_comes_before_the_first_mapping(void) {
  pid_t pid = t_fork();
  int status;

  if (pid == 0)
    new_user_namespace(NULL);
  T_EQ(waitpid(pid, &status, 0), pid);
  if (status != 0)
    t_skip("no user namespaces here, or another thread than ours");
  T_IN_CHILD(new_user_namespace, &status, T_EXITED(2));
}

static const struct t_case cases[] = {
  T_CASE_NOT_TSAN(first_mapping_starts_three_and_no_other_does, "has a thread of its own"),
  T_CASE_WITH(user_namespace_comes_before_the_first_mapping, T_MAPS_NOTHING | T_KILLS),
};
T_MAIN(cases)
