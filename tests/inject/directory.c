/* directory.c - the section directory: unusable, full, with a rest in it; bad variables. In each case
 * the errno, and exactly one line that says why.
 */
#include "t_engine.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

static unsigned char *p;
static int fd;
static char dir[T_PATH];
static char text[4096];

static void
map_it(void *arg) {
  (void)arg;
  p = mmap(NULL, (size_t)t_file_size(fd), RW, MAP_SHARED, fd, 0);
}

/* Maps and returns errno or 0; counts what was said. */
static int
map_and_listen(size_t *lines) {
  errno = 0;
  *lines = T_STDERR_OF(map_it, NULL, text);
  return p == MAP_FAILED ? errno : 0;
}

static void
refused(struct t_at at, const char *row, int want, const char *word) {
  size_t lines;
  int error;

  T_OK(softmap_configure("dir", dir));
  error = map_and_listen(&lines);
  if (error != want || lines != (want != 0) || (word != NULL && strstr(text, word) == NULL) ||
      (want != 0 && strstr(text, dir) == NULL))
    t_row_fail(at, row, "errno %d, %zu lines: %s", error, lines, text);
  if (error == 0)
    T_OK(munmap(p, t_pages(4)));
  else if (map_and_listen(&lines) != want || lines != 0) /* said once */
    t_row_fail(at, row, "the second time: errno %d, %zu lines: %s", error, lines, text);
}
#define REFUSED(row, want, word) refused(T_HERE, row, want, word)

static void
new_directory(const char *name, mode_t mode) {
  (void)snprintf(dir, sizeof dir, "%.200s/%s", getenv("T_DIR"), name);
  T_OK(mkdir(dir, 0700));
  T_OK(chmod(dir, mode));
}

static void
unusable_directories(void) {
  char target[T_PATH];
  int file;

  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  new_directory("good", 0700);
  REFUSED("control: ours, 0700", 0, NULL);
  new_directory("open", 0755);
  REFUSED("mode 0755", EACCES, "mode");
  new_directory("others-may-write", 0777);
  REFUSED("mode 0777", EACCES, "mode");
  new_directory("target", 0700);
  memcpy(target, dir, sizeof target);
  (void)snprintf(dir, sizeof dir, "%.200s/link", getenv("T_DIR"));
  T_OK(symlink(target, dir));
  REFUSED("symbolic link", EACCES, "symbolic link");
  (void)snprintf(dir, sizeof dir, "%.200s/plain", getenv("T_DIR"));
  file = open(dir, O_CREAT | O_RDWR, 0700);
  T_CHECK(file >= 0);
  REFUSED("not a directory", EACCES, NULL);
  (void)snprintf(dir, sizeof dir, "%.200s/none/below", getenv("T_DIR"));
  REFUSED("no such parent", EACCES, NULL);
  if (geteuid() == 0) {
    new_directory("somebody-elses", 0700);
    T_OK(chown(dir, NOBODY, NOBODY));
    REFUSED("someone else's", EACCES, "another user");
  }
  (void)snprintf(dir, sizeof dir, "%.200s/made", getenv("T_DIR"));
  REFUSED("control: made if it isn't there", 0, NULL);
  {
    struct stat st;

    T_OK(stat(dir, &st));
    T_EQ(st.st_mode & 07777, 0700);
  }
}

static void
directory_cannot_be_changed_while_mapped(void) {
  p = T_MAP_NEW(NULL, &fd, 4);
  T_ERR(softmap_configure("dir", "/dev/shm"), EBUSY);
  T_OK(munmap(p, t_pages(4)));
  T_ERR(softmap_configure("dir", "relative"), EINVAL);
}

/* ---- Full ------------------------------------------------------------------------------------ */

/* A small file system of the test's own. */
static void
mount_small(size_t bytes) {
  char options[64];

  new_directory("small", 0700);
  (void)snprintf(options, sizeof options, "size=%zu,mode=0700", bytes);
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", dir, "tmpfs", 0, options) != 0)
    t_skip("may not mount here");
  T_OK(softmap_configure("dir", dir));
}

static void
full_when_mapping(void) {
  size_t lines;
  int error;
  int small;

  mount_small((size_t)64 * 1024);
  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  {
    char name[T_PATH];

    (void)snprintf(name, sizeof name, "%.200s/filler", dir);
    small = open(name, O_CREAT | O_RDWR, 0600);
    while (write(small, text, sizeof text) > 0)
      continue;
  }
  error = map_and_listen(&lines);
  T_EQ(error, ENOMEM);
  T_EQ(lines, 1);
  T_CHECK(strstr(text, dir) != NULL && strstr(text, "SOFTMAP_DIR") != NULL);
  T_OK(ftruncate(small, 0));
  p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  PUT(p, 'x');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
  T_OK(munmap(p, t_pages(4)));
}

/* The file's copy doesn't fit when it is filled whole. */
static void
full_when_filling_whole(void) {
  size_t lines;
  int error;

  mount_small((size_t)1 << 20);
  T_OK(softmap_configure("fill", "whole"));
  fd = t_tmpfile(NULL, (off_t)4 << 20);
  *text = '\0';
  error = map_and_listen(&lines);
  if (error == 0) { /* on touch then: the file's bytes, or SIGBUS where there is no room */
    size_t faults = 0;

    for (size_t i = 0; i < ((size_t)4 << 20) / t_page_size(); i++) {
      unsigned char value = 0;
      struct t_fault fault = t_load(p + t_pages(i), &value);

      if (fault.signo == 0)
        T_EQ(value, t_old_byte((off_t)t_pages(i)));
      else
        T_EQ(fault.signo, SIGBUS);
      faults += fault.signo != 0;
    }
    T_CHECK(faults > 0);
  } else {
    T_EQ(error, ENOMEM);
    T_EQ(lines, 1);
    T_CHECK(strstr(text, "SOFTMAP_DIR") != NULL);
  }
}

/* A hole that is stored to needs room: SIGBUS, as on a full disk; what got room is written. */
static void
full_at_a_store(void) {
  size_t npages = ((size_t)4 << 20) / t_page_size();
  size_t stored = 0;
  struct t_fault fault = { 0, 0, NULL };

  mount_small((size_t)1 << 20);
  fd = t_sparse_file(NULL, (off_t)t_pages(npages));
  p = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, fd, 0);
  for (size_t i = 0; i < npages && fault.signo == 0; i++) {
    fault = t_store(p + t_pages(i), (unsigned char)(i | 1));
    stored += fault.signo == 0;
  }
  T_EQ(fault.signo, SIGBUS);
  T_CHECK(stored > 8 && stored < npages);
  (void)msync(p, t_pages(npages), MS_SYNC);
  for (size_t i = 0; i < stored; i++)
    T_FILE_BYTE(fd, (off_t)t_pages(i), (unsigned char)(i | 1));
  T_FILE_SIZE(fd, (off_t)t_pages(npages));
  T_OK(munmap(p, t_pages(npages)));
}

static void
full_at_a_fill(void) {
  size_t npages = ((size_t)4 << 20) / t_page_size();
  struct t_fault fault = { 0, 0, NULL };
  unsigned char value;
  size_t loaded = 0;

  mount_small((size_t)1 << 20);
  T_OK(softmap_configure("fill", "touch"));
  fd = t_tmpfile(NULL, (off_t)t_pages(npages));
  p = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, fd, 0);
  for (size_t i = 0; i < npages && fault.signo == 0; i++) {
    fault = t_load(p + t_pages(i), &value);
    loaded += fault.signo == 0;
    if (fault.signo == 0)
      T_EQ(value, t_old_byte((off_t)t_pages(i)));
  }
  T_EQ(fault.signo, SIGBUS);
  T_CHECK(loaded > 8);
  T_STORES(p, 'x');
  T_OK(msync(p, t_pages(npages), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
  T_FILE_OLD(fd, 1, t_pages(npages) - 1);
}

/* ---- What a dead process left ---------------------------------------------------------------- */

/* A process that maps, stores, syncs or not, and is killed. */
static void
leave_a_section(bool is_synced) {
  pid_t pid = t_fork();

  if (pid == 0) {
    map_it(NULL);
    PUT(p, 'd');
    if (is_synced)
      T_OK(msync(p, t_pages(4), MS_SYNC));
    (void)kill(getpid(), SIGKILL);
  }
  T_REAP(pid, T_KILLED(SIGKILL));
}

static void
dirty_rest_is_written(void) {
  size_t lines;

  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  leave_a_section(false);
  T_FILE_OLD(fd, 0, t_pages(4));
  T_EQ(map_and_listen(&lines), 0);
  T_EQ(lines, 0);
  T_EQ(GET(p), 'd');
  T_FILE_BYTE(fd, 0, 'd');
  T_FILE_OLD(fd, 1, t_pages(4) - 1);
}

/* Whoever changed the file since the process died would lose it. */
static void
dirty_rest_of_a_changed_file_is_refused(void) {
  char path[T_PATH];
  size_t lines;

  fd = t_tmpfile(path, (off_t)t_pages(4));
  leave_a_section(false);
  T_PWRITE(fd, 0, 1, 'o');
  T_OK(futimens(fd, (struct timespec[2]){ { 1, 0 }, { 1, 0 } })); /* clocks of files are coarse */
  T_EQ(map_and_listen(&lines), EBUSY);
  T_EQ(lines, 1);
  T_CHECK(strncmp(text, "softmap: ", 9) == 0 && strstr(text, path) != NULL);
  T_CHECK(strstr(text, "changed by others") != NULL);
  T_FILE_BYTE(fd, 0, 'o');
}

static void
clean_rest_is_taken_over_silently(void) {
  size_t lines;

  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  leave_a_section(true);
  T_EQ(map_and_listen(&lines), 0);
  T_EQ(lines, 0);
  T_EQ(GET(p), 'd');
  PUT(p, 'e');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'e');
}

/* Another process that isn't related has it mapped. */
static void
living_stranger_shares(void) {
  struct t_meeting there = t_meeting();
  struct t_meeting go = t_meeting();
  size_t lines;
  pid_t pid;

  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  pid = t_fork();
  if (pid == 0) {
    map_it(NULL);
    PUT(p, 's');
    t_ping(&there);
    t_wait(&go);
    exit(0);
  }
  t_wait(&there);
  T_EQ(map_and_listen(&lines), 0);
  T_EQ(lines, 0);
  T_EQ(GET(p), 's');
  PUT(p + 1, 'S');
  t_ping(&go);
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(fd, 0, 's');
  T_FILE_BYTE(fd, 1, 'S'); /* who leaves writes everything */
}

static void
corrupt(const char *what) {
  DIR *sections = opendir(getenv("SOFTMAP_DIR"));
  int found = 0;

  T_CHECK(sections != NULL);
  for (struct dirent *e; (e = readdir(sections)) != NULL;)
    if (e->d_name[0] != '.') {
      char control_name[T_PATH];
      int control;

      (void)snprintf(control_name, sizeof control_name, "%s/control", e->d_name);
      control = openat(dirfd(sections), control_name, O_RDWR);

      found++;
      if (strcmp(what, "empty") == 0)
        T_OK(ftruncate(control, 0));
      else if (strcmp(what, "garbage") == 0)
        T_PWRITE(control, 0, 4096, 0xee);
      else
        T_PWRITE(control, 8, 4, 0x77); /* the version */
      (void)close(control);
    }
  (void)closedir(sections);
  T_EQ(found, 1);
}

static void
corrupt_rest(const char *what) {
  size_t lines;
  int error;

  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  leave_a_section(true);
  corrupt(what);
  error = map_and_listen(&lines);
  t_note("%s: errno %d: %s", what, error, text);
  T_EQ(error, EBUSY);
  T_EQ(lines, 1);
}

static void
empty_rest(void) {
  corrupt_rest("empty");
}

static void
garbage_in_a_rest(void) {
  corrupt_rest("garbage");
}

static void
rest_of_another_version(void) {
  corrupt_rest("version");
}

/* ---- Variables ------------------------------------------------------------------------------- */

static void
bad_variable(const char *name, const char *value, const char *allowed) {
  size_t lines;
  int error;

  T_OK(setenv(name, value, 1));
  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  error = map_and_listen(&lines);
  T_EQ(error, 0); /* by the default */
  T_EQ(lines, 1);
  if (strstr(text, name) == NULL || strstr(text, value) == NULL || strstr(text, allowed) == NULL)
    t_fail(T_HERE, "said: %s", text);
}

static void
bad_fill(void) {
  bad_variable("SOFTMAP_FILL", "sideways", "whole");
}

static void
bad_tracker(void) {
  bad_variable("SOFTMAP_TRACKER", "crystal-ball", "fault");
}

static void
bad_threshold(void) {
  bad_variable("SOFTMAP_FILL_THRESHOLD", "12monkeys", "number");
}

static void
good_and_empty_variables_are_silent(void) {
  size_t lines;

  T_OK(setenv("SOFTMAP_FILL", "touch", 1));
  T_OK(setenv("SOFTMAP_TRACKER", "fault", 1));
  T_OK(setenv("SOFTMAP_FILL_THRESHOLD", "", 1));
  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  T_EQ(map_and_listen(&lines), 0);
  T_EQ(lines, 0);
  T_EQ(T_STATS().pages_filled, 0); /* on touch */
}

static void
configured_wins_over_the_variable(void) {
  size_t lines;

  T_OK(setenv("SOFTMAP_FILL", "sideways", 1));
  T_OK(softmap_configure("fill", "touch"));
  fd = t_tmpfile(NULL, (off_t)t_pages(4));
  T_EQ(map_and_listen(&lines), 0);
  T_EQ(lines, 0);
  T_EQ(T_STATS().pages_filled, 0);
}

static const struct t_case cases[] = {
  T_CASE(unusable_directories),
  T_CASE(directory_cannot_be_changed_while_mapped),
  T_CASE(full_when_mapping),
  T_CASE_MAPS_NOTHING(full_when_filling_whole),
  T_CASE(full_at_a_store),
  T_CASE(full_at_a_fill),
  T_CASE_WITH(dirty_rest_is_written, T_KILLS),
  T_CASE_WITH(dirty_rest_of_a_changed_file_is_refused, T_MAPS_NOTHING | T_KILLS),
  T_CASE(clean_rest_is_taken_over_silently),
  T_CASE(living_stranger_shares),
  T_CASE_WITH(empty_rest, T_MAPS_NOTHING | T_KILLS),
  T_CASE_WITH(garbage_in_a_rest, T_MAPS_NOTHING | T_KILLS),
  T_CASE_WITH(rest_of_another_version, T_MAPS_NOTHING | T_KILLS),
  T_CASE(bad_fill),
  T_CASE(bad_tracker),
  T_CASE(bad_threshold),
  T_CASE(good_and_empty_variables_are_silent),
  T_CASE(configured_wins_over_the_variable),
};
T_MAIN(cases)
