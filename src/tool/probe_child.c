/* probe_child.c - one check in a process of its own: it may die of a signal, or hang. */
#include "tool/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, KILLED_MS = 1000 };

/* Shared with the processes of the check. */
static struct shared {
  atomic_bool is_answered;
  struct probe_result result;
} * shared;

/* ---- Answers, in the child ----------------------------------------------------------------- */

static bool
may_answer(enum probe_answer answer) {
  if (atomic_exchange(&shared->is_answered, true))
    return false;
  shared->result.answer = answer;
  return true;
}

void
probe_end(void) {
  _exit(0);
}

void
probe_no(const char *reason, ...) {
  if (may_answer(PROBE_NO)) {
    va_list arguments;
    va_start(arguments, reason);
    (void)vsnprintf(shared->result.reason, sizeof shared->result.reason, reason, arguments);
    va_end(arguments);
  }
  probe_end();
}

static void
failed_call(enum probe_answer answer, const char *call, int error) {
  if (!may_answer(answer))
    return;
  shared->result.error = error;
  shared->result.is_refused = strcmp(call, "mmap") == 0;
  errno = error;
  (void)snprintf(shared->result.reason, sizeof shared->result.reason, "%s: %m", call);
}

/* Too little memory, or too many files: that isn't the file system. */
void
probe_no_call(const char *call) {
  int error = errno;
  bool is_ours = error == ENOMEM || error == ENFILE || error == EMFILE;
  failed_call(is_ours ? PROBE_UNKNOWN : PROBE_NO, call, error);
  probe_end();
}

void
probe_unknown(const char *call) {
  failed_call(PROBE_UNKNOWN, call, errno);
  probe_end();
}

/* ---- The child ----------------------------------------------------------------------------- */

char
probe_byte(size_t off) {
  return (char)('a' + off % 23);
}

/* Each check begins with the same file. */
static void
fill(int fd) {
  char block[4096];
  size_t bytes = probe_bytes();
  if (ftruncate(fd, 0) < 0)
    probe_unknown("ftruncate");
  for (size_t off = 0; off < bytes;) {
    size_t n = bytes - off < sizeof block ? bytes - off : sizeof block;
    for (size_t i = 0; i < n; i++)
      block[i] = probe_byte(off + i);
    ssize_t done = pwrite(fd, block, n, (off_t)off);
    if (done <= 0) {
      errno = done < 0 ? errno : EIO;
      probe_unknown("write");
    }
    off += (size_t)done;
  }
}

void
probe_end_with(pid_t parent) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) /* it ended before the call */
    _exit(0);
}

__attribute__((noreturn)) static void
child(const struct probe_check *check, const struct probe_file *file, pid_t parent) {
  static const struct rlimit none = { 0, 0 };
  if (file->guard_pipe >= 0)
    (void)close(file->guard_pipe); /* a check that hangs must not keep the guard waiting */
  probe_end_with(parent);
  (void)setpgid(0, 0); /* to be killed with what it has started */
  (void)setrlimit(RLIMIT_CORE, &none);
  (void)signal(SIGPIPE, SIG_IGN);
  fill(file->fd);
  check->run(file);
  (void)may_answer(PROBE_YES);
  probe_end();
}

/* ---- The parent ---------------------------------------------------------------------------- */

/* Whether all that hold the pipe's other end have ended. */
static bool
have_ended(int pipe, int ms) {
  struct pollfd wait = { .fd = pipe, .events = POLLIN };
  int n;
  while ((n = poll(&wait, 1, ms)) < 0 && errno == EINTR)
    ;
  return n > 0;
}

static void
say_died(struct probe_result *result, int signal_number) {
  const char *name = sigabbrev_np(signal_number);
  /* That somebody killed it tells nothing of the mapping. */
  result->answer = signal_number == SIGBUS || signal_number == SIGSEGV ? PROBE_NO : PROBE_UNKNOWN;
  (void)snprintf(result->reason, sizeof result->reason, "SIG%s", name ? name : "?");
}

static bool
wait_for(pid_t pid, int pipe, struct probe_result *result) {
  int status = 0;
  bool is_late = !have_ended(pipe, LIMIT_MS);
  if (is_late) {
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
  }
  /* A process that the file system holds can't be waited for. */
  if (!is_late || have_ended(pipe, KILLED_MS))
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
      ;
  if (atomic_load(&shared->is_answered))
    *result = shared->result;
  else if (is_late)
    (void)snprintf(result->reason, sizeof result->reason, "not done after %d s", LIMIT_MS / 1000);
  else if (WIFSIGNALED(status))
    say_died(result, WTERMSIG(status));
  return !is_late;
}

bool
probe_run(const struct probe_check *check, const struct probe_file *file,
          struct probe_result *result) {
  int ends[2] = { -1, -1 };
  bool is_in_time = true;
  *result = (struct probe_result){ .answer = PROBE_UNKNOWN, .reason = "ended early" };
  /* cppcheck-suppress invalidFunctionArg ; anonymous */
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED)
    shared = NULL;
  pid_t self = getpid();
  pid_t pid = shared && pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
  if (pid == 0) {
    (void)close(ends[0]);
    child(check, file, self);
  }
  if (ends[1] >= 0)
    (void)close(ends[1]);
  if (pid < 0)
    (void)snprintf(result->reason, sizeof result->reason, "no process: %m");
  else
    is_in_time = wait_for(pid, ends[0], result);
  if (ends[0] >= 0)
    (void)close(ends[0]);
  if (shared)
    (void)munmap(shared, sizeof *shared);
  return is_in_time;
}
