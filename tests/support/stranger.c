/* stranger.c - unrelated processes of the same program: spawned, so that nothing is inherited, and
 * asked to run functions over a socket.
 *
 * A function is named by its distance from one of this file: it is the same program, elsewhere in
 * memory.
 */
#include "t.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SECONDS_A_STRANGER = 55 };

struct question {
  intptr_t fn; /* 0: end */
  intmax_t a, b;
  char text[T_PATH];
};

struct answer {
  intmax_t result;
  int error;
};

static intptr_t
anchor(void) {
  return (intptr_t)&t_stranger_serve;
}

/* Messages are taken and given whole. False: the other one is gone. */
static bool
give(int fd, const void *message, size_t size) {
  ssize_t n;

  while ((n = send(fd, message, size, MSG_NOSIGNAL)) < 0 && errno == EINTR)
    continue;
  return n == (ssize_t)size;
}

static bool
take(int fd, void *message, size_t size) {
  ssize_t n;

  while ((n = recv(fd, message, size, 0)) < 0 && errno == EINTR)
    continue;
  return n == (ssize_t)size;
}

_Noreturn void
t_stranger_serve(const char *fd_text, const char *parent_text) {
  int fd = atoi(fd_text);
  struct question q;

  t_limit_this_process(SECONDS_A_STRANGER);
  if (getppid() != atoi(parent_text))
    exit(99);
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  t_catch_faults();
  while (take(fd, &q, sizeof q)) {
    struct answer answer;
    t_service *fn = (t_service *)(anchor() + q.fn); /* NOLINT(performance-no-int-to-ptr) */

    if (q.fn == 0)
      break;
    errno = T_ERRNO_UNTOUCHED;
    answer.result = fn(q.a, q.b, q.text);
    answer.error = errno;
    if (!give(fd, &answer, sizeof answer))
      exit(99);
  }
  exit(t_rows_failed() != 0 ? 1 : 0);
}

struct t_stranger
t_stranger(void) {
  static char program[T_PATH];
  posix_spawn_file_actions_t actions;
  struct t_stranger s;
  char fd_text[16];
  char parent_text[16];
  char word[] = T_STRANGER_WORD;
  char *argv[] = { (char *)(uintptr_t)t_emulator(), program, word, fd_text, parent_text, NULL };
  char **command = argv[0] == NULL ? &argv[1] : &argv[0];
  int ends[2];
  int error;

  if (program[0] == '\0' && readlink("/proc/self/exe", program, sizeof program - 1) <= 0)
    t_fail(T_HERE, "no name of this program");
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    t_fail(T_HERE, "socketpair: errno %d", errno);
  (void)snprintf(fd_text, sizeof fd_text, "%d", ends[1]);
  (void)snprintf(parent_text, sizeof parent_text, "%d", (int)getpid());
  error = posix_spawn_file_actions_init(&actions);
  if (error == 0)
    error = posix_spawn_file_actions_adddup2(&actions, ends[1], ends[1]); /* not closed by exec */
  if (error == 0)
    error = posix_spawn(&s.pid, command[0], &actions, NULL, command, environ);
  if (error != 0)
    t_fail(T_HERE, "posix_spawn(%s): errno %d", program, error);
  (void)posix_spawn_file_actions_destroy(&actions);
  (void)close(ends[1]);
  s.fd = ends[0];
  return s;
}

void
t_ask_begin(struct t_at at, const struct t_stranger *s, t_service *fn, intmax_t a, intmax_t b,
            const char *text) {
  struct question q = { (intptr_t)fn - anchor(), a, b, "" };

  if (text != NULL)
    (void)snprintf(q.text, sizeof q.text, "%s", text);
  if (!give(s->fd, &q, sizeof q))
    t_fail(at, "stranger %d isn't there to be asked: errno %d", (int)s->pid, errno);
}

bool
t_answered(const struct t_stranger *s, intmax_t *result) {
  struct answer answer;

  if (!take(s->fd, &answer, sizeof answer))
    return false;
  *result = answer.result;
  errno = answer.error;
  return true;
}

intmax_t
t_answer(struct t_at at, const struct t_stranger *s) {
  intmax_t result;

  if (!t_answered(s, &result))
    t_fail(at, "stranger %d ended instead of answering", (int)s->pid);
  return result;
}

intmax_t
t_ask(struct t_at at, const struct t_stranger *s, t_service *fn, intmax_t a, intmax_t b,
      const char *text) {
  t_ask_begin(at, s, fn, a, b, text);
  return t_answer(at, s);
}

void
t_dismiss_begin(struct t_at at, const struct t_stranger *s) {
  struct question end = { 0 };

  if (!give(s->fd, &end, sizeof end))
    t_fail(at, "stranger %d ended before it was told to", (int)s->pid);
}

void
t_dismiss(struct t_at at, const struct t_stranger *s) {
  t_dismiss_begin(at, s);
  t_reap(at, s->pid, T_EXITED(0));
  (void)close(s->fd);
}

void
t_kill_stranger(struct t_at at, const struct t_stranger *s) {
  if (kill(s->pid, SIGKILL) != 0)
    t_fail(at, "kill: errno %d", errno);
  t_reap(at, s->pid, T_KILLED(SIGKILL));
  (void)close(s->fd);
}

/* ---- Memory that strangers share with us, and that softmap has nothing to do with -------------- */

void *
t_common(size_t size, int *id) {
  void *p;

  *id = shmget(IPC_PRIVATE, size, 0600);
  if (*id < 0)
    t_fail(T_HERE, "shmget: errno %d", errno);
  p = shmat(*id, NULL, 0);
  (void)shmctl(*id, IPC_RMID, NULL); /* goes with its last user */
  if (p == (void *)-1)               /* NOLINT(performance-no-int-to-ptr) */
    t_fail(T_HERE, "shmat: errno %d", errno);
  return p;
}

void *
t_common_of(int id) {
  void *p = shmat(id, NULL, 0);

  if (p == (void *)-1) /* NOLINT(performance-no-int-to-ptr) */
    t_fail(T_HERE, "shmat: errno %d", errno);
  return p;
}
