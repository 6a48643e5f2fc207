/* cut.c - taking mappings out.
 *
 * Out of the table first, so that no fault opens a page of them again; then every page is closed,
 * while write-back still finds them in their section's list; then out of the list.  From there
 * on nobody can store, everything stored is marked, and the addresses can be given away.
 */
#include <errno.h>

#include "backing/keeper.h"
#include "backing/writeback.h"
#include "space/space.h"
#include "trace/ring.h"
#include "track/track.h"

/* What stays of a mapping on one side of the cut. */
static struct mapping *
remnant(const struct mapping *mapping, uintptr_t start, uintptr_t end) {
  struct mapping model = *mapping;
  model.start = start;
  model.end = end;
  uint64_t skipped = (start - mapping->start) >> host_config.page_shift;
  model.first += skipped;
  model.views_at += (size_t)skipped;
  return mapping_new(&model, 0);
}

/* The remnants of the first and the last mapping; n of them. */
static int
remnants(uintptr_t start, uintptr_t end, struct mapping *out[2], size_t *n) {
  *n = 0;
  struct mapping *mapping = space_at_or_after(start);
  for (; mapping && mapping->start < end; mapping = space_at_or_after(mapping->end)) {
    if (mapping->start < start && !(out[(*n)++] = remnant(mapping, mapping->start, start)))
      return ENOMEM;
    if (mapping->end > end && !(out[(*n)++] = remnant(mapping, end, mapping->end)))
      return ENOMEM;
  }
  return 0;
}

static void
undo_remnants(struct mapping *const *remnant_of, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (remnant_of[i]) {
      struct section *section = remnant_of[i]->section;
      mapping_free(remnant_of[i]);
      section_release(section); /* its mapping holds it too: never the last */
    }
}

static struct mapping *
collect(uintptr_t start, uintptr_t end) {
  struct mapping *list = NULL;
  struct mapping *mapping = space_at_or_after(start);
  for (; mapping && mapping->start < end; mapping = space_at_or_after(mapping->end)) {
    mapping->next_cut = list;
    mapping->is_moved = false;
    mapping->cut_start = mapping->start > start ? mapping->start : start;
    mapping->cut_end = mapping->end < end ? mapping->end : end;
    list = mapping;
  }
  return list;
}

static uint64_t
cut_first(const struct mapping *mapping) {
  return mapping->first + ((mapping->cut_start - mapping->start) >> host_config.page_shift);
}

static uint64_t
cut_npages(const struct mapping *mapping) {
  return (mapping->cut_end - mapping->cut_start) >> host_config.page_shift;
}

int
space_cut(uintptr_t start, uintptr_t end, struct mapping **out) {
  struct mapping *rest[2] = { NULL, NULL };
  size_t n;
  struct mapping *list = collect(start, end);
  *out = NULL;
  if (!list)
    return 0;
  int error = remnants(start, end, rest, &n);
  if (!error)
    error = space_replace(start, end, rest, n);
  if (error) {
    undo_remnants(rest, n);
    return error;
  }
  space_quiesce();
  for (size_t i = 0; i < n; i++)
    mapping_link(rest[i]);
  for (struct mapping *mapping = list; mapping; mapping = mapping->next_cut) {
    error = track_settle(mapping, cut_first(mapping), cut_npages(mapping));
    if (error)
      atomic_store(&mapping->section->pending_error, error); /* the next call that syncs says so */
  }
  for (struct mapping *mapping = list; mapping; mapping = mapping->next_cut) {
    mapping_unlink(mapping);
    trace_note(TRACE_UNMAP, mapping->section->trace, cut_first(mapping), cut_npages(mapping));
  }
  space_quiesce();
  *out = list;
  return 0;
}

void
space_restore(const struct mapping *cut) {
  for (; cut; cut = cut->next_cut) {
    struct mapping *mapping = remnant(cut, cut->cut_start, cut->cut_end);
    if (!mapping)
      continue;
    mapping_link(mapping);
    if (space_replace(mapping->start, mapping->end, &mapping, 1)) {
      mapping_unlink(mapping);
      undo_remnants(&mapping, 1);
    }
  }
}

static int
write_cut_job(void *arg) {
  const struct mapping *mapping = arg;
  int error = writeback_marked(mapping->section, cut_first(mapping), cut_npages(mapping));
  if (error)
    atomic_store(&mapping->section->pending_error, error); /* the next call that syncs says so */
  return 0;
}

void
space_discard(struct mapping *cut) {
  while (cut) {
    struct mapping *next = cut->next_cut;
    struct section *section = cut->section;
    if (cut->is_shared && !cut->is_moved && keeper_run(write_cut_job, cut))
      host_yield(); /* cannot happen: the job remembers its error */
    struct space_call call;
    space_lock(&call);
    mapping_free(cut);
    space_unlock(&call);
    section_release(section);
    cut = next;
  }
}
