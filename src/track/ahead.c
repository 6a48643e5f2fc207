/* ahead.c - opening pages before they are stored to.
 *
 * A fault that goes on where a run of faults left off opens a window of pages with one call of the
 * host, twice as many as last time.  Each gets a twin; pages that turn out to be as their twins were
 * never stored to.  When the run goes on, its last window is looked at: what was stored to is dirty
 * without a doubt, and its twins can be used again; what wasn't is closed.  A run with gaps is
 * closed behind, so that its memory areas merge.  models/ahead.pml plays open_window.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backing/keeper.h"
#include "backing/patience.h"
#include "track/ahead.h"

/* ---- Room to work -------------------------------------------------------------------------- */

#define SCRATCHES 8
static struct scratch scratches[SCRATCHES];

/* must_have: wait for one; who has one lets it go without waiting for anybody. */
static struct scratch *
take_scratch(bool must_have) {
  for (;;) {
    for (int i = 0; i < SCRATCHES; i++)
      if (!atomic_load(&scratches[i].is_taken) && !atomic_exchange(&scratches[i].is_taken, true))
        return &scratches[i];
    if (!must_have)
      return NULL;
    host_nap(50000);
  }
}

void
track_ahead_reset(void) {
  for (int i = 0; i < SCRATCHES; i++)
    atomic_store(&scratches[i].is_taken, false);
}

/* What somebody watches may be stored to while its twin is made. */
static bool
is_watched(struct section *section) {
  return atomic_load(&section->control->watch) & CONTROL_WATCHED;
}

static bool
can_have_twins(struct section *section) {
  return twins_are_ready(section) && host_config.page_size <= COMPARED_BYTES &&
         !is_watched(section);
}

/* Must a page have a twin before it is stored to? */
static bool
needs_twin(struct section *section) {
  return section_merges(section);
}

/* ---- Making twins -------------------------------------------------------------------------- */

/* A window while it is opened; its bits are held. */
struct window {
  const struct mapping *mapping;
  struct section *section;
  uint64_t first, n;
  struct scratch *scratch;
  struct track_set open;  /* pages that will be */
  struct track_set fresh; /* OPEN was not in our lane before */
};

static void
unopen(struct window *window, uint64_t page) {
  track_set_remove(&window->open, page - window->first);
  if (track_set_has(&window->fresh, page - window->first))
    atomic_fetch_and(section_lane(window->section, page), (uint8_t)~LANE_OPEN);
}

/* OPEN in our lane comes before the look at the state (I3). */
static void
note_open(struct window *window, uint64_t page) {
  track_set_add(&window->open, page - window->first);
  if (!(atomic_fetch_or(section_lane(window->section, page), LANE_OPEN) & LANE_OPEN))
    track_set_add(&window->fresh, page - window->first);
}

static void
undo_opening(struct section *section, uint64_t page, uint8_t opening) {
  if (page_step(section_state(section, page), opening, page_not_stored(opening)) &&
      (opening & PAGE_UNFLUSHED))
    summary_set(section, page, SUMMARY_UNFLUSHED);
}

/* A page that is as in the file: see to it that it can have a twin. */
static bool
prepare_twin(struct window *window, uint64_t page, uint8_t was) {
  struct section *section = window->section;
  page_byte *state = section_state(section, page);
  uint64_t i = page - window->first;
  if (!page_step(state, was, page_opening(was)))
    return false;
  summary_set(section, page, SUMMARY_DIRTY);
  if (twin_take(section, page, &window->scratch->twin[i])) {
    window->scratch->opening[i] = page_opening(was);
    return true;
  }
  undo_opening(section, page, page_opening(was));
  return false;
}

/* Can the window go on with this page? */
static bool
admit(struct window *window, uint64_t page) {
  uint8_t view = mapping_view(window->mapping, page);
  if (!(view & VIEW_ASKED & PROT_WRITE) || !(view & VIEW_SHOWN))
    return false;
  if (view & VIEW_OPEN)
    return true;
  note_open(window, page);
  uint8_t was = atomic_load(section_state(window->section, page));
  if (was == PAGE_DIRTY || (page_is_doubtful(was) && (was & PAGE_AHEAD)))
    return true; /* marked already */
  if ((was == PAGE_CLEAN || was == PAGE_WRITTEN || page_kind(was) == PAGE_FLUSHING) &&
      prepare_twin(window, page, was))
    return true;
  unopen(window, page);
  return false;
}

/* Have the kernel copy pages to their places; false: it couldn't. */
static bool
copy_pages(const struct window *window) {
  struct iovec *from = window->scratch->from, *to = window->scratch->to;
  size_t page_size = host_config.page_size;
  size_t len = 0;
  int n = 0;
  for (uint64_t i = 0; i < window->n; i++) {
    if (!window->scratch->opening[i])
      continue;
    char *page =
        (char *)mapping_address(window->mapping, window->first + i, host_config.page_shift);
    unsigned char *twin = twin_bytes(window->section, &window->scratch->twin[i]);
    if (n > 0 && (char *)from[n - 1].iov_base + from[n - 1].iov_len == page &&
        (unsigned char *)to[n - 1].iov_base + to[n - 1].iov_len == twin) {
      from[n - 1].iov_len += page_size;
      to[n - 1].iov_len += page_size;
    } else {
      from[n] = (struct iovec){ page, page_size };
      to[n++] = (struct iovec){ twin, page_size };
    }
    len += page_size;
  }
  size_t done = 0;
  return n == 0 || (!host_copy_memory(to, n, from, n, &done) && done == len);
}

static void
end_twin(struct window *window, uint64_t page, bool is_copied) {
  struct section *section = window->section;
  page_byte *state = section_state(section, page);
  uint8_t opening = window->scratch->opening[page - window->first];
  struct twin *twin = &window->scratch->twin[page - window->first];
  twin_is_made(section, twin);
  if (is_copied && page_step(state, opening, page_ahead(opening)))
    return;
  /* Marked by another process: opened as a dirty page.  In its hand: not now. */
  if (!is_copied || atomic_load(state) != PAGE_DIRTY) {
    undo_opening(section, page, opening);
    unopen(window, page);
  }
  twin_give_back(section, twin);
}

/* Admit pages behind the first one in the run's direction. */
static void
admit_run(struct window *window, bool is_down) {
  uint64_t n = window->n;
  for (uint64_t i = 1; i < n; i++)
    if (!admit(window, window->first + (is_down ? n - 1 - i : i)))
      break;
}

static void
make_twins(struct window *window) {
  bool is_copied = copy_pages(window);
  for (uint64_t i = 0; i < window->n; i++)
    if (window->scratch->opening[i])
      end_twin(window, window->first + i, is_copied);
}

/* How many pages from the first one on are open, or will be. */
static uint64_t
width_opened(const struct window *window, bool is_down) {
  uint64_t count = 1;
  for (; count < window->n; count++) {
    uint64_t i = is_down ? window->n - 1 - count : count;
    if (!track_set_has(&window->open, i) &&
        !(mapping_view(window->mapping, window->first + i) & VIEW_OPEN))
      break;
  }
  return count;
}

/* ---- Opening a window ---------------------------------------------------------------------- */

/* As far as the mapping and the file go. */
static uint64_t
limit(const struct mapping *mapping, uint64_t page, const struct plan *plan) {
  uint64_t n = plan->count * width_of(plan->stride);
  uint64_t end = mapping->first + mapping_npages(mapping, host_config.page_shift);
  uint64_t exist = section_npages(mapping->section);
  end = exist < end ? exist : end;
  uint64_t room = plan->stride < 0 ? page - mapping->first + 1 : end > page ? end - page : 1;
  return room < n ? room : n;
}

/* Who makes the file longer behind a page that isn't whole looks at our states after he counted; who
 * watches says so before he stores. */
static void
doubt_changed(struct window *window, uint32_t growths) {
  if (atomic_load(&window->section->control->growths) == growths && !(growths & 1) &&
      !is_watched(window->section))
    return;
  for (uint64_t i = 0; i < window->n; i++)
    if (track_set_has(&window->open, i))
      section_mark(window->section, window->first + i);
}

static int
show_window(struct window *window) {
  int error = view_change(window->mapping, window->first, window->n, &window->open, 0,
                          VIEW_OPEN | VIEW_SHOWN);
  for (uint64_t i = 0; i < window->n && error; i++)
    if (track_set_has(&window->open, i) &&
        !(mapping_view(window->mapping, window->first + i) & VIEW_OPEN))
      unopen(window, window->first + i);
  return error;
}

static void
begin(struct window *window) {
  memset(window->scratch->opening, 0, (size_t)window->n);
  section_bits_take(window->section, window->first, window->n);
}

/* Being written; or it has a twin, or could have one: when we tried, somebody was just ending a
 * write or a flush of the page. */
static bool
is_worth_waiting(uint8_t state, const struct plan *plan) {
  return page_is_writing(state) ||
         (plan->hopes && page_is_filled(state) && state != PAGE_DIRTY);
}

/* Without a twin.  Where each store needs one, not as long as waiting helps: the page would be
 * written whole next time. */
static int
mark_stored(struct window *window, uint64_t page, const struct plan *plan) {
  if (plan->wait && is_worth_waiting(atomic_load(section_state(window->section, page)), plan))
    return EBUSY;
  note_open(window, page);
  return section_mark(window->section, page) ? 0 : EAGAIN;
}

/* The page that is stored to, and what follows; *count: how many pages were opened. */
static int
open_window(const struct mapping *mapping, uint64_t page, const struct plan *plan,
            struct scratch *scratch, uint64_t *count) {
  *count = 1;
  uint64_t n = limit(mapping, page, plan);
  bool is_down = plan->stride < 0;
  struct window window = { .mapping = mapping,
                           .section = mapping->section,
                           .first = is_down ? page - n + 1 : page,
                           .n = n,
                           .scratch = scratch };
  uint32_t growths = atomic_load(&window.section->control->growths);
  int error = 0;
  begin(&window);
  bool has_twin = needs_twin(window.section) && admit(&window, page);
  if (!has_twin)
    error = mark_stored(&window, page, plan);
  if (!error)
    admit_run(&window, is_down);
  make_twins(&window);
  if (!error && !track_set_has(&window.open, page - window.first)) /* it got no twin */
    error = mark_stored(&window, page, plan);
  *count = width_opened(&window, is_down);
  doubt_changed(&window, growths);
  for (uint64_t i = 0; i < n && error; i++)
    if (track_set_has(&window.open, i))
      unopen(&window, window.first + i);
  if (!error)
    error = show_window(&window);
  section_bits_drop(window.section, window.first, n);
  return error;
}

static int
open_unasked(const struct mapping *mapping, uint64_t first, uint64_t n, struct scratch *scratch) {
  struct window window = {
    .mapping = mapping, .section = mapping->section, .first = first, .n = n, .scratch = scratch
  };
  uint32_t growths = atomic_load(&window.section->control->growths);
  begin(&window);
  for (uint64_t i = 0; i < n; i++)
    if (!admit(&window, first + i))
      continue; /* a fault will open it */
  make_twins(&window);
  doubt_changed(&window, growths);
  int error = show_window(&window);
  section_bits_drop(window.section, first, n);
  return error;
}

int
track_open_unasked(const struct mapping *mapping, uint64_t first, uint64_t n) {
  struct scratch *scratch = can_have_twins(mapping->section) ? take_scratch(true) : NULL;
  uint64_t exist = section_npages(mapping->section);
  uint64_t end = first + n < exist ? first + n : exist;
  int error = 0;
  for (uint64_t page = first; page < end && !error && scratch; page += WINDOW_MAX)
    error = open_unasked(mapping, page, end - page < WINDOW_MAX ? end - page : WINDOW_MAX, scratch);
  if (scratch)
    atomic_store(&scratch->is_taken, false);
  return error;
}

/* ---- A store ------------------------------------------------------------------------------- */

static int
store_in_run(const struct mapping *mapping, uint64_t page, const struct plan *plan,
             struct scratch *scratch) {
  if (plan->behind_n && !needs_twin(mapping->section))
    look_behind(mapping, plan, scratch);
  uint64_t count;
  int error = open_window(mapping, page, plan, scratch, &count);
  uint64_t width = width_of(plan->stride);
  uint64_t strides = (count - 1) / width;
  if (!error && plan->run)
    plan_done(plan, plan->stride < 0 ? page - strides * width : page + strides * width,
              (uint32_t)strides + 1);
  return error;
}

struct meeting {
  struct section *section;
  uint64_t page;
  struct patience patience;
};

static int
meet_job(void *arg) {
  struct meeting *meeting = arg;
  bool taken;
  int error =
      take_over(meeting->section, meeting->page, LANE_WRITING, &meeting->patience, &taken);
  if (taken)
    summary_set(meeting->section, meeting->page, SUMMARY_DIRTY);
  return error;
}

#define NAPS_A_LOOK 64
#define HOPES 100 /* tries to get a twin that nothing seems to forbid */

/* Where each store needs a twin: who writes the page is waited for.  What a dead or stopped process
 * has in hand is taken over; it is dirty then, and has no twin. */
static int
wait_for_writer(struct meeting *meeting, unsigned naps) {
  struct section *section = meeting->section;
  host_nap(100000);
  if (naps % NAPS_A_LOOK || (atomic_load(section_lane(section, meeting->page)) & LANE_WRITING) ||
      !page_is_writing(atomic_load(section_state(section, meeting->page))))
    return 0;
  return keeper_run(meet_job, meeting);
}

static int
store_with_twin(const struct mapping *mapping, uint64_t page, struct plan *plan) {
  struct meeting meeting = { .section = mapping->section, .page = page };
  int error = EBUSY;
  unsigned tries = 0;
  plan->wait = true;
  for (unsigned naps = 1; error == EBUSY; naps++) {
    struct scratch *scratch = take_scratch(true);
    plan->hopes = tries < HOPES;
    error = store_in_run(mapping, page, plan, scratch);
    atomic_store(&scratch->is_taken, false);
    if (!page_is_writing(atomic_load(section_state(mapping->section, page))))
      tries++;
    if (error == EBUSY && wait_for_writer(&meeting, naps))
      plan->wait = false; /* as good as we can */
  }
  return error;
}

/* By another thread, or along with the page before: then it is marked, or has its twin. */
static bool
is_open_already(const struct mapping *mapping, uint64_t page) {
  struct section *section = mapping->section;
  if (!(mapping_view(mapping, page) & VIEW_OPEN))
    return false;
  section_bits_take(section, page, 1);
  bool is_open = (mapping_view(mapping, page) & VIEW_OPEN) &&
                 page_is_dirty(atomic_load(section_state(section, page)));
  section_bits_drop(section, page, 1);
  return is_open;
}

int
track_store(const struct mapping *mapping, uint64_t page) {
  struct section *section = mapping->section;
  struct plan plan = { .stride = 1, .count = 1 };
  if (is_open_already(mapping, page))
    return 0;
  if (!can_have_twins(section) || (mapping_view(mapping, page) & VIEW_OPEN))
    return track_pin(mapping, page);
  bool is_run = atomic_load(&section->opens_ahead) && plan_window(section, page, &plan);
  if (needs_twin(section)) {
    if (!is_run)
      plan = (struct plan){ .stride = 1, .count = 1 };
    return store_with_twin(mapping, page, &plan);
  }
  struct scratch *scratch = plan.behind_n ? take_scratch(false) : NULL;
  if (!scratch)
    return track_pin(mapping, page);
  if (!is_run)
    look_behind(mapping, &plan, scratch);
  int error = is_run ? store_in_run(mapping, page, &plan, scratch) : track_pin(mapping, page);
  atomic_store(&scratch->is_taken, false);
  return error;
}
