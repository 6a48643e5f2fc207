/* Locks of single bytes: who owns them, and what ends them. */
#include "host_test.h"

#include <pthread.h>

static int file;

static int
make_file(void **state) {
  (void)state;
  file = new_file("locks", 0);
  return host_start();
}

struct pair {
  int to_child[2], to_parent[2];
};

static struct pair
new_pair(void) {
  struct pair pair;
  assert_int_equal(pipe2(pair.to_child, O_CLOEXEC), 0);
  assert_int_equal(pipe2(pair.to_parent, O_CLOEXEC), 0);
  return pair;
}

static void
close_pair(const struct pair *pair) {
  for (int i = 0; i < 2; i++) {
    close(pair->to_child[i]);
    close(pair->to_parent[i]);
  }
}

static void
ping(int fd) {
  assert_int_equal(write(fd, "", 1), 1);
}

/* False at the end of file. */
static bool
await(int fd) {
  char byte;
  return read(fd, &byte, 1) == 1;
}

static void
expect_locked(uint64_t offset, bool want) {
  bool is_locked = !want;
  EXPECT(host_byte_is_locked(file, offset, &is_locked), 0);
  assert_int_equal(is_locked, want);
}

/* ---- Errors -------------------------------------------------------------------------------- */

static int
lock_bad(void) {
  return host_byte_lock(987654, 0);
}
static int
unlock_bad(void) {
  return host_byte_unlock(987654, 0);
}
static int
look_at_bad(void) {
  bool out;
  return host_byte_is_locked(987654, 0, &out);
}
static int
lock_too_far(void) {
  return host_byte_lock(file, (uint64_t)INT64_MAX + 1);
}
static int
lock_one(void) {
  return host_byte_lock(file, 0);
}
static int
lock_far(void) {
  return host_byte_lock(file, (uint64_t)1 << 40);
}
static int
unlock_far(void) {
  return host_byte_unlock(file, (uint64_t)1 << 40);
}
static int
unlock_one(void) {
  return host_byte_unlock(file, 0);
}
static int
look_at_one(void) {
  bool out;
  return host_byte_is_locked(file, 0, &out);
}

static void
calls_return_their_error(void **state) {
  static const struct host_row rows[] = {
    { "lock", lock_one, 0 },
    { "lock again", lock_one, 0 },
    { "look", look_at_one, 0 },
    { "unlock", unlock_one, 0 },
    { "unlock again", unlock_one, 0 },
    { "lock beyond 4 GiB", lock_far, 0 },
    { "unlock beyond 4 GiB", unlock_far, 0 },
    { "lock beyond files", lock_too_far, EOVERFLOW },
    { "lock a closed descriptor", lock_bad, EBADF },
    { "unlock a closed descriptor", unlock_bad, EBADF },
    { "look at a closed descriptor", look_at_bad, EBADF },
  };
  (void)state;
  check_rows(rows, COUNT_OF(rows));
}

/* ---- Owners -------------------------------------------------------------------------------- */

/* A forked child owns nothing, though it has the descriptor. */
static int
child_of_owner(void *arg) {
  bool is_locked = false;
  (void)arg;
  CHILD_CHECK(host_byte_is_locked(file, 5, &is_locked) == 0 && is_locked);
  CHILD_CHECK(host_byte_is_locked(file, 6, &is_locked) == 0 && !is_locked);
  CHILD_CHECK(host_byte_lock(file, 5) == EAGAIN);
  CHILD_CHECK(host_byte_lock(file, 6) == 0);
  CHILD_CHECK(host_byte_unlock(file, 5) == 0); /* of its own, of which there is none */
  CHILD_CHECK(host_byte_is_locked(file, 5, &is_locked) == 0 && is_locked);
  return 0;
}

static void
fork_does_not_inherit(void **state) {
  (void)state;
  EXPECT(host_byte_lock(file, 5), 0);
  expect_locked(5, false); /* not by others */
  assert_int_equal(in_child(child_of_owner, NULL), 0);
  expect_locked(6, false); /* ended with the child */
  EXPECT(host_byte_unlock(file, 5), 0);
}

static int
hold_until_killed(void *arg) {
  struct pair *pair = (struct pair *)arg;
  CHILD_CHECK(host_byte_lock(file, 7) == 0);
  CHILD_CHECK(write(pair->to_parent[1], "", 1) == 1);
  for (;;)
    pause();
}

static void
kill_drops(void **state) {
  (void)state;
  struct pair pair = new_pair();
  pid_t pid = start_child(hold_until_killed, &pair);
  assert_true(await(pair.to_parent[0]));
  expect_locked(7, true);
  EXPECT(host_byte_lock(file, 7), EAGAIN);
  kill(pid, SIGKILL);
  assert_int_equal(reap(pid), KILLED(SIGKILL));
  expect_locked(7, false);
  EXPECT(host_byte_lock(file, 7), 0);
  EXPECT(host_byte_unlock(file, 7), 0);
  close_pair(&pair);
}

/* The same process, but no longer the program that took the lock. */
static int
hold_until_exec(void *arg) {
  struct pair *pair = (struct pair *)arg;
  char byte;
  CHILD_CHECK(host_byte_lock(file, 8) == 0);
  CHILD_CHECK(write(pair->to_parent[1], "", 1) == 1);
  CHILD_CHECK(read(pair->to_child[0], &byte, 1) == 1);
  CHILD_CHECK(dup2(pair->to_child[0], 0) == 0);
  execlp("cat", "cat", (char *)NULL);
  return 1;
}

static void
exec_drops(void **state) {
  (void)state;
  struct pair pair = new_pair();
  pid_t pid = start_child(hold_until_exec, &pair);
  close(pair.to_parent[1]);
  assert_true(await(pair.to_parent[0]));
  expect_locked(8, true);
  ping(pair.to_child[1]);
  assert_false(await(pair.to_parent[0])); /* closed by exec */
  expect_locked(8, false);
  assert_int_equal(kill(pid, 0), 0);
  kill(pid, SIGKILL);
  assert_int_equal(reap(pid), KILLED(SIGKILL));
  close_pair(&pair);
}

/* ---- Tables -------------------------------------------------------------------------------- */

/* Looks from another process, for which all owners are others. */
static int
look_from_outside(void *arg) {
  bool is_locked = false;
  CHILD_CHECK(host_byte_is_locked(file, *(uint64_t *)arg, &is_locked) == 0);
  return is_locked ? 1 : 0;
}

static bool
is_locked_from_outside(uint64_t offset) {
  int status = in_child(look_from_outside, &offset);
  assert_in_range(status, 0, 1);
  return status == 1;
}

/* Opens and closes the file in a table of its own. */
static void *
open_and_close_elsewhere(void *result) {
  int *error = (int *)result;
  int fd = -1;
  if ((*error = host_table_leave()) == 0 &&
      (*error = host_open(&fd, AT_FDCWD, "locks", O_RDWR, 0)) == 0)
    *error = host_close(fd);
  return NULL;
}

static void *
open_and_close_here(void *result) {
  int *error = (int *)result;
  int fd = -1;
  if ((*error = host_open(&fd, AT_FDCWD, "locks", O_RDWR, 0)) == 0)
    *error = host_close(fd);
  return NULL;
}

static void
run_thread(void *(*fn)(void *)) {
  pthread_t thread;
  int error = -1;
  assert_int_equal(pthread_create(&thread, NULL, fn, &error), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(error, 0);
}

static void
closing_in_another_table_keeps_the_program_s_locks(void **state) {
  (void)state;
  EXPECT(host_byte_lock(file, 9), 0);
  assert_true(is_locked_from_outside(9));
  run_thread(open_and_close_elsewhere);
  assert_true(is_locked_from_outside(9));
  run_thread(open_and_close_here); /* what a thread of the process's table does to them */
  assert_false(is_locked_from_outside(9));
}

struct elsewhere {
  _Atomic uint32_t step;
  int error;
  bool saw_program_s;
};

static void *
lock_elsewhere(void *arg) {
  struct elsewhere *elsewhere = (struct elsewhere *)arg;
  int fd = -1;
  int error = host_table_leave();
  if (error == 0)
    error = host_open(&fd, AT_FDCWD, "locks", O_RDWR, 0);
  if (error == 0)
    error = host_byte_is_locked(fd, 10, &elsewhere->saw_program_s);
  if (error == 0)
    error = host_byte_lock(fd, 11);
  elsewhere->error = error;
  atomic_store(&elsewhere->step, 1);
  host_wake(&elsewhere->step, 1);
  while (atomic_load(&elsewhere->step) == 1)
    host_wait(&elsewhere->step, 1, 0);
  return NULL; /* its table ends, and with that its locks */
}

static void
another_table_is_another_owner(void **state) {
  struct elsewhere elsewhere = { .step = 0 };
  pthread_t thread;
  (void)state;
  EXPECT(host_byte_lock(file, 10), 0);
  assert_int_equal(pthread_create(&thread, NULL, lock_elsewhere, &elsewhere), 0);
  while (atomic_load(&elsewhere.step) == 0)
    host_wait(&elsewhere.step, 0, 0);
  assert_int_equal(elsewhere.error, 0);
  assert_true(elsewhere.saw_program_s);
  expect_locked(11, true);
  EXPECT(host_byte_lock(file, 11), EAGAIN);
  atomic_store(&elsewhere.step, 2);
  host_wake(&elsewhere.step, 1);
  assert_int_equal(pthread_join(thread, NULL), 0);
  for (int i = 0; i < 1000 && host_byte_lock(file, 11) == EAGAIN; i++)
    host_nap(1000000); /* join doesn't wait for the table */
  EXPECT(host_byte_lock(file, 11), 0);
  assert_true(is_locked_from_outside(10));
  EXPECT(host_byte_unlock(file, 10), 0);
  EXPECT(host_byte_unlock(file, 11), 0);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(calls_return_their_error),
    cmocka_unit_test(fork_does_not_inherit),
    cmocka_unit_test(kill_drops),
    cmocka_unit_test(exec_drops),
    cmocka_unit_test(closing_in_another_table_keeps_the_program_s_locks),
    cmocka_unit_test(another_table_is_another_owner),
  };
  return cmocka_run_group_tests(tests, make_file, NULL);
}
