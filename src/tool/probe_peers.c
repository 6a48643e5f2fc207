/* probe_peers.c - what mmap must do, a function a promise: those that take two processes. */
#include "tool/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Taking turns -------------------------------------------------------------------------- */

/* Nobody waits in vain: an end of the other process is noticed. */
struct peer {
  pid_t pid; /* 0 in the peer itself */
  int from, to;
};

static void
start_peer(struct peer *peer) {
  int there[2], back[2];
  if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
    probe_unknown("pipe");
  pid_t self = getpid();
  peer->pid = fork();
  if (peer->pid < 0)
    probe_unknown("fork");
  bool is_peer = peer->pid == 0;
  if (is_peer)
    probe_end_with(self);
  peer->from = is_peer ? there[0] : back[0];
  peer->to = is_peer ? back[1] : there[1];
  (void)close(is_peer ? there[1] : back[1]);
  (void)close(is_peer ? back[0] : there[0]);
}

static void
your_turn(const struct peer *peer) {
  (void)!write(peer->to, "", 1);
}

/* Who has ended has answered, or died of its mapping. */
static void
my_turn(const struct peer *peer) {
  char byte;
  ssize_t n;
  while ((n = read(peer->from, &byte, 1)) < 0 && errno == EINTR)
    ;
  if (n == 1)
    return;
  int status = 0;
  if (peer->pid > 0 && waitpid(peer->pid, &status, 0) == peer->pid && WIFSIGNALED(status))
    probe_no("the other process died of signal %d", WTERMSIG(status));
  probe_end();
}

static char *
map_page(const struct probe_file *file) {
  int fd = probe_reopen(file, O_RDWR);
  return probe_map(fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* ---- The checks ---------------------------------------------------------------------------- */

/* Two that have both looked at the page before, and store in turn. */
static void
see_each_other(const struct peer *peer, char *map, const char *them) {
  bool is_peer = peer->pid == 0;
  if (!probe_holds(map + 10, "klm"))
    probe_no("the mapping doesn't show the file");
  if (is_peer) {
    your_turn(peer);
    my_turn(peer);
    if (!probe_holds(map + 10, "ours"))
      probe_no("%s", them);
    probe_store(map + 30, "theirs");
    your_turn(peer);
    probe_end();
  }
  my_turn(peer);
  probe_store(map + 10, "ours");
  your_turn(peer);
  my_turn(peer);
  if (!probe_holds(map + 30, "theirs"))
    probe_no("%s", them);
  if (!probe_holds(map + 10, "ours"))
    probe_no("a store took the other's away");
  (void)waitpid(peer->pid, NULL, 0);
}

void
probe_two_processes(const struct probe_file *file) {
  struct peer peer;
  start_peer(&peer);
  see_each_other(&peer, map_page(file), "a process doesn't see another's store");
}

void
probe_fork(const struct probe_file *file) {
  struct peer peer;
  char *map = map_page(file);
  start_peer(&peer);
  see_each_other(&peer, map, "parent or child doesn't see the other's store");
}

void
probe_kill(const struct probe_file *file) {
  struct peer peer;
  start_peer(&peer);
  if (peer.pid == 0) {
    char *map = map_page(file);
    probe_store(map + 10, "dying");
    your_turn(&peer);
    for (;;)
      (void)pause();
  }
  my_turn(&peer);
  (void)kill(peer.pid, SIGKILL);
  (void)waitpid(peer.pid, NULL, 0);
  probe_must_have(file, 10, "dying", "SIGKILL");
}
