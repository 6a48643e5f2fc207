/* space.c - the table of mappings, who reads it, and who changes it. */
#include "space/space.h"

#include <errno.h>
#include <limits.h>

#include "host/arena.h"
#include "host/lock.h"
#include "space/retire.h"
#include "track/readers.h"

static struct lock space_mutex = LOCK_INIT(LOCK_SPACE);
static _Atomic(struct table *) current;
static _Atomic uint32_t changing; /* odd: a change is under way */

static const struct table_memory table_memory = { arena_alloc, arena_free };

/* ---- Readers ------------------------------------------------------------------------------- */

struct mapping *
space_find(uintptr_t addr) {
  const struct table_entry *entry = table_find(atomic_load(&current), addr);
  return entry ? entry->item : NULL;
}

struct mapping *
space_at_or_after(uintptr_t addr) {
  const struct table_entry *entry = table_at_or_after(atomic_load(&current), addr);
  return entry ? entry->item : NULL;
}

bool
space_changed(void) {
  static _Thread_local uint32_t seen __attribute__((tls_model("initial-exec")));
  uint32_t now;
  while ((now = atomic_load(&changing)) & 1)
    host_wait(&changing, now, 0);
  bool is_news = now != seen;
  seen = now;
  return is_news;
}

/* ---- Writers ------------------------------------------------------------------------------- */

void
space_lock(struct space_call *call) {
  host_signals_block(&call->mask);
  lock_take(&space_mutex);
}

void
space_unlock(struct space_call *call) {
  lock_drop(&space_mutex);
  host_signals_set(&call->mask);
}

void
space_change_begin(void) {
  atomic_fetch_add(&changing, 1);
}

void
space_change_end(void) {
  atomic_fetch_add(&changing, 1);
  host_wake(&changing, INT_MAX);
}

int
space_replace(uintptr_t start, uintptr_t end, struct mapping *const *with, size_t n) {
  struct table_entry entries[2];
  for (size_t i = 0; i < n; i++)
    entries[i] = (struct table_entry){ with[i]->start, with[i]->end, with[i] };
  struct table *old = atomic_load(&current);
  struct table *new;
  int error = table_replace(&table_memory, old, start, end, entries, n, &new);
  if (error)
    return error;
  atomic_store(&current, new);
  retire_table(old);
  return 0;
}

void
space_quiesce(void) {
  readers_quiesce();
  retire_free(&table_memory);
}

size_t
space_count(void) {
  struct table *table = atomic_load(&current);
  return table ? table->count : 0;
}

/* ---- Fork ---------------------------------------------------------------------------------- */

void
space_fork_prepare(void) {
  lock_take(&space_mutex);
}

void
space_fork_done(bool is_child) {
  (is_child ? lock_drop_in_child : lock_drop)(&space_mutex);
}
