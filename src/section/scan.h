/* scan.h - looking for the few states that matter among many that don't, a word at a time. */
#ifndef SOFTMAP_SCAN_H
#define SOFTMAP_SCAN_H

#include "section/section.h"

typedef unsigned long __attribute__((may_alias)) scan_word;

/* The same state in all bytes of a word. */
static inline unsigned long
scan_pattern(uint8_t state) {
  return ~0UL / 0xff * state;
}

/* The first page of [page, end) that is neither unfilled nor clean, or end.  All of the range lies
 * in one block of the summary.  Sees of each page what a load of its state would. */
static inline uint64_t
scan_busy(struct section *section, uint64_t page, uint64_t end) {
  const page_byte *state = section_state(section, page);
  const page_byte *last = state + (end - page);
  const page_byte *at = state;
  while (at < last) {
    if ((uintptr_t)at % sizeof(scan_word) == 0 && (size_t)(last - at) >= sizeof(scan_word)) {
      unsigned long word = __atomic_load_n((const scan_word *)at, __ATOMIC_SEQ_CST);
      if (word == scan_pattern(PAGE_CLEAN) || word == scan_pattern(PAGE_UNFILLED)) {
        at += sizeof(scan_word);
        continue;
      }
    }
    uint8_t now = atomic_load(at);
    if (now != PAGE_CLEAN && now != PAGE_UNFILLED)
      break;
    at++;
  }
  return page + (uint64_t)(at - state);
}

/* The next page of [page, end) in a block whose summary has one of `bits`, or end: the first of it that
 * lies in the range.  A word of summaries, 2^15 pages on 64 bits, at a time. */
static inline uint64_t
scan_blocks(struct section *section, uint64_t page, uint64_t end, uint8_t bits) {
  while (page < end) {
    const page_byte *at = section_summary(section, page);
    uint64_t span = SUMMARY_PAGES * sizeof(scan_word);
    /* A word lies in one extent if it begins at a multiple of its pages. */
    if (page % span == 0 && (uintptr_t)at % sizeof(scan_word) == 0 && end - page >= span &&
        !(__atomic_load_n((const scan_word *)at, __ATOMIC_SEQ_CST) & scan_pattern(bits))) {
      page += span;
      continue;
    }
    if (atomic_load(at) & bits)
      return page;
    page = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
  }
  return end;
}

#endif
