/* The kernel's write watch, where it can't be had: each refusal beside what works. */
#include "host_test.h"

#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

static bool
has_watch(void) {
  struct host_watch watch;
  if (host_watch_open(&watch) != 0)
    return false;
  host_watch_close(&watch);
  return true;
}

/* Room for so many descriptors: it takes two. */
static int
open_with_room(void *arg) {
  struct host_watch watch;
  struct rlimit limit;
  CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlim_t before = limit.rlim_cur;
  int next = dup(0);
  close(next);
  limit.rlim_cur = (rlim_t)(next + *(int *)arg);
  CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  int error = host_watch_open(&watch);
  limit.rlim_cur = before;
  CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHILD_CHECK(dup(0) == (error ? next : next + 2)); /* nothing is left of a failure */
  return error;
}

static void
full_table_is_an_error(void **state) {
  (void)state;
  if (!has_watch())
    skip();
  for (int room = 0; room <= 2; room++)
    assert_int_equal(in_child(open_with_room, &room), room < 2 ? EMFILE : 0);
}

static int
open_in_a_sandbox(void *arg) {
  struct host_watch watch;
  (void)arg;
  if (refuse_syscall(SYS_userfaultfd, EPERM) != 0)
    return 77;
  CHILD_CHECK(host_watch_open(&watch) == EOPNOTSUPP);
  return 0;
}

static void
sandbox_has_none(void **state) {
  (void)state;
  int status = in_child(open_in_a_sandbox, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

static void
memory_that_is_not_watched_is_an_error(void **state) {
  struct host_watch watch;
  struct host_run run;
  void *area = NULL;
  size_t n = 0;
  (void)state;
  if (host_watch_open(&watch) != 0)
    skip();
  EXPECT(host_map(&area, NULL, host_config.page_size, PROT_READ | PROT_WRITE, PRIVATE, -1, 0), 0);
  uintptr_t at = (uintptr_t)area;
  EXPECT(host_watch_scan(&watch, &at, at + host_config.page_size, false, &run, 1, &n), EPERM);
  assert_int_equal(at, (uintptr_t)area);
  EXPECT(host_watch_add(&watch, area, host_config.page_size), 0);
  EXPECT(host_watch_scan(&watch, &at, at + host_config.page_size, false, &run, 1, &n), 0);
  EXPECT(host_unmap(area, host_config.page_size), 0);
  host_watch_close(&watch);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(full_table_is_an_error),
    cmocka_unit_test(sandbox_has_none),
    cmocka_unit_test(memory_that_is_not_watched_is_an_error),
  };
  return cmocka_run_group_tests(tests, start_host, NULL);
}
