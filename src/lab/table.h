/* table.h - the page table of a frame, as text. */
#ifndef LAB_TABLE_H
#define LAB_TABLE_H

#include "lab/world.h"

/* Neighbouring pages that look the same in every mapping of a file share a column. */
struct columns_of_pages {
  uint64_t first[PAGES_MAX], last[PAGES_MAX];
  size_t n;
};
void table_columns(const struct frame *frame, int file, struct columns_of_pages *columns);

/* The page of a row, or NULL where the mapping has none. */
const struct actor_page *row_page(const struct row *row, uint64_t page);

/* DESIGN.md's words, or what can be seen of the host's pages. */
const char *page_state_text(uint8_t state);

/* "rw-"; where it can't be seen, "???". */
const char *protection_shown(uint8_t prot);

/* "a m shared"; to be freed. */
char *row_title(const struct script *script, const struct row *row);

/* The tables of all files, each line behind `indent` blanks; to be freed. */
char *table_text(const struct script *script, const struct frame *frame, int indent, bool colour);

#endif
