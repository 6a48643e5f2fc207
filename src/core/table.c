/* table.c - the two-level table of address ranges.
 *
 * Invariant: no leaf is empty, none holds more than TABLE_LEAF_MAX entries, and in a table of
 * several leaves none holds fewer than LEAF_MIN, so that the directory stays short whatever is
 * removed.  A leaf is never changed once a table that names it was handed out, but for `shared`,
 * which readers don't look at.
 *
 * Not here: publishing, and when a table may be released (space/).
 */
#include "core/table.h"

#include <errno.h>

enum { LEAF_MIN = TABLE_LEAF_MAX / 4 };

/* ---- Search ------------------------------------------------------------------------------- */

/* The first leaf whose last entry ends behind addr, or nleaves. */
static size_t
leaf_behind(const struct table *table, uintptr_t addr) {
  size_t low = 0;
  size_t high = table->nleaves;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const struct table_leaf *leaf = table->leaf[middle];
    if (leaf->entry[leaf->count - 1].end > addr)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* The first leaf whose first entry starts at addr or behind, or nleaves. */
static size_t
leaf_from(const struct table *table, uintptr_t addr) {
  size_t low = 0;
  size_t high = table->nleaves;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (table->leaf[middle]->entry[0].start >= addr)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* The first entry of the leaf that ends behind addr, or count. */
static size_t
entry_behind(const struct table_leaf *leaf, uintptr_t addr) {
  size_t low = 0;
  size_t high = leaf->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (leaf->entry[middle].end > addr)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* The first entry of the leaf that starts at addr or behind, or count. */
static size_t
entry_from(const struct table_leaf *leaf, uintptr_t addr) {
  size_t at = entry_behind(leaf, addr);
  if (at < leaf->count && leaf->entry[at].start < addr)
    at++;
  return at;
}

const struct table_entry *
table_at_or_after(const struct table *table, uintptr_t addr) {
  if (table == NULL)
    return NULL;
  size_t at = leaf_behind(table, addr);
  if (at == table->nleaves)
    return NULL;
  const struct table_leaf *leaf = table->leaf[at];
  return &leaf->entry[entry_behind(leaf, addr)];
}

const struct table_entry *
table_find(const struct table *table, uintptr_t addr) {
  const struct table_entry *entry = table_at_or_after(table, addr);
  return entry != NULL && entry->start <= addr ? entry : NULL;
}

/* ---- Change ------------------------------------------------------------------------------- */

/* What a new table has instead of the leaves [first, last) of the old one: the pieces one after
 * another, spread evenly over new leaves. */
enum piece_index {
  PIECE_LEFT,   /* a whole neighbour */
  PIECE_BEFORE, /* what stays of leaf `first` */
  PIECE_NEW,
  PIECE_BEHIND, /* what stays of leaf `last - 1` */
  PIECE_RIGHT,  /* a whole neighbour */
  PIECE_COUNT
};

struct change {
  size_t first, last;
  size_t count; /* entries of all pieces */
  size_t next;  /* piece that is being copied */
  struct {
    const struct table_entry *entry;
    size_t count;
  } piece[PIECE_COUNT];
};

static void
set_piece(struct change *change, enum piece_index at, const struct table_entry *entry,
          size_t count) {
  change->piece[at].entry = entry;
  change->piece[at].count = count;
  change->count += count;
}

/* Too little for a leaf of its own: let a neighbour join. */
static void
take_neighbour(struct change *change, const struct table *old) {
  if (change->count == 0 || change->count >= LEAF_MIN)
    return;
  if (change->first > 0) {
    const struct table_leaf *leaf = old->leaf[--change->first];
    set_piece(change, PIECE_LEFT, leaf->entry, leaf->count);
  } else if (change->last < old->nleaves) {
    const struct table_leaf *leaf = old->leaf[change->last++];
    set_piece(change, PIECE_RIGHT, leaf->entry, leaf->count);
  }
}

static void
plan_change(struct change *change, const struct table *old, uintptr_t start, uintptr_t end,
            const struct table_entry *entries, size_t n) {
  *change = (struct change){ 0 };
  set_piece(change, PIECE_NEW, entries, n);
  if (old == NULL)
    return;
  size_t first = leaf_behind(old, start);
  size_t last = leaf_from(old, end);
  change->first = first;
  change->last = last > first ? last : first;
  if (first < last) { /* else between two leaves */
    const struct table_leaf *left = old->leaf[first];
    const struct table_leaf *right = old->leaf[last - 1];
    size_t stays_from = entry_from(right, end);
    set_piece(change, PIECE_BEFORE, left->entry, entry_behind(left, start));
    set_piece(change, PIECE_BEHIND, right->entry + stays_from, right->count - stays_from);
  }
  take_neighbour(change, old);
}

static size_t
table_size(size_t nleaves) {
  return sizeof(struct table) + nleaves * sizeof(struct table_leaf *);
}

static size_t
leaf_size(size_t count) {
  return sizeof(struct table_leaf) + count * sizeof(struct table_entry);
}

static void
free_leaf(const struct table_memory *memory, struct table_leaf *leaf) {
  memory->free(leaf, leaf_size(leaf->count));
}

/* A leaf of the next count entries of the pieces. */
static struct table_leaf *
fill_leaf(const struct table_memory *memory, struct change *change, size_t count) {
  struct table_leaf *leaf = memory->alloc(leaf_size(count));
  if (leaf == NULL)
    return NULL;
  leaf->count = (uint32_t)count;
  leaf->shared = 1;
  for (size_t have = 0; have < count; have++) {
    while (change->piece[change->next].count == 0)
      change->next++;
    leaf->entry[have] = *change->piece[change->next].entry++;
    change->piece[change->next].count--;
  }
  return leaf;
}

/* Make the n leaves of the change at `to`.  Uses the pieces up.  0, or ENOMEM (nothing made). */
static int
fill_leaves(const struct table_memory *memory, struct change *change, struct table_leaf **to,
            size_t n) {
  for (size_t i = 0; i < n; i++) {
    to[i] = fill_leaf(memory, change, change->count / n + (i < change->count % n));
    if (to[i] == NULL) {
      while (i-- > 0)
        free_leaf(memory, to[i]);
      return ENOMEM;
    }
  }
  return 0;
}

/* Let table refer to n more leaves that another one has. */
static void
share_leaves(struct table *table, size_t at, struct table_leaf *const *leaf, size_t n) {
  for (size_t i = 0; i < n; i++) {
    leaf[i]->shared++;
    table->leaf[at + i] = leaf[i];
    table->count += leaf[i]->count;
  }
}

int
table_replace(const struct table_memory *memory, struct table *old, uintptr_t start, uintptr_t end,
              const struct table_entry *entries, size_t n, struct table **out) {
  struct change change;
  plan_change(&change, old, start, end, entries, n);
  size_t nold = old == NULL ? 0 : old->nleaves;
  size_t nnew = (change.count + TABLE_LEAF_MAX - 1) / TABLE_LEAF_MAX;
  size_t nleaves = nold - (change.last - change.first) + nnew;
  if (nleaves == 0) {
    *out = NULL;
    return 0;
  }

  struct table *table = memory->alloc(table_size(nleaves));
  if (table == NULL)
    return ENOMEM;
  if (fill_leaves(memory, &change, &table->leaf[change.first], nnew) != 0) {
    memory->free(table, table_size(nleaves));
    return ENOMEM;
  }
  table->nleaves = nleaves;
  table->count = change.count;
  if (old != NULL) {
    share_leaves(table, 0, old->leaf, change.first);
    share_leaves(table, change.first + nnew, old->leaf + change.last, nold - change.last);
  }
  *out = table;
  return 0;
}

void
table_release(const struct table_memory *memory, struct table *table) {
  if (table == NULL)
    return;
  for (size_t i = 0; i < table->nleaves; i++) {
    struct table_leaf *leaf = table->leaf[i];
    if (--leaf->shared == 0)
      free_leaf(memory, leaf);
  }
  memory->free(table, table_size(table->nleaves));
}

/* ---- Check -------------------------------------------------------------------------------- */

int
table_check(const struct table *table) {
  if (table == NULL)
    return 0;
  if (table->nleaves == 0)
    return EINVAL;
  size_t count = 0;
  uintptr_t behind = 0; /* end of the entry before */
  for (size_t i = 0; i < table->nleaves; i++) {
    const struct table_leaf *leaf = table->leaf[i];
    if (leaf->count == 0 || leaf->count > TABLE_LEAF_MAX || leaf->shared == 0)
      return EINVAL;
    if (table->nleaves > 1 && leaf->count < LEAF_MIN)
      return EINVAL;
    for (size_t j = 0; j < leaf->count; j++) {
      const struct table_entry *entry = &leaf->entry[j];
      if (entry->start < behind || entry->end <= entry->start)
        return EINVAL;
      behind = entry->end;
    }
    count += leaf->count;
  }
  return count == table->count ? 0 : EINVAL;
}
