/* pattern.c - sets of pages in an order, made before anything is measured. */
#include "pattern.h"

#include <stdlib.h>
#include <string.h>

#include "bench.h"

static int
compare_pages(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a;
  uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t *
new_pages(size_t count) {
  uint32_t *pages = malloc((count ? count : 1) * sizeof *pages);
  if (!pages)
    die("malloc");
  return pages;
}

static void
find_runs(struct pattern *pattern) {
  uint32_t *sorted = new_pages(pattern->count);
  memcpy(sorted, pattern->pages, pattern->count * sizeof *sorted);
  qsort(sorted, pattern->count, sizeof *sorted, compare_pages);
  pattern->runs = calloc(pattern->count + 1, sizeof *pattern->runs);
  if (!pattern->runs)
    die("malloc");
  for (size_t i = 0; i < pattern->count; i++) {
    if (i == 0 || sorted[i] != sorted[i - 1] + 1)
      pattern->runs[pattern->nruns++].first = sorted[i];
    pattern->runs[pattern->nruns - 1].count++;
  }
  free(sorted);
}

struct pattern
pattern_runs(size_t npages, size_t run, size_t stride) {
  struct pattern pattern = { .pages = new_pages(npages) };
  for (size_t first = 0; first + run <= npages; first += stride)
    for (size_t i = 0; i < run; i++)
      pattern.pages[pattern.count++] = (uint32_t)(first + i);
  find_runs(&pattern);
  return pattern;
}

struct pattern
pattern_random(size_t npages, size_t count) {
  struct pattern pattern = { .pages = new_pages(npages), .count = count };
  for (size_t i = 0; i < npages; i++)
    pattern.pages[i] = (uint32_t)i;
  shuffle(pattern.pages, npages);
  find_runs(&pattern);
  return pattern;
}

struct pattern
pattern_repeat(const struct pattern *part, size_t npages, size_t times) {
  struct pattern pattern = { .pages = new_pages(part->count * times) };
  for (size_t i = 0; i < times; i++)
    for (size_t j = 0; j < part->count; j++)
      pattern.pages[pattern.count++] = (uint32_t)(i * npages) + part->pages[j];
  find_runs(&pattern);
  return pattern;
}

void
pattern_reverse(struct pattern *pattern) {
  for (size_t i = 0, j = pattern->count; i + 1 < j; i++) {
    uint32_t page = pattern->pages[--j];
    pattern->pages[j] = pattern->pages[i];
    pattern->pages[i] = page;
  }
}

void
pattern_free(struct pattern *pattern) {
  free(pattern->pages);
  free(pattern->runs);
  *pattern = (struct pattern){ 0 };
}

void
pattern_store(const struct pattern *pattern, char *at) {
  size_t bytes = page_size();
  for (size_t i = 0; i < pattern->count; i++)
    ++*(volatile char *)(at + pattern->pages[i] * bytes);
}
