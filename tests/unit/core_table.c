/* The table of address ranges: search at the borders, memory that runs out, what a change costs,
 * and readers meanwhile.  core_table_model.c compares it with a naive one. */
#include "core_table.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- Search -------------------------------------------------------------------------------- */

static void
empty_table_has_nothing(void **unused) {
  (void)unused;
  assert_null(table_find(NULL, 0));
  assert_null(table_at_or_after(NULL, 0));
  assert_int_equal(table_check(NULL), 0);
  table_release(&memory, NULL);

  struct table *table = replace(NULL, 1, 2, NULL, 0);
  assert_null(table);
}

/* In tables of one leaf, of full leaves and of more. */
static void
search_at_every_border(void **unused) {
  static const size_t sizes[] = { 1, 2, 255, 256, 257, 512, 513, 5000 };
  (void)unused;
  for (size_t s = 0; s < COUNT(sizes); s++) {
    size_t n = sizes[s];
    struct table_entry *entry = make_entries(n, 10);
    struct table *table = replace(NULL, 0, UINTPTR_MAX, entry, n);
    assert_int_equal(table->count, n);
    for (uintptr_t addr = 0; addr < 10 * n + 20; addr++) {
      size_t next = addr < 15 ? 0 : (addr - 5) / 10; /* the first that ends behind addr */
      bool inside = next < n && addr >= entry[next].start;
      const struct table_entry *found = table_find(table, addr);
      const struct table_entry *after = table_at_or_after(table, addr);
      assert_ptr_equal(found ? found->item : NULL, inside ? &entry[next] : NULL);
      assert_ptr_equal(after ? after->item : NULL, next < n ? &entry[next] : NULL);
    }
    assert_null(table_at_or_after(table, UINTPTR_MAX));
    table_release(&memory, table);
    free(entry);
  }
}

static void
neighbours_without_a_gap_are_told_apart(void **unused) {
  (void)unused;
  static const struct table_entry entry[] = { { 1, 2, NULL }, { 2, 4, NULL }, { 4, 5, NULL } };
  struct table *table = replace(NULL, 1, 5, entry, 3);
  for (uintptr_t addr = 1; addr < 5; addr++)
    assert_int_equal(table_find(table, addr)->start, addr == 3 ? 2 : addr);
  assert_null(table_find(table, 5));
  table_release(&memory, table);
}

/* ---- No memory ----------------------------------------------------------------------------- */

enum { MANY = 2000 };
#define STEP ((uintptr_t)4000)

struct change {
  const char *name;
  uintptr_t start, end;
  size_t n; /* ranges of one byte, from start on */
};

/* Replace with every allocation failing in turn, until it succeeds; how many there are. */
static size_t
fail_each_allocation(struct table *old, const struct change *row, const struct table_entry *new,
                     const struct table_entry *entry) {
  size_t bytes = counted.bytes;
  struct table *untouched = old;
  struct table *out = untouched;
  for (size_t nth = 1;; nth++) {
    counted.calls = 0;
    counted.fail_at = nth;
    int err = table_replace(&memory, old, row->start, row->end, new, row->n, &out);
    counted.fail_at = 0;
    assert_int_equal(table_check(old), 0);
    assert_int_equal(old->count, MANY);
    for (size_t i = 0; i < MANY; i++)
      assert_ptr_equal(table_find(old, entry[i].start)->item, &entry[i]);
    if (err == 0) {
      assert_int_equal(table_check(out), 0);
      table_release(&memory, out);
      assert_int_equal(counted.bytes, bytes);
      return nth - 1;
    }
    assert_int_equal(err, ENOMEM);
    assert_ptr_equal(out, untouched);
    assert_int_equal(counted.bytes, bytes);
  }
}

static void
failed_allocation_changes_nothing(void **unused) {
  static const uintptr_t end = (MANY + 1) * STEP;
  static const struct change rows[] = {
    { "insert before all", 1, 2, 1 },
    { "insert behind all", end, end + 1, 1 },
    { "insert in a gap", 500 * STEP - 1000, 500 * STEP - 900, 1 },
    { "thousand in a gap", 500 * STEP - 1500, 500 * STEP - 100, 1000 },
    { "replace many", 500 * STEP, 1500 * STEP, 600 },
    { "remove one", 500 * STEP, 500 * STEP + 1, 0 },
    { "remove many", 500 * STEP, 1500 * STEP, 0 },
    { "remove nothing", 500 * STEP - 1000, 500 * STEP - 900, 0 },
    { "replace all", 1, UINTPTR_MAX, 300 },
  };
  (void)unused;
  struct table_entry *entry = make_entries(MANY, STEP);
  struct table_entry *new = calloc(1000, sizeof *new);
  assert_non_null(new);
  struct table *old = replace(NULL, 0, UINTPTR_MAX, entry, MANY);
  for (size_t i = 0; i < COUNT(rows); i++) {
    for (size_t k = 0; k < rows[i].n; k++)
      new[k] = (struct table_entry){ rows[i].start + k, rows[i].start + k + 1, NULL };
    if (fail_each_allocation(old, &rows[i], new, entry) == 0)
      fail_msg("%s: nothing was allocated", rows[i].name);
  }
  table_release(&memory, old);
  free(entry);
  free(new);
}

/* ---- What a change costs ------------------------------------------------------------------- */

enum { INSERTS = 50000, ENTRIES_EACH = 600 };

/* A permutation of 0..INSERTS-1: ascending, descending, scattered. */
static uintptr_t
place(int how, uintptr_t i) {
  if (how == 0)
    return i;
  return how == 1 ? INSERTS - 1 - i : i * 7919 % INSERTS;
}

/* Counted in entries' worth of memory, since what is copied is what was allocated. */
static void
inserting_copies_little(void **unused) {
  (void)unused;
  for (int how = 0; how < 3; how++) {
    struct table *table = NULL;
    counted.total = 0;
    for (uintptr_t i = 0; i < INSERTS; i++) {
      struct table_entry entry = { 2 * place(how, i) + 1, 2 * place(how, i) + 2, NULL };
      struct table *old = table;
      assert_int_equal(table_replace(&memory, old, entry.start, entry.end, &entry, 1, &table), 0);
      table_release(&memory, old);
    }
    assert_int_equal(table_check(table), 0);
    assert_int_equal(table->count, INSERTS);
    size_t entries = counted.total / sizeof(struct table_entry);
    if (entries > (size_t)INSERTS * ENTRIES_EACH)
      fail_msg("order %d: %zu entries each", how, entries / INSERTS);
    table_release(&memory, table);
  }
}

/* ---- Check --------------------------------------------------------------------------------- */

static void
spoil_nothing(struct table *table) {
  (void)table;
}
static void
spoil_end(struct table *table) {
  table->leaf[1]->entry[0].end = table->leaf[1]->entry[0].start;
}
static void
spoil_gap(struct table *table) {
  table->leaf[1]->entry[0].end = table->leaf[1]->entry[1].start + 1;
}
static void
spoil_order(struct table *table) {
  struct table_entry first = table->leaf[1]->entry[0];
  table->leaf[1]->entry[0] = table->leaf[1]->entry[1];
  table->leaf[1]->entry[1] = first;
}
static void
spoil_order_of_leaves(struct table *table) {
  struct table_leaf *first = table->leaf[0];
  table->leaf[0] = table->leaf[1];
  table->leaf[1] = first;
}
static void
spoil_count(struct table *table) {
  table->count++;
}
static void
spoil_leaf_by_emptying(struct table *table) {
  table->count -= table->leaf[1]->count;
  table->leaf[1]->count = 0;
}
static void
spoil_leaf_by_thinning(struct table *table) {
  table->count -= table->leaf[1]->count - 1;
  table->leaf[1]->count = 1;
}
static void
spoil_shared(struct table *table) {
  table->leaf[1]->shared = 0;
}
static void
spoil_by_emptying(struct table *table) {
  table->nleaves = 0;
}

/* Each row spoils one thing of a right table of two leaves. */
static void
check_finds_what_is_wrong(void **unused) {
  static const struct {
    const char *name;
    void (*spoil)(struct table *table);
    int want;
  } rows[] = {
    { "control", spoil_nothing, 0 },
    { "an empty range", spoil_end, EINVAL },
    { "ranges that overlap", spoil_gap, EINVAL },
    { "ranges out of order", spoil_order, EINVAL },
    { "leaves out of order", spoil_order_of_leaves, EINVAL },
    { "a wrong count", spoil_count, EINVAL },
    { "an empty leaf", spoil_leaf_by_emptying, EINVAL },
    { "a thin leaf", spoil_leaf_by_thinning, EINVAL },
    { "a leaf of no table", spoil_shared, EINVAL },
    { "a table without leaves", spoil_by_emptying, EINVAL },
  };
  (void)unused;
  struct table_entry *entry = make_entries(400, 10);
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct table *table = replace(NULL, 0, UINTPTR_MAX, entry, 400);
    assert_int_equal(table->nleaves, 2);
    struct table_leaf *leaf = table->leaf[1];
    uint32_t count = leaf->count;
    rows[i].spoil(table);
    if (table_check(table) != rows[i].want)
      fail_msg("%s", rows[i].name);
    table->nleaves = 2; /* for the release */
    leaf->count = count;
    leaf->shared = 1;
    table_release(&memory, table);
  }
  free(entry);
}

/* ---- Readers ------------------------------------------------------------------------------- */

enum { CHANGES = 2000, READERS = 2 };

static _Atomic(struct table *) current;
static atomic_bool is_over;

/* The ranges of 1,000 on are never changed: every table must have them. */
static void *
search_while_it_changes(void *arg) {
  size_t *missing = arg;
  for (uintptr_t addr = 0; !atomic_load(&is_over); addr = (addr + 7) % 1000) {
    const struct table *table = atomic_load_explicit(&current, memory_order_acquire);
    *missing += table_find(table, 10 * (1000 + addr)) == NULL;
    table_find(table, addr);
  }
  return NULL;
}

static void
readers_see_whole_tables(void **unused) {
  static struct table *retired[CHANGES];
  pthread_t thread[READERS];
  size_t missing[READERS] = { 0 };
  (void)unused;
  struct table_entry *entry = make_entries(2000, 10);
  atomic_store(&current, replace(NULL, 0, UINTPTR_MAX, entry, 2000));
  atomic_store(&is_over, false);
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&thread[i], NULL, search_while_it_changes, &missing[i]), 0);
  for (size_t i = 0; i < CHANGES; i++) {
    size_t at = i * 37 % 900;
    retired[i] = atomic_load(&current);
    atomic_store_explicit(&current,
                          replace(retired[i], entry[at].start, entry[at].end, &entry[at], i % 2),
                          memory_order_release);
  }
  atomic_store(&is_over, true);
  for (int i = 0; i < READERS; i++) {
    assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(missing[i], 0);
  }
  for (size_t i = 0; i < CHANGES; i++)
    table_release(&memory, retired[i]);
  table_release(&memory, atomic_load(&current));
  free(entry);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    CASE(empty_table_has_nothing),
    CASE(search_at_every_border),
    CASE(neighbours_without_a_gap_are_told_apart),
    CASE(failed_allocation_changes_nothing),
    CASE(inserting_copies_little),
    CASE(check_finds_what_is_wrong),
    CASE(readers_see_whole_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
