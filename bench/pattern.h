/* pattern.h - which pages a case stores to, and in which order. */
#ifndef SOFTMAP_BENCH_PATTERN_H
#define SOFTMAP_BENCH_PATTERN_H

#include <stddef.h>
#include <stdint.h>

struct page_run {
  uint32_t first, count;
};

struct pattern {
  uint32_t *pages; /* in the order of the stores, each once */
  size_t count;
  struct page_run *runs; /* the same, ascending; neighbours are one run */
  size_t nruns;
};

/* Runs of `run` pages, one every `stride` pages of npages, in ascending order. */
struct pattern pattern_runs(size_t npages, size_t run, size_t stride);
/* `count` of npages pages, in random order. */
struct pattern pattern_random(size_t npages, size_t count);
/* The pattern in each of `times` parts of npages pages. */
struct pattern pattern_repeat(const struct pattern *pattern, size_t npages, size_t times);
/* The same pages, the last one first. */
void pattern_reverse(struct pattern *pattern);
void pattern_free(struct pattern *pattern);

/* One store a page. */
void pattern_store(const struct pattern *pattern, char *at);

#endif
