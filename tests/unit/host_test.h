/* host_test.h - what the tests of src/host share. */
#ifndef HOST_TEST_H
#define HOST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SOFTMAP_INJECT
#define SOFTMAP_INJECT 1 /* as the engine that these tests are linked with */
#endif
#include "host/host.h"
#include "host/inject.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define ERRNO_UNTOUCHED 9999
#define KILLED(sig) (256 + (sig))

/* The call returns this error (0: none), and leaves errno alone. */
#define EXPECT(call, want)                                                                         \
  do {                                                                                             \
    errno = ERRNO_UNTOUCHED;                                                                       \
    int expect_error_ = (call);                                                                    \
    assert_int_equal(errno, ERRNO_UNTOUCHED);                                                      \
    assert_int_equal(expect_error_, want);                                                         \
  } while (0)

/* In a child, where cmocka's checks can't be used: end with the line's number, modulo 250. */
#define CHILD_CHECK(condition)                                                                     \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
      _exit(1 + __LINE__ % 250);                                                                   \
    }                                                                                              \
  } while (0)

/* A row of a table: fn() gives the error. */
struct host_row {
  const char *name;
  int (*fn)(void);
  int want;
};

__attribute__((unused)) static void
check_rows(const struct host_row *rows, size_t n) {
  int wrong = 0;
  for (size_t i = 0; i < n; i++) {
    errno = ERRNO_UNTOUCHED;
    int error = rows[i].fn();
    if (error == rows[i].want && errno == ERRNO_UNTOUCHED)
      continue;
    print_error("%s: error %d, want %d, errno %d\n", rows[i].name, error, rows[i].want, errno);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

__attribute__((unused)) static int
reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  return WIFSIGNALED(status) ? KILLED(WTERMSIG(status)) : WEXITSTATUS(status);
}

/* fn(arg) in a child; its result is the child's exit status. */
__attribute__((unused)) static pid_t
start_child(int (*fn)(void *), void *arg) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
                                 SIGABRT }; /* cmocka catches them */
    static const struct rlimit no_core = { 0, 0 };
    for (size_t i = 0; i < COUNT_OF(fatal); i++)
      signal(fatal[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(30);
    _exit(fn(arg));
  }
  return pid;
}

__attribute__((unused)) static int
in_child(int (*fn)(void *), void *arg) {
  return reap(start_child(fn, arg));
}

__attribute__((unused)) static int
new_file(const char *name, int flags) {
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);
  assert_true(fd >= 0);
  return fd;
}

__attribute__((unused)) static void
fail_call(enum host_call call, int error) {
  struct inject_rule rule = { .call = call, .nth = 1, .times = UINT32_MAX, .error = error };
  inject_arm(&rule);
}

/* From here on the kernel answers a system call of this process for which a field (an offset in struct
 * seccomp_data) has a value with this error; 0: with success.  For children only: it can't be undone. */
__attribute__((unused)) static int
refuse_syscall_with(long number, size_t field, uint32_t value, int error) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)field),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { .len = COUNT_OF(code), .filter = code };
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return errno;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
}

/* As an old kernel or a sandbox does. */
__attribute__((unused)) static int
refuse_syscall(long number, int error) {
  return refuse_syscall_with(number, offsetof(struct seccomp_data, nr), (uint32_t)number, error);
}

/* address, thread, or NULL for any. */
__attribute__((unused)) static bool
is_sanitized(const char *kind) {
  const char *sanitizer = getenv("SOFTMAP_TEST_SANITIZER");
  if (sanitizer == NULL || *sanitizer == '\0')
    return false;
  return kind == NULL || strcmp(sanitizer, kind) == 0;
}

__attribute__((unused)) static int
start_host(void **state) {
  (void)state;
  return host_start();
}

#endif
