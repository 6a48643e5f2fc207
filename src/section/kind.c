/* kind.c - plain or atomic: one kind at a time. */
#include "section/kind.h"

#include <errno.h>

#include "backing/atomic.h"
#include "backing/writeback.h"
#include "section/say.h"
#include "section/scan.h"

static struct lane_record *
record_of(struct section *section, uint32_t lane) {
  return (struct lane_record *)((unsigned char *)section->control + CONTROL_RECORDS) + lane;
}

int
gate_take(struct section *section) {
  for (;;) {
    int error = host_byte_lock(section->control_fd, CONTROL_LOCK_GATE);
    if (error != EAGAIN)
      return error;
    host_nap(100000);
  }
}

int
gate_drop(struct section *section) {
  return host_byte_unlock(section->control_fd, CONTROL_LOCK_GATE);
}

/* A forked child has the memory that its parent stored to: it vouches for that, too. */
static void
vouch(struct section *section) {
  uint64_t npages = section_npages(section);
  for (uint64_t page = 0; (page = scan_blocks(section, page, npages, SUMMARY_DIRTY)) < npages;) {
    uint64_t end = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
    for (end = end < npages ? end : npages; page < end; page++)
      if (page_is_dirty(atomic_load(section_state(section, page))))
        atomic_fetch_or(section_lane(section, page), LANE_STORED);
  }
}

void
kind_enter(struct section *section) {
  atomic_store(&record_of(section, section->lane)->kind, section->kind);
  if (section->kind == SECTION_ATOMIC)
    vouch(section);
}

void
kind_leave(struct section *section) {
  atomic_store(&record_of(section, section->lane)->kind, SECTION_UNDECIDED);
}

void
kind_doubt(struct section *section) {
  if (atomic_load(&section->control->atomic))
    atomic_store(&section->control->settled, 0);
}

/* Does another living process have shared mappings of another kind? */
static int
meets_other(struct section *section, enum section_kind kind, bool *out) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  int error = 0;
  *out = false;
  for (uint32_t lane = 0; lane < lanes && lane < LANE_MAX && !*out && !error; lane++) {
    uint32_t other = atomic_load(&record_of(section, lane)->kind);
    if (lane != section->lane && other != SECTION_UNDECIDED && other != kind)
      error = host_byte_is_locked(section->control_fd, CONTROL_LOCK_LANE + lane, out);
  }
  return error;
}

static int
settle(struct section *section) {
  int error = gate_take(section);
  if (error)
    return error;
  error = atomic_clear(section);
  if (!error)
    atomic_store(&section->control->settled, 1);
  int gate_error = gate_drop(section);
  return error ? error : gate_error;
}

int
kind_settle(struct section *section) {
  if (atomic_load(&section->control->settled))
    return 0;
  lock_take(&section->sync_lock);
  int error = atomic_is_clear(section) ? 0 : settle(section);
  lock_drop(&section->sync_lock);
  return error;
}

static int
refuse(struct section *section, enum section_kind kind) {
  return say_refused(section, kind == SECTION_ATOMIC
                                  ? ": is mapped without SOFTMAP_MAP_ATOMIC already"
                                  : ": is mapped with SOFTMAP_MAP_ATOMIC already");
}

/* No living process has atomic mappings, and none can get them while we have a plain one. */
static int
make_plain(struct section *section) {
  lock_take(&section->sync_lock);
  int error = settle(section);
  if (!error)
    atomic_store(&section->control->atomic, 0);
  lock_drop(&section->sync_lock);
  return error;
}

/* What dead processes stored through plain mappings isn't given up. */
static int
make_atomic(struct section *section) {
  int error = section_merges(section)
                  ? say_refused(section, ": was mapped with SOFTMAP_MAP_MERGE or compare by a process that died; "
                                         "softmap recover writes what is left")
                  : 0;
  if (!error && section_has_dirt(section))
    error = writeback(section, 0, section_npages_all(section), false);
  if (!error)
    atomic_store(&section->control->atomic, 1);
  return error;
}

int
kind_choose(struct section *section, enum section_kind kind) {
  if (section->kind == kind)
    return 0;
  if (section->kind != SECTION_UNDECIDED)
    return refuse(section, kind);
  _Atomic uint32_t *ours = &record_of(section, section->lane)->kind;
  bool meets;
  atomic_store(ours, kind);
  int error = meets_other(section, kind, &meets);
  if (!error && meets)
    error = refuse(section, kind);
  if (!error && atomic_load(&section->control->atomic) != (kind == SECTION_ATOMIC))
    error = kind == SECTION_ATOMIC ? make_atomic(section) : make_plain(section);
  if (error)
    atomic_store(ours, SECTION_UNDECIDED);
  else
    section->kind = kind;
  return error;
}
