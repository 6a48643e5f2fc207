/* policy.c - which files the shim maps.
 *
 *   auto   what the host refuses, though its arguments are in order
 *   all    every regular file
 *   GLOB[:GLOB...]  files whose path one of the patterns fits; '*' fits '/', too
 *
 * Decided a file: one that has a section, in whatever process, is mapped through it.
 */
#include "preload/real.h"

#include "preload/policy.h"

#include <fnmatch.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "api/shim.h"
#include "preload/broken.h"

static enum { MAP_AUTO, MAP_ALL, MAP_GLOBS } mode;
static bool is_coherent = true;
static char globs[4096]; /* each ends in a NUL, the last one in two */

static void
complain(const char *value) {
  static const char before[] = "softmap: SOFTMAP_MAP=";
  static const char after[] = " ignored; allowed: auto, all, patterns of paths\n";
  struct iovec vec[] = { { (void *)(uintptr_t)before, sizeof before - 1 },
                         { (void *)(uintptr_t)value, strlen(value) },
                         { (void *)(uintptr_t)after, sizeof after - 1 } };
  if (real_calls.writev(STDERR_FILENO, vec, 3) < 0)
    return; /* nobody to tell */
}

static void
read_map(void) {
  const char *value = getenv("SOFTMAP_MAP"); /* NOLINT(concurrency-mt-unsafe): one thread yet */
  if (!value || !*value || strcmp(value, "auto") == 0)
    return;
  if (strcmp(value, "all") == 0) {
    mode = MAP_ALL;
    return;
  }
  if (strlen(value) + 2 > sizeof globs) {
    complain(value);
    return;
  }
  mode = MAP_GLOBS;
  char *to = globs;
  for (; *value; value++)
    *to++ = (char)(*value == ':' ? '\0' : *value);
}

void
policy_read(void) {
  /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread yet */
  const char *coherence = getenv("SOFTMAP_COHERENCE");
  is_coherent = (!coherence || strcmp(coherence, "none") != 0) && !is_broken("incoherent");
  read_map();
}

int
policy_is_coherent(void) {
  return is_coherent;
}

/* Files that are no files: the kernel makes up their contents. */
static bool
is_special(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs))
    return true;
  switch ((unsigned long)fs.f_type) {
  case PROC_SUPER_MAGIC:
  case SYSFS_MAGIC:
  case DEBUGFS_MAGIC:
  case TRACEFS_MAGIC:
  case HUGETLBFS_MAGIC:
  case BPF_FS_MAGIC:
    return true;
  default:
    return false;
  }
}

static bool
is_wanted(int fd) {
  char link[40], path[4096];
  char *digits = link + sizeof link;
  *--digits = '\0';
  for (int rest = fd; rest || !*digits; rest /= 10)
    *--digits = (char)('0' + rest % 10);
  static const char where[] = "/proc/self/fd/";
  digits -= sizeof where - 1;
  memcpy(digits, where, sizeof where - 1);
  ssize_t len = REAL(readlink)(digits, path, sizeof path - 1);
  if (len <= 0)
    return false;
  path[len] = '\0';
  for (const char *glob = globs; *glob; glob += strlen(glob) + 1)
    if (fnmatch(glob, path, 0) == 0)
      return true;
  return false;
}

enum policy
policy_of(int fd) {
  struct stat stat;
  if (fstat(fd, &stat) || !S_ISREG(stat.st_mode))
    return POLICY_HOST;
  if (shim_has_section(fd))
    return POLICY_OURS;
  if (mode == MAP_AUTO)
    return POLICY_ASK;
  if (is_special(fd))
    return POLICY_HOST;
  return mode == MAP_ALL || is_wanted(fd) ? POLICY_OURS : POLICY_HOST;
}

int
policy_is_refusal(int error) {
  return error == ENODEV || error == EINVAL || error == ENOSYS || error == ENOTSUP ||
         error == EAGAIN;
}

/* Looking opens nothing: a pipe's other end would see a writer come and go. */
int
policy_open_sectioned(int dir, const char *path, int flags) {
  if (!policy_is_coherent())
    return -1;
  int saved = errno;
  int fd = REAL(openat)(dir, path, O_PATH | O_CLOEXEC | (flags & O_NOFOLLOW));
  int look = fd;
  if (look >= 0 && !shim_has_section(look))
    fd = -1;
  else if (look >= 0 && !(flags & O_PATH))
    fd = REAL(openat)(dir, path, flags | O_CLOEXEC);
  if (look >= 0 && fd != look)
    (void)close(look);
  errno = saved;
  return fd;
}
