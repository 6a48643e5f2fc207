/* run.c - runs of stores at even distances, guessed from where faults are.
 *
 * Threads note and look without a lock: a wrong guess opens a window that nobody needed, or none.
 */
#include "track/ahead.h"

#define STRIDE_MAX 4

static int64_t
distance(const struct section_run *run, uint64_t page) {
  return (int64_t)(page - atomic_load_explicit(&run->last, memory_order_relaxed));
}

static bool
is_near(int64_t pages) {
  return pages >= -STRIDE_MAX && pages <= STRIDE_MAX;
}

/* The run that the page goes on, or one whose second page it is, or a new one. */
static struct section_run *
find_run(struct section *section, uint64_t page) {
  struct section_run *young = NULL;
  for (unsigned i = 0; i < SECTION_RUNS; i++) {
    struct section_run *run = &section->runs[i];
    int64_t pages = distance(run, page);
    uint32_t count = atomic_load_explicit(&run->count, memory_order_relaxed);
    if (count == 0 || !is_near(pages))
      continue;
    int32_t stride = atomic_load_explicit(&run->stride, memory_order_relaxed);
    if (pages == stride || pages == 0)
      return run;
    if (count == 1)
      young = run;
  }
  return young;
}

static void
note_run(struct section_run *run, uint64_t last, int32_t stride, uint32_t count) {
  atomic_store_explicit(&run->last, last, memory_order_relaxed);
  atomic_store_explicit(&run->stride, stride, memory_order_relaxed);
  atomic_store_explicit(&run->count, count, memory_order_relaxed);
}

static uint32_t
window_max(int32_t stride) {
  return WINDOW_MAX / (uint32_t)width_of(stride);
}

/* The last window of a run; next: where the run goes on. */
static void
plan_behind(struct section_run *run, int32_t stride, uint64_t next, struct plan *plan) {
  uint32_t count = atomic_load_explicit(&run->count, memory_order_relaxed);
  uint32_t most = window_max(stride);
  count = count < 1 ? 1 : count > most ? most : count;
  plan->run = run;
  plan->stride = stride;
  plan->behind_n = count * width_of(stride);
  plan->behind = stride > 0 ? next - plan->behind_n : next + 1;
  plan->count = count * 2 < most ? count * 2 : most;
}

/* In the place of an old run, whose last window is looked at: its twins would be held until a sync. */
static void
begin_run(struct section *section, uint64_t page, struct plan *plan) {
  uint32_t next = atomic_fetch_add_explicit(&section->next_run, 1, memory_order_relaxed);
  struct section_run *run = &section->runs[next % SECTION_RUNS];
  int32_t stride = atomic_load_explicit(&run->stride, memory_order_relaxed);
  uint64_t last = atomic_load_explicit(&run->last, memory_order_relaxed);
  if (atomic_load_explicit(&run->count, memory_order_relaxed) > 1 && stride != 0 &&
      is_near(stride))
    plan_behind(run, stride, last + (uint64_t)(int64_t)stride, plan);
  note_run(run, page, 0, 1);
}

/* Others change runs meanwhile: what comes out is bounded. */
bool
plan_window(struct section *section, uint64_t page, struct plan *plan) {
  struct section_run *run = find_run(section, page);
  if (!run) {
    begin_run(section, page, plan);
    return false;
  }
  int64_t stride = distance(run, page);
  bool is_known = stride == atomic_load_explicit(&run->stride, memory_order_relaxed);
  if (stride == 0 || !is_near(stride))
    return false;
  if (!is_known && stride != 1 && stride != -1) {
    note_run(run, page, (int32_t)stride, 1);
    return false;
  }
  plan_behind(run, (int32_t)stride, page, plan);
  return true;
}

void
plan_done(const struct plan *plan, uint64_t last, uint32_t count) {
  note_run(plan->run, last, plan->stride, count);
}
