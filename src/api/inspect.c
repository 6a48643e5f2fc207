/* inspect.c - softmap_dirty, softmap_pages: looking at pages. */
#include <string.h>

#include "api/call.h"
#include "backing/keeper.h"
#include "backing/writeback.h"
#include "core/rules.h"
#include "host/arena.h"
#include "section/lane.h"
#include "track/track.h"

static int
check(const void *addr, size_t len, const void *into, size_t max, uintptr_t *start,
      uintptr_t *end) {
  uintptr_t mask = (uintptr_t)call_page_size() - 1;
  uintptr_t last = (uintptr_t)addr + len;
  if (last < (uintptr_t)addr || last > UINTPTR_MAX - mask || (!into && max))
    return EINVAL;
  *start = (uintptr_t)addr & ~mask;
  *end = (last + mask) & ~mask;
  if (call_is_orphan())
    return EIO;
  return process_is_started() ? 0 : ENOMEM;
}

/* ---- What states don't tell of themselves --------------------------------------------------- */

static int
gather_job(void *arg) {
  const struct piece *piece = arg;
  struct section *section = piece->mapping->section;
  if (!atomic_load(&section->has_lane))
    return 0;
  return writeback_gather(section, piece_first(piece), piece_npages(piece));
}

/* Before states are looked at.  Where a fault tells of each store, they are right as they are. */
static int
gather(struct piece *piece) {
  return track_must_collect(piece->mapping->section) ? keeper_run(gather_job, piece) : 0;
}

/* ---- softmap_dirty ------------------------------------------------------------------------- */

struct dirty {
  struct softmap_range *ranges; /* of the arena's */
  size_t count, max;
  off_t last_end;
};

static void
add_page(struct dirty *dirty, uint64_t page, uint64_t size) {
  off_t from = (off_t)(page << host_config.page_shift);
  uint64_t end = (page + 1) << host_config.page_shift;
  end = end < size ? end : size;
  if (dirty->count && dirty->last_end == from) {
    if (dirty->ranges && dirty->count <= dirty->max)
      dirty->ranges[dirty->count - 1].length += (size_t)(end - (uint64_t)from);
  } else {
    if (dirty->ranges && dirty->count < dirty->max)
      dirty->ranges[dirty->count] = (struct softmap_range){ from, (size_t)(end - (uint64_t)from) };
    dirty->count++;
  }
  dirty->last_end = (off_t)end;
}

static void
find_dirty(struct section *section, uint64_t first, uint64_t n, struct dirty *dirty) {
  uint64_t exist = section_npages(section);
  uint64_t size = atomic_load(&section->control->size);
  uint64_t end = first + n < exist ? first + n : exist;
  for (uint64_t page = first; page < end; page++) {
    if (!(atomic_load(section_summary(section, page)) & SUMMARY_DIRTY) &&
        !page_is_dirty(atomic_load(section_state(section, page))) &&
        page % SUMMARY_PAGES == 0)
      page += SUMMARY_PAGES - 1;
    else if (page_is_stored(atomic_load(section_state(section, page))))
      add_page(dirty, page, size);
  }
}

static int
find_dirty_in(uintptr_t start, uintptr_t end, struct dirty *dirty) {
  const struct mapping *mapping = space_find(start);
  if (!mapping || mapping->end < end)
    return ENOMEM;
  struct piece piece = { (struct mapping *)(uintptr_t)mapping, start, end };
  int error = mapping->is_shared ? gather(&piece) : 0;
  if (mapping->is_shared)
    find_dirty(mapping->section, piece_first(&piece), piece_npages(&piece), dirty);
  return error;
}

ssize_t
softmap_dirty(const void *addr, size_t len, struct softmap_range *ranges, size_t max) {
  uintptr_t start, end;
  int error = check(addr, len, ranges, max, &start, &end);
  if (error)
    return fail(error);
  struct dirty dirty = { NULL, 0, max, 0 };
  size_t npages = (end - start) >> host_config.page_shift;
  if (dirty.max > npages)
    dirty.max = npages;
  size_t bytes = dirty.max * sizeof *ranges;
  struct space_call call;
  space_lock(&call);
  /* Not into `ranges` yet: they may lie on a closed page of ours, and signals are blocked here. */
  if (bytes && !(dirty.ranges = arena_alloc(bytes)))
    error = ENOMEM;
  if (!error)
    error = find_dirty_in(start, end, &dirty);
  space_unlock(&call);
  size_t known = dirty.count < dirty.max ? dirty.count : dirty.max;
  if (!error && known && dirty.ranges)
    memcpy(ranges, dirty.ranges, known * sizeof *ranges);
  space_lock(&call);
  arena_free(dirty.ranges, bytes);
  space_unlock(&call);
  return error ? fail(error) : (ssize_t)dirty.count;
}

/* ---- softmap_pages ------------------------------------------------------------------------- */

static struct softmap_page
look_at(const struct mapping *mapping, uint64_t page) {
  struct section *section = mapping->section;
  uint8_t view = mapping_view(mapping, page);
  struct softmap_page out = { 0 };
  out.state = page < section_npages(section)
                ? call_public_state(atomic_load(section_state(section, page)))
                : SOFTMAP_PAGE_PAST_END;
  out.asked = view & VIEW_ASKED;
  out.actual = (uint8_t)rules_actual(out.asked, mapping->is_shared, view & VIEW_SHOWN,
                                     view & (VIEW_OPEN | VIEW_WATCHED));
  out.pinned = section_is_pinned(section, page);
  return out;
}

struct elsewhere {
  const struct mapping *mapping;
  uint64_t first, n;
  struct softmap_page *pages;
};

/* What other living processes could store to. */
static int
look_elsewhere_job(void *arg) {
  const struct elsewhere *elsewhere = arg;
  struct section *section = elsewhere->mapping->section;
  int error = 0;
  for (uint64_t i = 0; i < elsewhere->n && !error; i++) {
    bool is_open = false;
    if (page_is_dirty(atomic_load(section_state(section, elsewhere->first + i))))
      error = lane_any_other(section, elsewhere->first + i, LANE_OPEN, &is_open);
    elsewhere->pages[i].open_elsewhere = is_open;
  }
  return error;
}

static int
look_at_range(uintptr_t at, uintptr_t end, struct softmap_page *pages, size_t max) {
  struct piece piece;
  uintptr_t start = at;
  int error = 0;
  while (!error && piece_next(&at, end, &piece)) {
    size_t done = (piece.start - start) >> host_config.page_shift;
    if (!piece.mapping)
      return ENOMEM;
    struct elsewhere elsewhere = { piece.mapping, piece_first(&piece), piece_npages(&piece),
                                   pages + done };
    if (done >= max)
      continue;
    error = gather(&piece);
    if (elsewhere.n > max - done)
      elsewhere.n = max - done;
    for (uint64_t i = 0; i < elsewhere.n; i++)
      pages[done + i] = look_at(piece.mapping, elsewhere.first + i);
    if (!error && atomic_load(&piece.mapping->section->has_lane))
      error = keeper_run(look_elsewhere_job, &elsewhere);
  }
  return error;
}

ssize_t
softmap_pages(const void *addr, size_t len, struct softmap_page *pages, size_t max) {
  uintptr_t start, end;
  int error = check(addr, len, pages, max, &start, &end);
  if (error)
    return fail(error);
  size_t npages = (end - start) >> host_config.page_shift;
  if (max > npages)
    max = npages;
  struct softmap_page *answer = NULL;
  struct space_call call;
  space_lock(&call);
  if (max && !(answer = arena_alloc(max * sizeof *answer)))
    error = ENOMEM;
  if (!error)
    error = look_at_range(start, end, answer, max);
  space_unlock(&call);
  if (!error && max)
    memcpy(pages, answer, max * sizeof *answer);
  space_lock(&call);
  arena_free(answer, max * sizeof *answer);
  space_unlock(&call);
  return error ? fail(error) : (ssize_t)npages;
}
