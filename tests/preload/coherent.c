/* coherent.c - each call that reads a file sees what was stored to its mapping, each that writes it is seen
 * there, and so is each that changes its size: whether this process has it mapped or another one. */
#include "conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { LEN = 9 };
static const char stored[] = "a store\nX", written[] = "a write\nX";

/* ---- The mapping, here or in another process ------------------------------------------------- */

static unsigned char *map;
static char path[T_PATH];
static off_t at; /* across two pages */
static int fd;   /* of the file, to read and write */
static bool is_elsewhere;
static struct t_stranger stranger;

static intmax_t
begin_mapping(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  map = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, t_open(text, O_RDWR), 0);
  return 0;
}

static intmax_t
end_mapping(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  T_OK(munmap(map, t_pages(4)));
  return 0;
}

static intmax_t
put_one(intmax_t offset, intmax_t value, const char *text) {
  (void)text;
  PUT(map + offset, value);
  return 0;
}

/* Minus the signal. */
static intmax_t
get_one(intmax_t offset, intmax_t b, const char *text) {
  unsigned char value = 0;
  struct t_fault fault = t_load(map + offset, &value);
  (void)b;
  (void)text;
  return fault.signo ? -fault.signo : value;
}

static intmax_t
ask(t_service *service, intmax_t a, intmax_t b) {
  return is_elsewhere ? t_ask(T_HERE, &stranger, service, a, b, path) : service(a, b, path);
}

static void
put(off_t offset, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    (void)ask(put_one, offset + (off_t)i, bytes[i]);
}

static bool
mapping_has(off_t offset, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (ask(get_one, offset + (off_t)i, 0) != (unsigned char)bytes[i])
      return false;
  return true;
}

/* A new file of three pages, and a fourth of the mapping behind its end. */
static void
begin(void) {
  int made = t_tmpfile(path, (off_t)t_pages(3));
  T_OK(close(made));
  at = (off_t)t_pages(1) - 4;
  (void)ask(begin_mapping, 0, 0);
  fd = t_open(path, O_RDWR);
}

static void
end(void) {
  (void)ask(end_mapping, 0, 0);
  T_OK(close(fd));
}

/* Runs each of n rows here, and with the mapping in another process. */
static void
each_row(void (*row)(size_t i), size_t n) {
  for (size_t i = 0; i < n; i++)
    row(i);
  stranger = t_stranger();
  is_elsewhere = true;
  for (size_t i = 0; i < n; i++)
    row(i);
  t_dismiss(T_HERE, &stranger);
}

static const char *
where(void) {
  return is_elsewhere ? "mapped by another process" : "mapped here";
}

/* ---- Reading ---------------------------------------------------------------------------------- */

static char got[LEN + 1];
static int pipe_fd[2];

static bool
read_pipe(ssize_t n) {
  return n == LEN && read(pipe_fd[0], got, LEN) == LEN;
}
static bool
by_read(void) {
  return lseek(fd, at, SEEK_SET) == at && read(fd, got, LEN) == LEN;
}
static bool
by_pread(void) {
  return pread(fd, got, LEN, at) == LEN;
}
static bool
by_readv(void) {
  struct iovec iov[] = { { got, 2 }, { got + 2, LEN - 2 } };
  return lseek(fd, at, SEEK_SET) == at && readv(fd, iov, 2) == LEN;
}
static bool
by_preadv(void) {
  struct iovec iov[] = { { got, 5 }, { got + 5, LEN - 5 } };
  return preadv(fd, iov, 2, at) == LEN;
}
static bool
by_preadv2(void) {
  struct iovec iov[] = { { got, 5 }, { got + 5, LEN - 5 } };
  return preadv2(fd, iov, 2, at, 0) == LEN;
}
static bool
by_sendfile(void) {
  off_t from = at;
  return read_pipe(sendfile(pipe_fd[1], fd, &from, LEN));
}
static bool
by_splice(void) {
  off64_t from = at;
  return read_pipe(splice(fd, &from, pipe_fd[1], NULL, LEN, 0));
}
static bool
by_copy_file_range(void) {
  off64_t from = at, to = 0;
  int copy = t_tmpfile(NULL, 0);
  bool is_copied =
      copy_file_range(fd, &from, copy, &to, LEN, 0) == LEN && pread(copy, got, LEN, 0) == LEN;
  return close(copy) == 0 && is_copied;
}

static bool
with_stream(const char *mode, bool (*use)(FILE *stream)) {
  FILE *stream = fopen(path, mode);
  bool is_used = stream && fseeko(stream, at, SEEK_SET) == 0 && use(stream);
  return stream && fclose(stream) == 0 && is_used;
}
static bool
use_fread(FILE *stream) {
  return fread(got, 1, LEN, stream) == LEN;
}
static bool
use_fgetc(FILE *stream) {
  for (int i = 0; i < LEN; i++)
    got[i] = (char)fgetc(stream);
  return true;
}
static bool
use_getc_unlocked(FILE *stream) {
  for (int i = 0; i < LEN; i++)
    got[i] = (char)getc_unlocked(stream);
  return true;
}
static bool
use_fgets(FILE *stream) {
  return fgets(got, LEN, stream) && (got[LEN - 1] = (char)fgetc(stream));
}
static bool
use_getline(FILE *stream) {
  char *line = NULL;
  size_t room = 0;
  ssize_t n = getline(&line, &room, stream);
  if (n == LEN - 1)
    memcpy(got, line, LEN - 1);
  free(line);
  got[LEN - 1] = (char)fgetc(stream);
  return n == LEN - 1;
}
static bool
use_fscanf(FILE *stream) {
  int c;
  return fscanf(stream, "%7[a-z ]", got) == 1 && (got[7] = (char)fgetc(stream)) &&
         (c = fgetc(stream)) != EOF && (got[8] = (char)c);
}

/* By a descriptor, or by a stream that stands there. */
struct row {
  const char *name;
  bool (*call)(void);
  bool (*use)(FILE *stream);
};

static bool
do_row(const struct row *row, const char *mode) {
  return row->call ? row->call() : with_stream(mode, row->use);
}

static const struct row reading[] = {
  { "read", by_read, NULL },
  { "pread", by_pread, NULL },
  { "readv", by_readv, NULL },
  { "preadv", by_preadv, NULL },
  { "preadv2", by_preadv2, NULL },
  { "sendfile", by_sendfile, NULL },
  { "splice", by_splice, NULL },
  { "copy_file_range", by_copy_file_range, NULL },
  { "fread", NULL, use_fread },
  { "fgetc", NULL, use_fgetc },
  { "getc_unlocked", NULL, use_getc_unlocked },
  { "fgets", NULL, use_fgets },
  { "getline", NULL, use_getline },
  { "fscanf", NULL, use_fscanf },
};

static void
read_row(size_t i) {
  begin();
  put(at, stored, LEN);
  memset(got, 0, sizeof got);
  if (!do_row(&reading[i], "r") || memcmp(got, stored, LEN) != 0)
    t_row_fail(T_HERE, reading[i].name, "%s: read \"%s\"", where(), got);
  end();
}

static void
each_call_that_reads_sees_stores(void) {
  T_OK(pipe(pipe_fd));
  each_row(read_row, sizeof reading / sizeof *reading);
}

/* ---- Writing ---------------------------------------------------------------------------------- */

static bool
by_write(void) {
  return lseek(fd, at, SEEK_SET) == at && write(fd, written, LEN) == LEN;
}
static bool
by_pwrite(void) {
  return pwrite(fd, written, LEN, at) == LEN;
}
static bool
by_writev(void) {
  struct iovec iov[] = { { (char *)(uintptr_t)written, 2 },
                         { (char *)(uintptr_t)written + 2, LEN - 2 } };
  return lseek(fd, at, SEEK_SET) == at && writev(fd, iov, 2) == LEN;
}
static bool
by_pwritev(void) {
  struct iovec iov[] = { { (char *)(uintptr_t)written, 5 },
                         { (char *)(uintptr_t)written + 5, LEN - 5 } };
  return pwritev(fd, iov, 2, at) == LEN;
}
static bool
by_pwritev2(void) {
  struct iovec iov[] = { { (char *)(uintptr_t)written, 5 },
                         { (char *)(uintptr_t)written + 5, LEN - 5 } };
  return pwritev2(fd, iov, 2, at, 0) == LEN;
}
static bool
to_sendfile(void) {
  off_t from = 0;
  int source = t_tmpfile(NULL, 0);
  bool is_sent = pwrite(source, written, LEN, 0) == LEN && lseek(fd, at, SEEK_SET) == at &&
                 sendfile(fd, source, &from, LEN) == LEN;
  return close(source) == 0 && is_sent;
}
static bool
to_splice(void) {
  off64_t to = at;
  return write(pipe_fd[1], written, LEN) == LEN && splice(pipe_fd[0], NULL, fd, &to, LEN, 0) == LEN;
}
static bool
to_copy_file_range(void) {
  off64_t from = 0, to = at;
  int source = t_tmpfile(NULL, 0);
  bool is_copied = pwrite(source, written, LEN, 0) == LEN &&
                   copy_file_range(source, &from, fd, &to, LEN, 0) == LEN;
  return close(source) == 0 && is_copied;
}
static bool
use_fwrite(FILE *stream) {
  return fwrite(written, 1, LEN, stream) == LEN;
}
static bool
use_fputs(FILE *stream) {
  return fputs(written, stream) >= 0;
}
static bool
use_fputc(FILE *stream) {
  for (int i = 0; i < LEN; i++)
    if (fputc(written[i], stream) == EOF)
      return false;
  return true;
}
static bool
use_putc_unlocked(FILE *stream) {
  for (int i = 0; i < LEN; i++)
    if (putc_unlocked(written[i], stream) == EOF)
      return false;
  return true;
}
static bool
use_fprintf(FILE *stream) {
  return fprintf(stream, "%s", written) == LEN;
}

static const struct row writing[] = {
  { "write", by_write, NULL },       { "pwrite", by_pwrite, NULL },
  { "writev", by_writev, NULL },     { "pwritev", by_pwritev, NULL },
  { "pwritev2", by_pwritev2, NULL }, { "sendfile", to_sendfile, NULL },
  { "splice", to_splice, NULL },     { "copy_file_range", to_copy_file_range, NULL },
  { "fwrite", NULL, use_fwrite },    { "fputs", NULL, use_fputs },
  { "fputc", NULL, use_fputc },      { "putc_unlocked", NULL, use_putc_unlocked },
  { "fprintf", NULL, use_fprintf },
};

/* Into a page that is dirty and one that is clean; what was stored beside stays. */
static void
write_row(size_t i) {
  begin();
  put(at - 1, "<", 1);
  if (!do_row(&writing[i], "r+"))
    t_row_fail(T_HERE, writing[i].name, "%s: failed", where());
  else if (!mapping_has(at, written, LEN) || !mapping_has(at - 1, "<", 1))
    t_row_fail(T_HERE, writing[i].name, "%s: the mapping hasn't got it", where());
  put(at + LEN, ">", 1);
  end();
  T_FILE_EQUALS(t_open(path, O_RDONLY), at - 1, "<a write\nX>", LEN + 2);
}

static void
each_call_that_writes_is_seen(void) {
  T_OK(pipe(pipe_fd));
  each_row(write_row, sizeof writing / sizeof *writing);
}

/* ---- Sizes, and holes ------------------------------------------------------------------------- */

static bool
shrink_ftruncate(void) {
  return ftruncate(fd, (off_t)t_pages(1) + 1) == 0;
}
static bool
shrink_truncate(void) {
  return truncate(path, (off_t)t_pages(1) + 1) == 0;
}
static bool
empty_open(void) {
  return close(open(path, O_WRONLY | O_TRUNC)) == 0;
}
static bool
empty_creat(void) {
  return close(creat(path, 0600)) == 0;
}
static bool
empty_fopen(void) {
  FILE *stream = fopen(path, "w");
  return stream && fclose(stream) == 0;
}
static bool
grow_ftruncate(void) {
  return ftruncate(fd, (off_t)t_pages(4)) == 0;
}
static bool
grow_fallocate(void) {
  return fallocate(fd, 0, 0, (off_t)t_pages(4)) == 0;
}
static bool
grow_posix_fallocate(void) {
  return posix_fallocate(fd, (off_t)t_pages(3), (off_t)t_pages(1)) == 0;
}
static bool
punch(void) {
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)t_pages(2),
                   (off_t)t_pages(1)) == 0;
}

/* What a load of a byte that had been stored gives afterwards, in the third page; and in the fourth,
 * which was behind the end. */
static const struct {
  const char *name;
  bool (*call)(void);
  intmax_t third, fourth;
} sizes[] = {
  { "ftruncate, shorter", shrink_ftruncate, -SIGBUS, -SIGBUS },
  { "truncate, shorter", shrink_truncate, -SIGBUS, -SIGBUS },
  { "open with O_TRUNC", empty_open, -SIGBUS, -SIGBUS },
  { "creat", empty_creat, -SIGBUS, -SIGBUS },
  { "fopen for writing", empty_fopen, -SIGBUS, -SIGBUS },
  { "ftruncate, longer", grow_ftruncate, 's', 0 },
  { "fallocate", grow_fallocate, 's', 0 },
  { "posix_fallocate", grow_posix_fallocate, 's', 0 },
  { "fallocate of a hole", punch, 0, -SIGBUS },
};

static void
size_row(size_t i) {
  begin();
  put((off_t)t_pages(2), "s", 1);
  if (!sizes[i].call())
    t_row_fail(T_HERE, sizes[i].name, "%s: failed", where());
  intmax_t third = ask(get_one, (intmax_t)t_pages(2), 0);
  intmax_t fourth = ask(get_one, (intmax_t)t_pages(3), 0);
  if (third != sizes[i].third || fourth != sizes[i].fourth)
    t_row_fail(T_HERE, sizes[i].name, "%s: loads give %d and %d", where(), (int)third, (int)fourth);
  /* What was cut off is zero if it comes again. */
  T_OK(ftruncate(fd, 0));
  T_OK(ftruncate(fd, (off_t)t_pages(3)));
  T_EQ(ask(get_one, (intmax_t)t_pages(2), 0), 0);
  end();
}

static void
each_call_that_changes_the_size_is_seen(void) {
  each_row(size_row, sizeof sizes / sizeof *sizes);
}

static const struct t_case cases[] = {
  T_CASE(each_call_that_reads_sees_stores),
  T_CASE(each_call_that_writes_is_seen),
  T_CASE(each_call_that_changes_the_size_is_seen),
};

T_MAIN(cases)
