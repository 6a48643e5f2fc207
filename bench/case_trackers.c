/* case_trackers.c - the trackers beside each other, beside who writes everything at each sync, and beside
 * the kernel's own mmap: by length of runs, by share of pages stored to, by number of dirty pages. */
#include "bench.h"

#include <stdio.h>
#include <sys/mman.h>

#include "region.h"

#define COMPARED_MAX 5

/* The last of the ways is the floor. */
struct field {
  struct region regions[COMPARED_MAX];
  size_t nways, npages;
  double (*run)(void *trial);
  int flags;
};

static struct field
field_open(const enum way *ways, size_t nways, const char *dir, size_t npages) {
  struct field field = { .npages = npages };
  field.nways = regions_open(field.regions, ways, nways, dir, npages);
  return field;
}

static void
field_close(struct field *field) {
  for (size_t i = 0; i < field->nways; i++)
    region_close(&field->regions[i]);
}

/* A row a way.  Takes the pattern.  model->per: 0 for a page of it. */
static void
compare_ways(const struct field *field, const struct row *model, struct pattern pattern) {
  struct trial trials[COMPARED_MAX];
  struct side sides[COMPARED_MAX] = { 0 };
  struct samples samples[COMPARED_MAX];
  size_t floor = field->nways - 1;
  for (size_t i = 0; i < field->nways; i++) {
    trials[i] = (struct trial){ &field->regions[i], &pattern, field->flags };
    sides[i] = (struct side){ field->run, &trials[i] };
  }
  measure(sides, (int)field->nways, samples);
  for (size_t i = 0; i < floor; i++) {
    struct row row = *model;
    row.what = way_name(field->regions[i].way);
    row.floor = way_name(field->regions[floor].way);
    if (row.per <= 0)
      row.per = (double)pattern.count;
    report_row(&row, &samples[i], &samples[floor]);
  }
  pattern_free(&pattern);
}

/* ---- Stores and sync, a page stored to ------------------------------------------------------ */

static void
by_length_of_runs(struct field *field) {
  static const size_t lengths[] = { 1, 4, 16, 64, 256 };
  char text[24];
  struct row row = { .group = "stores and sync by length of runs, 1 page in 8 stored to",
                     .unit = "us/page stored to",
                     .along = "pages in a run",
                     .x_text = text };
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    snprintf(text, sizeof text, "%zu", lengths[i]);
    row.x = (double)lengths[i];
    compare_ways(field, &row, pattern_runs(field->npages, lengths[i], lengths[i] * 8));
  }
}

static void
by_share(struct field *field) {
  static const struct {
    double percent;
    const char *text;
  } shares[] = {
    { 0.1, "0.1 %" }, { 0.3, "0.3 %" }, { 1, "1 %" },     { 3, "3 %" },
    { 10, "10 %" },   { 30, "30 %" },   { 100, "100 %" },
  };
  char along[80];
  struct row row = { .group = "stores and sync by share of pages, at random",
                     .unit = "us/page stored to",
                     .along = along };
  snprintf(along, sizeof along, "share of the mapping's %zu pages stored to", field->npages);
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    row.x = shares[i].percent;
    row.x_text = shares[i].text;
    size_t count = (size_t)((double)field->npages * row.x / 100);
    compare_ways(field, &row, pattern_random(field->npages, count));
  }
}

static void
compare_with_writing_everything(void) {
  static const enum way ways[] = { BY_FAULT, BY_WATCH, BY_COMPARE, BY_WHOLE, BY_HAND };
  struct field field = field_open(ways, 5, options.memory, options.is_quick ? 2048 : 16384);
  field.run = trial_both;
  field.flags = MS_SYNC;
  by_length_of_runs(&field);
  by_share(&field);
  field_close(&field);
}

/* ---- msync, by number of dirty pages -------------------------------------------------------- */

static void
compare_msync(void) {
  static const enum way ways[] = { BY_FAULT, BY_WATCH, BY_COMPARE, BY_KERNEL, BY_HAND };
  struct field field = field_open(ways, 5, options.dir, options.is_quick ? 1024 : 16384);
  char text[24], along[80];
  struct row row = { .group = "msync by number of dirty pages, files in --dir",
                     .unit = "us/call",
                     .per = 1,
                     .along = along,
                     .x_text = text };
  snprintf(along, sizeof along, "dirty pages of the mapping's %zu, at random", field.npages);
  field.run = trial_sync;
  field.flags = MS_SYNC;
  for (size_t count = 1; count <= field.npages; count *= 4) {
    snprintf(text, sizeof text, "%zu", count);
    row.x = (double)count;
    compare_ways(&field, &row, pattern_random(field.npages, count));
  }
  field_close(&field);
}

/* ---- First stores in order, beside the kernel's own mmap ------------------------------------ */

static void
compare_in_order(const char *dir, const char *stores, const char *both) {
  static const enum way ways[] = { BY_FAULT, BY_WATCH, BY_COMPARE, BY_KERNEL };
  struct field field = field_open(ways, 4, dir, options.is_quick ? 1024 : 8192);
  struct row row = { .group = stores, .unit = "us/page" };
  field.flags = MS_SYNC;
  field.run = trial_stores;
  compare_ways(&field, &row, pattern_runs(field.npages, 1, 1));
  row.group = both;
  field.run = trial_both;
  compare_ways(&field, &row, pattern_runs(field.npages, 1, 1));
  field_close(&field);
}

void
case_trackers(void) {
  compare_with_writing_everything();
  compare_msync();
  compare_in_order(options.memory, "first stores in order, files in memory",
                   "first stores in order and msync, files in memory");
  compare_in_order(options.dir, "first stores in order, files in --dir",
                   "first stores in order and msync, files in --dir");
}
