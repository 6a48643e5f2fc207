/* users.c - two users, or two section directories, and one file: never two copies that don't know of
 * each other.  And whoever only says that it has a file isn't believed.
 */
#include "t_engine.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

static unsigned char *p;
static char text[4096];

/* A process that maps the file and tells how that went, then goes on when it is told to. */
struct party {
  pid_t pid;
  int told[2];
  struct t_meeting go;
  char dir[T_PATH];
};

struct wish {
  uid_t user;
  int fd, prot;
};

static void
map_it(void *arg) {
  const struct wish *wish = arg;
  p = mmap(NULL, t_pages(2), wish->prot, MAP_SHARED, wish->fd, 0);
}

static int
try_to_map(const struct wish *wish, size_t *lines) {
  errno = 0;
  *lines = T_STDERR_OF(map_it, (void *)(uintptr_t)wish, text);
  return p == MAP_FAILED ? errno : 0;
}

static void
become(uid_t user) {
  if (user != 0)
    T_CHECK(setgroups(0, NULL) == 0 && setgid(user) == 0 && setuid(user) == 0);
}

static _Noreturn void
live(const struct party *party, const struct wish *wish) {
  size_t lines;

  become(wish->user);
  T_OK(softmap_configure("dir", party->dir));
  int error = try_to_map(wish, &lines);
  T_EQ(lines, error != 0);
  T_EQ(write(party->told[1], &error, sizeof error), sizeof error);
  t_wait(&party->go);
  if (error == 0)
    T_OK(munmap(p, t_pages(2)));
  exit(0);
}

static int
start(struct party *party, uid_t user, int fd, int prot) {
  struct wish wish = { user, fd, prot };
  int error = -1;

  t_sections_of(user, party->dir);
  T_OK(pipe(party->told));
  party->go = t_meeting();
  party->pid = t_fork();
  if (party->pid == 0)
    live(party, &wish);
  T_OK(close(party->told[1]));
  T_EQ(read(party->told[0], &error, sizeof error), sizeof error);
  T_OK(close(party->told[0]));
  return error;
}

static void
stop(const struct party *party) {
  t_ping(&party->go);
  T_REAP(party->pid, T_EXITED(0));
  T_OK(rmdir(party->dir));
}

static int
new_file(mode_t mode, int *readable) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(2));

  if (geteuid() != 0)
    t_skip("not root");
  T_OK(fchmod(fd, mode));
  *readable = t_open(path, O_RDONLY);
  return fd;
}

static void
two_users_have_two_copies_only_to_read(void) {
  static const struct {
    const char *name;
    bool first_writes, second_writes;
    int want;
  } rows[] = {
    { "both write", true, true, EBUSY },
    { "the first writes", true, false, EBUSY },
    { "the second writes", false, true, EBUSY },
    { "both read", false, false, 0 },
  };
  int readable;
  int fd = new_file(0666, &readable);

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct party first, second, later;
    T_ROW(rows[i].name, start(&first, 0, rows[i].first_writes ? fd : readable, PROT_READ), 0);
    int error = start(&second, NOBODY, rows[i].second_writes ? fd : readable, PROT_READ);
    if (error != rows[i].want)
      t_row_fail(T_HERE, rows[i].name, "errno %d", error);
    stop(&first);
    stop(&second);
    T_EQ(start(&later, NOBODY, fd, RW), 0); /* nobody has it any more */
    stop(&later);
  }
}

static void
reader_that_wants_to_write_finds_the_other(void) {
  struct party reader;
  int readable;
  int fd = new_file(0666, &readable);
  struct wish read_it = { 0, readable, PROT_READ };
  struct wish write_it = { 0, fd, RW };
  size_t lines;

  T_EQ(start(&reader, NOBODY, readable, PROT_READ), 0);
  T_EQ(try_to_map(&read_it, &lines), 0);
  T_EQ(try_to_map(&write_it, &lines), EBUSY);
  T_EQ(lines, 1);
  T_CHECK(strstr(text, "user 65534") != NULL);
  stop(&reader);
  T_EQ(try_to_map(&write_it, &lines), 0);
  T_EQ(lines, 0);
}

static void
one_user_with_two_section_directories(void) {
  struct party other;
  int readable;
  int fd = new_file(0666, &readable);
  struct wish wish = { 0, fd, RW };
  size_t lines;

  T_EQ(start(&other, 0, fd, RW), 0);
  T_EQ(try_to_map(&wish, &lines), EBUSY);
  T_CHECK(strstr(text, "SOFTMAP_DIR") != NULL);
  stop(&other);
  T_EQ(try_to_map(&wish, &lines), 0);
}

static void
killed_one_stands_in_nobody_s_way(void) {
  struct party other;
  int readable;
  int fd = new_file(0666, &readable);
  struct wish wish = { 0, fd, RW };
  size_t lines;

  T_EQ(start(&other, NOBODY, fd, RW), 0);
  T_EQ(try_to_map(&wish, &lines), EBUSY);
  T_OK(kill(other.pid, SIGKILL));
  T_REAP(other.pid, T_KILLED(SIGKILL));
  T_EQ(try_to_map(&wish, &lines), 0);
  t_remove_directory(other.dir);
}

/* A forked child goes on having what its parent gave up. */
static void
forked_child_has_it(void) {
  struct party other;
  struct t_meeting child_s = t_meeting();
  int readable;
  int fd = new_file(0666, &readable);
  struct wish wish = { 0, fd, RW };
  size_t lines;

  T_EQ(try_to_map(&wish, &lines), 0);
  pid_t child = t_fork();
  if (child == 0) {
    t_wait(&child_s);
    exit(0);
  }
  T_OK(munmap(p, t_pages(2)));
  T_EQ(start(&other, NOBODY, fd, RW), EBUSY);
  stop(&other);
  t_ping(&child_s);
  T_REAP(child, T_EXITED(0));
  T_EQ(start(&other, NOBODY, fd, RW), 0);
  stop(&other);
}

/* Nobody has the descriptor from us; whoever opens the file can't tell that. */
static void
who_could_not_open_the_file_is_not_believed(void) {
  static const struct {
    const char *name;
    mode_t mode;
    int want;
  } rows[] = {
    { "could have opened it", 0604, EBUSY },
    { "could not", 0600, 0 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct party other;
    int readable;
    int fd = new_file(rows[i].mode, &readable);
    struct wish wish = { 0, fd, RW };
    size_t lines;

    T_EQ(start(&other, NOBODY, fd, RW), 0);
    int error = try_to_map(&wish, &lines);
    if (error != rows[i].want)
      t_row_fail(T_HERE, rows[i].name, "errno %d", error);
    stop(&other);
  }
}

/* ---- The directory in which processes say what they have ---------------------------------------- */

/* Where it stands by that name in an empty /dev/shm of our own. */
static const char *
place_of_our_own(void) {
  static char place[64];
  char dir[T_PATH];

  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", "/dev/shm", "tmpfs", 0, "size=8m,mode=1777") != 0)
    t_skip("may not mount here");
  (void)snprintf(dir, sizeof dir, "%.200s/sections", getenv("T_DIR"));
  T_OK(softmap_configure("dir", dir));
  (void)snprintf(place, sizeof place, "/dev/shm/softmap-open-%u", (unsigned)geteuid());
  return place;
}

static void
place_that_isnt_ours_is_refused(void) {
  int readable;
  struct wish wish = { 0, new_file(0666, &readable), RW };
  const char *place = place_of_our_own();
  struct stat st;
  size_t lines;

#define REFUSED(row)                                                                               \
  do {                                                                                             \
    int error_ = try_to_map(&wish, &lines);                                                        \
    if (error_ != EACCES || lines != 1 || strstr(text, place) == NULL)                             \
      t_row_fail(T_HERE, row, "errno %d, said: %s", error_, text);                                 \
  } while (0)
  T_OK(symlink("/tmp", place));
  REFUSED("a symbolic link");
  T_OK(unlink(place));
  T_OK(close(open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
  REFUSED("a file");
  T_OK(unlink(place));
  T_OK(mkdir(place, 0755));
  T_OK(chown(place, NOBODY, NOBODY));
  REFUSED("another user's");
#undef REFUSED
  T_OK(chown(place, geteuid(), getegid()));
  T_OK(chmod(place, 0700)); /* ours, but nobody can look */
  T_EQ(try_to_map(&wish, &lines), 0);
  T_EQ(lines, 0);
  T_OK(stat(place, &st));
  T_EQ(st.st_mode & 07777, 0755);
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(two_users_have_two_copies_only_to_read),
  T_CASE(reader_that_wants_to_write_finds_the_other),
  T_CASE(one_user_with_two_section_directories),
  T_CASE_WITH(killed_one_stands_in_nobody_s_way, T_KILLS),
  T_CASE(forked_child_has_it),
  T_CASE(who_could_not_open_the_file_is_not_believed),
  T_CASE(place_that_isnt_ours_is_refused),
};
T_MAIN(cases)
