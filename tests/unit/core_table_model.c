/* The table of address ranges against a naive one: random replaces, as a program's mmap, munmap
 * and mprotect would make them. */
#include "core_table.h"

enum { SPACE = 6000, STEPS = 100000 };

/* The naive table: for each address the range that holds it. */
struct model {
  struct table_entry at[SPACE]; /* start 0: nothing there */
  size_t count;
};

static void
model_remove(struct model *model, uintptr_t start, uintptr_t end) {
  for (uintptr_t addr = start; addr < end; addr++) {
    struct table_entry entry = model->at[addr];
    if (entry.start == 0)
      continue;
    for (uintptr_t i = entry.start; i < entry.end; i++)
      model->at[i] = (struct table_entry){ 0 };
    model->count--;
  }
}

static void
model_add(struct model *model, struct table_entry entry) {
  for (uintptr_t i = entry.start; i < entry.end; i++)
    model->at[i] = entry;
  model->count++;
}

static void
expect_like_model(const struct table *table, const struct model *model) {
  const struct table_entry *entry = table_at_or_after(table, 0);
  for (uintptr_t addr = 1; addr < SPACE; addr++) {
    struct table_entry want = model->at[addr];
    const struct table_entry *found = table_find(table, addr);
    if (want.start == 0) {
      assert_null(found);
      continue;
    }
    assert_non_null(found);
    assert_memory_equal(found, &want, sizeof want);
    if (addr == want.start) { /* and in sequence */
      assert_ptr_equal(found, entry);
      entry = table_at_or_after(table, want.end);
    }
  }
  assert_null(entry);
  assert_int_equal(table == NULL ? 0 : table->count, model->count);
}

static uint32_t
next_random(uint32_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 17;
  *seed ^= *seed << 5;
  return *seed;
}

/* What a split does: new ranges in [start, end), and what the outer ones had outside of it. */
static size_t
random_entries(const struct model *model, uint32_t *seed, uintptr_t start, uintptr_t end,
               struct table_entry *entry) {
  size_t n = 0;
  struct table_entry left = model->at[start];
  struct table_entry right = model->at[end - 1];
  uint32_t kind = next_random(seed) % 4; /* cut, cut and put in its place, put in its place */
  if (kind < 3 && left.start != 0 && left.start < start)
    entry[n++] = (struct table_entry){ left.start, start, left.item };
  if (kind >= 1) {
    for (uintptr_t at = start; at < end;) {
      uintptr_t size = 1 + next_random(seed) % 7;
      if (size > end - at)
        size = end - at;
      if (next_random(seed) % 4 != 0)
        entry[n++] = (struct table_entry){ at, at + size, (void *)(uintptr_t)next_random(seed) };
      at += size;
    }
  }
  if (kind < 3 && right.start != 0 && right.end > end)
    entry[n++] = (struct table_entry){ end, right.end, right.item };
  return n;
}

/* Mostly a few addresses; now and then a great part of the space. */
static void
random_range(uint32_t *seed, uintptr_t *start, uintptr_t *end) {
  uint32_t kind = next_random(seed) % 1000;
  uintptr_t size = kind == 0 ? SPACE - 1 : kind < 5 ? 1000 : kind < 50 ? 100 : 8;
  size = 1 + next_random(seed) % size;
  *start = 1 + next_random(seed) % (SPACE - size);
  *end = *start + size;
}

static void
random_replaces_are_as_in_the_model(void **unused) {
  static struct model model, model_before;
  static struct table_entry entry[SPACE];
  struct table *table = NULL;
  struct table *before = NULL; /* an older one, which must stay as it was */
  uint32_t seed = 0x2545f491;
  size_t most = 0;
  (void)unused;
  for (int i = 0; i < STEPS; i++) {
    if (i % 512 == 0) {
      expect_like_model(table, &model);
      expect_like_model(before, &model_before);
      table_release(&memory, before);
      before = table;
      model_before = model;
    }
    uintptr_t start, end;
    random_range(&seed, &start, &end);
    size_t n = random_entries(&model, &seed, start, end, entry);
    model_remove(&model, start, end);
    for (size_t k = 0; k < n; k++)
      model_add(&model, entry[k]);
    struct table *old = table;
    table = replace(old, start, end, entry, n);
    assert_int_equal(table == NULL ? 0 : table->count, model.count);
    most = model.count > most ? model.count : most;
    if (old != before)
      table_release(&memory, old);
  }
  assert_in_range(most, 4 * TABLE_LEAF_MAX, SPACE); /* else the test tests little */
  expect_like_model(before, &model_before);
  expect_like_model(table, &model);
  table_release(&memory, table);
  table_release(&memory, before);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    CASE(random_replaces_are_as_in_the_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
