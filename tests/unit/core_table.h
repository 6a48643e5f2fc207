/* core_table.h - what the tests of the table share: memory that is counted and can run out.  To be
 * included once a program. */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include "core/table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct {
  size_t blocks, bytes; /* handed out now */
  size_t total;         /* bytes handed out ever */
  size_t calls;
  size_t fail_at; /* this call finds no memory; 0: none */
} counted;

struct block {
  size_t size;
  max_align_t start[];
};

static inline void *
counted_alloc(size_t size) {
  if (++counted.calls == counted.fail_at)
    return NULL;
  struct block *block = calloc(1, sizeof *block + size);
  assert_non_null(block);
  block->size = size;
  counted.blocks++;
  counted.bytes += size;
  counted.total += size;
  return block->start;
}

static inline void
counted_free(void *start, size_t size) {
  struct block *block = (struct block *)(void *)((char *)start - offsetof(struct block, start));
  assert_int_equal(block->size, size);
  counted.blocks--;
  counted.bytes -= size;
  free(block);
}

static const struct table_memory memory = { counted_alloc, counted_free };

static inline int
start_counting(void **unused) {
  (void)unused;
  memset(&counted, 0, sizeof counted);
  return 0;
}

static inline int
all_is_returned(void **unused) {
  (void)unused;
  return counted.blocks == 0 && counted.bytes == 0 ? 0 : -1;
}

/* A test after which all memory has to be back. */
#define CASE(test) cmocka_unit_test_setup_teardown(test, start_counting, all_is_returned)

static inline struct table *
replace(struct table *old, uintptr_t start, uintptr_t end, const struct table_entry *entries,
        size_t n) {
  struct table *table;
  assert_int_equal(table_replace(&memory, old, start, end, entries, n, &table), 0);
  assert_int_equal(table_check(table), 0);
  return table;
}

/* n ranges that name themselves, every `step` from there on, each half as long. */
static inline struct table_entry *
make_entries(size_t n, uintptr_t step) {
  struct table_entry *entry = calloc(n, sizeof *entry);
  assert_non_null(entry);
  for (size_t i = 0; i < n; i++) {
    uintptr_t start = step * (i + 1);
    entry[i] = (struct table_entry){ start, start + step / 2, &entry[i] };
  }
  return entry;
}

#endif
