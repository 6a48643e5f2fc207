/* move.c - mremap: mappings that grow, shrink or go elsewhere, with their dirt.
 *
 * Shrinking is cutting.  Else the old mapping is cut out (which closes its pages; they stay
 * dirty), and one of the new length takes its place: in the same place where the addresses behind
 * it are free, else elsewhere.  A private mapping's pages are moved by the host, as they are.
 */
#include <errno.h>
#include <sys/mman.h>

#include "backing/keeper.h"
#include "core/rules.h"
#include "space/space.h"
#include "track/track.h"

struct moving {
  const struct move *move;
  struct mapping *from;
  uint64_t first;               /* page of the section at move->start */
  uint64_t old_npages, npages;
  void *addr;                   /* where it goes */
  uint64_t moved;               /* pages of a private one that the host has moved already */
  void *part_addr;              /* for the keeper's job: */
  uint64_t part_first, part_npages;
  int prot, flags;
};

static int
map_part_job(void *arg) {
  struct moving *moving = arg;
  struct section *section = moving->from->section;
  lock_take(&section->resize_lock);
  int error = extent_reach(section, moving->part_first + moving->part_npages);
  lock_drop(&section->resize_lock);
  if (error)
    return error;
  return data_map(section, moving->part_first, moving->part_npages, moving->part_addr,
                  moving->prot, moving->flags, &moving->part_addr);
}

static int
map_part(struct moving *moving, void *addr, uint64_t first, uint64_t npages, int flags) {
  moving->part_addr = addr;
  moving->part_first = first;
  moving->part_npages = npages;
  moving->prot = PROT_NONE;
  moving->flags = (moving->from->is_shared ? MAP_SHARED : MAP_PRIVATE) | MAP_NORESERVE | flags;
  return keeper_run(map_part_job, moving);
}

static int
actual_of(const struct mapping *mapping, uint64_t page) {
  uint8_t view = mapping_view(mapping, page);
  return rules_actual(view & VIEW_ASKED, mapping->is_shared, view & VIEW_SHOWN,
                      view & (VIEW_OPEN | VIEW_WATCHED));
}

/* Have the host move the pages of a private mapping, area by area. */
static int
move_private(struct moving *moving) {
  uint64_t n = moving->old_npages < moving->npages ? moving->old_npages : moving->npages;
  unsigned shift = host_config.page_shift;
  for (uint64_t i = 0; i < n;) {
    uint64_t end = i + 1;
    int prot = actual_of(moving->from, moving->first + i);
    while (end < n && actual_of(moving->from, moving->first + end) == prot)
      end++;
    size_t len = (size_t)(end - i) << shift;
    void *there = (char *)moving->addr + (i << shift);
    int error = host_remap(&there, (void *)(moving->move->start + (uintptr_t)(i << shift)), len, len,
                           MREMAP_MAYMOVE | MREMAP_FIXED, there);
    if (error)
      return error;
    moving->moved = i = end;
  }
  return 0;
}

/* The new mapping object; view bytes as before for the old pages, as at its start for new ones. */
static struct mapping *
successor(const struct moving *moving) {
  const struct mapping *from = moving->from;
  struct mapping model = *from;
  model.start = (uintptr_t)moving->addr;
  model.end = model.start + (uintptr_t)(moving->npages << host_config.page_shift);
  model.first = moving->first;
  model.views = NULL;
  atomic_store(&model.is_known_to_kernel, false);
  uint8_t asked = mapping_view(from, moving->first) & (VIEW_ASKED | VIEW_LOCKED);
  struct mapping *mapping = mapping_new(&model, asked);
  if (!mapping)
    return NULL;
  for (uint64_t i = 0; i < moving->old_npages && i < moving->npages; i++) {
    uint8_t view = mapping_view(from, moving->first + i);
    uint8_t keep = VIEW_ASKED | VIEW_LOCKED | VIEW_SHOWN;
    mapping_view_change(mapping, moving->first + i, keep, view & keep);
  }
  return mapping;
}

/* Make the host enforce what the views of fresh pages say: they start inaccessible. */
static int
enforce(const struct mapping *mapping, uint64_t first, uint64_t end) {
  for (uint64_t page = first; page < end;) {
    int prot = actual_of(mapping, page);
    uint64_t run = page + 1;
    while (run < end && actual_of(mapping, run) == prot)
      run++;
    void *addr = (void *)mapping_address(mapping, page, host_config.page_shift);
    int error = prot == PROT_NONE
                  ? 0
                  : host_protect(addr, (size_t)(run - page) << host_config.page_shift, prot);
    if (error)
      return error;
    page = run;
  }
  return 0;
}

/* Find room: behind the mapping, else anywhere (or where told), reserved and inaccessible. */
static int
make_room(struct moving *moving) {
  const struct move *move = moving->move;
  bool at_end = move->end == moving->from->end;
  if (!move->fixed && !move->is_copy && at_end) {
    uint64_t more = moving->npages - moving->old_npages;
    int error = map_part(moving, (void *)move->end, moving->first + moving->old_npages, more,
                         MAP_FIXED_NOREPLACE);
    if (!error) {
      moving->addr = (void *)move->start;
      return 0;
    }
    if (error != EEXIST && error != ENOMEM) /* ENOMEM: so high up that no address is left */
      return error;
  }
  if (!move->may_move)
    return ENOMEM;
  moving->addr = move->fixed;
  int error = map_part(moving, move->fixed, moving->first, moving->npages,
                       move->fixed ? MAP_FIXED : 0);
  if (!error)
    moving->addr = moving->part_addr;
  return error;
}

static int
publish(struct mapping *mapping) {
  mapping_link(mapping);
  int error = space_replace(mapping->start, mapping->end, &mapping, 1);
  if (error)
    mapping_unlink(mapping);
  return error;
}

/* The old mapping has been cut out. */
static int
resettle(struct moving *moving) {
  const struct move *move = moving->move;
  bool in_place = moving->addr == (void *)move->start && !move->is_copy;
  struct mapping *mapping = successor(moving);
  if (!mapping)
    return ENOMEM;
  int error = 0;
  uint64_t kept = 0;
  if (in_place || (!move->is_copy && !mapping->is_shared))
    kept = moving->old_npages < moving->npages ? moving->old_npages : moving->npages;
  if (!in_place && kept)
    error = move_private(moving);
  if (!error)
    error = enforce(mapping, moving->first + kept, moving->first + moving->npages);
  if (!error)
    error = publish(mapping);
  if (error) {
    struct section *section = mapping->section;
    space_quiesce();
    mapping_free(mapping);
    section_release(section); /* what was cut holds it, too */
  }
  return error;
}

/* What could not be moved stays where it was, as on the host.  A private mapping may have been moved in
 * part. */
static void
stay(const struct moving *moving, const struct mapping *cut) {
  const struct move *move = moving->move;
  unsigned shift = host_config.page_shift;
  bool in_place = moving->addr == (void *)move->start && !move->is_copy;
  void *room = in_place ? (void *)move->end : moving->addr;
  uint64_t npages = in_place ? moving->npages - moving->old_npages : moving->npages;
  if (moving->moved)
    return;
  if (npages && host_unmap(room, (size_t)npages << shift))
    host_yield(); /* stays as well, inaccessible */
  space_restore(cut);
}

int
space_move(const struct move *move, void **out, struct mapping **cut) {
  unsigned shift = host_config.page_shift;
  struct moving moving = {
    .move = move,
    .from = move->mapping,
    .first = move->mapping->first + ((move->start - move->mapping->start) >> shift),
    .old_npages = (move->end - move->start) >> shift,
    .npages = move->new_len >> shift,
  };
  *cut = NULL;
  space_change_begin();
  int error = make_room(&moving);
  bool has_room = !error;
  if (!error && !move->is_copy)
    error = space_cut(move->start, move->end, cut);
  if (!error)
    error = resettle(&moving);
  if (error && has_room)
    stay(&moving, *cut);
  if (!error && !move->is_copy && moving.addr != (void *)move->start &&
      host_unmap((void *)move->start, move->end - move->start))
    host_yield(); /* old addresses that are of no use */
  space_change_end();
  for (struct mapping *mapping = *cut; mapping && !error; mapping = mapping->next_cut)
    mapping->is_moved = true;
  if (!error)
    *out = moving.addr;
  return error;
}
