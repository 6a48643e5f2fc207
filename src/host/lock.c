/* lock.c - ranked locks.
 *
 * The three-state lock of Drepper's "Futexes are tricky": 0 free, 1 held, 2 held and perhaps
 * waited for.  Only the last makes lock_drop call the kernel.
 */
#include "host/host_linux.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "host/inject.h"
#include "host/lock.h"

enum { FREE, HELD, CONTENDED };

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
  uint32_t seen = FREE;
  rank_check(lock->rank);
  if (!atomic_compare_exchange_strong_explicit(&lock->word, &seen, HELD, memory_order_acquire,
                                               memory_order_relaxed)) {
    while (atomic_exchange_explicit(&lock->word, CONTENDED, memory_order_acquire) != FREE)
      host_wait(&lock->word, CONTENDED, 0);
  }
  rank_add(lock->rank);
}

/* Can't wait, so any order is safe. */
bool
lock_try(struct lock *lock) {
  uint32_t seen = FREE;
  if (!atomic_compare_exchange_strong_explicit(&lock->word, &seen, HELD, memory_order_acquire,
                                               memory_order_relaxed))
    return false;
  rank_add(lock->rank);
  return true;
}

void
lock_drop(struct lock *lock) {
  rank_remove(lock->rank);
  if (atomic_exchange_explicit(&lock->word, FREE, memory_order_release) == CONTENDED)
    host_wake(&lock->word, 1);
}

void
lock_reset(struct lock *lock) {
  atomic_store_explicit(&lock->word, FREE, memory_order_release);
}
