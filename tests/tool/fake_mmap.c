/* fake_mmap.c - preloaded: a host whose mmap is wrong in a way of its own.
 *
 * FAKE_MMAP has words that say how.  Only mappings of files that end in nothing else are concerned,
 * so that the program itself goes on.  Calls go to the kernel directly: there is no real one to find. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
is_faked(const char *word) {
  const char *words = getenv("FAKE_MMAP");
  size_t len = strlen(word);
  for (const char *at = words; at && (at = strstr(at, word)); at += len)
    if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
      return true;
  return false;
}

static void *
kernel_mmap(size_t len, int prot, int flags, int fd, off_t off) {
  return (void *)syscall(SYS_mmap, NULL, len, prot, flags, fd, off);
}

/* What the file has now, in memory of its own. */
static void *
copy_of(size_t len, int prot, int flags, int fd) {
  char *map = kernel_mmap(len, prot | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  (void)!pread(fd, map, len, 0);
  return map;
}

static void *
refuse(int error) {
  errno = error;
  return MAP_FAILED;
}

static void *
map_shared(size_t len, int prot, int fd) {
  if (is_faked("refuses-ENODEV"))
    return refuse(ENODEV);
  if (is_faked("refuses-EPERM"))
    return refuse(EPERM);
  if (is_faked("no-memory"))
    return refuse(ENOMEM);
  if (is_faked("refuses-writing") && prot & PROT_WRITE)
    return refuse(EINVAL);
  while (is_faked("hangs"))
    (void)pause();
  if (is_faked("zeros"))
    return kernel_mmap(len, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (is_faked("behind-the-end"))
    return kernel_mmap(len, prot, MAP_SHARED, fd, 1 << 20);
  if (is_faked("a-copy-each"))
    return copy_of(len, prot, MAP_PRIVATE, fd);
  if (is_faked("a-copy-for-children"))
    return copy_of(len, prot, MAP_SHARED, fd);
  if (is_faked("private"))
    return kernel_mmap(len, prot, MAP_PRIVATE, fd, 0);
  return kernel_mmap(len, prot, MAP_SHARED, fd, 0);
}

void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off) {
  if (fd < 0 || addr)
    return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
  if (flags & MAP_SHARED)
    return map_shared(len, prot, fd);
  if (is_faked("refuses-private"))
    return refuse(ENODEV);
  return kernel_mmap(len, prot, is_faked("private-is-shared") ? MAP_SHARED : flags, fd, off);
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
    __attribute__((alias("mmap")));

int
msync(void *addr, size_t len, int flags) {
  if (is_faked("msync-fails")) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_msync, addr, len, flags);
}

/* ---- Files --------------------------------------------------------------------------------- */

/* A page cache that forgets, instead of writing. */
int
posix_fadvise(int fd, off_t off, off_t len, int advice) {
  static const char zeros[4096];
  char path[32];
  struct stat st;
  (void)off, (void)len, (void)advice;
  if (!is_faked("cache-forgets") || fstat(fd, &st) < 0)
    return 0;
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int writable = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros)
    (void)!pwrite(
        writable, zeros,
        (size_t)(st.st_size - at < (off_t)sizeof zeros ? st.st_size - at : (off_t)sizeof zeros),
        at);
  (void)close(writable);
  return 0;
}
int posix_fadvise64(int fd, off_t off, off_t len, int advice)
    __attribute__((alias("posix_fadvise")));

/* What is read past the page cache is old. */
ssize_t
pread(int fd, void *to, size_t len, off_t off) {
  ssize_t n = syscall(SYS_pread64, fd, to, len, off);
  if (n > 0 && is_faked("disk-is-old") && fcntl(fd, F_GETFL) & O_DIRECT)
    memset(to, 0, (size_t)n);
  return n;
}
ssize_t pread64(int fd, void *to, size_t len, off_t off) __attribute__((alias("pread")));

static int
fail(int error) {
  errno = error;
  return -1;
}

int
openat(int dir, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  if ((flags & O_TMPFILE) == O_TMPFILE && is_faked("no-tmpfile"))
    return fail(EOPNOTSUPP);
  if (is_faked("no-nameless") && strncmp(path, "/proc/self/fd/", 14) == 0)
    return fail(ESTALE);
  if (flags & O_CREAT && is_faked("full"))
    return fail(ENOSPC);
  return (int)syscall(SYS_openat, dir, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));

int
open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  return openat(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

/* A disk that is full only once something is written. */
ssize_t
pwrite(int fd, const void *from, size_t len, off_t off) {
  if (is_faked("no-space"))
    return fail(ENOSPC);
  return syscall(SYS_pwrite64, fd, from, len, off);
}
ssize_t pwrite64(int fd, const void *from, size_t len, off_t off) __attribute__((alias("pwrite")));

/* What hangs is noticed sooner. */
int
poll(struct pollfd *fds, nfds_t n, int ms) {
  return (int)syscall(SYS_poll, fds, n, is_faked("impatient") && ms > 500 ? 500 : ms);
}

/* A child that the processor comes to only when its parent is gone. */
int
prctl(int option, ...) {
  va_list arguments;
  va_start(arguments, option);
  unsigned long argument = va_arg(arguments, unsigned long);
  va_end(arguments);
  pid_t parent = getppid();
  while (is_faked("late-child") && option == PR_SET_PDEATHSIG && getppid() == parent)
    (void)usleep(1000);
  return (int)syscall(SYS_prctl, option, argument, 0, 0, 0);
}

/* Other mounts than there are: the file that FAKE_MOUNTINFO names. */
FILE *
fopen(const char *path, const char *mode) {
  const char *fake = getenv("FAKE_MOUNTINFO");
  int fd = openat(AT_FDCWD, fake && strstr(path, "mountinfo") ? fake : path, O_RDONLY | O_CLOEXEC);
  (void)mode;
  return fd < 0 ? NULL : fdopen(fd, "r");
}
FILE *fopen64(const char *path, const char *mode) __attribute__((alias("fopen")));

int
statx(int dir, const char *path, int flags, unsigned mask, struct statx *to) {
  int result = (int)syscall(SYS_statx, dir, path, flags, mask, to);
  const char *id = getenv("FAKE_MOUNT_ID");
  if (result == 0 && id && strcmp(id, "none") == 0)
    to->stx_mask &= ~STATX_MNT_ID;
  else if (result == 0 && id)
    to->stx_mnt_id = strtoull(id, NULL, 10);
  return result;
}
