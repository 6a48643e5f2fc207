/* run_processes.c - three processes: the launcher, the keeper of the house, and the program.
 *
 * The launcher waits and passes signals on.  The house-keeper is the parent of the program and, as
 * child subreaper, of whatever the program leaves running: when the program has ended it writes back
 * what killed processes left and tells the launcher, which exits with the program's status; then it
 * stays, silent, until the last of them has ended, and writes back once more.
 */
#include "tool/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/report.h"

/* From the house-keeper to the launcher. */
enum news_kind { NEWS_STARTED, NEWS_STOPPED, NEWS_ENDED, NEWS_CANNOT_START };
struct news {
  enum news_kind what;
  int value; /* process id, -, exit status, errno */
};

static void
tell(int to, enum news_kind what, int value) {
  const struct news news = { what, value };
  if (write(to, &news, sizeof news) < 0)
    return; /* the launcher was killed: nobody waits */
}

/* ---- The program --------------------------------------------------------------------------- */

_Noreturn static void
become_program(const struct run *run, const sigset_t *mask, int failed) {
  (void)signal(SIGPIPE, sigpipe_before);
  (void)sigprocmask(SIG_SETMASK, mask, NULL); /* NOLINT(concurrency-mt-unsafe): the only thread */
  (void)execv(run->path, run->argv);
  if (errno == ENOEXEC) { /* a script without a first line, as execvp and env do it */
    size_t n = 0;
    while (run->argv[n])
      n++;
    char **argv = need(calloc(n + 2, sizeof *argv));
    argv[0] = text_of("sh");
    argv[1] = run->path;
    memcpy(argv + 2, run->argv + 1, n * sizeof *argv);
    (void)execv("/bin/sh", argv);
  }
  int error = errno;
  if (write(failed, &error, sizeof error) < 0)
    _exit(RUN_CANNOT_START);
  _exit(RUN_CANNOT_START);
}

/* ---- The house-keeper ----------------------------------------------------------------------- */

static int
status_of(int status) {
  return WIFSIGNALED(status) ? RUN_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for the program, and for what else becomes our child. */
static int
wait_for_program(pid_t program, int news) {
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, WUNTRACED);
    if (pid < 0 && errno != EINTR)
      return RUN_FAILED;
    if (pid != program)
      continue;
    if (!WIFSTOPPED(status))
      return status_of(status);
    tell(news, NEWS_STOPPED, WSTOPSIG(status));
  }
}

/* Nobody waits for us: neither a terminal nor whoever reads a pipe. */
static void
go_silent(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    (void)dup2(null, fd);
  (void)setsid();
  if (chdir("/") != 0)
    return; /* then the file system stays busy */
}

static bool
has_children(void) {
  while (waitpid(-1, NULL, WNOHANG) > 0)
    continue;
  return waitpid(-1, NULL, WNOHANG) == 0;
}

static int
set_report_variable(const struct run *run) {
  if (!run->counters)
    return 0;
  char *at = text_of("/proc/%d/fd/%d", (int)getpid(), run->report_fd);
  int status = setenv(REPORT_VARIABLE, at, 1); /* NOLINT(concurrency-mt-unsafe): one thread yet */
  free(at);
  return status;
}

/* The errno with which the program could not be started, or 0. */
static int
start_program(const struct run *run, const sigset_t *mask, pid_t *program) {
  int failed[2], error = 0;
  if (pipe2(failed, O_CLOEXEC) != 0)
    return errno;
  *program = fork();
  if (*program == 0)
    become_program(run, mask, failed[1]);
  if (*program < 0)
    error = errno;
  (void)close(failed[1]);
  if (*program > 0 && read(failed[0], &error, sizeof error) != (ssize_t)sizeof error)
    error = 0;
  (void)close(failed[0]);
  return error;
}

_Noreturn static void
keep_house(const struct run *run, const sigset_t *mask, int news) {
  pid_t program = 0;
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
  int error = environment_set(run) || set_report_variable(run) ? ECANCELED : 0;
  if (!error)
    error = start_program(run, mask, &program);
  if (error) {
    tell(news, NEWS_CANNOT_START, error);
    _exit(0);
  }
  tell(news, NEWS_STARTED, program);
  int status = wait_for_program(program, news);
  after_recover(run, true);
  tell(news, NEWS_ENDED, status);
  (void)close(news);
  if (has_children()) {
    go_silent();
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
      continue;
    after_recover(run, false);
  }
  _exit(0);
}

/* ---- The launcher --------------------------------------------------------------------------- */

/* What the terminal sends goes to the program, too: it is in our process group. */
static void
pass_signal(int signals, pid_t program) {
  struct signalfd_siginfo info;
  if (read(signals, &info, sizeof info) != (ssize_t)sizeof info)
    return;
  int sig = (int)info.ssi_signo;
  if (sig == SIGCHLD || info.ssi_code == SI_KERNEL)
    return;
  (void)kill(program, sig);
}

static int
cannot_start(const struct run *run, int error) {
  if (error == ECANCELED)
    return RUN_FAILED; /* said already */
  char *shown = printable(run->path);
  errno = error;
  complain("run: %s: %m", shown);
  free(shown);
  return error == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_START;
}

static int
wait_for_news(const struct run *run, int news, int signals) {
  pid_t program = 0;
  for (;;) {
    struct pollfd fds[] = { { .fd = news, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
    struct news item;
    /* Until there is a program signals wait. */
    if (poll(fds, program ? 2 : 1, -1) < 0 && errno != EINTR)
      return RUN_FAILED;
    if (program && (fds[1].revents & POLLIN))
      pass_signal(signals, program);
    if (!(fds[0].revents & (POLLIN | POLLHUP)))
      continue;
    if (read(news, &item, sizeof item) != (ssize_t)sizeof item)
      return RUN_FAILED; /* the house-keeper was killed */
    switch (item.what) {
    case NEWS_STARTED:
      program = item.value;
      break;
    case NEWS_STOPPED:
      (void)raise(SIGSTOP); /* the shell that waits for us wants to know; SIGCONT goes to all */
      break;
    case NEWS_ENDED:
      return item.value;
    case NEWS_CANNOT_START:
    default:
      return cannot_start(run, item.value);
    }
  }
}

int
processes_run(struct run *run) {
  int news[2];
  sigset_t all, mask;
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_BLOCK, &all, &mask); /* NOLINT(concurrency-mt-unsafe): the only thread */
  int signals = signalfd(-1, &all, SFD_CLOEXEC);
  if (signals < 0 || pipe2(news, O_CLOEXEC) != 0) {
    complain("run: %m");
    return RUN_FAILED;
  }
  pid_t house = fork();
  if (house == 0) {
    (void)close(news[0]);
    (void)close(signals);
    keep_house(run, &mask, news[1]);
  }
  int error = errno;
  (void)close(news[1]);
  int status = RUN_FAILED;
  if (house > 0) {
    status = wait_for_news(run, news[0], signals);
  } else {
    errno = error;
    complain("run: %m");
  }
  (void)close(news[0]);
  // cppcheck-suppress doubleFree ; the other one is in the child
  (void)close(signals);
  return status;
}
