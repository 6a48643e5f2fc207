/* exerciser_peer.c - operations of other processes: children, and one that is started anew.
 *
 * They take turns, so that all is determined. */
#include "exerciser.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

bool is_alone;
static pid_t peer;
static int to_peer, from_peer;

/* ---- A child ------------------------------------------------------------------------------- */

static void
read_digest(int from, uint64_t *digest) {
  if (read(from, digest, sizeof *digest) != (ssize_t)sizeof *digest)
    *digest = 0; /* it died: the record tells */
}

/* Continues with the parent's mappings and descriptors, then ends in one of the ways. */
void
op_fork(void) {
  uint64_t seed = chance(), n = 1 + chance_below(40), how = chance_below(3), digest;
  int ends[2], status;
  if (is_alone || pipe(ends) < 0)
    return;
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    is_alone = true;
    chance_seed(seed);
    record_begin(" child ");
    run_operations(n);
    digest = record_digest();
    (void)!write(ends[1], &digest, sizeof digest);
    if (how == 0)
      exit(7);
    if (how == 1)
      (void)raise(SIGKILL);
    _exit(7);
  }
  (void)close(ends[1]);
  read_digest(ends[0], &digest);
  (void)close(ends[0]);
  (void)waitpid(child, &status, 0);
  record_join(digest);
  record_number("status", status);
}

/* ---- A process of its own ------------------------------------------------------------------ */

/* Its start is a turn, too: it opens the files. */
struct order {
  uint64_t seed, n;
};

void
peer_start(void) {
  int there[2], back[2];
  if (pipe(there) < 0 || pipe(back) < 0)
    exit(99);
  peer = fork();
  if (peer == 0) {
    (void)dup2(there[0], 0);
    (void)dup2(back[1], 1);
    (void)close(there[1]);
    (void)close(back[0]);
    (void)execl("/proc/self/exe", "exerciser", "peer", (char *)NULL);
    _exit(99);
  }
  (void)close(there[0]);
  (void)close(back[1]);
  to_peer = there[1];
  from_peer = back[0];
  uint64_t ready;
  read_digest(from_peer, &ready);
}

void
peer_end(void) {
  int status;
  (void)close(to_peer);
  (void)close(from_peer);
  (void)waitpid(peer, &status, 0);
  record_number("status", status);
}

void
op_peer(void) {
  struct order order = { chance(), 1 + chance_below(60) };
  uint64_t digest;
  if (is_alone)
    return;
  (void)!write(to_peer, &order, sizeof order);
  read_digest(from_peer, &digest);
  record_join(digest);
}

/* Between two turns: what it has stored stays. */
void
op_kill_peer(void) {
  if (is_alone)
    return;
  (void)kill(peer, SIGKILL);
  peer_end();
  peer_start();
}

int
peer_main(void) {
  struct order order;
  uint64_t ready = 0;
  is_alone = true;
  files_open();
  maps_catch_faults();
  (void)!write(1, &ready, sizeof ready);
  while (read(0, &order, sizeof order) == (ssize_t)sizeof order) {
    chance_seed(order.seed);
    record_begin(" peer ");
    run_operations(order.n);
    uint64_t digest = record_digest();
    (void)!write(1, &digest, sizeof digest);
  }
  maps_drop();
  return 0;
}
