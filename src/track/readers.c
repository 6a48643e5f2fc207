/* readers.c - the reader's counters, and the gate that a fork closes.  models/table.pml plays them,
 * with the look-up array that they guard (space/space.c) and a mapping's end (space/cut.c). */
#include "track/readers.h"

#include <limits.h>

#include "core/guard.h"

static struct guard guard;
static _Atomic uint32_t gate; /* 1: closed */
/* How many wait for a side to empty.  They count themselves before they look at it, a reader looks
 * here after it has left it: one of the two sees the other. */
static _Atomic uint32_t waiting;

uint32_t
readers_enter_to_close(void) {
  return guard_enter(&guard);
}

uint32_t
readers_enter(void) {
  for (;;) {
    uint32_t side = guard_enter(&guard);
    if (!atomic_load(&gate))
      return side;
    readers_leave(side);
    host_wait(&gate, 1, 0);
  }
}

void
readers_leave(uint32_t side) {
  if (guard_leave(&guard, side) && atomic_load(&waiting))
    host_wake(&guard.inside[side], INT_MAX);
}

static void
wait_for(uint32_t side) {
  uint32_t inside;
  atomic_fetch_add(&waiting, 1);
  while ((inside = atomic_load(&guard.inside[side])))
    host_wait(&guard.inside[side], inside, 1000000);
  atomic_fetch_sub(&waiting, 1);
}

void
readers_quiesce(void) {
  wait_for(guard_flip(&guard));
  wait_for(guard_flip(&guard));
}

void
readers_gate_close(void) {
  atomic_store(&gate, 1);
  readers_quiesce();
}

void
readers_gate_open(void) {
  atomic_store(&gate, 0);
  host_wake(&gate, INT_MAX);
}

void
readers_reset(void) {
  atomic_store(&guard.inside[0], 0);
  atomic_store(&guard.inside[1], 0);
  atomic_store(&waiting, 0);
}
