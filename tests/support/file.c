/* file.c - files of a case, in its own directory, and what they should hold. */
#include "t.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { CHUNK = 65536, TMPFS = 0x01021994 };

static const char *
directory(void) {
  const char *dir = getenv("T_DIR");

  return dir != NULL ? dir : ".";
}

int
t_sparse_file(char path[T_PATH], off_t size) {
  char own[T_PATH];
  char *name = path != NULL ? path : own;
  int fd;

  (void)snprintf(name, T_PATH, "%s/file-XXXXXX", directory());
  fd = mkstemp(name);
  if (fd < 0)
    t_fail(T_HERE, "no temporary file %s: errno %d", name, errno);
  if (ftruncate(fd, size) != 0)
    t_fail(T_HERE, "ftruncate(%s) to %jd: errno %d", name, (intmax_t)size, errno);
  return fd;
}

int
t_tmpfile(char path[T_PATH], off_t size) {
  static _Thread_local unsigned char buf[CHUNK];
  int fd = t_sparse_file(path, size);

  for (off_t at = 0; at < size;) {
    size_t len = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
    ssize_t n;

    for (size_t i = 0; i < len; i++)
      buf[i] = t_old_byte(at + (off_t)i);
    n = pwrite(fd, buf, len, at);
    if (n <= 0)
      t_fail(T_HERE, "can't write a temporary file: errno %d", errno);
    at += n;
  }
  return fd;
}

int
t_open(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC);

  if (fd < 0)
    t_fail(T_HERE, "open(%s, %#x): errno %d", path, (unsigned)flags, errno);
  return fd;
}

off_t
t_file_size(int fd) {
  struct stat st;

  if (fstat(fd, &st) != 0)
    t_fail(T_HERE, "fstat: errno %d", errno);
  return st.st_size;
}

bool
t_files_in_memory(void) {
  struct statfs fs;

  return statfs(directory(), &fs) == 0 && fs.f_type == TMPFS;
}

void
t_pwrite_all(struct t_at at, int fd, off_t offset, size_t len, unsigned char byte) {
  unsigned char *buf = malloc(len);

  if (buf == NULL)
    t_fail(at, "out of memory");
  memset(buf, byte, len);
  if (pwrite(fd, buf, len, offset) != (ssize_t)len)
    t_fail(at, "pwrite of %zu bytes at %jd: errno %d", len, (intmax_t)offset, errno);
  free(buf);
}

/* Compares a piece of the file with want(i), i counted from offset. */
static void
compare(struct t_at at, int fd, off_t offset, size_t len,
        unsigned char (*want)(off_t i, const void *arg), const void *arg) {
  unsigned char buf[4096];

  for (size_t done = 0; done < len;) {
    size_t piece = len - done < sizeof buf ? len - done : sizeof buf;
    ssize_t n = pread(fd, buf, piece, offset + (off_t)done);

    if (n <= 0)
      t_fail(at, "the file ends at %jd, wanted bytes %jd to %jd", (intmax_t)t_file_size(fd),
             (intmax_t)offset, (intmax_t)(offset + (off_t)len));
    for (size_t i = 0; i < (size_t)n; i++) {
      unsigned char w = want((off_t)(done + i), arg);

      if (buf[i] != w)
        t_fail(at, "the file differs first at offset %jd (page %jd): %#x, wanted %#x",
               (intmax_t)(offset + (off_t)(done + i)),
               (intmax_t)((size_t)offset + done + i) / (intmax_t)t_page_size(), buf[i], w);
    }
    done += (size_t)n;
  }
}

static unsigned char
byte_of_memory(off_t i, const void *arg) {
  return ((const unsigned char *)arg)[i];
}

static unsigned char
same_byte(off_t i, const void *arg) {
  (void)i;
  return *(const unsigned char *)arg;
}

static unsigned char
old_byte(off_t i, const void *arg) {
  return t_old_byte(*(const off_t *)arg + i);
}

void
t_file_equals(struct t_at at, int fd, off_t offset, const void *want, size_t len) {
  compare(at, fd, offset, len, byte_of_memory, want);
}

void
t_file_all(struct t_at at, int fd, off_t offset, size_t len, unsigned char byte) {
  compare(at, fd, offset, len, same_byte, &byte);
}

void
t_file_old(struct t_at at, int fd, off_t offset, size_t len) {
  compare(at, fd, offset, len, old_byte, &offset);
}
