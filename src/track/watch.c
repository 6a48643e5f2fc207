/* watch.c - the tracker "watch": the kernel notes stores (host_watch_*), and a sync asks it.
 *
 *   arming   stamp the pages; WATCHED in the lane; the kernel begins anew; open them
 *   sync     ask the kernel, which begins anew in the same step; mark; then as with every tracker
 *   settle   close; ask; mark; WATCHED out of the lane
 *
 * An armed page is open and not marked: what was stored to it only the kernel of this process
 * knows.  Other processes, and who adopts after our death, see WATCHED in the lane and compare with
 * the stamp (section/judge.c).  doc/design.md says why that is right.
 *
 * Descriptors belong to the keepers, so everything here that asks the kernel is a keeper's job.
 */
#include <errno.h>
#include <sys/mman.h>

#include "backing/keeper.h"
#include "section/lane.h"
#include "section/stamp.h"
#include "track/groups.h"
#include "track/readers.h"
#include "track/track.h"

#define RUNS_MAX 128

/* ---- The kernel's side --------------------------------------------------------------------- */

static struct {
  struct lock lock;
  _Atomic uint32_t is_open;
  struct host_watch handle;
} kernel = { .lock = LOCK_INIT(LOCK_STAMPS) };

static int
kernel_open(void) {
  if (atomic_load(&kernel.is_open))
    return 0;
  lock_take(&kernel.lock);
  int error = atomic_load(&kernel.is_open) ? 0 : host_watch_open(&kernel.handle);
  if (!error)
    atomic_store(&kernel.is_open, 1);
  lock_drop(&kernel.lock);
  return error;
}

void
track_forget_kernel(void) {
  lock_reset(&kernel.lock);
  atomic_store(&kernel.is_open, 0);
}

static int
ready(void) {
  struct host_watch handle;
  int error = host_watch_open(&handle);
  if (!error)
    host_watch_close(&handle);
  return error;
}

static int
add_to_kernel(const struct mapping *mapping) {
  _Atomic bool *is_known = &((struct mapping *)(uintptr_t)mapping)->is_known_to_kernel;
  if (atomic_load(is_known))
    return 0;
  int error = kernel_open();
  if (!error)
    error = host_watch_add(&kernel.handle, (void *)mapping->start, mapping->end - mapping->start);
  if (!error)
    atomic_store(is_known, true);
  return error;
}

static uintptr_t
address(const struct mapping *mapping, uint64_t page) {
  return mapping_address(mapping, page, host_config.page_shift);
}

static int
begin_runs(const struct mapping *mapping, uint64_t first, uint64_t n, const struct track_set *set) {
  uint64_t i, end = 0;
  int error = 0;
  while (!error && track_set_run(set, n, &i, &end))
    error = host_watch_begin(&kernel.handle, (void *)address(mapping, first + i),
                             (size_t)(end - i) << host_config.page_shift);
  return error;
}

/* ---- Arming -------------------------------------------------------------------------------- */

/* A clean page that was filled when nobody wanted stamps: while nobody can open it.  One that is
 * watched without a stamp, which growth makes, counts as stored to, and is left so. */
static int
stamp_page(struct section *section, uint64_t page) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  uint8_t was = atomic_load(state);
  uint8_t filling = page_in_hand(PAGE_FILLING, section->lane);
  struct stamp stamp = stamp_get(section, page);
  uint64_t watched = 0;
  if ((was != PAGE_CLEAN && was != PAGE_WRITTEN) || stamp.half[0] || stamp.half[1] ||
      !claims_begin(section, page, 1)) /* else: in another keeper's hand, who stamps it */
    return 0;
  int error = 0;
  if (!(atomic_fetch_or(lane, LANE_FILLING) & LANE_FILLING)) { /* else coherent.c has it */
    bool has = page_step(state, was, filling);
    error = lane_watched(section, page, 1, LANE_MAX, &watched);
    if (has && !error && !watched && !(atomic_load(lane) & LANE_WATCHED))
      error = stamp_pages(section, page, 1, LANE_FILLING);
    if ((atomic_fetch_and(lane, (uint8_t)~LANE_FILLING) & LANE_FILLING) && has)
      page_step(state, filling, was);
  }
  claims_end(section);
  return error;
}

static int
stamp_all(struct section *section, uint64_t first, uint64_t n) {
  int error = stamp_ready(section, first, n);
  for (uint64_t page = first; page < first + n && !error; page++)
    error = stamp_page(section, page);
  return error;
}

/* WATCHED comes before the look at the state: whoever reads a page again takes it in hand first,
 * and then looks at the lanes (backing/refresh.c). */
static void
choose(const struct mapping *mapping, uint64_t first, uint64_t n, struct track_set *set) {
  struct section *section = mapping->section;
  for (uint64_t i = 0; i < n; i++) {
    uint8_t view = mapping_view(mapping, first + i);
    if (!(view & VIEW_ASKED & PROT_WRITE) || (view & VIEW_WATCHED))
      continue;
    page_byte *lane = section_lane(section, first + i);
    bool was = atomic_fetch_or(lane, LANE_WATCHED) & LANE_WATCHED;
    if (page_is_filled(atomic_load(section_state(section, first + i))))
      track_set_add(set, i);
    else if (!was)
      atomic_fetch_and(lane, (uint8_t)~LANE_WATCHED);
  }
}

static bool
is_empty(const struct track_set *set) {
  for (size_t i = 0; i < TRACK_GROUP / 64; i++)
    if (set->bits[i])
      return false;
  return true;
}

static int
arm_group(const struct mapping *mapping, uint64_t first, uint64_t n) {
  struct section *section = mapping->section;
  struct track_set set = { { 0 } };
  int error = stamp_all(section, first, n);
  if (!error)
    error = groups_note(mapping, first, n);
  if (error)
    return error;
  section_bits_take(section, first, n);
  summary_set(section, first, SUMMARY_WATCHED);
  summary_set(section, first + n - 1, SUMMARY_WATCHED);
  choose(mapping, first, n, &set);
  if (!is_empty(&set)) {
    error = begin_runs(mapping, first, n, &set);
    if (!error)
      error = view_change(mapping, first, n, &set, 0, VIEW_WATCHED | VIEW_SHOWN);
  }
  section_bits_drop(section, first, n);
  return error;
}

struct job {
  const struct mapping *mapping;
  uint64_t first, n;
};

/* Those pages of a range that are filled and that the program may store to. */
static int
arm_job(void *arg) {
  const struct job *job = arg;
  struct section *section = job->mapping->section;
  int error = add_to_kernel(job->mapping);
  if (error || (error = stamp_want(section)))
    return error;
  lane_note_watching(section);
  for (uint64_t done = 0; done < job->n && !error; done += TRACK_GROUP) {
    uint64_t n = job->n - done < TRACK_GROUP ? job->n - done : TRACK_GROUP;
    error = arm_group(job->mapping, job->first + done, n);
  }
  return error;
}

/* As far as the section reaches. */
static int
arm(const struct mapping *mapping, uint64_t first, uint64_t end) {
  uint64_t exist = section_npages(mapping->section);
  uint64_t mapped = mapping->first + mapping_npages(mapping, host_config.page_shift);
  end = end < exist ? end : exist;
  end = end < mapped ? end : mapped;
  struct job job = { mapping, first, end - first };
  return first < end ? keeper_run(arm_job, &job) : 0;
}

/* A store to a page that isn't armed: its neighbours are armed along with it, which costs next to
 * nothing.  What can't be watched is opened as with the tracker fault. */
static int
watch_open(const struct mapping *mapping, uint64_t page) {
  uint64_t first = page / TRACK_GROUP * TRACK_GROUP;
  uint64_t end = first + TRACK_GROUP;
  if (arm(mapping, first > mapping->first ? first : mapping->first, end))
    return track_store(mapping, page);
  return mapping_view(mapping, page) & VIEW_WATCHED ? 0 : track_store(mapping, page);
}

static int
watch_show(const struct mapping *mapping, uint64_t first, uint64_t n) {
  if (mapping->is_shared && (mapping_view(mapping, first) & VIEW_ASKED & PROT_WRITE) &&
      arm(mapping, first, first + n))
    host_yield(); /* the first store opens them */
  return tracker_fault.show(mapping, first, n);
}

static void
arrive(const struct mapping *mapping) {
  if ((mapping_view(mapping, mapping->first) & VIEW_ASKED & PROT_WRITE) &&
      arm(mapping, mapping->first, UINT64_MAX))
    host_yield(); /* the first store opens them */
}

/* ---- Asking -------------------------------------------------------------------------------- */

/* One that the kernel knows to be stored to.  Another process may have written it since; and in a
 * file that was cut off that may have been another page at the same place: then the stamp
 * decides. */
static int
mark(struct section *section, uint64_t page) {
  bool stored;
  if ((atomic_load(&section->control->watch) & CONTROL_CUT) ||
      atomic_load(&section->control->lanes) > 1)
    return judge_page(section, page, &stored);
  while (!section_mark(section, page)) {
    if (page_kind(atomic_load(section_state(section, page))) != PAGE_FILLING ||
        !(atomic_load(section_lane(section, page)) & LANE_WATCHED))
      break; /* or what the kernel tells of is marked since long */
    host_nap(20000); /* in the hand of who will see that it is watched, and let it be */
  }
  return 0;
}

/* Was the page armed in this mapping when the kernel was asked?  If it is being armed just now, it
 * may be stored to before its view says so. */
static bool
was_armed(const struct mapping *mapping, uint64_t page, uint32_t settlings) {
  struct section *section = mapping->section;
  if ((mapping_view(mapping, page) & VIEW_WATCHED) || atomic_load(&section->settlings) != settlings)
    return true;
  if (!(atomic_load(section_lane(section, page)) & LANE_WATCHED))
    return false;
  section_bits_take(section, page, 1);
  uint8_t view = mapping_view(mapping, page);
  section_bits_drop(section, page, 1);
  return view & VIEW_WATCHED;
}

static int
mark_run(const struct mapping *mapping, const struct host_run *run, uint32_t settlings) {
  uintptr_t last = (uintptr_t)run->end - 1;
  uint64_t page =
      mapping->first + (((uintptr_t)run->start - mapping->start) >> host_config.page_shift);
  uint64_t end = mapping->first + ((last - mapping->start) >> host_config.page_shift) + 1;
  int error = 0;
  for (; page < end && !error; page++)
    if (was_armed(mapping, page, settlings))
      error = mark(mapping->section, page);
  return error;
}

/* Ask about [first, end), which is armed. */
static int
ask(const struct mapping *mapping, uint64_t first, uint64_t end, bool again, uint32_t settlings) {
  struct host_run runs[RUNS_MAX];
  uintptr_t at = address(mapping, first);
  uintptr_t limit = address(mapping, end);
  int error = 0;
  while (at < limit && !error) {
    size_t n;
    error = host_watch_scan(&kernel.handle, &at, limit, again, runs, RUNS_MAX, &n);
    for (size_t i = 0; i < n && !error; i++)
      error = mark_run(mapping, &runs[i], settlings);
  }
  return error;
}

/* The kernel doesn't say, and may have begun anew: the stamps do. */
static int
compare(struct section *section, uint64_t first, uint64_t n) {
  bool stored;
  int error = 0;
  for (uint64_t page = first; page < first + n && !error; page++)
    if (page_is_filled(atomic_load(section_state(section, page))))
      error = judge_page(section, page, &stored);
  return error;
}

static int
collect(const struct mapping *mapping, uint64_t first, uint64_t n) {
  uint64_t end = first + n, run_end;
  uint32_t settlings = atomic_load(&mapping->section->settlings);
  int error = 0;
  while (!error && groups_next(mapping, &first, end, &run_end)) {
    if (ask(mapping, first, run_end, true, settlings))
      error = compare(mapping->section, first, run_end - first);
    first = run_end;
  }
  return error;
}

/* ---- Settling ------------------------------------------------------------------------------ */

/* Of very many mappings not all are looked at: a page that counts as watched without need is only
 * compared by others without need. */
#define LOOKED_AT 64

static bool
is_watched_elsewhere(struct section *section, uint64_t page) {
  struct mapping *mapping = atomic_load(&section->mappings);
  unsigned count = 0;
  for (; mapping; mapping = atomic_load(&mapping->next_in_section)) {
    uint64_t end = mapping->first + mapping_npages(mapping, host_config.page_shift);
    if (++count > LOOKED_AT)
      return true;
    if (mapping->is_shared && page >= mapping->first && page < end &&
        (mapping_view(mapping, page) & VIEW_WATCHED))
      return true;
  }
  return false;
}

/* What is armed, and close it; false: nothing is. */
static bool
close_armed(const struct mapping *mapping, uint64_t first, uint64_t n, struct track_set *set) {
  for (uint64_t i = 0; i < n; i++)
    if (mapping_view(mapping, first + i) & VIEW_WATCHED)
      track_set_add(set, i);
  if (is_empty(set))
    return false;
  if (view_change(mapping, first, n, set, VIEW_WATCHED, 0))
    host_yield(); /* what can't be closed stays armed, and says so: the next sync asks again */
  return true;
}

/* Ask about what was closed; then the lane needn't say any more that it is watched. */
static int
ask_closed(const struct mapping *mapping, uint64_t first, uint64_t n, const struct track_set *set,
           uint32_t settlings) {
  struct section *section = mapping->section;
  uint64_t i, end = 0;
  int error = 0;
  while (!error && track_set_run(set, n, &i, &end))
    if (ask(mapping, first + i, first + end, false, settlings))
      error = compare(section, first + i, end - i);
  for (i = 0; i < n && !error; i++)
    if (track_set_has(set, i) && !is_watched_elsewhere(section, first + i))
      atomic_fetch_and(section_lane(section, first + i), (uint8_t)~LANE_WATCHED);
  return error;
}

/* All of it under the bits: who arms a page again makes the kernel forget what it knows. */
static int
settle_group(const struct mapping *mapping, uint64_t first, uint64_t n) {
  struct section *section = mapping->section;
  struct track_set set = { { 0 } };
  uint32_t settlings = atomic_fetch_add(&section->settlings, 1); /* one less than it is now */
  section_bits_take(section, first, n);
  int error =
      close_armed(mapping, first, n, &set) ? ask_closed(mapping, first, n, &set, settlings) : 0;
  section_bits_drop(section, first, n);
  return error;
}

/* The next run of at most TRACK_GROUP pages of [*first, end) that begins and ends with an armed
 * one. */
static bool
next_armed(const struct mapping *mapping, uint64_t *first, uint64_t end, uint64_t *n) {
  uint64_t run_end;
  while (groups_next(mapping, first, end, &run_end)) {
    while (*first < run_end && !(mapping_view(mapping, *first) & VIEW_WATCHED))
      ++*first;
    if (*first == run_end)
      continue;
    *n = run_end - *first < TRACK_GROUP ? run_end - *first : TRACK_GROUP;
    while (!(mapping_view(mapping, *first + *n - 1) & VIEW_WATCHED))
      --*n;
    return true;
  }
  return false;
}

static int
settle_job(void *arg) {
  const struct job *job = arg;
  uint64_t first = job->first, end = job->first + job->n, n;
  int error = 0;
  for (; next_armed(job->mapping, &first, end, &n); first += n) {
    int one = settle_group(job->mapping, first, n);
    error = error ? error : one;
  }
  return error;
}

static int
settle(const struct mapping *mapping, uint64_t first, uint64_t n) {
  struct job job = { mapping, first, n };
  return atomic_load(&mapping->views->groups) ? keeper_run(settle_job, &job) : 0;
}

/* ---- A forked child ------------------------------------------------------------------------ */

/* Its memory isn't watched: nothing may be armed there.  Its lane isn't ready. */
static void
inherit(struct mapping *mapping) {
  uint64_t first = mapping->first, n;
  uint64_t end = first + mapping_npages(mapping, host_config.page_shift);
  for (; next_armed(mapping, &first, end, &n); first += n)
    if (view_change(mapping, first, n, NULL, VIEW_WATCHED, 0))
      for (uint64_t i = 0; i < n; i++)
        section_mark(mapping->section, first + i); /* as good as we can */
  atomic_store(&mapping->is_known_to_kernel, false);
}

const struct tracker tracker_watch = {
  .name = "watch",
  .ready = ready,
  .open = watch_open,
  .show = watch_show,
  .close = track_close_pages,
  .collect = collect,
  .settle = settle,
  .arrive = arrive,
  .inherit = inherit,
};
