/* retire.h - tables that were replaced but may still be read. */
#ifndef SOFTMAP_RETIRE_H
#define SOFTMAP_RETIRE_H

#include "core/table.h"

/* All under the space lock. */
void retire_table(struct table *table);
/* No reader can see a retired table any more: free them. */
void retire_free(const struct table_memory *memory);

#endif
