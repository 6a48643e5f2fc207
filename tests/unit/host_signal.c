/* Signal masks and actions, and words to the user. */
#include "host_test.h"

#include <pthread.h>

/* The kernel's view, without libc's filter. */
static bool
is_blocked(int sig) {
  uint64_t mask[2] = { 0 };
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, mask, 8);
  return (mask[0] >> (sig - 1) & 1) != 0;
}

static void
block_takes_all_but_what_libc_needs(void **state) {
  sigset_t mask;
  (void)state;
  errno = ERRNO_UNTOUCHED;
  host_signals_block(&mask);
  for (int sig = 1; sig <= 64; sig++) {
    bool want = sig != SIGKILL && sig != SIGSTOP && (sig < 32 || sig >= SIGRTMIN);
    if (is_blocked(sig) != want)
      fail_msg("signal %d: blocked %d, want %d", sig, is_blocked(sig), want);
  }
  host_signals_set(&mask);
  assert_int_equal(errno, ERRNO_UNTOUCHED);
  for (int sig = 1; sig <= 64; sig++)
    assert_false(is_blocked(sig));
}

static void
mask_is_restored_as_it_was(void **state) {
  sigset_t mask, inner, before;
  (void)state;
  sigemptyset(&before);
  sigaddset(&before, SIGUSR1);
  sigaddset(&before, SIGRTMIN);
  pthread_sigmask(SIG_BLOCK, &before, NULL);
  host_signals_block(&mask);
  host_signals_block(&inner);
  assert_int_equal(sigismember(&inner, SIGUSR2), 1);
  host_signals_set(&inner);
  assert_true(is_blocked(SIGUSR2));
  host_signals_set(&mask);
  assert_true(is_blocked(SIGUSR1));
  assert_true(is_blocked(SIGRTMIN));
  assert_false(is_blocked(SIGUSR2));
  assert_int_equal(sigismember(&mask, SIGUSR1), 1);
  assert_int_equal(sigismember(&mask, SIGUSR2), 0);
  pthread_sigmask(SIG_UNBLOCK, &before, NULL);
}

static void
one_open_signal_is_noticed(void **state) {
  sigset_t mask, inner;
  (void)state;
  host_signals_block(&mask);
  assert_true(host_signals_any_open(&mask));
  host_signals_block(&inner);
  assert_false(host_signals_any_open(&inner));
  for (int sig = 1; sig <= 64; sig++) {
    sigset_t one_less = inner;
    if (sig == SIGKILL || sig == SIGSTOP || (sig >= 32 && sig < SIGRTMIN))
      continue;
    sigdelset(&one_less, sig);
    assert_true(host_signals_any_open(&one_less));
  }
  host_signals_set(&mask);
}

static volatile sig_atomic_t ncaught;

static void
on_signal(int sig) {
  (void)sig;
  ncaught++;
}

static void
raise_reaches_the_calling_thread(void **state) {
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction old;
  sigset_t mask;
  (void)state;
  ncaught = 0;
  EXPECT(host_signal_action(SIGUSR1, &action, &old), 0);
  host_signals_block(&mask);
  host_signal_raise(SIGUSR1);
  assert_int_equal(ncaught, 0);
  host_signals_set(&mask);
  for (int i = 0; i < 1000 && ncaught == 0; i++)
    usleep(100); /* ThreadSanitizer delivers in a call of libc's that it knows */
  assert_int_equal(ncaught, 1);
  EXPECT(host_signal_action(SIGUSR1, &old, NULL), 0);
}

static void
action_is_set_and_told(void **state) {
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
  struct sigaction seen;
  (void)state;
  EXPECT(host_signal_action(SIGUSR2, &action, &seen), 0);
  assert_ptr_equal(seen.sa_handler, SIG_DFL);
  EXPECT(host_signal_action(SIGUSR2, NULL, &seen), 0);
  assert_ptr_equal(seen.sa_handler, on_signal);
  assert_int_equal(seen.sa_flags & SA_RESTART, SA_RESTART);
  action.sa_handler = SIG_DFL;
  EXPECT(host_signal_action(SIGUSR2, &action, NULL), 0);
  EXPECT(host_signal_action(SIGKILL, &action, &seen), EINVAL);
  EXPECT(host_signal_action(12345, &action, &seen), EINVAL);
  assert_ptr_equal(seen.sa_handler, on_signal); /* written on success only */
}

/* ---- Messages ------------------------------------------------------------------------------ */

static const char text[] = "softmap: for your information\n";
#define TEXT_LEN (sizeof text - 1)

static int
say_it(void *arg) {
  int fd = *(int *)arg;
  dup2(fd, STDERR_FILENO);
  errno = ERRNO_UNTOUCHED;
  host_message(text, TEXT_LEN);
  return errno == ERRNO_UNTOUCHED && !is_blocked(SIGPIPE) ? 0 : 1;
}

static void
message_goes_to_standard_error(void **state) {
  char got[100];
  int ends[2];
  (void)state;
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(in_child(say_it, &ends[1]), 0);
  assert_int_equal(read(ends[0], got, sizeof got), TEXT_LEN);
  assert_memory_equal(got, text, TEXT_LEN);
  close(ends[0]);
  close(ends[1]);
}

static int
write_it(void *arg) {
  return write(*(int *)arg, text, TEXT_LEN) < 0;
}

static void
message_without_a_reader_is_harmless(void **state) {
  int ends[2];
  (void)state;
  signal(SIGPIPE, SIG_DFL);
  assert_int_equal(pipe(ends), 0);
  close(ends[0]);
  assert_int_equal(in_child(write_it, &ends[1]), KILLED(SIGPIPE)); /* the control */
  assert_int_equal(in_child(say_it, &ends[1]), 0);
  close(ends[1]);
}

static void
message_without_room_is_dropped(void **state) {
  static const char block[4096];
  int ends[2];
  size_t filled = 0;
  (void)state;
  assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
  while (write(ends[1], block, sizeof block) == (ssize_t)sizeof block)
    filled += sizeof block;
  assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0); /* a write(2) would wait now, for ever */
  assert_int_equal(in_child(say_it, &ends[1]), 0);
  close(ends[1]);
  size_t held = 0;
  char got[4096];
  for (ssize_t n; (n = read(ends[0], got, sizeof got)) > 0;)
    held += (size_t)n;
  assert_int_equal(held, filled);
  close(ends[0]);
}

static int
say_it_to_full_file(void *arg) {
  struct rlimit limit = { 5, 5 };
  int fd = *(int *)arg;
  setrlimit(RLIMIT_FSIZE, &limit);
  if (lseek(fd, 5, SEEK_SET) != 5)
    return 1;
  return say_it(arg);
}

static void
message_to_a_file_at_its_limit_is_harmless(void **state) {
  (void)state;
  int fd = new_file("messages", 0);
  assert_int_equal(in_child(say_it_to_full_file, &fd), 0);
  assert_int_equal(lseek(fd, 0, SEEK_END), 0);
  close(fd);
}

static int
say_it_to_nobody(void *arg) {
  (void)arg;
  close(STDERR_FILENO);
  host_message(text, TEXT_LEN);
  return 0;
}

static void
message_without_standard_error_is_harmless(void **state) {
  (void)state;
  assert_int_equal(in_child(say_it_to_nobody, NULL), 0);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(block_takes_all_but_what_libc_needs),
    cmocka_unit_test(mask_is_restored_as_it_was),
    cmocka_unit_test(one_open_signal_is_noticed),
    cmocka_unit_test(raise_reaches_the_calling_thread),
    cmocka_unit_test(action_is_set_and_told),
    cmocka_unit_test(message_goes_to_standard_error),
    cmocka_unit_test(message_without_a_reader_is_harmless),
    cmocka_unit_test(message_without_room_is_dropped),
    cmocka_unit_test(message_to_a_file_at_its_limit_is_harmless),
    cmocka_unit_test(message_without_standard_error_is_harmless),
  };
  return cmocka_run_group_tests(tests, start_host, NULL);
}
