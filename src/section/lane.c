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
#include "section/lane.h"
#include "section/stamp.h"

int
lane_map(struct section *section, unsigned extent, uint32_t lane, uint32_t count, page_byte **out) {
  uint64_t offset = control_lane_offset(extent, lane);
  uint64_t len = extent_pages(extent) * count;
  int error = control_reserve(section->control_fd, offset + len);
  if (error)
    return error;
  void *addr;
  error = extent_map_file(section->control_fd, offset, (size_t)len, PROT_READ | PROT_WRITE, &addr);
  if (!error)
    *out = addr;
  return error;
}

int
lane_reach(struct section *section, unsigned extent) {
  page_byte *lane;
  int error = lane_map(section, extent, section->lane, 1, &lane);
  if (!error)
    section->extent[extent].lane = lane;
  return error;
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
lane_linger(struct section *section) {
  return host_byte_lock(section->control_fd, CONTROL_LOCK_MEMBER + section->lane);
}

int
lane_enter(struct section *section) {
  atomic_store(&lane_record(section, section->lane)->leaving, 0);
  return lane_linger(section);
}

void
lane_leave(struct section *section) {
  atomic_store(&lane_record(section, section->lane)->leaving, 1);
  if (host_byte_unlock(section->control_fd, CONTROL_LOCK_MEMBER + section->lane))
    host_yield(); /* only judged by who joins: it will believe that somebody is left */
}

bool
lane_is_leaving(struct section *section) {
  return atomic_load(&section->has_lane) &&
         atomic_load(&lane_record(section, section->lane)->leaving);
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

void
lane_note_watching(struct section *section) {
  _Atomic uint64_t *watches = &lane_record(section, section->lane)->watches;
  if (!atomic_load(watches))
    atomic_store(watches, host_now_ns() | 1);
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
