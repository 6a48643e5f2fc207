/* Inboxes: what arrives, in whose table, and who is refused. */
#include "host_descriptors.h"

#include <pthread.h>

static int inbox;
static struct host_inbox_address address;

static int
open_inbox(void **state) {
  (void)state;
  return host_inbox(&inbox, &address);
}

static int
close_inbox(void **state) {
  (void)state;
  return close(inbox);
}

static void
inbox_takes_what_the_process_posts(void **state) {
  (void)state;
  int before = count_open();
  for (uint64_t i = 0; i < 5; i++)
    EXPECT(host_inbox_post(&address, UINT64_MAX - i, file), 0);
  assert_int_equal(count_open(), before); /* the socket it was sent from */
  for (uint64_t i = 0; i < 5; i++) {
    uint64_t ticket = 0;
    int fd = -1;
    EXPECT(host_inbox_take(inbox, &ticket, &fd), 0);
    assert_true(ticket == UINT64_MAX - i);
    assert_true(is_same_file(fd, file));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
  }
}

static void
empty_inbox_has_no_data(void **state) {
  uint64_t ticket = 5;
  int fd = -5;
  (void)state;
  EXPECT(host_inbox_take(inbox, &ticket, &fd), ENODATA);
  assert_int_equal(ticket, 5);
  assert_int_equal(fd, -5);
  EXPECT(host_inbox_post(&address, 1, 987654), EBADF);
  EXPECT(host_inbox_take(inbox, &ticket, &fd), ENODATA);
  EXPECT(host_inbox_take(987654, &ticket, &fd), EBADF);
}

static void
inboxes_have_names_of_their_own(void **state) {
  struct host_inbox_address second;
  uint64_t ticket = 0;
  int other = -1;
  int fd = -1;
  (void)state;
  EXPECT(host_inbox(&other, &second), 0);
  assert_true(second.length != address.length ||
              memcmp(second.bytes, address.bytes, address.length) != 0);
  EXPECT(host_inbox_post(&second, 7, file), 0);
  EXPECT(host_inbox_take(inbox, &ticket, &fd), ENODATA);
  EXPECT(host_inbox_take(other, &ticket, &fd), 0);
  close(fd);
  close(other);
  EXPECT(host_inbox_post(&second, 7, file), ECONNREFUSED);
}

static int
post_from_child(void *arg) {
  int n = *(int *)arg;
  for (int i = 0; i < n; i++)
    CHILD_CHECK(host_inbox_post(&address, 666, file) == 0);
  return 0;
}

/* A child knows the address, has the rights, and is refused all the same. */
static void
inbox_refuses_other_processes(void **state) {
  uint64_t ticket = 0;
  int n = 3;
  int fd = -1;
  (void)state;
  int before = count_open();
  assert_int_equal(in_child(post_from_child, &n), 0);
  EXPECT(host_inbox_take(inbox, &ticket, &fd), ENODATA);
  assert_int_equal(in_child(post_from_child, &n), 0);
  EXPECT(host_inbox_post(&address, 42, file), 0); /* behind them */
  assert_int_equal(in_child(post_from_child, &n), 0);
  EXPECT(host_inbox_take(inbox, &ticket, &fd), 0);
  assert_int_equal(ticket, 42);
  close(fd);
  EXPECT(host_inbox_take(inbox, &ticket, &fd), ENODATA);
  assert_int_equal(count_open(), before);
}

static int
post_too_many(void *arg) {
  int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  (void)arg;
  return send_copies(sender, address.bytes, address.length, 200);
}

static void
inbox_survives_a_flood_of_descriptors(void **state) {
  uint64_t ticket = 0;
  int fd = -1;
  (void)state;
  int before = count_open();
  assert_int_equal(in_child(post_too_many, NULL), 0);
  EXPECT(host_inbox_take(inbox, &ticket, &fd), ENODATA);
  assert_int_equal(count_open(), before);
}

/* Right sender, wrong form. */
static void
inbox_passes_over_malformed_messages(void **state) {
  struct sockaddr_storage to;
  uint64_t ticket = 0;
  int fd = -1;
  (void)state;
  memset(&to, 0, sizeof to);
  memcpy(&to, address.bytes, address.length);
  int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const struct sockaddr *name = (const struct sockaddr *)&to;
  assert_int_equal(sendto(sender, "short", 5, 0, name, address.length), 5);
  assert_int_equal(sendto(sender, "no descr", 8, 0, name, address.length), 8);
  assert_int_equal(sendto(sender, "", 0, 0, name, address.length), 0);
  assert_int_equal(send_copies(sender, name, address.length, 2), 0);
  close(sender);
  EXPECT(host_inbox_post(&address, 43, file), 0);
  EXPECT(host_inbox_take(inbox, &ticket, &fd), 0);
  assert_int_equal(ticket, 43);
  close(fd);
}

#define MANY 200U

static void *
post_many(void *result) {
  int *error = (int *)result;
  for (uint64_t i = 0; i < MANY && *error == 0; i++)
    *error = host_inbox_post(&address, i, file);
  return NULL;
}

/* More than the kernel queues: a post waits for room. */
static void
full_inbox_makes_posts_wait(void **state) {
  pthread_t thread;
  int error = 0;
  uint64_t next = 0;
  (void)state;
  assert_int_equal(pthread_create(&thread, NULL, post_many, &error), 0);
  while (next < MANY) {
    uint64_t ticket = 0;
    int fd = -1;
    int taken = host_inbox_take(inbox, &ticket, &fd);
    if (taken == ENODATA) {
      host_nap(100000);
      continue;
    }
    assert_int_equal(taken, 0);
    assert_int_equal(ticket, next++);
    close(fd);
  }
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(error, 0);
}

/* But not for ever. */
static void
inbox_that_nobody_drains_refuses(void **state) {
  int error = 0;
  (void)state;
  post_many(&error);
  assert_int_equal(error, EAGAIN);
}

/* An inbox in a table of its own: the descriptor arrives there, and only there. */
struct keeper {
  _Atomic uint32_t step;
  int error, fd;
  struct host_inbox_address address;
  struct stat st;
};

static void *
keep(void *arg) {
  struct keeper *keeper = (struct keeper *)arg;
  uint64_t ticket = 0;
  int box = -1;
  keeper->error = host_table_leave();
  if (keeper->error == 0)
    keeper->error = host_inbox(&box, &keeper->address);
  atomic_store(&keeper->step, 1);
  host_wake(&keeper->step, 1);
  host_wait(&keeper->step, 1, 0);
  while (keeper->error == 0 && atomic_load(&keeper->step) != 2)
    host_yield();
  if (keeper->error == 0)
    keeper->error = host_inbox_take(box, &ticket, &keeper->fd);
  if (keeper->error == 0 && fstat(keeper->fd, &keeper->st) != 0)
    keeper->error = errno;
  return NULL;
}

static void
descriptor_arrives_in_the_owner_s_table(void **state) {
  struct keeper keeper = { .step = 0, .fd = -1 };
  struct stat st;
  pthread_t thread;
  (void)state;
  int before = count_open();
  assert_int_equal(pthread_create(&thread, NULL, keep, &keeper), 0);
  while (atomic_load(&keeper.step) == 0)
    host_wait(&keeper.step, 0, 0);
  assert_int_equal(keeper.error, 0);
  EXPECT(host_inbox_post(&keeper.address, 1, file), 0);
  atomic_store(&keeper.step, 2);
  host_wake(&keeper.step, 1);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(keeper.error, 0);
  assert_int_equal(fstat(file, &st), 0);
  assert_int_equal(keeper.st.st_ino, st.st_ino);
  assert_in_range(keeper.fd, 0, 2); /* of an otherwise empty table */
  assert_int_equal(count_open(), before);
}

static int
open_without_names(void *arg) {
  struct host_inbox_address none;
  int box = -1;
  int before = count_open();
  (void)arg;
  if (refuse_syscall(SYS_bind, EPERM) != 0)
    return 77;
  CHILD_CHECK(host_inbox(&box, &none) == EPERM);
  CHILD_CHECK(box == -1 && count_open() == before);
  return 0;
}

static void
inbox_without_a_name_is_an_error(void **state) {
  (void)state;
  int status = in_child(open_without_names, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

static int
take_into_full_table(void *arg) {
  struct rlimit limit;
  uint64_t ticket;
  int fd = -1;
  (void)arg;
  host_lineage_renew();
  CHILD_CHECK(host_inbox_post(&address, 1, file) == 0);
  CHILD_CHECK(host_inbox_post(&address, 2, file) == 0);
  CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlim_t before = limit.rlim_cur;
  int next = dup(file);
  close(next);
  limit.rlim_cur = (rlim_t)next; /* no room */
  CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHILD_CHECK(host_inbox_take(inbox, &ticket, &fd) == EMFILE);
  limit.rlim_cur = before;
  CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHILD_CHECK(host_inbox_take(inbox, &ticket, &fd) == 0); /* the control */
  CHILD_CHECK(ticket == 2);
  return 0;
}

static void
full_table_loses_one_message(void **state) {
  (void)state;
  assert_int_equal(in_child(take_into_full_table, NULL), 0);
}

#define inbox_test(fn) cmocka_unit_test_setup_teardown(fn, open_inbox, close_inbox)

int
main(void) {
  const struct CMUnitTest tests[] = {
    inbox_test(inbox_takes_what_the_process_posts),
    inbox_test(empty_inbox_has_no_data),
    inbox_test(inboxes_have_names_of_their_own),
    inbox_test(inbox_refuses_other_processes),
    inbox_test(inbox_survives_a_flood_of_descriptors),
    inbox_test(inbox_passes_over_malformed_messages),
    inbox_test(full_inbox_makes_posts_wait),
    inbox_test(inbox_that_nobody_drains_refuses),
    cmocka_unit_test(inbox_without_a_name_is_an_error),
    inbox_test(full_table_loses_one_message),
    cmocka_unit_test(descriptor_arrives_in_the_owner_s_table),
  };
  return cmocka_run_group_tests(tests, make_file, NULL);
}
