/* table.h - an immutable sorted table of address ranges, in two levels: how a fault finds its
 * mapping.  Pure: no system call, no lock, memory comes from the caller's allocator.
 *
 * Readers (the fault handler among them) load one pointer and search; writers build a new table
 * that shares every untouched leaf with the old one, publish it, and later free what only the old
 * one had.  Adding to n ranges copies about sqrt(n) entries, not n.
 */
#ifndef SOFTMAP_TABLE_H
#define SOFTMAP_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Half-open: end is the first address behind the range. */
struct table_entry {
  uintptr_t start, end;
  void *item;
};

#define TABLE_LEAF_MAX 256

struct table_leaf {
  uint32_t count; /* 1..TABLE_LEAF_MAX */
  uint32_t shared; /* how many tables refer to it; writers' business */
  struct table_entry entry[];
};

struct table {
  size_t count;  /* entries in all */
  size_t nleaves;
  struct table_leaf *leaf[]; /* ascending, non-overlapping; none is empty */
};

struct table_memory {
  void *(*alloc)(size_t size); /* zeroed, or NULL */
  void (*free)(void *block, size_t size);
};

/* The entry that holds addr, or NULL.  table may be NULL (empty).  Async-signal-safe. */
const struct table_entry *table_find(const struct table *table, uintptr_t addr);
/* The first entry that ends behind addr (holds it or comes after it), or NULL.
 * Async-signal-safe. */
const struct table_entry *table_at_or_after(const struct table *table, uintptr_t addr);

/* Build in *out (NULL when it would be empty) the table that has, instead of all entries of old
 * that overlap [start, end), the n given ones: ascending, non-overlapping, overlapping no entry
 * that stays, and with none that stays among them (so each lies in [start, end) or in an entry
 * that goes).  start < end.  old may be NULL; it is unchanged and must later be given to
 * table_release, which may come before or after that of *out.
 * 0, or ENOMEM (nothing changed, *out neither). */
int table_replace(const struct table_memory *memory, struct table *old, uintptr_t start,
                  uintptr_t end, const struct table_entry *entries, size_t n, struct table **out);

/* Free a table (or NULL) that no reader can see any more, and the leaves that only it had.  The
 * items are the caller's. */
void table_release(const struct table_memory *memory, struct table *table);

/* For builds that check: ascending, no overlap, no empty range, no leaf empty or, where there are
 * several, less than a quarter full, counts right.  0 or EINVAL. */
int table_check(const struct table *table);

#endif
