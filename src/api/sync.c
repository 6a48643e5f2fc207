/* sync.c - msync, and all at once.
 *
 * What is to be written is looked up and held under the space lock; the writing itself goes on
 * without it, so that other threads can map meanwhile.
 */
#include <sys/mman.h>

#include "api/call.h"
#include "backing/keeper.h"
#include "backing/writeback.h"
#include "core/broken.h"
#include "core/rules.h"
#include "host/arena.h"
#include "signal/install.h"
#include "track/track.h"

/* One part of the range. */
struct part {
  struct section *section; /* held; NULL: the host's */
  uint64_t first, npages;
  uintptr_t start, end;
};

struct plan {
  struct part *parts;
  size_t count, max;
  bool has_locked;
};

static bool
is_locked(const struct piece *piece) {
  for (uint64_t i = 0; i < piece_npages(piece); i++)
    if (mapping_view(piece->mapping, piece_first(piece) + i) & VIEW_LOCKED)
      return true;
  return false;
}

/* What an atomic section has of the call is one sync, of all between its lowest and highest page:
 * added to an earlier part of it. */
static bool
is_joined(struct plan *plan, const struct part *part) {
  if (!part->section || !part->npages || !atomic_load(&part->section->control->atomic))
    return false;
  for (struct part *other = plan->parts; other < part; other++)
    if (other->section == part->section && other->npages) {
      uint64_t end = part->first + part->npages, other_end = other->first + other->npages;
      other->first = part->first < other->first ? part->first : other->first;
      other->npages = (end > other_end ? end : other_end) - other->first;
      return true;
    }
  return false;
}

static int
plan_sync(uintptr_t start, uintptr_t end, bool invalidate, struct plan *plan) {
  struct piece piece;
  for (uintptr_t at = start; piece_next(&at, end, &piece);)
    plan->max++;
  plan->parts = arena_alloc(plan->max * sizeof *plan->parts);
  if (!plan->parts)
    return ENOMEM;
  for (uintptr_t at = start; piece_next(&at, end, &piece);) {
    struct part *part = &plan->parts[plan->count++];
    *part = (struct part){ NULL, 0, 0, piece.start, piece.end };
    if (!piece.mapping)
      continue;
    if (invalidate && is_locked(&piece))
      plan->has_locked = true;
    part->section = piece.mapping->section;
    part->first = piece_first(&piece);
    if (broken_is(IGNORES_OFFSETS))
      part->first -= piece.mapping->views_at < part->first ? piece.mapping->views_at : part->first;
    part->npages = piece.mapping->is_shared ? piece_npages(&piece) : 0;
    if (is_joined(plan, part))
      plan->count--;
    else
      section_hold(part->section);
  }
  return 0;
}

struct sync_request {
  const struct part *part;
  int flags;
};

static int
sync_job(void *arg) {
  const struct sync_request *request = arg;
  const struct part *part = request->part;
  if (!atomic_load(&part->section->has_lane))
    return EIO; /* a forked child that could not join */
  int error = writeback(part->section, part->first, part->npages, request->flags & MS_SYNC);
  if (!error && (request->flags & MS_INVALIDATE))
    error = refresh(part->section, part->first, part->npages);
  return error;
}

static int
sync_part(const struct part *part, int flags) {
  if (!part->section)
    return host_sync_memory((void *)part->start, part->end - part->start, flags);
  if (part->npages == 0)
    return 0; /* private */
  struct sync_request request = { part, flags };
  uint32_t closings = atomic_load(&part->section->closings);
  int error = keeper_run(sync_job, &request);
  if (atomic_load(&part->section->closings) != closings) {
    struct track_locked locked; /* taken while pages were being closed */
    track_find_locked(&locked);
    track_open_locked(part->section, &locked);
  }
  return error;
}

/* All parts are synced; a failed write counts more than a hole. */
static int
carry_out(const struct plan *plan, int flags) {
  int result = 0;
  for (size_t i = 0; i < plan->count; i++) {
    int error = sync_part(&plan->parts[i], flags);
    if (error && (!result || result == ENOMEM))
      result = error;
  }
  return result;
}

int
softmap_msync(void *addr, size_t len, int flags) {
  uintptr_t start = (uintptr_t)addr;
  uintptr_t end;
  if (call_is_foreign(addr, len))
    return fail(host_sync_memory(addr, len, flags));
  call_round_start(&start, &len);
  int error = rules_sync(start, len, flags, call_page_size(), &end);
  if (error || start == end)
    return fail(error);
  if (call_is_orphan())
    return fail(EIO);
  struct space_call call; /* something has been mapped: else the range would be foreign, or nothing */
  struct plan plan = { 0 };
  space_lock(&call);
  error = signals_install();
  if (!error)
    error = plan_sync(start, end, flags & MS_INVALIDATE, &plan);
  space_unlock(&call);
  sigset_t mask;
  host_signals_block(&mask);
  if (!error)
    error = plan.has_locked ? EBUSY : carry_out(&plan, flags);
  for (size_t i = 0; i < plan.count; i++)
    if (plan.parts[i].section)
      section_release(plan.parts[i].section);
  arena_free(plan.parts, plan.max * sizeof *plan.parts);
  host_signals_set(&mask);
  return fail(error);
}

int
softmap_sync_all(void) {
  if (!process_is_started() || call_is_orphan())
    return fail(call_is_orphan() ? EIO : 0);
  struct space_call call;
  space_lock(&call);
  int error = signals_install();
  space_unlock(&call);
  int sync_error = process_sync_all(true, false);
  return fail(sync_error ? sync_error : error);
}
