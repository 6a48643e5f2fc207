/* Sizes of files: their limit, setting them, holes. */
#include "host_test.h"

#include <sys/stat.h>
#include <sys/uio.h>

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

/* ---- The limit of a file's size ------------------------------------------------------------ */

static bool
is_pending(int sig) {
  sigset_t set;
  sigpending(&set);
  return sigismember(&set, sig) == 1;
}

static void
limit_size(rlim_t bytes) {
  struct rlimit limit = { bytes, bytes };
  CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static int
write_past_limit(void *arg) {
  int fd = *(int *)arg;
  size_t put = 0;
  sigset_t mask;
  limit_size(100);
  host_signals_block(&mask);
  CHILD_CHECK(write_bytes(fd, "0123456789", 10, 95, &put) == 0); /* up to the limit */
  CHILD_CHECK(put == 5);
  CHILD_CHECK(write_bytes(fd, "0123456789", 10, 100, &put) == EFBIG);
  CHILD_CHECK(!is_pending(SIGXFSZ));
  CHILD_CHECK(host_resize(fd, 101) == EFBIG);
  CHILD_CHECK(!is_pending(SIGXFSZ));
  host_signals_set(&mask);
  return 0;
}

/* The control: there is such a signal, and it would be seen. */
static int
pwrite_past_limit(void *arg) {
  int fd = *(int *)arg;
  sigset_t mask;
  limit_size(100);
  host_signals_block(&mask);
  CHILD_CHECK(pwrite(fd, "0123456789", 10, 100) == -1 && errno == EFBIG);
  CHILD_CHECK(is_pending(SIGXFSZ));
  host_signals_set(&mask);
  return 0;
}

static int
write_past_limit_unblocked(void *arg) {
  int fd = *(int *)arg;
  size_t put = 0;
  limit_size(100);
  (void)!write_bytes(fd, "0123456789", 10, 100, &put);
  return 0;
}

/* One that the program left pending stays. */
static int
write_past_limit_with_one_pending(void *arg) {
  int fd = *(int *)arg;
  size_t put = 0;
  sigset_t mask;
  limit_size(100);
  host_signals_block(&mask);
  host_signal_raise(SIGXFSZ);
  CHILD_CHECK(write_bytes(fd, "0123456789", 10, 100, &put) == EFBIG);
  CHILD_CHECK(is_pending(SIGXFSZ));
  return 0;
}

static void
size_limit_leaves_no_signal(void **state) {
  (void)state;
  int fd = new_file("limited", 0);
  assert_int_equal(in_child(write_past_limit, &fd), 0);
  assert_int_equal(size_of(fd), 100);
  assert_int_equal(in_child(pwrite_past_limit, &fd), KILLED(SIGXFSZ));
  assert_int_equal(in_child(write_past_limit_unblocked, &fd), KILLED(SIGXFSZ));
  assert_int_equal(in_child(write_past_limit_with_one_pending, &fd), 0);
  close(fd);
}

/* ---- Sizes and holes ----------------------------------------------------------------------- */

static void
resize_grows_and_shrinks(void **state) {
  (void)state;
  int fd = new_file("sized", 0);
  EXPECT(host_resize(fd, 12345), 0);
  assert_int_equal(size_of(fd), 12345);
  EXPECT(host_resize(fd, 1), 0);
  assert_int_equal(size_of(fd), 1);
  close(fd);
}

static void
check_run(int fd, uint64_t offset, uint64_t limit, uint64_t want_start, uint64_t want_end) {
  uint64_t start = 1;
  uint64_t end = 1;
  EXPECT(host_next_data(fd, offset, limit, &start, &end), 0);
  if (start != want_start || end != want_end)
    fail_msg("data at or after %llu up to %llu: [%llu, %llu), want [%llu, %llu)",
             (unsigned long long)offset, (unsigned long long)limit, (unsigned long long)start,
             (unsigned long long)end, (unsigned long long)want_start, (unsigned long long)want_end);
}

#define MIB ((uint64_t)1 << 20)

static void
next_data_skips_holes(void **state) {
  static const char block[65536] = { 1 };
  (void)state;
  int fd = new_file("holes", 0);
  assert_int_equal(ftruncate(fd, 4 * MIB), 0);
  if (lseek(fd, 0, SEEK_DATA) == 0) /* a file system that doesn't know its holes */
    skip();
  check_run(fd, 0, 4 * MIB, 4 * MIB, 4 * MIB);
  assert_int_equal(pwrite(fd, block, sizeof block, MIB), sizeof block);
  assert_int_equal(pwrite(fd, block, sizeof block, 3 * MIB), sizeof block);
  check_run(fd, 0, 4 * MIB, MIB, MIB + 65536);
  check_run(fd, MIB + 5, 4 * MIB, MIB + 5, MIB + 65536);
  check_run(fd, MIB + 65536, 4 * MIB, 3 * MIB, 3 * MIB + 65536);
  check_run(fd, 3 * MIB + 65536, 4 * MIB, 4 * MIB, 4 * MIB);
  check_run(fd, 0, MIB + 100, MIB, MIB + 100);
  check_run(fd, 0, MIB, MIB, MIB);
  check_run(fd, 0, 100, 100, 100);
  check_run(fd, 9 * MIB, 10 * MIB, 10 * MIB, 10 * MIB);
  check_run(fd, MIB, MIB, MIB, MIB);
  check_run(fd, 2 * MIB, MIB, MIB, MIB);
  EXPECT(host_punch(fd, MIB, 65536), 0);
  check_run(fd, 0, 4 * MIB, 3 * MIB, 3 * MIB + 65536);
  assert_int_equal(size_of(fd), 4 * MIB);
  close(fd);
}

static int
next_data_without_holes(void *arg) {
  uint64_t start = 0;
  uint64_t end = 0;
  int fd = *(int *)arg;
#ifdef SYS__llseek
  const long number = SYS__llseek;
#else
  const long number = SYS_lseek;
#endif
  if (refuse_syscall(number, EINVAL) != 0)
    return 77;
  CHILD_CHECK(host_next_data(fd, 10, 1000, &start, &end) == 0);
  CHILD_CHECK(start == 10 && end == 1000);
  return 0;
}

static void
without_knowledge_of_holes_all_is_data(void **state) {
  (void)state;
  int fd = new_file("holes", 0);
  assert_int_equal(ftruncate(fd, 4096), 0);
  int status = in_child(next_data_without_holes, &fd);
  close(fd);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(size_limit_leaves_no_signal),
    cmocka_unit_test(resize_grows_and_shrinks),
    cmocka_unit_test(next_data_skips_holes),
    cmocka_unit_test(without_knowledge_of_holes_all_is_data),
  };
  return cmocka_run_group_tests(tests, start_host, NULL);
}
