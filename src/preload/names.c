/* names.c - the last name of a file goes away.
 *
 * What dead processes left of it goes with it, as the kernel forgets what was in its cache: else a
 * later file with the same inode number would find it, where the file system knows no birth times.
 * While others have the file mapped, it stays theirs.
 */
#include "preload/real.h"

#include "preload/pins.h"
#include "preload/policy.h"

/* A descriptor of the file that is about to lose a name; -1: it has no section. */
static int
look_before(int dir, const char *path) {
  return policy_open_sectioned(dir, path, O_PATH | O_NOFOLLOW);
}

static int
look_after(int fd, int result) {
  if (fd < 0)
    return result;
  int saved = errno;
  struct stat stat;
  if (result == 0 && fstat(fd, &stat) == 0 && stat.st_nlink == 0)
    shim_forget(fd);
  (void)close(fd);
  errno = saved;
  return result;
}

#define LOSING(dir, path, other, call)                                                             \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    if (shim_is_started()) {                                                                       \
      PATH(path);                                                                                  \
      PATH(other);                                                                                 \
    }                                                                                              \
    int fd = look_before((dir), (path));                                                           \
    return look_after(fd, call);                                                                   \
  } while (0)

static const char *const none = NULL;

EXPORT int
unlink(const char *path) {
  LOSING(AT_FDCWD, path, none, REAL(unlink)(path));
}

EXPORT int
unlinkat(int dir, const char *path, int flags) {
  LOSING(dir, path, none, REAL(unlinkat)(dir, path, flags));
}

EXPORT int
remove(const char *path) {
  LOSING(AT_FDCWD, path, none, REAL(remove)(path));
}

EXPORT int
rename(const char *from, const char *to) {
  LOSING(AT_FDCWD, to, from, REAL(rename)(from, to));
}

EXPORT int
renameat(int from_dir, const char *from, int to_dir, const char *to) {
  LOSING(to_dir, to, from, REAL(renameat)(from_dir, from, to_dir, to));
}

EXPORT int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  LOSING(to_dir, to, from, REAL(renameat2)(from_dir, from, to_dir, to, flags));
}
