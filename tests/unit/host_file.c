/* Files by name and by descriptor. */
#include "host_test.h"

#include <pthread.h>
#include <sys/stat.h>

static int dir;
static int file;
static char name[512]; /* of file */

static int
make_files(void **state) {
  (void)state;
  if (host_start() != 0 || getcwd(name, sizeof name - 16) == NULL)
    return -1;
  strcat(name, "/file");
  file = new_file("file", 0);
  dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return dir < 0 || write(file, "0123456789", 10) != 10 || symlink("file", "soft") != 0;
}

/* Closes what a call opened. */
static int
closed(int error, int fd) {
  return error != 0 ? error : host_close(fd);
}

static int
open_there(void) {
  int fd = -1;
  int error = host_open(&fd, dir, "file", O_RDONLY, 0);
  return closed(error, fd);
}
static int
open_missing(void) {
  int fd = -1;
  int error = host_open(&fd, dir, "missing", O_RDONLY, 0);
  return closed(error, fd);
}
static int
open_exclusively(void) {
  int fd = -1;
  int error = host_open(&fd, dir, "file", O_RDWR | O_CREAT | O_EXCL, 0600);
  return closed(error, fd);
}
static int
open_not_following(void) {
  int fd = -1;
  int error = host_open(&fd, dir, "soft", O_RDONLY | O_NOFOLLOW, 0);
  return closed(error, fd);
}
static int
open_in_no_dir(void) {
  int fd = -1;
  int error = host_open(&fd, file, "file", O_RDONLY, 0);
  return closed(error, fd);
}
static int
reopen(void) {
  int fd = -1;
  int error = host_reopen(&fd, file, O_RDONLY);
  return closed(error, fd);
}
static int
reopen_closed(void) {
  int fd = -1;
  int error = host_reopen(&fd, 987654, O_RDONLY);
  return closed(error, fd);
}
static int
reopen_negative(void) {
  int fd = -1;
  int error = host_reopen(&fd, -1, O_RDONLY);
  return closed(error, fd);
}
static int
close_bad(void) {
  return host_close(987654);
}
static int
stat_file(void) {
  struct host_stat st;
  return host_stat_fd(file, &st);
}
static int
stat_bad(void) {
  struct host_stat st;
  return host_stat_fd(987654, &st);
}
static int
stat_name(void) {
  struct host_stat st;
  return host_stat_path("file", &st);
}
static int
stat_missing(void) {
  struct host_stat st;
  return host_stat_path("missing", &st);
}
static int
flags_of_file(void) {
  int flags;
  return host_open_flags(file, &flags);
}
static int
flags_of_bad(void) {
  int flags;
  return host_open_flags(987654, &flags);
}
static int
make_dir(void) {
  int error = host_make_dir(AT_FDCWD, "new-dir", 0700);
  return error != 0 || rmdir("new-dir") == 0 ? error : EIO;
}
static int
make_dir_over_file(void) {
  return host_make_dir(AT_FDCWD, "file", 0700);
}
static int
rename_dir(void) {
  mkdir("old-dir", 0700);
  int error = host_rename(dir, "old-dir", "new-dir");
  return error != 0 || rmdir("new-dir") == 0 ? error : EIO;
}
static int
rename_over(bool is_empty) {
  mkdir("old-dir", 0700);
  mkdir("new-dir", 0700);
  if (!is_empty)
    mkdir("new-dir/entry", 0700);
  errno = ERRNO_UNTOUCHED;
  int error = host_rename(dir, "old-dir", "new-dir");
  int after = errno;
  rmdir("new-dir/entry");
  rmdir("new-dir");
  rmdir("old-dir");
  errno = after;
  return error;
}
static int
rename_over_empty(void) {
  return rename_over(true);
}
static int
rename_over_full(void) {
  return rename_over(false);
}
static int
rename_missing(void) {
  return host_rename(dir, "missing", "other");
}
static int
remove_dir(void) {
  mkdir("old-dir", 0700);
  return host_remove_dir(dir, "old-dir");
}
static int
remove_full_dir(void) {
  mkdir("old-dir", 0700);
  mkdir("old-dir/entry", 0700);
  int error = host_remove_dir(dir, "old-dir");
  rmdir("old-dir/entry");
  rmdir("old-dir");
  return error;
}
static int
remove_file_as_dir(void) {
  return host_remove_dir(dir, "file");
}
static int
unlink_missing(void) {
  return host_unlink(dir, "missing");
}
static int
unlink_dir(void) {
  return host_unlink(dir, ".") != 0 ? EISDIR : 0; /* EISDIR, EINVAL or EPERM */
}
static int
path_of_bad(void) {
  char path[8];
  return host_path_of(987654, path, sizeof path);
}
static int
path_to_nothing(void) {
  return host_path_of(file, name, 0);
}

/* Names, each as one bit: in no order. */
static int
note_name(const char *entry, void *arg) {
  unsigned *seen = arg;
  if (entry[0] == 'e' && entry[1] >= 'a' && entry[1] < 'a' + 26 && entry[2] == '\0')
    *seen |= 1U << (entry[1] - 'a');
  else
    *seen |= 1U << 31;
  return 0;
}

static int
stop_at_once(const char *entry, void *arg) {
  (void)entry;
  ++*(int *)arg;
  return EINTR;
}

static void
list_tells_every_name_once(void **state) {
  char path[] = "listed/ea";
  unsigned seen = 0;
  int calls = 0;
  int fd;
  (void)state;
  assert_int_equal(mkdir("listed", 0700), 0);
  for (char c = 'a'; c < 'a' + 26; c++) {
    path[8] = c;
    close(new_file(path, 0));
  }
  assert_int_equal(host_open(&fd, AT_FDCWD, "listed", O_RDONLY | O_DIRECTORY, 0), 0);
  for (int again = 0; again < 2; again++) {
    seen = 0;
    assert_int_equal(host_list(fd, note_name, &seen), 0);
    assert_int_equal(seen, (1U << 26) - 1);
  }
  assert_int_equal(host_list(fd, stop_at_once, &calls), EINTR);
  assert_int_equal(calls, 1);
  assert_int_equal(host_list(987654, note_name, &seen), EBADF);
  close(fd);
  for (char c = 'a'; c < 'a' + 26; c++) {
    path[8] = c;
    unlink(path);
  }
  assert_int_equal(rmdir("listed"), 0);
}

static void
calls_return_their_error(void **state) {
  static const struct host_row rows[] = {
    { "open", open_there, 0 },
    { "open what is missing", open_missing, ENOENT },
    { "create what is there", open_exclusively, EEXIST },
    { "open a link that isn't to be followed", open_not_following, ELOOP },
    { "open below a file", open_in_no_dir, ENOTDIR },
    { "reopen", reopen, 0 },
    { "reopen a closed descriptor", reopen_closed, EBADF },
    { "reopen -1", reopen_negative, EBADF },
    { "close a closed descriptor", close_bad, EBADF },
    { "stat", stat_file, 0 },
    { "stat a closed descriptor", stat_bad, EBADF },
    { "stat by name", stat_name, 0 },
    { "stat what is missing", stat_missing, ENOENT },
    { "flags", flags_of_file, 0 },
    { "flags of a closed descriptor", flags_of_bad, EBADF },
    { "make a directory", make_dir, 0 },
    { "make a directory over a file", make_dir_over_file, EEXIST },
    { "rename a directory", rename_dir, 0 },
    { "rename it over an empty one", rename_over_empty, 0 },
    { "rename it over one that isn't empty", rename_over_full, EEXIST },
    { "rename what is missing", rename_missing, ENOENT },
    { "remove a directory", remove_dir, 0 },
    { "remove one that isn't empty", remove_full_dir, EEXIST },
    { "remove a file as a directory", remove_file_as_dir, ENOTDIR },
    { "unlink what is missing", unlink_missing, ENOENT },
    { "unlink a directory", unlink_dir, EISDIR },
    { "path of a closed descriptor", path_of_bad, EBADF },
    { "path into no space", path_to_nothing, EINVAL },
  };
  (void)state;
  check_rows(rows, COUNT_OF(rows));
}

static void
descriptors_close_on_exec(void **state) {
  int opened = -1;
  int reopened = -1;
  (void)state;
  EXPECT(host_open(&opened, dir, "file", O_RDWR, 0), 0);
  EXPECT(host_reopen(&reopened, opened, O_RDONLY), 0);
  assert_int_equal(fcntl(opened, F_GETFD), FD_CLOEXEC);
  assert_int_equal(fcntl(reopened, F_GETFD), FD_CLOEXEC);
  EXPECT(host_close(opened), 0);
  assert_int_equal(fcntl(opened, F_GETFD), -1);
  EXPECT(host_close(reopened), 0);
}

static void
reopened_description_is_its_own(void **state) {
  int fd = -1;
  int flags = 0;
  (void)state;
  assert_int_equal(lseek(file, 3, SEEK_SET), 3);
  EXPECT(host_reopen(&fd, file, O_RDONLY), 0);
  assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
  EXPECT(host_open_flags(fd, &flags), 0);
  assert_int_equal(flags & O_ACCMODE, O_RDONLY);
  EXPECT(host_close(fd), 0);
}

static void
unlinked_file_reopens(void **state) {
  char byte = 0;
  int fd = -1;
  (void)state;
  int gone = new_file("gone", 0);
  assert_int_equal(write(gone, "x", 1), 1);
  EXPECT(host_unlink(dir, "gone"), 0);
  EXPECT(host_reopen(&fd, gone, O_RDONLY), 0);
  assert_int_equal(read(fd, &byte, 1), 1);
  assert_int_equal(byte, 'x');
  EXPECT(host_close(fd), 0);
  close(gone);
}

/* A thread with a table of its own reopens its own descriptor, not the process's of that number:
 * /proc/self shows the latter. */
static void *
reopen_in_own_table(void *result) {
  struct host_stat st = { .size = 0 };
  int fd = -1;
  int again = -1;
  int *error = (int *)result;
  if ((*error = host_table_leave()) != 0)
    return NULL;
  do { /* up to the number of the process's file */
    if ((*error = host_open(&fd, AT_FDCWD, "/proc/self/cmdline", O_RDONLY, 0)) != 0)
      return NULL;
  } while (fd < file);
  if ((*error = host_close(file)) != 0)
    return NULL;
  if ((*error = host_open(&fd, AT_FDCWD, "own", O_RDWR | O_CREAT, 0600)) != 0)
    return NULL;
  if (fd != file || write(fd, "own", 3) != 3)
    *error = EPROTO;
  else if ((*error = host_reopen(&again, fd, O_RDONLY)) == 0)
    *error = host_stat_fd(again, &st);
  if (*error == 0 && st.size != 3)
    *error = ESTALE;
  return NULL;
}

static void
reopen_is_of_the_thread_s_table(void **state) {
  pthread_t thread;
  int error = -1;
  (void)state;
  assert_int_equal(pthread_create(&thread, NULL, reopen_in_own_table, &error), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(error, 0);
}

static void
check_stat(const struct host_stat *got) {
  struct stat want;
  assert_int_equal(fstat(file, &want), 0);
  assert_int_equal(got->device, want.st_dev);
  assert_int_equal(got->inode, want.st_ino);
  assert_int_equal(got->size, want.st_size);
  assert_int_equal(got->links, want.st_nlink);
  assert_int_equal(got->mode, want.st_mode);
  assert_int_equal(got->owner, want.st_uid);
  assert_int_equal(got->mtime_ns,
                   (uint64_t)want.st_mtim.tv_sec * 1000000000U + (uint64_t)want.st_mtim.tv_nsec);
}

static void
stat_says_what_fstat_says(void **state) {
  struct host_stat st;
  (void)state;
  EXPECT(host_stat_fd(file, &st), 0);
  check_stat(&st);
  EXPECT(host_stat_path("file", &st), 0);
  check_stat(&st);
}

static void
stat_path_doesn_t_follow(void **state) {
  struct host_stat st;
  (void)state;
  EXPECT(host_stat_path("soft", &st), 0);
  assert_true(S_ISLNK(st.mode));
}

static int
stat_without_statx(void *arg) {
  struct host_stat with, without, path;
  (void)arg;
  CHILD_CHECK(host_stat_fd(file, &with) == 0);
  if (refuse_syscall(SYS_statx, ENOSYS) != 0)
    return 77;
  errno = ERRNO_UNTOUCHED;
  CHILD_CHECK(host_stat_fd(file, &without) == 0);
  CHILD_CHECK(host_stat_path("file", &path) == 0);
  CHILD_CHECK(host_stat_path("missing", &path) == ENOENT);
  CHILD_CHECK(host_stat_fd(987654, &path) == EBADF);
  CHILD_CHECK(errno == ERRNO_UNTOUCHED);
  CHILD_CHECK(without.birth_ns == 0);
  without.birth_ns = with.birth_ns;
  CHILD_CHECK(memcmp(&with, &without, sizeof with) == 0);
  CHILD_CHECK(path.inode == with.inode);
  return 0;
}

static void
old_kernels_stat_without_birth_time(void **state) {
  (void)state;
  int status = in_child(stat_without_statx, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

static void
path_is_told_and_cut(void **state) {
  char path[600];
  (void)state;
  EXPECT(host_path_of(file, path, sizeof path), 0);
  assert_string_equal(path, name);
  memset(path, 'z', sizeof path);
  EXPECT(host_path_of(file, path, 5), 0);
  assert_int_equal(strlen(path), 4);
  assert_memory_equal(path, name, 4);
  assert_int_equal(path[5], 'z');
  EXPECT(host_path_of(file, path, 1), 0);
  assert_string_equal(path, "");
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(calls_return_their_error),
    cmocka_unit_test(list_tells_every_name_once),
    cmocka_unit_test(descriptors_close_on_exec),
    cmocka_unit_test(reopened_description_is_its_own),
    cmocka_unit_test(unlinked_file_reopens),
    cmocka_unit_test(reopen_is_of_the_thread_s_table),
    cmocka_unit_test(stat_says_what_fstat_says),
    cmocka_unit_test(stat_path_doesn_t_follow),
    cmocka_unit_test(old_kernels_stat_without_birth_time),
    cmocka_unit_test(path_is_told_and_cut),
  };
  return cmocka_run_group_tests(tests, make_files, NULL);
}
