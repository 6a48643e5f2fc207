/* main.c - softmap-lab-process ENGINE DESCRIPTOR: not to be started by hand.
 *
 * Reads a request from the descriptor, does it, answers; ends when the lab has gone.
 */
#include "actor/actor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <softmap/softmap.h>

static char *program; /* absolute */
static char *engine;
static int channel;

/* ---- Packets ------------------------------------------------------------------------------- */

/* Takes a descriptor along if one comes, else *fd stays. */
static void
receive(struct actor_request *request, int *fd) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec vec = { request, sizeof *request };
  struct msghdr message = {
    .msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  ssize_t got;
  do
    got = recvmsg(channel, &message, 0);
  while (got < 0 && errno == EINTR);
  if (got != (ssize_t)sizeof *request)
    _exit(0); /* the lab has gone: nothing that is still dirty matters */
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS)
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
}

static void
answer(struct actor_reply *reply) {
  ssize_t put;
  reply->faults = view_faults();
  do
    put = send(channel, reply, sizeof *reply, MSG_NOSIGNAL);
  while (put < 0 && errno == EINTR);
  if (put != (ssize_t)sizeof *reply)
    _exit(0);
}

/* The first packet of a new program: which process it is. */
static void
introduce(int error) {
  static struct actor_reply reply;
  reply = (struct actor_reply){ .error = error, .value = getpid() };
  answer(&reply);
}

/* ---- Steps --------------------------------------------------------------------------------- */

static void
do_fork(int child_channel, struct actor_reply *reply) {
  pid_t pid = fork();
  if (pid < 0) {
    reply->error = errno;
  } else if (pid > 0) {
    reply->value = pid;
  } else {
    (void)close(channel);
    channel = child_channel;
    introduce(0);
    return;
  }
  (void)close(child_channel);
  answer(reply);
}

static int
do_exec(void) {
  char number[16];
  (void)snprintf(number, sizeof number, "%d", channel);
  char *arguments[] = { program, engine, number, NULL };
  (void)fcntl(channel, F_SETFD, 0);
  (void)execv(program, arguments);
  return errno;
}

static int
do_wait(pid_t pid, int64_t *status_out) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return errno;
  *status_out = status;
  return 0;
}

static int
do_fail(const struct actor_request *request) {
  if (memory_is_native())
    return EOPNOTSUPP;
  for (int i = 0; i < HOST_CALL_COUNT; i++)
    if (strcmp(inject_name((enum host_call)i), request->bytes) == 0) {
      struct inject_rule rule = { .call = (enum host_call)i,
                                  .nth = request->after + 1,
                                  .times = request->times,
                                  .error = request->value };
      inject_arm(&rule);
      return 0;
    }
  return EINVAL;
}

static int
do_option(const struct actor_request *request) {
  const char *value = request->bytes + strlen(request->bytes) + 1;
  if (memory_is_native())
    return 0;
  return softmap_configure(request->bytes, value) < 0 ? errno : 0;
}

/* The sections of one file. */
static int
do_recover(const char *path) {
  struct softmap_section sections[NAMES_MAX];
  ssize_t n = memory_is_native() ? 0 : softmap_sections(sections, NAMES_MAX);
  int error = n < 0 ? errno : 0;
  for (ssize_t i = 0; i < n && i < NAMES_MAX; i++)
    if (strcmp(sections[i].path, path) == 0 && softmap_recover(sections[i].name, NULL) < 0)
      error = errno;
  return error;
}

static int
do_pages(const struct region *region, struct actor_reply *reply) {
  reply->npages = region->npages;
  reply->first = region->first;
  view_pages(region, reply->pages);
  return 0;
}

/* Steps on a region, which must be there. */
static int
do_region(const struct actor_request *request, struct actor_reply *reply) {
  const struct region *region = &regions[request->region];
  if (!region->addr)
    return ENXIO;
  size_t n;
  switch ((int)request->op) {
  case ACTOR_STORE:
    n = memory_extent(region, request->offset, request->nbytes);
    reply->signal = access_copy(region->addr + request->offset, request->bytes, n);
    if (!reply->signal && n < request->nbytes)
      reply->signal = SIGSEGV;
    return 0;
  case ACTOR_LOAD:
    reply->nbytes = request->len < TEXT_MAX ? (uint32_t)request->len : TEXT_MAX;
    n = memory_extent(region, request->offset, reply->nbytes);
    reply->signal = access_copy(reply->bytes, region->addr + request->offset, n);
    if (!reply->signal && n < reply->nbytes)
      reply->signal = SIGSEGV;
    return 0;
  case ACTOR_PROTECT:
    return memory_protect(request);
  case ACTOR_SYNC:
    return memory_sync(request);
  case ACTOR_UNMAP:
    return memory_unmap(request);
  case ACTOR_REMAP:
    return memory_remap(request);
  case ACTOR_PIN:
  case ACTOR_UNPIN:
    return memory_pin(request, request->op == ACTOR_PIN);
  default:
    return do_pages(region, reply);
  }
}

static int
do_step(const struct actor_request *request, struct actor_reply *reply) {
  switch (request->op) {
  case ACTOR_MAP:
    return memory_map(request);
  case ACTOR_EXEC:
    return do_exec();
  case ACTOR_EXIT:
    exit(request->value); /* NOLINT(concurrency-mt-unsafe): the only thread of the program */
  case ACTOR_WAIT:
    return do_wait((pid_t)request->value, &reply->value);
  case ACTOR_FAIL:
    return do_fail(request);
  case ACTOR_GROW:
    access_grow(request->bytes, request->len);
    return 0;
  case ACTOR_OPTION:
    return do_option(request);
  case ACTOR_RECOVER:
    return do_recover(request->bytes);
  default:
    return request->region < NAMES_MAX ? do_region(request, reply) : EINVAL;
  }
}

int
main(int argc, char **argv) {
  static struct actor_request request;
  static struct actor_reply reply;
  if (argc != 3) {
    (void)fputs("softmap-lab-process: started by softmap lab, not by hand\n", stderr);
    return 2;
  }
  program = argv[0];
  engine = argv[1];
  channel = (int)strtol(argv[2], NULL, 10);
  (void)fcntl(channel, F_SETFD, FD_CLOEXEC);
  access_start();
  introduce(memory_choose(engine));
  for (;;) {
    int fd = -1;
    receive(&request, &fd);
    reply = (struct actor_reply){ 0 };
    if (request.op == ACTOR_FORK) {
      do_fork(fd, &reply);
      continue;
    }
    reply.error = do_step(&request, &reply);
    answer(&reply);
  }
}
