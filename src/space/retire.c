/* retire.c - a short list of replaced tables.  New mappings don't wait for readers, so their old
 * tables pile up here until a quiet moment; when the list is full the writer waits for one. */
#include "space/retire.h"

#include "space/space.h"

#define RETIRED_MAX 64

static struct table *retired[RETIRED_MAX];
static size_t count;

void
retire_table(struct table *table) {
  if (!table)
    return;
  if (count == RETIRED_MAX)
    space_quiesce();
  retired[count++] = table;
}

void
retire_free(const struct table_memory *memory) {
  while (count > 0)
    table_release(memory, retired[--count]);
}
