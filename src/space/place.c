/* place.c - mapping a file: its section, its pages, its addresses. */
#include <errno.h>
#include <sys/mman.h>

#include "backing/fill.h"
#include "backing/keeper.h"
#include "core/rules.h"
#include "process/options.h"
#include "section/kind.h"
#include "section/say.h"
#include "section/twins.h"
#include "space/space.h"
#include "trace/ring.h"
#include "track/track.h"

/* Smaller mappings don't open ahead: it wouldn't pay. */
#define AHEAD_PAGES_MIN 8

/* What passes between the caller and the keeper's job. */
struct placing {
  const struct place *place;
  uint64_t ticket;
  uint64_t first, npages;
  struct section *section;
  bool is_filled; /* all pages of the range that exist */
  void *addr;
};

static bool
is_fixed(const struct place *place) {
  return place->flags & MAP_FIXED && !(place->flags & MAP_FIXED_NOREPLACE);
}

static int
asked_of(const struct place *place) {
  return place->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

static bool
fill_now(const struct placing *placing) {
  uint64_t exist = section_npages(placing->section);
  uint64_t end = placing->first + placing->npages;
  uint64_t n = end < exist ? placing->npages : exist > placing->first ? exist - placing->first : 0;
  if (placing->place->flags & (MAP_POPULATE | MAP_LOCKED))
    return true;
  return options_fill_whole(n << host_config.page_shift);
}

/* Host flags of the program's mapping of the data. */
static int
host_flags(const struct place *place) {
  int keep = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK;
#ifdef MAP_32BIT
  keep |= MAP_32BIT;
#endif
  int type = (place->flags & MAP_TYPE) == MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
  return type | (place->flags & keep);
}

/* Map the data.  What lies past the end is accessible from the start: touching it must raise the
 * host's own SIGBUS.  What isn't filled becomes inaccessible after, so that the host can refuse
 * the protection asked for (PROT_EXEC where the section directory is mounted noexec). */
static int
map_data(struct placing *placing) {
  bool is_shared = (placing->place->flags & MAP_TYPE) != MAP_PRIVATE;
  int prot = rules_actual(asked_of(placing->place), is_shared, true, false);
  int error = data_map(placing->section, placing->first, placing->npages, placing->place->addr,
                       prot, host_flags(placing->place), &placing->addr);
  uint64_t exist = section_npages(placing->section);
  uint64_t end = placing->first + placing->npages;
  end = end < exist ? end : exist;
  if (error || placing->is_filled || placing->first >= end)
    return error;
  unsigned shift = host_config.page_shift;
  error = host_protect(placing->addr, (size_t)(end - placing->first) << shift, PROT_NONE);
  if (error && host_unmap(placing->addr, (size_t)placing->npages << shift))
    return ENOMEM;
  return error;
}

/* MAP_LOCKED.  What lies past the end can't be.  By the calling thread: a keeper's rights may be
 * others. */
static int
lock_data(const struct placing *placing) {
  uint64_t exist = section_npages(placing->section);
  uint64_t end =
      placing->first + placing->npages < exist ? placing->first + placing->npages : exist;
  if (!(placing->place->flags & MAP_LOCKED) || placing->first >= end)
    return 0;
  unsigned shift = host_config.page_shift;
  int error = host_lock_memory(placing->addr, (size_t)(end - placing->first) << shift);
  if (error && host_unmap(placing->addr, (size_t)placing->npages << shift))
    return ENOMEM;
  return error == ENOMEM ? EAGAIN : error;
}

static int
map_job(void *arg) {
  return map_data(arg);
}

static int
choose_kind(const struct placing *placing) {
  const struct place *place = placing->place;
  if ((place->flags & MAP_TYPE) == MAP_PRIVATE)
    return 0;
  section_lock_all(); /* for the line */
  int error = kind_choose(placing->section, place->is_atomic ? SECTION_ATOMIC : SECTION_PLAIN);
  section_unlock_all();
  return error;
}

static int
obtain(struct placing *placing) {
  const struct place *place = placing->place;
  struct section_key key = { place->device, place->inode };
  int fd;
  int error = keeper_take(placing->ticket, &fd);
  if (!error)
    error = section_obtain(fd, &key, &placing->section);
  return error ? error : choose_kind(placing);
}

static int
no_room(int error) {
  section_lock_all();
  int result = section_say_no_room(error);
  section_unlock_all();
  return result;
}

/* Room for the twins of all pages, as far as that goes. */
static uint32_t
twins_of_all(const struct placing *placing) {
  uint64_t exist = section_npages(placing->section);
  uint64_t npages = placing->first + placing->npages;
  npages = npages > exist ? npages : exist;
  uint32_t count = TWINS_BLOCK;
  while (count < npages && count < TWINS_MAX)
    count *= 2;
  return count;
}

/* EBUSY: there may be pages that can be stored to and have none. */
static int
want_merge(struct section *section) {
  _Atomic uint64_t *watch = &section->control->watch;
  uint64_t now = atomic_load(watch);
  while (!(now & (CONTROL_WATCHED | CONTROL_MERGED)) &&
         !atomic_compare_exchange_weak(watch, &now, now | CONTROL_MERGED))
    ;
  return now & CONTROL_WATCHED ? EBUSY : 0;
}

/* A mapping that stores can run through, and a file of twins for it.  Where each store needs a twin
 * there must be room for all. */
static int
prepare_twins(const struct placing *placing) {
  const struct place *place = placing->place;
  struct section *section = placing->section;
  bool stays_open = track_chosen() == &tracker_compare;
  bool needs_all = place->merge || stays_open;
  uint32_t twins = options_ahead();
  if (!place->may_write || (place->flags & MAP_TYPE) == MAP_PRIVATE ||
      place->is_atomic) /* each store is vouched for by a fault */
    return 0;
  if (!needs_all &&
      (!twins || placing->npages < AHEAD_PAGES_MIN || track_chosen() == &tracker_watch))
    return 0;
  uint32_t all = needs_all ? twins_of_all(placing) : 0;
  int error = twins_ready(section, all > twins ? all : twins);
  if (!needs_all) {
    if (!error)
      atomic_store(&section->opens_ahead, true);
    return 0;
  }
  if (!error && atomic_load(&section->control->twins) < all)
    error = EBUSY;
  if (!error)
    error = want_merge(section);
  if (error)
    return place->merge ? error : 0; /* what has no twin is noticed by faults */
  if (twins)
    atomic_store(&section->opens_ahead, true);
  if (stays_open)
    atomic_store(&section->stays_open, true);
  return 0;
}

static int
prepare(struct placing *placing) {
  struct section *section = placing->section;
  bool changed;
  const unsigned char *fence;
  int error = section_follow(section, &changed);
  if (error)
    return error;
  lock_take(&section->resize_lock);
  uint64_t end = placing->first + placing->npages;
  uint64_t exist = section_npages_all(section);
  error = extent_reach(section, end > exist ? end : exist);
  lock_drop(&section->resize_lock);
  if (!error && ((error = extent_populate(section, placing->first, placing->npages)) ||
                 (error = fence_ready(section, &fence))))
    return no_room(error);
  if (!error)
    error = prepare_twins(placing);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    return no_room(error);
  if (error || !fill_now(placing))
    return error;
  int fill_error = fill(section, placing->first, placing->npages);
  placing->is_filled = !fill_error;
  /* What can't be read now raises SIGBUS when it is touched. */
  return fill_error && no_room(fill_error) == ENOMEM ? ENOMEM : 0;
}

static int
place_job(void *arg) {
  struct placing *placing = arg;
  int error = obtain(placing);
  if (!error)
    error = prepare(placing);
  if (!error && !is_fixed(placing->place))
    error = map_data(placing);
  return error;
}

static struct mapping *
mapping_of(const struct placing *placing) {
  const struct place *place = placing->place;
  uint64_t exist = section_npages(placing->section);
  struct mapping model = {
    .start = (uintptr_t)placing->addr,
    .end = (uintptr_t)placing->addr + (uintptr_t)(placing->npages << host_config.page_shift),
    .first = placing->first,
    .section = placing->section,
    .shown_from = exist,
    .tracker = place->is_atomic ? &tracker_fault : track_chosen(), /* it tells who stored */
    .is_shared = (place->flags & MAP_TYPE) != MAP_PRIVATE,
    .may_write = place->may_write,
    .any_offset = place->any_offset,
  };
  uint8_t base = (uint8_t)(asked_of(place) | (placing->is_filled ? VIEW_SHOWN : 0) |
                           (place->flags & MAP_LOCKED ? VIEW_LOCKED : 0));
  return mapping_new(&model, base);
}

/* Make it known. */
static int
publish(const struct placing *placing) {
  struct mapping *mapping = mapping_of(placing);
  if (!mapping)
    return ENOMEM;
  mapping_link(mapping);
  trace_note(TRACE_SIZE, mapping->section->trace, 0, section_npages(mapping->section));
  trace_note(mapping->is_shared ? TRACE_MAP : TRACE_MAP_PRIVATE, mapping->section->trace,
             mapping->first, placing->npages);
  int error = space_replace(mapping->start, mapping->end, &mapping, 1);
  if (!error && placing->is_filled && mapping->is_shared)
    track_arrive(mapping);
  if (error) {
    struct section *section = mapping->section;
    mapping_unlink(mapping);
    space_quiesce();
    mapping_free(mapping);
    section_release(section);
  }
  return error;
}

/* Map over what is there, which is gone whatever comes out (as Linux has it). */
static int
map_over(struct placing *placing, struct mapping **cut) {
  const struct place *place = placing->place;
  uintptr_t start = (uintptr_t)place->addr;
  space_change_begin();
  int error = space_cut(start, start + place->len, cut);
  if (!error) {
    error = keeper_run(map_job, placing);
    if (!error)
      error = lock_data(placing);
    if (!error)
      error = publish(placing);
    if (error && *cut && host_unmap(place->addr, place->len))
      error = ENOMEM;
  }
  space_change_end();
  return error;
}

int
space_place(const struct place *place, void **out, struct mapping **cut) {
  struct placing placing = {
    .place = place,
    .first = place->offset >> host_config.page_shift,
    .npages = place->len >> host_config.page_shift,
  };
  *cut = NULL;
  int error = keeper_post(place->fd, &placing.ticket);
  if (error)
    return error;
  error = keeper_run(place_job, &placing);
  say_now();
  if (!error && is_fixed(place))
    error = map_over(&placing, cut);
  else if (!error && !(error = lock_data(&placing))) {
    error = publish(&placing);
    if (error && host_unmap(placing.addr, place->len))
      error = ENOMEM;
  }
  if (placing.section)
    section_release(placing.section); /* the mapping has its own hold */
  if (!error)
    *out = placing.addr;
  return error;
}
