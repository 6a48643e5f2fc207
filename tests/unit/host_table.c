/* Descriptor tables: leaving the process's own, and channels. */
#include "host_descriptors.h"

#include <pthread.h>

static void
run_thread(void *(*fn)(void *), void *arg) {
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- Leaving ------------------------------------------------------------------------------- */

struct leaving {
  int error, nopen, new_fd;
};

static void *
leave(void *arg) {
  struct leaving *leaving = (struct leaving *)arg;
  errno = ERRNO_UNTOUCHED;
  leaving->error = host_table_leave();
  if (leaving->error == 0 && errno != ERRNO_UNTOUCHED)
    leaving->error = EPROTO;
  leaving->nopen = count_open();
  if (leaving->error == 0)
    leaving->error = host_open(&leaving->new_fd, AT_FDCWD, "/dev/null", O_RDONLY, 0);
  return NULL;
}

static void
leaver_s_table_is_empty_and_its_own(void **state) {
  struct leaving leaving = { .error = -1 };
  int before = count_open();
  (void)state;
  run_thread(leave, &leaving);
  assert_int_equal(leaving.error, 0);
  assert_int_equal(leaving.nopen, 0);
  assert_int_equal(leaving.new_fd, 0);
  assert_int_equal(count_open(), before);
}

/* Without close_range; with_unshare: as a kernel before 5.9, else as a sandbox. */
static int
leave_without_close_range(void *arg) {
  bool with_unshare = *(bool *)arg;
  struct leaving leaving = { .error = -1 };
  pthread_t thread;
  int before = count_open();
  if (refuse_syscall(SYS_close_range, ENOSYS) != 0 ||
      (!with_unshare && refuse_syscall(SYS_unshare, EPERM) != 0))
    return 77;
  CHILD_CHECK(pthread_create(&thread, NULL, leave, &leaving) == 0);
  CHILD_CHECK(pthread_join(thread, NULL) == 0);
  CHILD_CHECK(leaving.error == (with_unshare ? 0 : EPERM));
  CHILD_CHECK(leaving.nopen == (with_unshare ? 0 : before));
  CHILD_CHECK(count_open() == before);
  return 0;
}

static void
old_kernels_let_it_leave_too(void **state) {
  (void)state;
  int high = fcntl(file, F_DUPFD_CLOEXEC, 900); /* not a low number */
  for (int i = 0; i < 2; i++) {
    bool with_unshare = i == 0;
    int status = in_child(leave_without_close_range, &with_unshare);
    if (status == 77)
      skip();
    assert_int_equal(status, 0);
  }
  close(high);
}

/* ---- Channels ------------------------------------------------------------------------------ */

static int channel[2];

static int
open_channel(void **state) {
  (void)state;
  return host_channel(channel);
}

static int
close_channel(void **state) {
  (void)state;
  return close(channel[0]) + close(channel[1]);
}

static void
channel_passes_message_and_descriptors(void **state) {
  int fds[3] = { file, channel[0], file };
  int got[3] = { -1, -1, -1 };
  char message[6] = "";
  (void)state;
  EXPECT(host_send_fds(channel[0], "hello", 6, fds, 3), 0);
  EXPECT(host_receive_fds(channel[1], message, 6, got, 3), 0);
  assert_string_equal(message, "hello");
  assert_true(is_same_file(got[0], file));
  assert_true(is_same_file(got[1], channel[0]));
  assert_true(is_same_file(got[2], file));
  for (int i = 0; i < 3; i++) {
    assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
    close(got[i]);
  }
}

static void
channel_keeps_message_boundaries_and_order(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++)
    EXPECT(host_send_fds(channel[0], &i, sizeof i, &file, 1), 0);
  for (int i = 0; i < 5; i++) {
    int number = -1;
    int fd = -1;
    EXPECT(host_receive_fds(channel[1], &number, sizeof number, &fd, 1), 0);
    assert_int_equal(number, i);
    close(fd);
  }
}

static void
channel_takes_as_many_as_it_says(void **state) {
  int fds[HOST_FDS_MAX];
  int got[HOST_FDS_MAX];
  char message[64] = { 1 };
  int before = count_open();
  (void)state;
  for (int i = 0; i < HOST_FDS_MAX; i++)
    fds[i] = file;
  EXPECT(host_send_fds(channel[0], message, 64, fds, HOST_FDS_MAX), 0);
  EXPECT(host_receive_fds(channel[1], message, 64, got, HOST_FDS_MAX), 0);
  for (int i = 0; i < HOST_FDS_MAX; i++)
    close(got[i]);
  assert_int_equal(count_open(), before);
}

static void
wrong_arguments_of_a_channel(void **state) {
  int fds[HOST_FDS_MAX + 1] = { 0 };
  char message[65] = { 0 };
  int bad = 987654;
  (void)state;
  EXPECT(host_send_fds(channel[0], message, 65, fds, 1), EINVAL);
  EXPECT(host_send_fds(channel[0], message, 0, fds, 1), EINVAL);
  EXPECT(host_send_fds(channel[0], message, 1, fds, 0), EINVAL);
  EXPECT(host_send_fds(channel[0], message, 1, fds, HOST_FDS_MAX + 1), EINVAL);
  EXPECT(host_send_fds(channel[0], message, 1, &bad, 1), EBADF);
  EXPECT(host_send_fds(bad, message, 1, &file, 1), EBADF);
  EXPECT(host_receive_fds(channel[1], message, 65, fds, 1), EINVAL);
  EXPECT(host_receive_fds(channel[1], message, 1, fds, HOST_FDS_MAX + 1), EINVAL);
  EXPECT(host_receive_fds(bad, message, 1, fds, 1), EBADF);
  EXPECT(host_receive_fds(file, message, 1, fds, 1), ENOTSOCK);
  EXPECT(host_receive_fds(channel[1], message, 1, fds, 1), ENODATA);
}

static void
closed_peer_is_no_data_and_no_signal(void **state) {
  char byte = 1;
  int fd = -1;
  int ends[2];
  (void)state;
  EXPECT(host_channel(ends), 0);
  EXPECT(host_receive_fds(ends[0], &byte, 1, &fd, 1), ENODATA);
  close(ends[1]);
  EXPECT(host_receive_fds(ends[0], &byte, 1, &fd, 1), ENODATA);
  EXPECT(host_send_fds(ends[0], &byte, 1, &file, 1), EPIPE); /* and we live */
  close(ends[0]);
}

/* What isn't as asked for is refused whole, and nothing stays open. */
static void
unexpected_message_leaves_no_descriptor(void **state) {
  char message[8] = { 0 };
  int fds[2] = { file, file };
  int got[2] = { -1, -1 };
  int before = count_open();
  (void)state;
  EXPECT(host_send_fds(channel[0], message, 8, fds, 2), 0);
  EXPECT(host_receive_fds(channel[1], message, 8, got, 1), EBADMSG);
  EXPECT(host_send_fds(channel[0], message, 8, fds, 2), 0);
  EXPECT(host_receive_fds(channel[1], message, 7, got, 2), EBADMSG);
  assert_int_equal(write(channel[0], message, 8), 8);
  EXPECT(host_receive_fds(channel[1], message, 8, got, 1), EBADMSG);
  assert_int_equal(got[0], -1);
  assert_int_equal(count_open(), before);
  EXPECT(host_receive_fds(channel[1], message, 8, got, 2), ENODATA);
}

static void
more_descriptors_than_there_is_room_for(void **state) {
  char message[8];
  int got[HOST_FDS_MAX];
  int before = count_open();
  (void)state;
  for (int n = HOST_FDS_MAX + 1; n <= 200; n++) {
    assert_int_equal(send_copies(channel[0], NULL, 0, n), 0);
    int error = host_receive_fds(channel[1], message, 8, got, HOST_FDS_MAX);
    assert_true(error == EBADMSG || error == EMFILE);
    assert_int_equal(count_open(), before);
  }
  assert_int_equal(send_copies(channel[0], NULL, 0, HOST_FDS_MAX), 0); /* the control */
  EXPECT(host_receive_fds(channel[1], message, 8, got, HOST_FDS_MAX), 0);
  for (int i = 0; i < HOST_FDS_MAX; i++)
    close(got[i]);
}

static int
receive_into_full_table(void *arg) {
  struct rlimit limit = { 0, 0 };
  char message[8] = { 0 };
  int fds[3] = { file, file, file };
  int got[3] = { -1, -1, -1 };
  (void)arg;
  CHILD_CHECK(host_send_fds(channel[0], message, 8, fds, 3) == 0);
  int next = dup(file);
  int before = count_open() - 1;
  close(next);
  limit.rlim_cur = limit.rlim_max = (rlim_t)next + 1; /* room for one */
  CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHILD_CHECK(host_receive_fds(channel[1], message, 8, got, 3) == EMFILE);
  CHILD_CHECK(count_open() == before);
  return 0;
}

static void
full_table_loses_the_message_whole(void **state) {
  (void)state;
  assert_int_equal(in_child(receive_into_full_table, NULL), 0);
}

#define channel_test(fn) cmocka_unit_test_setup_teardown(fn, open_channel, close_channel)

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(leaver_s_table_is_empty_and_its_own),
    cmocka_unit_test(old_kernels_let_it_leave_too),
    channel_test(channel_passes_message_and_descriptors),
    channel_test(channel_keeps_message_boundaries_and_order),
    channel_test(channel_takes_as_many_as_it_says),
    channel_test(wrong_arguments_of_a_channel),
    cmocka_unit_test(closed_peer_is_no_data_and_no_signal),
    channel_test(unexpected_message_leaves_no_descriptor),
    channel_test(more_descriptors_than_there_is_room_for),
    channel_test(full_table_loses_the_message_whole),
  };
  return cmocka_run_group_tests(tests, make_file, NULL);
}
