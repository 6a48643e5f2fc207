/* actors.c - the processes of a script: starting, asking, ending.
 *
 * Each is a program of its own (softmap-lab-process) at the other end of a socket pair.  One step of one
 * process at a time; the next begins when the answer is there, or the process is gone altogether.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/grammar.h"
#include "lab/world.h"
#include "tool/tool.h"

enum { ANSWER_MS = 30000 }; /* then the engine hangs */

static const char *
name_of(const struct world *world, int process) {
  return world->script->processes.name[process];
}

/* ---- The program --------------------------------------------------------------------------- */

static char *
find_program(void) {
  static const char *const places[] = { "../actor/softmap-lab-process",
                                        "../../actor/softmap-lab-process",
                                        "../libexec/softmap/softmap-lab-process", NULL };
  return find_part("SOFTMAP_LAB_PROCESS", places, PKGLIBEXECDIR "/softmap-lab-process");
}

/* Ours without what would change what softmap does; to be freed, and its first `nown` strings. */
static char **
environment(const struct world *world, size_t *nown) {
  size_t n = 0;
  while (environ[n])
    n++;
  char **out = need(calloc(n + 3, sizeof *out));
  size_t at = 0;
  out[at++] = text_of("SOFTMAP_DIR=%s/sections", world->dir);
  if (world->script->page_size != (uint64_t)sysconf(_SC_PAGESIZE))
    out[at++] =
        text_of("SOFTMAP_TEST_PAGE_SIZE=%llu", (unsigned long long)world->script->page_size);
  *nown = at;
  for (size_t i = 0; i < n; i++)
    if (strncmp(environ[i], "SOFTMAP_", 8) != 0)
      out[at++] = environ[i];
  return out;
}

static int
spawn(const struct world *world, int channel, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  char *program = find_program();
  if (!program)
    return ENOENT;
  char *said = text_of("%s/said", world->dir), number[] = "3";
  char *engine = text_of("%s", world->engine);
  char *arguments[] = { program, engine, number, NULL };
  size_t nown;
  char **variables = environment(world, &nown);
  int error = posix_spawn_file_actions_init(&actions);
  if (!error) {
    /* Nothing of /dev: it may be missing.  dup2 of a descriptor on itself only takes its close-on-exec away: both are as wanted. */
    error = posix_spawn_file_actions_adddup2(&actions, channel, 3);
    if (!error)
      error = posix_spawn_file_actions_addopen(&actions, 0, said, O_RDONLY | O_CREAT, 0600);
    if (!error)
      error =
          posix_spawn_file_actions_addopen(&actions, 2, said, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (!error)
      error = posix_spawn_file_actions_adddup2(&actions, 2, 1);
    if (!error)
      error = posix_spawn(pid, program, &actions, NULL, arguments, variables);
    (void)posix_spawn_file_actions_destroy(&actions);
  }
  if (error) {
    errno = error;
    complain("%s: %m", program);
  }
  for (size_t i = 0; i < nown; i++)
    free(variables[i]);
  free(variables);
  free(engine);
  free(said);
  free(program);
  return error;
}

/* ---- Packets ------------------------------------------------------------------------------- */

static bool
send_request(int channel, const struct actor_request *request, int fd) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = { .room = { 0 } };
  struct iovec vec = { (void *)(uintptr_t)request, sizeof *request };
  struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1 };
  if (fd >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t put;
  do
    put = sendmsg(channel, &message, MSG_NOSIGNAL);
  while (put < 0 && errno == EINTR);
  return put == (ssize_t)sizeof *request;
}

enum answer { ANSWER_CAME, ANSWER_ENDED, ANSWER_NONE };

static enum answer
receive_reply(int channel, struct actor_reply *reply) {
  struct pollfd wait = { .fd = channel, .events = POLLIN };
  int ready;
  do
    ready = poll(&wait, 1, ANSWER_MS);
  while (ready < 0 && errno == EINTR && !world_is_interrupted());
  if (ready <= 0)
    return ANSWER_NONE;
  ssize_t got;
  do
    got = recv(channel, reply, sizeof *reply, 0);
  while (got < 0 && errno == EINTR);
  return got == (ssize_t)sizeof *reply ? ANSWER_CAME : ANSWER_ENDED;
}

/* Returns false. */
static bool
no_answer(const char *process, const char *what) {
  if (world_is_interrupted())
    complain("interrupted");
  else
    complain("process '%s' %s", process, what);
  return false;
}

/* ---- Starting ------------------------------------------------------------------------------ */

static struct actor *
begin_actor(struct world *world, int process, int channel, int parent) {
  struct actor *actor = &world->actors[process];
  *actor = (struct actor){ .channel = channel, .parent = parent };
  for (int i = 0; i < NAMES_MAX; i++)
    actor->region[i].file = -1;
  return actor;
}

bool
actor_start(struct world *world, int process) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    complain("socketpair: %m");
    return false;
  }
  struct actor *actor = begin_actor(world, process, ends[0], -1);
  int error = spawn(world, ends[1], &actor->pid);
  (void)close(ends[1]);
  if (error) {
    (void)close(ends[0]);
    actor->channel = -1;
    return false;
  }
  if (receive_reply(ends[0], world->reply) != ANSWER_CAME) {
    return no_answer(process < (int)world->script->processes.n ? name_of(world, process) : "lab",
                     "doesn't begin");
  }
  if (world->reply->error == 0)
    return true;
  complain("the engine '%s' %s", world->engine,
           world->reply->error == EOPNOTSUPP ? "isn't built in, or this machine lacks what it needs"
                                             : "is unknown");
  return false;
}

/* ---- Ending -------------------------------------------------------------------------------- */

bool
actor_is_alive(const struct world *world, int process) {
  return process >= 0 && world->actors[process].channel >= 0;
}

/* Until nothing of the process is left.  Its parent asks the kernel, or we do if that is gone: then it
 * is our child (PR_SET_CHILD_SUBREAPER). */
static bool
reap(struct world *world, int process, int *status) {
  struct actor *actor = &world->actors[process];
  if (actor->channel >= 0)
    (void)close(actor->channel);
  actor->channel = -1;
  *status = 0;
  if (actor_is_alive(world, actor->parent)) {
    struct actor_request request = { .op = ACTOR_WAIT, .value = actor->pid };
    bool ok = actor_ask(world, actor->parent, &request);
    *status = (int)world->reply->value;
    return ok;
  }
  while (waitpid(actor->pid, status, 0) < 0)
    if (errno != EINTR)
      break;
  return true;
}

bool
actor_end(struct world *world, int process, int signal, int *status) {
  struct actor *actor = &world->actors[process];
  if (signal)
    (void)kill(actor->pid, signal);
  return reap(world, process, status);
}

void
actor_kill_all(struct world *world) {
  bool any;
  for (int i = 0; i < NAMES_MAX; i++)
    if (world->actors[i].channel >= 0) {
      (void)kill(world->actors[i].pid, SIGKILL);
      (void)close(world->actors[i].channel);
      world->actors[i].channel = -1;
    }
  do { /* a child is ours once its parent is gone */
    any = false;
    for (int i = 0; i < NAMES_MAX; i++)
      if (world->actors[i].pid && waitpid(world->actors[i].pid, NULL, 0) > 0)
        any = true;
  } while (any);
}

/* ---- Asking -------------------------------------------------------------------------------- */

bool
actor_ask(struct world *world, int process, struct actor_request *request) {
  int channel = world->actors[process].channel, status;
  struct actor_reply *reply = world->reply;
  *reply = (struct actor_reply){ 0 };
  enum answer answer = ANSWER_ENDED;
  if (send_request(channel, request, -1))
    answer = receive_reply(channel, reply);
  if (answer == ANSWER_NONE) {
    return no_answer(name_of(world, process), "hangs");
  }
  if (answer == ANSWER_CAME)
    return true;
  if (!reap(world, process, &status))
    return false;
  *reply = (struct actor_reply){ .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                                 .value = WIFEXITED(status) ? WEXITSTATUS(status) : 0 };
  return true;
}

bool
actor_fork(struct world *world, int process, int child) {
  struct actor *parent = &world->actors[process];
  struct actor_request request = { .op = ACTOR_FORK };
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    complain("socketpair: %m");
    return false;
  }
  bool ok = send_request(parent->channel, &request, ends[1]);
  (void)close(ends[1]);
  struct actor *actor = begin_actor(world, child, ends[0], process);
  memcpy(actor->region, parent->region, sizeof actor->region);
  if (!ok || receive_reply(parent->channel, world->reply) != ANSWER_CAME) {
    return no_answer(name_of(world, process), "doesn't answer");
  }
  actor->pid = (pid_t)world->reply->value;
  if (world->reply->error) {
    (void)close(ends[0]);
    actor->channel = -1;
    return true;
  }
  uint32_t faults = world->reply->faults;
  if (receive_reply(ends[0], world->reply) == ANSWER_CAME) {
    world->reply->faults = faults;
    return true;
  }
  return no_answer(name_of(world, child), "doesn't begin");
}
