/* exerciser_files.c - operations through descriptors, paths and stdio. */
#include "exerciser.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int files[FILES][WAYS];
const char *const names[FILES] = { "first", "second" };
static const int ways[WAYS] = { O_RDWR | O_CREAT, O_RDWR | O_APPEND, O_RDONLY };
static char buffer[BUFFER];

/* Without this there is nothing to look at. */
static void
must(bool is_so, const char *what) {
  if (is_so)
    return;
  perror(what);
  _exit(99);
}

void
files_open(void) {
  for (int f = 0; f < FILES; f++)
    for (int w = 0; w < WAYS; w++) {
      files[f][w] = open(names[f], ways[w] | O_CLOEXEC, 0600);
      must(files[f][w] >= 0, "open");
    }
}

void
files_close(void) {
  for (int f = 0; f < FILES; f++)
    for (int w = 0; w < WAYS; w++)
      (void)close(files[f][w]);
}

size_t
file_size(int file) {
  struct stat st;
  must(fstat(files[file][0], &st) == 0, "fstat");
  return (size_t)st.st_size;
}

char *
some_bytes(size_t n) {
  uint64_t word = chance() | 0x0101010101010101u;
  for (size_t i = 0; i < n; i++)
    buffer[i] = (char)(word >> (i % 8 * 8)) ^ (char)(i >> 3);
  return buffer;
}

/* ---- Where, and how much ------------------------------------------------------------------- */

static int
some_file(void) {
  int file = (int)chance_below(FILES);
  record_number("file", file);
  return file;
}

/* To read or write: not the one that only reads, and mostly not the one that appends. */
static int
some_way(int file) {
  return files[file][chance_below(3) == 0 ? 2 : 0];
}

static size_t
some_length(void) {
  static const size_t lengths[] = { 1, 3, 8, 100, 4095, 4096, 4097, BUFFER };
  size_t n = chance_below(2) ? lengths[chance_below(8)] : 1 + chance_below(BUFFER);
  record_number("n", (int64_t)n);
  return n;
}

/* Such that the file stays below its most pages. */
static off_t
some_offset(void) {
  size_t page = chance_below(PAGES - 3);
  off_t off = (off_t)(page * 4096 + (chance_below(3) ? chance_below(4096) : 0));
  record_number("at", off);
  return off;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static void
record_read(ssize_t n) {
  record_call(n);
  if (n > 0)
    record_bytes(buffer, (size_t)n);
}

void
op_pread(void) {
  int file = some_file();
  size_t n = some_length();
  record_read(pread(some_way(file), buffer, n, some_offset()));
}

void
op_read(void) {
  int file = some_file();
  record_read(read(some_way(file), buffer, some_length()));
}

void
op_readv(void) {
  int file = some_file();
  size_t n = some_length() / 2;
  struct iovec parts[] = { { buffer, n }, { buffer + n, n } };
  record_read(preadv(some_way(file), parts, 2, some_offset()));
}

void
op_seek(void) {
  int file = some_file();
  record_call(lseek(some_way(file), some_offset(), SEEK_SET));
}

void
op_stdio_read(void) {
  FILE *in = fopen(names[some_file()], "r");
  must(in, "fopen");
  (void)fseeko(in, some_offset(), SEEK_SET);
  size_t n = fread(buffer, 1, some_length(), in);
  record_number("gives", (int64_t)n);
  record_bytes(buffer, n);
  (void)fclose(in);
}

/* ---- Writing ------------------------------------------------------------------------------- */

void
op_pwrite(void) {
  int file = some_file();
  size_t n = some_length();
  record_call(pwrite(files[file][0], some_bytes(n), n, some_offset()));
}

void
op_write(void) {
  int file = some_file();
  size_t n = some_length();
  off_t at = lseek(files[file][0], 0, SEEK_CUR);
  if (at > (PAGES - 3) * 4096)
    (void)lseek(files[file][0], 0, SEEK_SET);
  record_call(write(files[file][0], some_bytes(n), n));
}

void
op_writev(void) {
  int file = some_file();
  size_t n = some_length() / 2;
  char *bytes = some_bytes(2 * n);
  struct iovec parts[] = { { bytes + n, n }, { bytes, n } };
  record_call(pwritev(files[file][0], parts, 2, some_offset()));
}

void
op_append(void) {
  int file = some_file();
  size_t n = some_length();
  if (file_size(file) > (PAGES - 3) * 4096)
    n = 0;
  record_call(write(files[file][1], some_bytes(n), n));
}

void
op_stdio_write(void) {
  FILE *out = fopen(names[some_file()], "r+");
  size_t n = some_length();
  must(out, "fopen");
  (void)fseeko(out, some_offset(), SEEK_SET);
  record_number("gives", (int64_t)fwrite(some_bytes(n), 1, n, out));
  record_call(fclose(out));
}

void
op_copy_range(void) {
  int file = some_file();
  loff_t from = some_offset(), to = some_offset();
  size_t n = some_length();
  record_call(copy_file_range(files[file][0], &from, files[1 - file][0], &to, n, 0));
}

void
op_sendfile(void) {
  int file = some_file();
  off_t from = some_offset();
  (void)lseek(files[1 - file][0], some_offset(), SEEK_SET);
  record_call(sendfile(files[1 - file][0], files[file][0], &from, some_length()));
}

/* ---- Size ---------------------------------------------------------------------------------- */

void
op_ftruncate(void) {
  int file = some_file();
  record_call(ftruncate(files[file][0], some_offset()));
}

void
op_truncate(void) {
  int file = some_file();
  record_call(truncate(names[file], some_offset()));
}

void
op_open_trunc(void) {
  int fd = open(names[some_file()], O_WRONLY | O_TRUNC | O_CLOEXEC);
  must(fd >= 0, "open");
  record_call(close(fd));
}

void
op_fallocate(void) {
  int file = some_file();
  off_t off = some_offset();
  record_number("gives", posix_fallocate(files[file][0], off, (off_t)some_length()));
}

/* ---- The rest ------------------------------------------------------------------------------ */

void
op_fsync(void) {
  int file = some_file();
  record_call(chance_below(2) ? fsync(files[file][0]) : fdatasync(files[file][0]));
}

void
op_reopen(void) {
  int file = some_file(), way = (int)chance_below(WAYS);
  record_call(close(files[file][way]));
  files[file][way] = open(names[file], ways[way] | O_CLOEXEC, 0600);
  must(files[file][way] >= 0, "open");
}
