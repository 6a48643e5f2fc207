/* peers.c - the lanes of the others in a section, alive or dead. */
#include <errno.h>
#include <sys/mman.h>

#include "section/lane.h"

static int
peers_cover(struct section *section, unsigned extent, uint32_t count) {
  if (section->peers[extent].count >= count)
    return 0;
  size_t old_len = (size_t)extent_pages(extent) * section->peers[extent].count;
  if (section->peers[extent].lanes) {
    int error = host_unmap((void *)section->peers[extent].lanes, old_len);
    if (error)
      return error;
    section->peers[extent].lanes = NULL;
    section->peers[extent].count = 0;
  }
  page_byte *lanes;
  int error = lane_map(section, extent, 0, count, &lanes);
  if (error)
    return error;
  section->peers[extent].lanes = lanes;
  section->peers[extent].count = count;
  return host_advise((void *)lanes, (size_t)extent_pages(extent) * count, MADV_DONTFORK);
}

/* The same with the peers' lock held. */
static int
any_other(struct section *section, uint64_t page, uint8_t bits, uint32_t lanes, bool *out) {
  unsigned k = extent_of(page);
  int error = peers_cover(section, k, lanes);
  if (error)
    return error;
  page_byte *byte = section->peers[k].lanes + (page - extent_first(k));
  for (uint32_t lane = 0; lane < lanes; lane++, byte += extent_pages(k)) {
    if (lane == section->lane || !(atomic_load(byte) & bits))
      continue;
    error = host_byte_is_locked(section->control_fd, CONTROL_LOCK_LANE + lane, out);
    if (error || *out)
      return error;
  }
  return 0;
}

int
lane_any_other(struct section *section, uint64_t page, uint8_t bits, bool *out) {
  *out = false;
  uint32_t lanes = atomic_load(&section->control->lanes);
  if (lanes > LANE_MAX)
    return EIO; /* a header that somebody else wrote into */
  if (lanes == 0 || (lanes == 1 && section->lane == 0))
    return 0;
  lock_take(&section->peers_lock);
  int error = any_other(section, page, bits, lanes, out);
  lock_drop(&section->peers_lock);
  return error;
}

bool
lane_any_watches(struct section *section) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  for (uint32_t lane = 0; lane < lanes && lane < LANE_MAX; lane++)
    if (lane != section->lane && atomic_load(&lane_record(section, lane)->watches))
      return true;
  return false;
}

static void
add_watched(const page_byte *bytes, uint64_t n, uint64_t *bits) {
  for (uint64_t i = 0; i < n; i++)
    bits[i / 64] |= (uint64_t)((atomic_load(&bytes[i]) & LANE_WATCHED) != 0) << (i % 64);
}

int
lane_watched(struct section *section, uint64_t first, uint64_t n, uint32_t lane, uint64_t *bits) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  unsigned k = extent_of(first);
  if (lane == section->lane) {
    add_watched(section_lane(section, first), n, bits);
    return 0;
  }
  if (lanes > LANE_MAX)
    return EIO;
  lock_take(&section->peers_lock);
  int error = peers_cover(section, k, lanes);
  for (uint32_t i = 0; i < lanes && !error; i++) {
    page_byte *bytes = section->peers[k].lanes + i * extent_pages(k) + (first - extent_first(k));
    if (i != section->lane && (lane == LANE_MAX || lane == i) &&
        atomic_load(&lane_record(section, i)->watches))
      add_watched(bytes, n, bits);
  }
  lock_drop(&section->peers_lock);
  return error;
}

bool
lane_may_be_watched(struct section *section, uint64_t page) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  unsigned k = extent_of(page);
  uint64_t watched = 0;
  if (!lane_any_watches(section) ||
      !(atomic_load(section_summary(section, page)) & SUMMARY_WATCHED))
    return false;
  lock_take(&section->peers_lock);
  bool is_known = lanes <= LANE_MAX && section->peers[k].count >= lanes;
  for (uint32_t lane = 0; lane < lanes && is_known; lane++)
    if (lane != section->lane && atomic_load(&lane_record(section, lane)->watches))
      add_watched(section->peers[k].lanes + lane * extent_pages(k) + (page - extent_first(k)), 1,
                  &watched);
  lock_drop(&section->peers_lock);
  return !is_known || watched;
}

/* Who has the lane of a dead one and isn't a member yet may not have judged it yet. */
int
lane_dead_watches(struct section *section, uint32_t lane, uint64_t *token) {
  uint64_t now = atomic_load(&lane_record(section, lane)->watches);
  bool is_member = false;
  int error =
      now ? host_byte_is_locked(section->control_fd, CONTROL_LOCK_MEMBER + lane, &is_member) : 0;
  *token = is_member ? 0 : now;
  return error;
}

void
lane_was_judged(struct section *section, uint32_t lane, uint64_t token) {
  atomic_compare_exchange_strong(&lane_record(section, lane)->watches, &token, 0);
}

static int
find_holder(struct section *section, uint64_t page, uint8_t bit, uint32_t lanes,
            struct lane_holder *out) {
  unsigned k = extent_of(page);
  int error = peers_cover(section, k, lanes);
  if (error)
    return error;
  page_byte *byte = section->peers[k].lanes + (page - extent_first(k));
  for (uint32_t lane = 0; lane < lanes; lane++, byte += extent_pages(k)) {
    if (lane == section->lane || !(atomic_load(byte) & bit))
      continue;
    bool is_alive;
    error = host_byte_is_locked(section->control_fd, CONTROL_LOCK_LANE + lane, &is_alive);
    if (error)
      return error;
    out->lane = lane;
    if (is_alive)
      out->is = LANE_HOLDER_ALIVE;
    else if (atomic_fetch_and(byte, (uint8_t)~bit) & bit)
      out->is = LANE_HOLDER_DEAD;
    if (out->is != LANE_HOLDER_NONE)
      return 0;
  }
  return 0;
}

int
lane_holder(struct section *section, uint64_t page, uint8_t bit, struct lane_holder *out) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  *out = (struct lane_holder){ .is = LANE_HOLDER_NONE };
  if (lanes > LANE_MAX)
    return EIO;
  lock_take(&section->peers_lock);
  int error = find_holder(section, page, bit, lanes, out);
  lock_drop(&section->peers_lock);
  return error;
}

bool
lane_is_stopped(struct section *section, uint32_t lane) {
  const struct lane_record *record = lane_record(section, lane);
  struct host_identity identity = { .pid = record->pid,
                                    .start_ticks = record->start_ticks,
                                    .pid_namespace = record->pid_namespace };
  return host_is_stopped(&identity);
}

bool
lane_take_mark(struct section *section, uint64_t page, uint8_t bit, uint32_t lane) {
  unsigned k = extent_of(page);
  bool taken = false;
  lock_take(&section->peers_lock);
  if (!peers_cover(section, k, lane + 1)) {
    page_byte *lanes = section->peers[k].lanes + (uint64_t)lane * extent_pages(k);
    taken = atomic_fetch_and(&lanes[page - extent_first(k)], (uint8_t)~bit) & bit;
  }
  lock_drop(&section->peers_lock);
  return taken;
}

int
lane_is_flushing(struct section *section, uint32_t hand, bool *out) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  *out = false;
  for (uint32_t lane = hand; lane < lanes && lane < LANE_MAX && !*out; lane += PAGE_HANDS) {
    if (lane == section->lane || !atomic_load(&lane_record(section, lane)->flushing))
      continue;
    int error = host_byte_is_locked(section->control_fd, CONTROL_LOCK_LANE + lane, out);
    if (error)
      return error;
  }
  return 0;
}

int
lane_look(struct section *section, struct lane_census *out) {
  *out = (struct lane_census){ 0 };
  uint32_t lanes = atomic_load(&section->control->lanes);
  for (uint32_t lane = 0; lane < lanes && lane < LANE_MAX; lane++) {
    const struct lane_record *record = lane_record(section, lane);
    bool is_alive, is_member = false;
    if (lane == section->lane) {
      out->staying += atomic_load(&record->arriving);
      continue;
    }
    int error = host_byte_is_locked(section->control_fd, CONTROL_LOCK_LANE + lane, &is_alive);
    if (!error && is_alive)
      error = host_byte_is_locked(section->control_fd, CONTROL_LOCK_MEMBER + lane, &is_member);
    if (error)
      return error;
    out->members += is_member;
    out->staying += is_alive && !atomic_load(&record->leaving);
    out->staying += is_alive ? atomic_load(&record->arriving) : 0;
    out->dead += !is_alive && atomic_load(&record->used);
    /* Its new owner, who is just joining, may not have got that far. */
    out->dead_writing |= !is_member && atomic_load(&record->writing);
  }
  out->dead_writing |= control_mtime_is_unsure(section->control);
  return 0;
}
