/* exit.c - everything dirty is written when the process ends in an orderly way.
 *
 * Twice: from atexit, and once more from the library's destructor, which runs after the handlers
 * that the program registered before its first mapping, and may have stored too.
 */
#include <errno.h>
#include <stdlib.h>

#include "backing/keeper.h"
#include "backing/writeback.h"
#include "core/text.h"
#include "host/arena.h"
#include "process/process.h"
#include "section/announce.h"
#include "section/section.h"
#include "trace/ring.h"
#include "track/track.h"

static uint64_t
count_dirty(struct section *section) {
  uint64_t count = 0;
  uint64_t npages = section_npages(section);
  for (uint64_t page = 0; page < npages; page++) {
    if (page % SUMMARY_PAGES == 0 &&
        !(atomic_load(section_summary(section, page)) & SUMMARY_DIRTY))
      page += SUMMARY_PAGES - 1;
    else
      count += page_is_stored(atomic_load(section_state(section, page)));
  }
  return count;
}

/* Data at risk: file, pages, errno, and where they are kept. */
static void
say_lost(struct section *section, int error) {
  struct text text = { 0 };
  text_add(&text, "softmap: ");
  text_add(&text, section->control->path[0] ? section->control->path : section->name);
  text_add(&text, ": ");
  text_add_number(&text, count_dirty(section));
  text_add(&text, " pages not written: ");
  text_add_error(&text, error);
  text_add(&text, atomic_load(&section->control->atomic) ? "; given up with section "
                                                          : "; kept as section ");
  text_add(&text, section->name);
  text_add(&text, " (softmap recover)\n");
  host_message(text.at, text.len);
}

/* ---- All sections -------------------------------------------------------------------------- */

/* Sections held, so that they can be written without the sections lock. */
struct held {
  struct section **at;
  size_t count, max;
};

static int
hold_section(struct section *section, void *arg) {
  struct held *held = arg;
  if (held->count < held->max && atomic_load(&section->has_lane)) {
    section_hold(section);
    held->at[held->count++] = section;
  }
  return 0;
}

static int
hold_all(struct held *held) {
  *held = (struct held){ .max = section_count() };
  if (held->max == 0)
    return 0;
  held->at = arena_alloc(held->max * sizeof(struct section *));
  if (!held->at)
    return ENOMEM;
  section_lock_all();
  int result = section_each(hold_section, held);
  section_unlock_all();
  return result;
}

struct request {
  struct section *section;
  bool flush;
};

static int
sync_job(void *arg) {
  const struct request *request = arg;
  return writeback(request->section, 0, section_npages_all(request->section), request->flush);
}

int
process_sync_all(bool flush, bool say) {
  if (!process_is_started() || !keeper_is_running())
    return 0;
  sigset_t mask;
  struct held held;
  host_signals_block(&mask);
  int first_error = hold_all(&held);
  for (size_t i = 0; i < held.count; i++) {
    struct request request = { held.at[i], flush };
    int error = keeper_run(sync_job, &request);
    if (error == EACCES && !held.at[i]->file_is_writable && say)
      error = 0; /* stores of others, who may write them: that is for them to say */
    if (error && say)
      say_lost(held.at[i], error);
    if (error && !first_error)
      first_error = error;
    section_release(held.at[i]);
  }
  arena_free(held.at, held.max * sizeof(struct section *));
  host_signals_set(&mask);
  return first_error;
}

/* ---- The end ------------------------------------------------------------------------------- */

/* Not a child whose fork we didn't see. */
static bool
is_ours(void) {
  return process_is_started() && host_lineage_same();
}

static void
at_exit(void) {
  if (is_ours() && process_sync_all(false, false))
    return; /* said by the destructor, after one more try */
}

static int
abandon_section(struct section *section, void *arg) {
  (void)arg;
  lock_take(&section->sync_lock); /* what other threads stored since */
  if (atomic_load(&section->has_lane) && track_collect(section, 0, section_npages(section)))
    host_yield();
  if (atomic_load(&section->has_lane))
    track_mark_locked(section); /* what the kernel will store */
  lock_drop(&section->sync_lock);
  section_abandon(section);
  return 0;
}

static int
abandon_job(void *arg) {
  section_lock_all();
  int result = section_each(abandon_section, arg);
  announce_end_all();
  section_unlock_all();
  return result;
}

__attribute__((destructor(101))) static void
at_unload(void) {
  if (!is_ours() || !keeper_is_running())
    return;
  sigset_t mask;
  host_signals_block(&mask);
  trace_note(TRACE_EXIT, 0, 0, 0);
  int error = process_sync_all(false, true); /* said, where it failed */
  if (keeper_run(abandon_job, NULL) && !error)
    host_yield();
  host_signals_set(&mask);
}

int
process_watch_exit(void) {
  static bool is_watching;
  int error = is_watching ? 0 : atexit(at_exit) ? ENOMEM : 0;
  is_watching |= !error;
  return error;
}
