/* case_mappings.c - first stores by the number of mappings.
 *
 * Groups of three pages, the middle one of each is stored to, in random order: as one mapping, as a mapping
 * a group, or in between.  The host splits areas in the same way in all.  Each side lives in a process of its
 * own.  The bare loop, in the same ways, shows the host's part in it.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#define GROUP_PAGES 3
#define STEPS 5 /* of a factor of ten each */

struct split {
  size_t ngroups, nmappings;
  bool is_bare;
  int fd;
  char **mappings;
  char **middle; /* of each group, in the order of the stores */
};

/* ---- In the worker ------------------------------------------------------------------------- */

static size_t
mapping_pages(const struct split *split) {
  return split->ngroups / split->nmappings * GROUP_PAGES;
}

static char *
map_part(const struct split *split, size_t i) {
  size_t bytes = mapping_pages(split) * page_size();
  int prot = PROT_READ | PROT_WRITE;
  off_t offset = (off_t)(i * bytes);
  char *at = split->is_bare ? mmap(NULL, bytes, prot, MAP_SHARED, split->fd, offset)
                            : softmap_mmap(NULL, bytes, prot, MAP_SHARED, split->fd, offset);
  if (at == MAP_FAILED)
    die("mapping a part");
  touch(at, mapping_pages(split));
  return at;
}

/* The host places mappings downwards; offsets that ascend keep it from joining them. */
static void
set_up(struct split *split) {
  size_t per_mapping = split->ngroups / split->nmappings;
  uint32_t *order = malloc(split->ngroups * sizeof *order);
  split->mappings = malloc(split->nmappings * sizeof *split->mappings);
  split->middle = malloc(split->ngroups * sizeof *split->middle);
  if (!order || !split->mappings || !split->middle)
    die("malloc");
  for (size_t i = 0; i < split->ngroups; i++)
    order[i] = (uint32_t)i;
  shuffle(order, split->ngroups);
  for (size_t i = 0; i < split->nmappings; i++)
    split->mappings[i] = map_part(split, i);
  for (size_t i = 0; i < split->ngroups; i++)
    split->middle[order[i]] =
        split->mappings[i / per_mapping] + (i % per_mapping * GROUP_PAGES + 1) * page_size();
  free(order);
}

/* What was open is closed, one call a mapping: the host's memory is the same in all workers. */
static void
close_pages(const struct split *split) {
  uint64_t before = pages_written();
  static bool is_first = true;
  for (size_t i = 0; split->is_bare && i < split->nmappings; i++)
    protect(split->mappings[i], mapping_pages(split), PROT_READ);
  if (!split->is_bare && softmap_sync_all() != 0)
    die("softmap_sync_all");
  if (!split->is_bare && !is_first && pages_written() - before != split->ngroups)
    die("other pages were written than those stored to");
  is_first = false;
}

static double
store(const struct split *split) {
  close_pages(split);
  if (split->is_bare)
    bare_begin();
  double start = now_us();
  for (size_t i = 0; i < split->ngroups; i++)
    ++*(volatile char *)split->middle[i];
  double us = now_us() - start;
  if (split->is_bare)
    bare_end();
  return us;
}

static void
serve(void *arg, int asked, int answer) {
  struct split *split = arg;
  set_up(split);
  while (worker_is_asked(asked))
    worker_answer(answer, store(split));
}

/* ---- In the parent ------------------------------------------------------------------------- */

static struct worker
start(size_t ngroups, size_t nmappings, bool is_bare) {
  struct split split = { .ngroups = ngroups,
                         .nmappings = nmappings,
                         .is_bare = is_bare,
                         .fd = file_of(options.memory, ngroups * GROUP_PAGES) };
  struct worker worker = worker_start(serve, &split);
  close(split.fd);
  return worker;
}

/* ours, bare: in 1, 10, 100 ... mappings. */
static void
report(size_t ngroups, int nsteps, const struct samples *ours, const struct samples *bare) {
  char what[40], text[24];
  size_t nmappings = 1;
  struct row row = { .group = "first stores by number of mappings",
                     .what = "fault",
                     .floor = "bare loop in as many",
                     .unit = "us/store",
                     .per = (double)ngroups,
                     .along = "mappings",
                     .x_text = text };
  for (int i = 0; i < nsteps; i++, nmappings *= 10) {
    snprintf(text, sizeof text, "%zu", nmappings);
    row.x = (double)nmappings;
    report_row(&row, &ours[i], &bare[i]);
  }
  snprintf(what, sizeof what, "%s mappings", text);
  row = (struct row){ .group = "first stores in many mappings, tracker fault",
                      .what = what,
                      .floor = "one mapping",
                      .unit = "us/store",
                      .per = (double)ngroups,
                      .goal = 1.1 };
  report_row(&row, &ours[nsteps - 1], &ours[0]);
  row.what = "the bare loop's own";
  row.goal = 0;
  report_row(&row, &bare[nsteps - 1], &bare[0]);
}

void
case_mappings(void) {
  int nsteps = options.is_quick ? STEPS - 1 : STEPS;
  size_t ngroups = options.is_quick ? 1000 : 10000;
  size_t nmappings = 1;
  struct worker workers[2 * STEPS];
  struct side sides[2 * STEPS];
  struct samples samples[2 * STEPS];
  for (int i = 0; i < nsteps; i++, nmappings *= 10) {
    workers[i] = start(ngroups, nmappings, false);
    workers[nsteps + i] = start(ngroups, nmappings, true);
  }
  for (int i = 0; i < 2 * nsteps; i++)
    sides[i] = (struct side){ worker_ask, &workers[i] };
  measure(sides, 2 * nsteps, samples);
  for (int i = 0; i < 2 * nsteps; i++)
    worker_stop(&workers[i]);
  report(ngroups, nsteps, samples, samples + nsteps);
}
