/* groups.c - a bit for each TRACK_GROUP pages of a mapping that was ever armed (track/watch.c). */
#include "track/groups.h"

#include <errno.h>

#include "host/arena.h"
#include "track/track.h"

size_t
groups_size(size_t npages) {
  return ((npages + TRACK_GROUP) / TRACK_GROUP / 64 + 1) * sizeof(uint64_t);
}

/* Groups are as the kernel's page tables are: aligned addresses, not pages of the file.  Counted
 * from where the first view byte's page is or would be, which is the same for what a split made. */
static uint64_t
skew_of(const struct mapping *mapping) {
  return ((mapping->start >> host_config.page_shift) - mapping->views_at) % TRACK_GROUP;
}

static uint64_t
group_of(const struct mapping *mapping, uint64_t page) {
  return (skew_of(mapping) + mapping->views_at + (page - mapping->first)) / TRACK_GROUP;
}

int
groups_note(const struct mapping *mapping, uint64_t first, uint64_t n) {
  struct views *views = mapping->views;
  _Atomic uint64_t *groups = atomic_load(&views->groups);
  if (!groups) {
    _Atomic uint64_t *new_groups = arena_alloc(groups_size(views->npages));
    if (!new_groups)
      return ENOMEM;
    if (atomic_compare_exchange_strong(&views->groups, &groups, new_groups))
      groups = new_groups;
    else
      arena_free((void *)new_groups, groups_size(views->npages));
  }
  for (uint64_t group = group_of(mapping, first); group <= group_of(mapping, first + n - 1);
       group++)
    atomic_fetch_or(&groups[group / 64], (uint64_t)1 << (group % 64));
  return 0;
}

bool
groups_next(const struct mapping *mapping, uint64_t *first, uint64_t end, uint64_t *run_end) {
  bool is_known = atomic_load(&mapping->is_known_to_kernel);
  _Atomic uint64_t *groups = is_known ? atomic_load(&mapping->views->groups) : NULL;
  bool is_in = false;
  uint64_t page = *first;
  while (groups && page < end) {
    uint64_t group = group_of(mapping, page);
    uint64_t word = atomic_load(&groups[group / 64]) >> (group % 64);
    uint64_t skip = word ? 1 : 64 - group % 64; /* groups */
    bool is_armed = word & 1;
    if (is_in && !is_armed)
      break;
    if (is_armed && !is_in)
      *first = page;
    is_in |= is_armed;
    page = mapping->first + (group + skip) * TRACK_GROUP - mapping->views_at - skew_of(mapping);
  }
  *run_end = page < end ? page : end;
  return is_in;
}
