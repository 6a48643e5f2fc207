/* Locks: exclusion, ranks. */
#include "host_test.h"

#include <pthread.h>

#include "host/lock.h"

#define NTHREADS 4U
#define NROUNDS 5000U

static struct lock start_lock = LOCK_INIT(LOCK_START);
static struct lock space_lock = LOCK_INIT(LOCK_SPACE);
static struct lock other_space_lock = LOCK_INIT(LOCK_SPACE);
static struct lock arena_lock = LOCK_INIT(LOCK_ARENA);
static uint64_t counter; /* not atomic: under space_lock */

static void *
add_under_lock(void *arg) {
  for (unsigned i = 0; i < NROUNDS; i++) {
    lock_take(&space_lock);
    uint64_t seen = counter;
    if (i % 16 == 0)
      host_yield();
    counter = seen + 1;
    lock_drop(&space_lock);
  }
  return arg;
}

static void
one_thread_at_a_time(void **state) {
  pthread_t threads[NTHREADS];
  (void)state;
  counter = 0;
  for (size_t i = 0; i < NTHREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, add_under_lock, NULL), 0);
  for (size_t i = 0; i < NTHREADS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(counter, NTHREADS * NROUNDS);
  assert_int_equal(atomic_load(&space_lock.tickets), atomic_load(&space_lock.serving));
}

static void *
try_it(void *result) {
  *(bool *)result = lock_try(&space_lock);
  if (*(bool *)result)
    lock_drop(&space_lock);
  return NULL;
}

static bool
try_in_thread(void) {
  pthread_t thread;
  bool taken = false;
  assert_int_equal(pthread_create(&thread, NULL, try_it, &taken), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  return taken;
}

static void
try_fails_while_held(void **state) {
  (void)state;
  assert_true(try_in_thread());
  errno = ERRNO_UNTOUCHED;
  lock_take(&space_lock);
  assert_false(try_in_thread());
  assert_false(lock_try(&space_lock)); /* nor by its holder */
  lock_drop(&space_lock);
  assert_int_equal(errno, ERRNO_UNTOUCHED);
  assert_true(try_in_thread());
}

static void *
hold_for_ever(void *arg) {
  lock_take(&space_lock);
  atomic_store((_Atomic bool *)arg, true);
  for (;;)
    pause();
  return NULL;
}

static int
fork_beside_a_holder(void *arg) {
  static _Atomic bool is_held;
  pthread_t thread;
  (void)arg;
  CHILD_CHECK(pthread_create(&thread, NULL, hold_for_ever, &is_held) == 0);
  while (!atomic_load(&is_held))
    host_yield();
  pid_t pid = fork();
  if (pid == 0) {
    CHILD_CHECK(!lock_try(&space_lock));
    lock_reset(&space_lock);
    lock_take(&space_lock);
    lock_drop(&space_lock);
    _exit(0);
  }
  return reap(pid);
}

static void
reset_frees_what_nobody_holds_any_more(void **state) {
  (void)state;
  assert_int_equal(in_child(fork_beside_a_holder, NULL), 0);
}

/* ---- Ranks --------------------------------------------------------------------------------- */

static int
take_in_order(void *arg) {
  (void)arg;
  lock_take(&start_lock);
  lock_take(&space_lock);
  lock_take(&arena_lock);
  lock_drop(&space_lock); /* dropped in any order */
  lock_drop(&arena_lock);
  lock_take(&space_lock);
  lock_drop(&space_lock);
  lock_drop(&start_lock);
  return 0;
}
static int
take_out_of_order(void *arg) {
  (void)arg;
  lock_take(&arena_lock);
  lock_take(&space_lock);
  return 0;
}
static int
take_same_rank(void *arg) {
  (void)arg;
  lock_take(&space_lock);
  lock_take(&other_space_lock);
  return 0;
}
static int
take_twice(void *arg) {
  (void)arg;
  lock_take(&space_lock);
  lock_take(&space_lock); /* waited for itself for ever */
  return 0;
}
static int
take_below_one_tried(void *arg) {
  (void)arg;
  CHILD_CHECK(lock_try(&arena_lock));
  lock_take(&space_lock);
  return 0;
}
static int
try_out_of_order(void *arg) {
  (void)arg;
  lock_take(&arena_lock);
  CHILD_CHECK(lock_try(&space_lock)); /* doesn't wait, so can't deadlock */
  lock_drop(&space_lock);
  lock_drop(&arena_lock);
  return 0;
}
static int
drop_unheld(void *arg) {
  (void)arg;
  lock_drop(&space_lock);
  return 0;
}

static void
ranks_ascend(void **state) {
  static const struct {
    const char *name;
    int (*fn)(void *);
    int status;
  } rows[] = {
    { "in order", take_in_order, 0 },
    { "out of order", take_out_of_order, KILLED(SIGABRT) },
    { "the same rank", take_same_rank, KILLED(SIGABRT) },
    { "the same lock", take_twice, KILLED(SIGABRT) },
    { "below one that was tried", take_below_one_tried, KILLED(SIGABRT) },
    { "tried out of order", try_out_of_order, 0 },
    { "dropped, though not held", drop_unheld, KILLED(SIGABRT) },
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int status = in_child(rows[i].fn, NULL);
    if (status != rows[i].status)
      fail_msg("%s: %d, want %d", rows[i].name, status, rows[i].status);
  }
}

static void *
take_space(void *result) {
  *(int *)result = take_in_order(NULL);
  return NULL;
}

/* Another thread's locks don't count. */
static void
ranks_are_a_thread_s(void **state) {
  pthread_t thread;
  int result = 1;
  struct lock top = LOCK_INIT(LOCK_ARENA);
  (void)state;
  lock_take(&top);
  assert_int_equal(pthread_create(&thread, NULL, take_space, &result), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(result, 0);
  lock_drop(&top);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_thread_at_a_time),
    cmocka_unit_test(try_fails_while_held),
    cmocka_unit_test(reset_frees_what_nobody_holds_any_more),
    cmocka_unit_test(ranks_ascend),
    cmocka_unit_test(ranks_are_a_thread_s),
  };
  return cmocka_run_group_tests(tests, start_host, NULL);
}
