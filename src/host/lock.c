/* lock.c - ranked locks.
 *
 * Ticket locks: first come, first served.  A lock that whoever runs can take again starves a
 * thread that has to be woken first (seen: exit, while another thread forks in a loop).
 */
#include "host/host_linux.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "host/inject.h"
#include "host/lock.h"

#ifdef SOFTMAP_INJECT
/* How many locks of each rank this thread holds. */
#define NRANKS (LOCK_ARENA + 1)
static __thread uint8_t held[NRANKS] __attribute__((tls_model("initial-exec")));

static void
rank_check(uint32_t rank) {
  static const char text[] = "softmap: lock taken out of rank\n";
  for (uint32_t i = rank; i < NRANKS; i++)
    if (held[i] != 0) {
      host_message(text, sizeof text - 1);
      abort();
    }
}

static void
rank_add(uint32_t rank) {
  held[rank]++;
}

static void
rank_remove(uint32_t rank) {
  static const char text[] = "softmap: lock dropped that isn't held\n";
  if (held[rank] == 0) {
    host_message(text, sizeof text - 1);
    abort();
  }
  held[rank]--;
}
#else
#define rank_check(rank) ((void)0)
#define rank_add(rank) ((void)0)
#define rank_remove(rank) ((void)0)
#endif

void
lock_take(struct lock *lock) {
  rank_check(lock->rank);
  uint32_t ticket = atomic_fetch_add(&lock->tickets, 1);
  uint32_t serving;
  while ((serving = atomic_load(&lock->serving)) != ticket)
    host_wait(&lock->serving, serving, 0);
  rank_add(lock->rank);
}

/* Can't wait, so any order is safe. */
bool
lock_try(struct lock *lock) {
  uint32_t serving = atomic_load(&lock->serving);
  if (!atomic_compare_exchange_strong(&lock->tickets, &serving, serving + 1))
    return false;
  rank_add(lock->rank);
  return true;
}

void
lock_drop(struct lock *lock) {
  rank_remove(lock->rank);
  uint32_t next = atomic_fetch_add(&lock->serving, 1) + 1;
  if (atomic_load(&lock->tickets) != next)
    host_wake(&lock->serving, INT_MAX);
}

void
lock_reset(struct lock *lock) {
  atomic_store(&lock->tickets, 0);
  atomic_store(&lock->serving, 0);
}

void
lock_drop_in_child(struct lock *lock) {
  rank_remove(lock->rank);
  lock_reset(lock);
}
