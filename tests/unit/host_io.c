/* Reading and writing files; host_size.c has sizes. */
#include "host_test.h"

#include <sys/stat.h>
#include <sys/uio.h>

#define SIZE 10000U

static int file; /* SIZE bytes, pattern(i) each */
static int read_only;
static int pipe_ends[2];

static char
pattern(size_t i) {
  return (char)(i * 7 + i / 256);
}

static int
make_files(void **state) {
  char bytes[SIZE];
  (void)state;
  for (size_t i = 0; i < SIZE; i++)
    bytes[i] = pattern(i);
  file = new_file("file", 0);
  read_only = open("file", O_RDONLY | O_CLOEXEC);
  if (read_only < 0 || pipe(pipe_ends) != 0)
    return -1;
  return host_start() != 0 || write(file, bytes, SIZE) != (ssize_t)SIZE;
}

static int
write_bytes(int fd, const void *bytes, size_t len, uint64_t offset, size_t *put) {
  struct iovec vec = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
  return host_write(fd, &vec, 1, offset, put);
}

static uint64_t
size_of(int fd) {
  struct stat st;
  assert_int_equal(fstat(fd, &st), 0);
  return (uint64_t)st.st_size;
}

/* ---- Errors -------------------------------------------------------------------------------- */

static int
read_at(int fd, uint64_t offset) {
  char bytes[16];
  size_t got = 0;
  return host_read(fd, bytes, sizeof bytes, offset, &got);
}
static int
read_file(void) {
  return read_at(file, 0);
}
static int
read_bad(void) {
  return read_at(987654, 0);
}
static int
read_pipe(void) {
  return read_at(pipe_ends[0], 0);
}
static int
read_negative(void) {
  return read_at(file, UINT64_MAX);
}
static int
read_into_nowhere(void) {
  size_t got = 0;
  return host_read(file, (void *)(uintptr_t)16, 16, 0, &got);
}
static int
write_at(int fd, uint64_t offset) {
  char byte = pattern(0);
  size_t put = 0;
  return write_bytes(fd, &byte, 1, offset, &put);
}
static int
write_file(void) {
  return write_at(file, 0);
}
static int
write_read_only(void) {
  return write_at(read_only, 0);
}
static int
write_pipe(void) {
  return write_at(pipe_ends[1], 0);
}
static int
write_negative(void) {
  return write_at(file, UINT64_MAX);
}
static int
write_from_nowhere(void) {
  size_t put = 0;
  return write_bytes(file, (void *)(uintptr_t)16, 16, 0, &put);
}
static int
write_too_many_vectors(void) {
  static const struct iovec vec[2000];
  size_t put = 0;
  return host_write(file, vec, 2000, 0, &put);
}
static int
resize_same(void) {
  return host_resize(file, SIZE);
}
static int
resize_read_only(void) {
  return host_resize(read_only, SIZE);
}
static int
resize_negative(void) {
  return host_resize(file, UINT64_MAX);
}
static int
flush_file(void) {
  return host_flush(file);
}
static int
flush_pipe(void) {
  return host_flush(pipe_ends[1]);
}
static int
punch_nothing(void) {
  return host_punch(file, 0, 0);
}
static int
punch_read_only(void) {
  return host_punch(read_only, 0, 4096);
}
static int
next_data_at(int fd, uint64_t offset) {
  uint64_t start, end;
  return host_next_data(fd, offset, UINT64_MAX, &start, &end);
}
static int
next_data_of_file(void) {
  return next_data_at(file, 0);
}
static int
next_data_of_pipe(void) {
  return next_data_at(pipe_ends[0], 0);
}
static int
next_data_negative(void) {
  return next_data_at(file, (uint64_t)INT64_MAX + 1);
}

static void
calls_return_their_error(void **state) {
  static const struct host_row rows[] = {
    { "read", read_file, 0 },
    { "read a closed descriptor", read_bad, EBADF },
    { "read a pipe", read_pipe, ESPIPE },
    { "read before the file", read_negative, EINVAL },
    { "read into nowhere", read_into_nowhere, EFAULT },
    { "write", write_file, 0 },
    { "write a read-only descriptor", write_read_only, EBADF },
    { "write a pipe", write_pipe, ESPIPE },
    { "write before the file", write_negative, EINVAL },
    { "write from nowhere", write_from_nowhere, EFAULT },
    { "write too many vectors", write_too_many_vectors, EINVAL },
    { "resize", resize_same, 0 },
    { "resize a read-only descriptor", resize_read_only, EINVAL },
    { "resize to less than nothing", resize_negative, EINVAL },
    { "flush", flush_file, 0 },
    { "flush a pipe", flush_pipe, EINVAL },
    { "punch nothing", punch_nothing, EINVAL },
    { "punch a read-only descriptor", punch_read_only, EBADF },
    { "next data", next_data_of_file, 0 },
    { "next data of a pipe", next_data_of_pipe, ESPIPE },
    { "next data before the file", next_data_negative, EOVERFLOW },
  };
  (void)state;
  check_rows(rows, COUNT_OF(rows));
}

/* ---- Reading ------------------------------------------------------------------------------- */

static void
read_stops_at_the_end_only(void **state) {
  const struct {
    size_t len, offset, want;
  } rows[] = {
    { SIZE, 0, SIZE },  { SIZE, 1, SIZE - 1 }, { 5, 100, 5 },  { 0, 0, 0 },
    { 5, SIZE - 5, 5 }, { 6, SIZE - 5, 5 },    { 5, SIZE, 0 }, { 5, SIZE + 1, 0 },
  };
  char bytes[SIZE];
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    size_t got = 99999;
    EXPECT(host_read(file, bytes, rows[i].len, rows[i].offset, &got), 0);
    assert_int_equal(got, rows[i].want);
    for (size_t j = 0; j < got; j++)
      assert_int_equal(bytes[j], pattern(rows[i].offset + j));
  }
}

static void
short_reads_are_continued(void **state) {
  struct inject_rule rule = { .call = HOST_CALL_read, .nth = 1, .times = 1, .shorten = 7 };
  char bytes[100];
  size_t got = 0;
  (void)state;
  inject_arm(&rule);
  EXPECT(host_read(file, bytes, sizeof bytes, 50, &got), 0);
  assert_int_equal(inject_fired(), 1);
  assert_int_equal(got, sizeof bytes);
  for (size_t i = 0; i < got; i++)
    assert_int_equal(bytes[i], pattern(50 + i));
  inject_disarm();
}

/* The end of readable memory cuts the kernel's first read short; the next says EFAULT. */
static void
read_into_the_end_of_memory_fails(void **state) {
  size_t page = host_config.page_size;
  size_t got = 99999;
  void *out = NULL;
  (void)state;
  EXPECT(host_map(&out, NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
         0);
  EXPECT(host_protect((char *)out + page, page, PROT_READ), 0);
  EXPECT(host_read(file, (char *)out + page - 100, 200, 0, &got), EFAULT);
  assert_int_equal(got, 99999);
  EXPECT(host_read(file, (char *)out + page - 100, 100, 0, &got), 0);
  assert_int_equal(got, 100);
  EXPECT(host_unmap(out, 2 * page), 0);
}

/* ---- Writing ------------------------------------------------------------------------------- */

static void
write_gathers_vectors(void **state) {
  struct iovec vec[3] = { { (void *)(uintptr_t) "abc", 3 },
                          { NULL, 0 },
                          { (void *)(uintptr_t) "defg", 4 } };
  char bytes[9] = { 0 };
  size_t put = 0;
  (void)state;
  int fd = new_file("written", 0);
  EXPECT(host_write(fd, vec, 3, 2, &put), 0);
  assert_int_equal(put, 7);
  assert_int_equal(pread(fd, bytes, sizeof bytes, 0), 9);
  assert_memory_equal(bytes, "\0\0abcdefg", 9);
  assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
  EXPECT(host_write(fd, vec, 0, 0, &put), 0);
  assert_int_equal(put, 0);
  close(fd);
}

static void
write_beyond_4_gib_lands_there(void **state) {
  const uint64_t offset = ((uint64_t)5 << 32) + 123;
  size_t done = 0;
  char byte = 0;
  (void)state;
  int fd = new_file("far", 0);
  EXPECT(write_bytes(fd, "x", 1, offset, &done), 0);
  assert_int_equal(size_of(fd), offset + 1);
  EXPECT(host_read(fd, &byte, 1, offset, &done), 0);
  assert_int_equal(byte, 'x');
  EXPECT(host_resize(fd, offset - 1), 0);
  assert_int_equal(size_of(fd), offset - 1);
  close(fd);
  unlink("far");
}

static void
write_can_be_shortened(void **state) {
  struct inject_rule rule = { .call = HOST_CALL_write, .nth = 1, .times = 1, .shorten = 2 };
  struct iovec vec[2] = { { (void *)(uintptr_t) "abc", 3 }, { (void *)(uintptr_t) "def", 3 } };
  size_t put = 0;
  (void)state;
  int fd = new_file("written", 0);
  inject_arm(&rule);
  EXPECT(host_write(fd, vec, 2, 0, &put), 0);
  assert_int_equal(put, 2);
  assert_int_equal(size_of(fd), 2);
  rule.shorten = 5; /* more than the first vector: a short write may be shorter still */
  inject_arm(&rule);
  EXPECT(host_write(fd, vec, 2, 0, &put), 0);
  assert_in_range(put, 1, 5);
  EXPECT(host_write(fd, vec, 2, 0, &put), 0);
  assert_int_equal(put, 6);
  inject_disarm();
  close(fd);
}

static void
write_never_appends(void **state) {
  size_t put = 0;
  char bytes[5] = { 0 };
  (void)state;
  int fd = new_file("log", O_APPEND);
  assert_int_equal(write(fd, "01234", 5), 5);
  int error = write_bytes(fd, "ab", 2, 1, &put);
  if (error == EOPNOTSUPP) /* a kernel before 6.9 */
    skip();
  assert_int_equal(error, 0);
  assert_int_equal(put, 2);
  assert_int_equal(size_of(fd), 5);
  assert_int_equal(pread(fd, bytes, 5, 0), 5);
  assert_memory_equal(bytes, "0ab34", 5);
  /* what pwrite does */
  assert_int_equal(pwrite(fd, "ab", 2, 1), 2);
  assert_int_equal(size_of(fd), 7);
  close(fd);
}

struct refusal {
  int appending, plain; /* descriptors */
  int error;
};

static int
write_on_old_kernel(void *arg) {
  const struct refusal *refusal = (const struct refusal *)arg;
  size_t put = 0;
  CHILD_CHECK(write_bytes(refusal->appending, "a", 1, 0, &put) == 0);
  if (refuse_syscall(SYS_pwritev2, refusal->error) != 0)
    return 77;
  put = 99;
  CHILD_CHECK(write_bytes(refusal->appending, "a", 1, 0, &put) == EOPNOTSUPP);
  CHILD_CHECK(put == 99);
  CHILD_CHECK(write_bytes(refusal->plain, "a", 1, 0, &put) == 0);
  CHILD_CHECK(put == 1);
  return 0;
}

static void
appending_descriptor_is_refused_by_old_kernels(void **state) {
  static const int errors[] = { EOPNOTSUPP, EINVAL, ENOSYS };
  (void)state;
  struct refusal refusal = { .appending = new_file("log", O_APPEND),
                             .plain = new_file("plain", 0) };
  size_t put = 0;
  if (write_bytes(refusal.appending, "a", 1, 0, &put) == EOPNOTSUPP)
    skip();
  for (size_t i = 0; i < COUNT_OF(errors); i++) {
    refusal.error = errors[i];
    int status = in_child(write_on_old_kernel, &refusal);
    if (status == 77)
      skip();
    assert_int_equal(status, 0);
  }
  assert_int_equal(size_of(refusal.appending), 1);
  close(refusal.appending);
  close(refusal.plain);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(calls_return_their_error),
    cmocka_unit_test(read_stops_at_the_end_only),
    cmocka_unit_test(short_reads_are_continued),
    cmocka_unit_test(read_into_the_end_of_memory_fails),
    cmocka_unit_test(write_gathers_vectors),
    cmocka_unit_test(write_beyond_4_gib_lands_there),
    cmocka_unit_test(write_can_be_shortened),
    cmocka_unit_test(write_never_appends),
    cmocka_unit_test(appending_descriptor_is_refused_by_old_kernels),
  };
  return cmocka_run_group_tests(tests, make_files, NULL);
}
