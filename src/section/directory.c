/* directory.c - finding, making and checking the section directory. */
#include "section/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/text.h"
#include "section/say.h"
#include "section/section.h"

#define DIRECTORY_PREFIX "/dev/shm/softmap-"

static char path[512];
static int directory_fd = -1;
static bool is_stale; /* another path was chosen since directory_fd was opened */
static bool has_complained;

int
directory_choose(const char *to) {
  size_t len = strlen(to);
  if (to[0] != '/' || len >= sizeof path)
    return EINVAL;
  memcpy(path, to, len + 1);
  has_complained = false;
  is_stale = true;
  return 0;
}

const char *
directory_path(void) {
  if (!path[0]) {
    struct text text = { 0 };
    text_add(&text, DIRECTORY_PREFIX);
    text_add_number(&text, host_user());
    memcpy(path, text.at, text.len + 1);
  }
  return path;
}

/* The one line that a user gets about an unusable section directory. */
static int
complain(const char *what, int error) {
  if (!has_complained) {
    has_complained = true;
    struct text text = { 0 };
    text_add(&text, "softmap: section directory ");
    text_add(&text, directory_path());
    text_add(&text, ": ");
    text_add(&text, what);
    text_add(&text, "; set SOFTMAP_DIR to a directory of yours with mode 0700\n");
    say_later(&text);
  }
  return error;
}

static int
check(int fd) {
  struct host_stat stat;
  int error = host_stat_fd(fd, &stat);
  if (error)
    return error;
  if (stat.owner != host_user())
    return complain("belongs to another user", EACCES);
  if ((stat.mode & 0777) != 0700)
    return complain("has a mode other than 0700", EACCES);
  return 0;
}

static int
open_failed(int error) {
  struct text why = { 0 };
  if (error == ELOOP || error == ENOTDIR)
    return complain("is a symbolic link, or no directory", EACCES);
  if (error == EMFILE || error == ENFILE)
    return error;
  text_add_error(&why, error);
  return complain(why.at, error == ENOSPC || error == EDQUOT || error == ENOMEM ? ENOMEM : EACCES);
}

static int
open_checked(int *out) {
  int fd;
  int error = host_open(&fd, AT_FDCWD, directory_path(),
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (error)
    return error == ENOENT ? error : open_failed(error);
  error = check(fd);
  if (!error)
    *out = fd;
  else if (host_close(fd))
    return EACCES;
  return error;
}

int
directory_look(int *fd) {
  section_lock_all();
  int error = open_checked(fd);
  section_unlock_all();
  say_now();
  return error;
}

static bool
is_removed(int fd) {
  struct host_stat stat;
  return !host_stat_fd(fd, &stat) && stat.links == 0;
}

int
directory_open(int *fd) {
  bool is_unusable = directory_fd >= 0 && (is_stale || is_removed(directory_fd));
  if (is_unusable && !host_close(directory_fd))
    directory_fd = -1;
  is_stale = false;
  if (directory_fd < 0) {
    int error = host_make_dir(AT_FDCWD, directory_path(), 0700);
    if (error && error != EEXIST)
      return open_failed(error);
    error = open_checked(&directory_fd);
    if (error)
      return error == ENOENT ? open_failed(error) : error;
  }
  *fd = directory_fd;
  return 0;
}

void
directory_forget(void) {
  directory_fd = -1;
}

bool
directory_holds(const char *file) {
  const char *directory = directory_path();
  size_t len = strlen(directory);
  return strncmp(file, directory, len) == 0 && file[len] == '/';
}
