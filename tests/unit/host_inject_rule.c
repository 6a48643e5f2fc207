/* Rules of fault injection: which calls they choose, and what they do to them. */
#include "host_test.h"

static int file; /* 100 bytes */

static int
make_file(void **state) {
  (void)state;
  file = new_file("file", 0);
  return host_start() != 0 || ftruncate(file, 100) != 0;
}

static int
flush_error_of_call(int n, const struct inject_rule *rule) {
  int error = 0;
  inject_arm(rule);
  for (int i = 0; i < n; i++)
    error = host_flush(file);
  return error;
}

static void
nth_and_times_choose_the_calls(void **state) {
  const struct {
    uint32_t nth, times;
    int first, last; /* calls that fail, counted from 1 */
  } rows[] = {
    { 1, 1, 1, 1 },          { 3, 1, 3, 3 },          { 2, 3, 2, 4 },
    { 4, UINT32_MAX, 4, 6 }, { 9, UINT32_MAX, 9, 6 },
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct inject_rule rule = {
      .call = HOST_CALL_flush, .nth = rows[i].nth, .times = rows[i].times, .error = EIO
    };
    for (int n = 1; n <= 6; n++) {
      bool fails = n >= rows[i].first && n <= rows[i].last;
      assert_int_equal(flush_error_of_call(n, &rule), fails ? EIO : 0);
      assert_int_equal(inject_calls(HOST_CALL_flush), n);
    }
    int nfired = rows[i].last - rows[i].first + 1;
    assert_int_equal(inject_fired(), nfired > 0 ? nfired : 0);
  }
  inject_disarm();
}

static void
other_sites_are_left_alone(void **state) {
  int flags;
  (void)state;
  fail_call(HOST_CALL_flush, EIO);
  assert_int_equal(host_open_flags(file, &flags), 0);
  assert_int_equal(host_resize(file, 100), 0);
  assert_int_equal(inject_fired(), 0);
  assert_int_equal(host_flush(file), EIO);
  assert_int_equal(inject_fired(), 1);
  inject_disarm();
}

static void
failed_call_isn_t_made(void **state) {
  struct host_stat st;
  (void)state;
  fail_call(HOST_CALL_resize, EIO);
  assert_int_equal(host_resize(file, 50), EIO);
  inject_disarm();
  assert_int_equal(host_stat_fd(file, &st), 0);
  assert_int_equal(st.size, 100);
  assert_int_equal(host_resize(file, 100), 0);
}

/* ---- The end of the process ---------------------------------------------------------------- */

static int
resize_under_rule(void *arg) {
  inject_arm((const struct inject_rule *)arg);
  CHILD_CHECK(host_resize(file, 200) == 0);
  CHILD_CHECK(host_resize(file, 300) == 0);
  return 0;
}

static void
kill_comes_before_or_after_the_call(void **state) {
  const struct {
    struct inject_rule rule;
    int status;
    uint64_t size;
  } rows[] = {
    { { .call = HOST_CALL_resize, .nth = 1, .times = 1, .kill = 1 }, KILLED(SIGKILL), 100 },
    { { .call = HOST_CALL_resize, .nth = 1, .times = 1, .kill_after = 1 }, KILLED(SIGKILL), 200 },
    { { .call = HOST_CALL_resize, .nth = 2, .times = 1, .kill = 1 }, KILLED(SIGKILL), 200 },
    { { .call = HOST_CALL_resize, .nth = 2, .times = 1, .kill_after = 1 }, KILLED(SIGKILL), 300 },
    { { .call = HOST_CALL_resize, .nth = 3, .times = 1, .kill = 1 }, 0, 300 },
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct host_stat st;
    assert_int_equal(host_resize(file, 100), 0);
    assert_int_equal(in_child(resize_under_rule, (void *)(uintptr_t)&rows[i].rule), rows[i].status);
    assert_int_equal(host_stat_fd(file, &st), 0);
    assert_int_equal(st.size, rows[i].size);
  }
  assert_int_equal(host_resize(file, 100), 0);
}

static void
stop_comes_after_the_call(void **state) {
  const struct inject_rule rule = {
    .call = HOST_CALL_resize, .nth = 1, .times = 1, .stop_after = 1
  };
  struct host_stat st;
  int status;
  (void)state;
  pid_t pid = start_child(resize_under_rule, (void *)(uintptr_t)&rule);
  assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
  assert_true(WIFSTOPPED(status));
  assert_int_equal(host_stat_fd(file, &st), 0);
  assert_int_equal(st.size, 200);
  assert_int_equal(kill(pid, SIGCONT), 0);
  assert_int_equal(reap(pid), 0);
  assert_int_equal(host_stat_fd(file, &st), 0);
  assert_int_equal(st.size, 300);
  assert_int_equal(host_resize(file, 100), 0);
}

static int
flush_in_child(void *arg) {
  (void)arg;
  return host_flush(file) == EIO ? 1 : 0;
}

static void
fork_inherits_the_rule(void **state) {
  (void)state;
  assert_int_equal(in_child(flush_in_child, NULL), 0);
  fail_call(HOST_CALL_flush, EIO);
  assert_int_equal(in_child(flush_in_child, NULL), 1);
  assert_int_equal(inject_fired(), 0); /* counted in the child */
  inject_disarm();
}

/* ---- The variable -------------------------------------------------------------------------- */

/* 1 + the errno of a first flush, or how the process ends. */
static int
flush_with_variable(void *value) {
  setenv("SOFTMAP_TEST_INJECT", (const char *)value, 1);
  inject_configure();
  int first = host_flush(file);
  int second = host_flush(file);
  return first != 0 ? first : second != 0 ? 100 + second : 200;
}

static void
variable_arms_a_rule(void **state) {
  const struct {
    const char *value;
    int status;
  } rows[] = {
    { "flush:1:1:EIO", EIO },
    { "flush:2:1:ENOSPC", 100 + ENOSPC },
    { "flush:1:*:5", 5 },
    { "flush:1:1:kill", KILLED(SIGKILL) },
    { "flush:3:1:kill", 200 },
    { "flush:2:1:kill_after", KILLED(SIGKILL) },
    { "flush:3:1:stop_after", 200 },
    { "flush:1:1:short=7", 200 },
    { "read:1:1:EIO", 200 },
    { "", 200 },
    { "flush", 99 },
    { "flush:1", 99 },
    { "flush:1:1", 99 },
    { "flush:1:1:", 99 },
    { "flush:1:1:EIO:", 99 },
    { "flush:1:1:EWHAT", 99 },
    { "flush:1:1:0", 99 },
    { "flush:0:1:EIO", 99 },
    { "flush:1:0:EIO", 99 },
    { "flush:x:1:EIO", 99 },
    { "flush::1:EIO", 99 },
    { "flush:1:1:short=", 99 },
    { "flush:1:1:short=0", 99 },
    { "flush:1:99999999999:EIO", 99 },
    { "flash:1:1:EIO", 99 },
    { ":::", 99 },
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int status = in_child(flush_with_variable, (void *)(uintptr_t)rows[i].value);
    if (status != rows[i].status)
      fail_msg("'%s': %d, want %d", rows[i].value, status, rows[i].status);
  }
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(nth_and_times_choose_the_calls),
    cmocka_unit_test(other_sites_are_left_alone),
    cmocka_unit_test(failed_call_isn_t_made),
    cmocka_unit_test(kill_comes_before_or_after_the_call),
    cmocka_unit_test(stop_comes_after_the_call),
    cmocka_unit_test(fork_inherits_the_rule),
    cmocka_unit_test(variable_arms_a_rule),
  };
  return cmocka_run_group_tests(tests, make_file, NULL);
}
