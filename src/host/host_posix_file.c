/* host_posix_file.c - files by name and by descriptor: open, look at, rename, remove.
 *
 * Reading, writing and sizes are in host_posix_io.c, locks in host_posix_byte_lock.c.
 */
#include "host/host_linux.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/host.h"
#include "host/inject.h"

#ifndef O_LARGEFILE
#define O_LARGEFILE 0
#endif

void
host_proc_fd(char path[PROC_FD_SIZE], int fd) {
  static const char prefix[] = "/proc/thread-self/fd/";
  char digits[12];
  size_t n = 0;
  size_t at = sizeof prefix - 1;
  unsigned value = fd < 0 ? UINT_MAX : (unsigned)fd;

  do
    digits[n++] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  memcpy(path, prefix, at);
  while (n > 0)
    path[at++] = digits[--n];
  path[at] = '\0';
}

static int
open_retrying(int *out, int dirfd, const char *name, int flags, mode_t mode) {
  long result;
  do
    result = raw4(SYS_openat, dirfd, name, flags | O_CLOEXEC | O_LARGEFILE, mode);
  while (result == -EINTR);
  int error = raw_error(result);
  if (error == 0)
    *out = (int)result;
  return error;
}

int
host_open(int *out, int dirfd, const char *name, int flags, mode_t mode) {
  int error = inject_before(HOST_CALL_open);
  if (error != 0)
    return error;
  error = open_retrying(out, dirfd, name, flags, mode);
  if (error == 0 && (flags & O_CREAT) != 0)
    inject_changed(HOST_CALL_open, dirfd, name, NULL, 0, 0);
  inject_after(HOST_CALL_open);
  return error;
}

int
host_reopen(int *out, int fd, int flags) {
  char path[PROC_FD_SIZE];
  int error = inject_before(HOST_CALL_reopen);
  if (error != 0)
    return error;
  error = raw_error(raw_fcntl(fd, F_GETFD, 0));
  if (error == 0) {
    host_proc_fd(path, fd);
    error = open_retrying(out, AT_FDCWD, path, flags, 0);
  }
  inject_after(HOST_CALL_reopen);
  return error;
}

int
host_close(int fd) {
  int error = inject_before(HOST_CALL_close);
  if (error != 0)
    return error;
  error = raw_error(raw1(SYS_close, fd));
  if (error == EINTR)
    error = 0; /* Linux has closed it; repeating could close another's */
  inject_after(HOST_CALL_close);
  return error;
}

static uint64_t
timestamp_ns(int64_t sec, uint32_t nsec) {
  return (uint64_t)sec * 1000000000U + nsec;
}

static void
stat_from_statx(struct host_stat *out, const struct raw_statx *in) {
  *out = (struct host_stat){
    .device = makedev(in->dev_major, in->dev_minor),
    .inode = in->ino,
    .mtime_ns = timestamp_ns(in->mtime.sec, in->mtime.nsec),
    .size = in->size,
    .links = in->nlink,
    .mode = in->mode,
    .owner = in->uid,
  };
  if (in->mask & RAW_STATX_BTIME)
    out->birth_ns = timestamp_ns(in->btime.sec, in->btime.nsec);
}

static void
stat_from_stat(struct host_stat *out, const struct stat *in) {
  *out = (struct host_stat){
    .device = in->st_dev,
    .inode = in->st_ino,
    .mtime_ns = timestamp_ns(in->st_mtim.tv_sec, (uint32_t)in->st_mtim.tv_nsec),
    .size = (uint64_t)in->st_size,
    .links = in->st_nlink,
    .mode = in->st_mode,
    .owner = in->st_uid,
  };
}

/* Kernels before 4.11, and sandboxes older than the call. */
static int
stat_without_statx(int dirfd, const char *path, int flags, struct host_stat *out) {
  struct stat st;
  int saved = errno;
  int error = 0;
  if (fstatat(dirfd, path, &st, flags) != 0)
    error = errno;
  errno = saved;
  if (error == 0)
    stat_from_stat(out, &st);
  return error;
}

static int
stat_either(int dirfd, const char *path, int flags, struct host_stat *out) {
  struct raw_statx stx;
  int error;
  do
    error = raw_error(raw5(SYS_statx, dirfd, path, flags, RAW_STATX_BASIC | RAW_STATX_BTIME, &stx));
  while (error == EINTR);
  if (error == ENOSYS || error == EPERM)
    return stat_without_statx(dirfd, path, flags, out);
  if (error == 0)
    stat_from_statx(out, &stx);
  return error;
}

int
host_stat_fd(int fd, struct host_stat *out) {
  int error = inject_before(HOST_CALL_stat_fd);
  if (error != 0)
    return error;
  error = stat_either(fd, "", AT_EMPTY_PATH, out);
  inject_after(HOST_CALL_stat_fd);
  return error;
}

int
host_stat_path(const char *path, struct host_stat *out) {
  int error = inject_before(HOST_CALL_stat_path);
  if (error != 0)
    return error;
  error = stat_either(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, out);
  inject_after(HOST_CALL_stat_path);
  return error;
}

int
host_set_mode(int fd, mode_t mode) {
  int error = inject_before(HOST_CALL_set_mode);
  if (error != 0)
    return error;
  error = raw_error(raw2(SYS_fchmod, fd, mode));
  inject_after(HOST_CALL_set_mode);
  return error;
}

int
host_open_flags(int fd, int *out) {
  int error = inject_before(HOST_CALL_open_flags);
  if (error != 0)
    return error;
  long result = raw_fcntl(fd, F_GETFL, 0);
  error = raw_error(result);
  if (error == 0)
    *out = (int)result;
  inject_after(HOST_CALL_open_flags);
  return error;
}

/* ---- Directories --------------------------------------------------------------------------- */

int
host_make_dir(int dirfd, const char *name, mode_t mode) {
  int error = inject_before(HOST_CALL_make_dir);
  if (error != 0)
    return error;
  error = raw_error(raw3(SYS_mkdirat, dirfd, name, mode));
  inject_after(HOST_CALL_make_dir);
  return error;
}

/* POSIX leaves the choice of the two. */
static int
not_empty_error(int error) {
  return error == ENOTEMPTY ? EEXIST : error;
}

int
host_remove_dir(int dirfd, const char *name) {
  int error = inject_before(HOST_CALL_remove_dir);
  if (error != 0)
    return error;
  error = not_empty_error(raw_error(raw3(SYS_unlinkat, dirfd, name, AT_REMOVEDIR)));
  inject_after(HOST_CALL_remove_dir);
  return error;
}

int
host_rename(int dirfd, const char *from, const char *to) {
  int error = inject_before(HOST_CALL_rename);
  if (error != 0)
    return error;
  error = not_empty_error(raw_error(raw5(SYS_renameat2, dirfd, from, dirfd, to, 0)));
  inject_after(HOST_CALL_rename);
  return error;
}

/* Entries as the kernel lays them out (getdents64); d_name ends with a NUL. */
static int
each_name(const char *entries, size_t size, int (*fn)(const char *name, void *arg), void *arg) {
  const struct dirent64 *entry;
  for (size_t at = 0; at < size; at += entry->d_reclen) {
    entry = (const struct dirent64 *)(const void *)(entries + at);
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    int result = fn(entry->d_name, arg);
    if (result != 0)
      return result;
  }
  return 0;
}

static int
list(int fd, int (*fn)(const char *name, void *arg), void *arg) {
  _Alignas(struct dirent64) char entries[4096];
  int error = raw_error(raw3(SYS_lseek, fd, 0, SEEK_SET));
  while (error == 0) {
    long got = raw3(SYS_getdents64, fd, entries, sizeof entries);
    error = raw_error(got);
    if (error != 0 || got == 0)
      break;
    error = each_name(entries, (size_t)got, fn, arg);
  }
  return error;
}

int
host_each_name(const char *path, int (*fn)(const char *name, void *arg), void *arg) {
  long fd = raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  int error = raw_error(fd);
  if (error != 0)
    return error;
  error = list((int)fd, fn, arg);
  raw1(SYS_close, fd);
  return error;
}

int
host_list(int fd, int (*fn)(const char *name, void *arg), void *arg) {
  int error = inject_before(HOST_CALL_list);
  if (error != 0)
    return error;
  error = list(fd, fn, arg);
  inject_after(HOST_CALL_list);
  return error;
}

/* ---- Names --------------------------------------------------------------------------------- */

int
host_unlink(int dirfd, const char *name) {
  int error = inject_before(HOST_CALL_unlink);
  if (error != 0)
    return error;
  error = raw_error(raw3(SYS_unlinkat, dirfd, name, 0));
  if (error == 0)
    inject_changed(HOST_CALL_unlink, dirfd, name, NULL, 0, 0);
  inject_after(HOST_CALL_unlink);
  return error;
}

static int
path_of(int fd, char *out, size_t size) {
  char path[PROC_FD_SIZE];
  if (size == 0)
    return EINVAL;
  int error = raw_error(raw_fcntl(fd, F_GETFD, 0));
  if (error != 0)
    return error;
  if (size == 1) {
    out[0] = '\0';
    return 0;
  }
  host_proc_fd(path, fd);
  long result = raw4(SYS_readlinkat, AT_FDCWD, path, out, size - 1);
  error = raw_error(result);
  if (error == 0)
    out[result] = '\0';
  return error;
}

int
host_path_of(int fd, char *out, size_t size) {
  int error = inject_before(HOST_CALL_path_of);
  if (error != 0)
    return error;
  error = path_of(fd, out, size);
  inject_after(HOST_CALL_path_of);
  return error;
}
