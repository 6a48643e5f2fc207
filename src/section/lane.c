/* lane.c - one process's bytes of a section.
 *
 * A lane is alive while its owner holds the lock on the lane's byte of the control file.  That
 * lock belongs to the keepers' descriptor table: the kernel drops it when the process ends in
 * whatever way or goes on as another program (exec closes the table), a forked child doesn't
 * inherit it, a reused pid doesn't have it, and it can be asked for from any pid namespace.
 */
#include <errno.h>
#include <sys/mman.h>

#include "section/kind.h"
#include "section/stamp.h"

static int
map_lanes(struct section *section, unsigned extent, uint32_t lane, uint32_t count, int prot,
          page_byte **out) {
  uint64_t offset = control_lane_offset(extent, lane);
  uint64_t len = extent_pages(extent) * count;
  int error = control_reserve(section->control_fd, offset + len);
  if (error)
    return error;
  void *addr;
  error = extent_map_file(section->control_fd, offset, (size_t)len, prot, &addr);
  if (!error)
    *out = addr;
  return error;
}

int
lane_reach(struct section *section, unsigned extent) {
  page_byte *lane;
  int error = map_lanes(section, extent, section->lane, 1, PROT_READ | PROT_WRITE, &lane);
  if (!error)
    section->extent[extent].lane = lane;
  return error;
}

static struct lane_record *
lane_record(struct section *section, uint32_t lane) {
  return (struct lane_record *)((unsigned char *)section->control + CONTROL_RECORDS) + lane;
}

/* Give the memory of a lane back, and with it every mark of an owner before us. */
static int
lane_clean(struct section *section, uint32_t lane) {
  struct host_stat stat;
  int error = host_stat_fd(section->control_fd, &stat);
  for (unsigned k = 0; k < EXTENT_MAX && !error; k++) {
    uint64_t offset = control_lane_offset(k, lane);
    if (offset >= stat.size)
      break;
    error = host_punch(section->control_fd, offset, extent_pages(k));
  }
  return error;
}

/* What a dead owner before us was writing is dirty again, before its marks go. */
static void
take_over_writes(struct section *section) {
  uint64_t npages = section_npages(section);
  uint64_t reach = section_reach(section);
  for (uint64_t page = 0; page < npages && page < reach; page++) {
    if (page % SUMMARY_PAGES == 0 &&
        !(atomic_load(section_summary(section, page)) & SUMMARY_DIRTY)) {
      page += SUMMARY_PAGES - 1;
      continue;
    }
    page_byte *lane = section_lane(section, page);
    if ((atomic_load(lane) & LANE_WRITING) &&
        (atomic_fetch_and(lane, (uint8_t)~LANE_WRITING) & LANE_WRITING))
      page_end_write(section_state(section, page), section->lane, false, false);
  }
}

static int
lane_lock_free_one(struct section *section, uint32_t *out) {
  for (uint32_t lane = 0; lane < LANE_MAX; lane++) {
    int error = host_byte_lock(section->control_fd, CONTROL_LOCK_LANE + lane);
    if (error == EAGAIN)
      continue;
    if (!error)
      *out = lane;
    return error;
  }
  return EMFILE;
}

/* What a dead owner before us stored to and nobody knows of is dirty, before its marks go. */
static int
judge_owner_before(struct section *section) {
  struct lane_record *record = lane_record(section, section->lane);
  if (!atomic_load(&record->watches) || section->data_fd < 0)
    return 0;
  lock_take(&section->resize_lock);
  int error = extent_reach(section, section_npages_all(section));
  lock_drop(&section->resize_lock);
  return error ? error : judge_own(section);
}

/* Ours is locked: make it known, and rid it of what an owner before us left.  Who finds its marks
 * meanwhile, and us stopped, takes them over: so whose it is comes first. */
static int
lane_take_over(struct section *section, const struct host_identity *identity) {
  struct lane_record *record = lane_record(section, section->lane);
  record->pid = identity->pid;
  record->start_ticks = identity->start_ticks;
  record->pid_namespace = identity->pid_namespace;
  atomic_store(&record->leaving, 0);
  atomic_store(&record->arriving, 0);
  atomic_store(&record->flushing, 0);
  if (atomic_load(&record->writing)) /* the doubt comes first: see lane_look */
    atomic_fetch_add(&section->control->mtime_doubts, 1);
  atomic_store(&record->writing, 0);
  uint32_t lanes = atomic_load(&section->control->lanes);
  while (lanes <= section->lane &&
         !atomic_compare_exchange_weak(&section->control->lanes, &lanes, section->lane + 1))
    ;
  int error = 0;
  for (unsigned k = 0; k < atomic_load(&section->nextents) && !error; k++)
    error = lane_reach(section, k);
  if (error || (error = judge_owner_before(section)))
    return error;
  take_over_writes(section);
  error = lane_clean(section, section->lane);
  if (!error)
    atomic_store(&record->watches, 0);
  atomic_store(&record->used, !error);
  return error;
}

static int
claim(struct section *section) {
  struct host_identity identity;
  int error = host_identity(&identity);
  if (!error)
    error = lane_lock_free_one(section, &section->lane);
  if (error)
    return error;
  error = lane_take_over(section, &identity);
  if (error && host_byte_unlock(section->control_fd, CONTROL_LOCK_LANE + section->lane))
    return error; /* closing the descriptor drops it */
  atomic_store(&section->has_lane, !error);
  if (!error)
    kind_enter(section);
  return error;
}

/* What a dead owner vouched for must not count as ours to who syncs just now. */
int
lane_claim(struct section *section) {
  bool is_atomic = atomic_load(&section->control->atomic);
  int error = is_atomic ? gate_take(section) : 0;
  if (error)
    return error;
  error = claim(section);
  int gate_error = is_atomic ? gate_drop(section) : 0;
  return error ? error : gate_error;
}

int
lane_enter(struct section *section) {
  atomic_store(&lane_record(section, section->lane)->leaving, 0);
  return host_byte_lock(section->control_fd, CONTROL_LOCK_MEMBER + section->lane);
}

void
lane_leave(struct section *section) {
  atomic_store(&lane_record(section, section->lane)->leaving, 1);
  if (host_byte_unlock(section->control_fd, CONTROL_LOCK_MEMBER + section->lane))
    host_yield(); /* only judged by who joins: it will believe that somebody is left */
}

struct lane_child
lane_announce_child(struct section *section) {
  struct lane_record *record = lane_record(section, section->lane);
  atomic_fetch_add(&record->arriving, 1);
  return (struct lane_child){ section->lane, record->pid, record->start_ticks };
}

/* Of a parent that is still who it was: its lane may have been taken over. */
void
lane_child_arrived(struct section *section, const struct lane_child *child) {
  struct lane_record *record = lane_record(section, child->lane);
  uint32_t count = atomic_load(&record->arriving);
  while (count > 0 && record->pid == child->pid && record->start_ticks == child->start_ticks &&
         !atomic_compare_exchange_weak(&record->arriving, &count, count - 1))
    ;
}

bool
lane_awaits_child(struct section *section) {
  return atomic_load(&section->has_lane) &&
         atomic_load(&lane_record(section, section->lane)->arriving) > 0;
}

void
lane_note_writing(struct section *section, bool is_writing) {
  atomic_store(&lane_record(section, section->lane)->writing, is_writing);
}

void
lane_note_flushing(struct section *section, bool is_flushing) {
  atomic_store(&lane_record(section, section->lane)->flushing, is_flushing);
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

void
lane_give_back(struct section *section) {
  if (!atomic_exchange(&section->has_lane, false))
    return;
  if (lane_clean(section, section->lane))
    return; /* the next owner cleans it */
  struct lane_record *record = lane_record(section, section->lane);
  atomic_store(&record->watches, 0);
  atomic_store(&record->writing, 0);
  kind_leave(section);
  atomic_store(&record->used, 0);
}

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
  int error = map_lanes(section, extent, 0, count, PROT_READ | PROT_WRITE, &lanes);
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

void
lane_note_watching(struct section *section) {
  _Atomic uint64_t *watches = &lane_record(section, section->lane)->watches;
  if (!atomic_load(watches))
    atomic_store(watches, host_now_ns() | 1);
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
