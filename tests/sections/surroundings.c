/* surroundings.c - another pid namespace that shares the section directory, and somebody who cleans up
 * there while a section is in use.
 */
#include "sections.h"

#include <sys/stat.h>

static char path[T_PATH];
static int fd;
static unsigned char *p;

/* A child whose pid, as it knows it itself, means another process to everybody else. */
static pid_t
fork_into_pid_namespace(void) {
  pid_t pid = t_fork();

  if (pid != 0)
    return pid;
  if (unshare(CLONE_NEWPID) != 0)
    _exit(77);
  pid = fork();
  if (pid != 0) {
    int status;

    T_EQ(waitpid(pid, &status, 0), pid);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 77 + WTERMSIG(status));
  }
  t_limit_this_process(20);
  T_EQ(getpid(), 1);
  return 0;
}

static void
needs_pid_namespaces(void) {
  int status;
  pid_t pid = fork_into_pid_namespace();

  if (pid == 0)
    _exit(0);
  T_EQ(waitpid(pid, &status, 0), pid);
  if (status != 0)
    t_skip("no pid namespaces here");
}

static void
living_members_are(unsigned live) {
  struct softmap_section section = T_THE_SECTION();

  T_EQ(section.live, live);
}

static void
living_process_of_another_pid_namespace(void) {
  struct t_stranger s;
  pid_t pid;

  needs_pid_namespaces();
  fd = t_tmpfile(path, (off_t)t_pages(4));
  s = T_STRANGER_WITH(path, 4, S_SHARED);
  T_OK(S_STORE(s, 0, 's'));
  pid = fork_into_pid_namespace();
  if (pid == 0) {
    living_members_are(1);
    T_ERR(softmap_recover(T_THE_SECTION().name, NULL), EBUSY);
    p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
    T_EQ(GET(p), 's');
    PUT(p + t_pages(1), 'n');
    living_members_are(2);
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_BYTE(fd, 0, 's');
    PUT(p + t_pages(2), 'm');
    T_OK(munmap(p, t_pages(4)));
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'n');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'm');
  living_members_are(1);
  T_EQ(S_LOAD(s, t_pages(1)), 'n');
  T_DISMISS(s);
  T_NOTHING_LEFT();
}

static void
killed_process_of_another_pid_namespace(void) {
  pid_t pid;

  needs_pid_namespaces();
  p = T_MAP_NEW(path, &fd, 4);
  pid = fork_into_pid_namespace();
  if (pid == 0) {
    PUT(p + t_pages(1), 'k');
    _exit(0); /* writes nothing */
  }
  T_REAP(pid, T_EXITED(0));
  T_FILE_OLD(fd, 0, t_pages(4));
  T_EQ(GET(p + t_pages(1)), 'k');
  T_NDIRTY(p, 4, 1);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'k');
  T_NDIRTY(p, 4, 0);
  living_members_are(1);
}

/* As a session manager does that empties /dev/shm when its user logs out. */
static void
section_removed_by_others_while_in_use(void) {
  struct t_stranger s;
  struct t_stranger next;

  fd = t_tmpfile(path, (off_t)t_pages(4));
  s = T_STRANGER_WITH(path, 4, S_SHARED);
  next = t_stranger();
  T_OK(S_STORE(s, 0, 's'));
  t_remove_directory(getenv("SOFTMAP_DIR"));
  T_OK(mkdir(getenv("SOFTMAP_DIR"), 0700));
  T_OK(S_STORE(s, t_pages(1), 't'));
  T_OK(S_SYNC(s));
  T_FILE_BYTE(fd, 0, 's');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 't');
  T_OK(S_STORE(s, t_pages(2), 'u'));
  T_OK(S_UNMAP(s));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'u');
  T_OK(S_MAP(next, path, 4, S_SHARED)); /* a new one */
  T_EQ(S_LOAD(next, t_pages(2)), 'u');
  T_DISMISS(next);
  T_DISMISS(s);
  T_NOTHING_LEFT();
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(living_process_of_another_pid_namespace),
  T_CASE(killed_process_of_another_pid_namespace),
  T_CASE_MAPS_NOTHING(section_removed_by_others_while_in_use),
};
T_MAIN(cases)
