/* size.c - following the file's size.
 *
 * control->size says which pages exist.  Growing writes the file's new bytes into the data behind its
 * old end before it moves control->size: others never read zeros where the file has bytes.  A page may
 * be open past the end (its store raised SIGBUS); when growth makes it exist, the lanes tell (I3 in
 * core/page.h, and control->past_low and past_high).  models/ahead.pml plays the last page's growing.
 */
#include <errno.h>
#include <string.h>

#include "backing/keeper.h"
#include "backing/patience.h"
#include "section/lane.h"
#include "section/stamp.h"
#include "section/tail.h"
#include "trace/counters.h"
#include "trace/ring.h"

static uint64_t
pages_of(uint64_t size) {
  return (size + host_config.page_size - 1) >> host_config.page_shift;
}

/* ---- Growing and shrinking ------------------------------------------------------------------- */

/* The bytes behind the old end, in the page that holds it.  What the file has there now counts;
 * where it has zeros the memory's own bytes stay: they may be stores made since the file grew
 * (D6: or before). */
static int
grow_tail(struct section *section, uint64_t old_size, uint64_t new_size) {
  uint64_t end = pages_of(old_size) << host_config.page_shift;
  if (new_size < end)
    end = new_size;
  if (old_size >= end ||
      !page_is_filled(atomic_load(section_state(section, (end - 1) >> host_config.page_shift))))
    return 0;
  struct tail tail;
  int tail_error = tail_begin(section, old_size >> host_config.page_shift, &tail);
  if (tail_error)
    return tail_error;
  unsigned char *file = keeper_buffer();
  while (old_size < end) {
    size_t len = end - old_size < KEEPER_BUFFER ? (size_t)(end - old_size) : KEEPER_BUFFER;
    size_t got;
    int error = data_read_file(section, file, len, old_size, &got);
    for (size_t i = 0; i < got && !error;) { /* write only runs that the file has bytes for */
      size_t run = i;
      while (run < got && file[run])
        run++;
      if (run > i)
        error = tail_put(section, &tail, file + i, run - i, old_size + i);
      i = run + 1;
    }
    if (error || got < len)
      return error;
    old_size += len;
  }
  tail_end(section, &tail);
  return 0;
}

/* Odd while the file becomes longer, also when somebody died meanwhile. */
static void
note_growth(struct control *control, uint32_t grows) {
  atomic_fetch_add(&control->growths, (atomic_load(&control->growths) ^ grows) & 1);
}

/* A twin knows nothing of what comes in behind the old end, nor does who is just looking at it. */
static void
doubt_tail(struct section *section, uint64_t old_size) {
  uint64_t page = old_size >> host_config.page_shift;
  note_growth(section->control, 1);
  if ((old_size & (host_config.page_size - 1)) &&
      page_is_dirty(atomic_load(section_state(section, page))))
    section_mark(section, page);
}

/* The page holds what the file holds; was it opened before it existed? */
static int
publish(struct section *section, uint64_t page) {
  bool open = atomic_load(section_lane(section, page)) & LANE_OPEN;
  if (!page_step(section_state(section, page), PAGE_UNFILLED, PAGE_CLEAN))
    return 0; /* somebody filled it meanwhile */
  int error = open ? 0 : lane_any_other(section, page, LANE_OPEN, &open);
  if (!open)
    open = atomic_load(section_lane(section, page)) & LANE_OPEN;
  if (open || error)
    section_mark(section, page);
  return error;
}

static int
publish_range(struct section *section, uint64_t first, uint64_t end) {
  int error = 0;
  for (uint64_t page = first; page < end && !error; page++)
    error = publish(section, page);
  return error;
}

/* Pages of holes that may have been opened before they existed: they can be stored to by now, so
 * no stamp is right. */
static int
publish_open(struct section *section, uint64_t first, uint64_t end) {
  uint64_t low = atomic_load(&section->control->past_low);
  uint64_t high = atomic_load(&section->control->past_high);
  first = first > low ? first : low;
  end = end < high ? end : high;
  int error = 0;
  if (stamp_is_wanted(section) && first < end)
    error = stamp_ready(section, first, end - first);
  for (uint64_t page = first; page < end && !error && stamp_is_wanted(section); page++)
    stamp_set(section, page, (struct stamp){ { 0 } });
  return error ? error : publish_range(section, first, end);
}

/* Copy the bytes of [offset, end) of the file behind the data's end. */
static int
append_run(struct section *section, uint64_t offset, uint64_t end) {
  while (offset < end) {
    size_t len = end - offset < KEEPER_BUFFER ? (size_t)(end - offset) : KEEPER_BUFFER;
    size_t got;
    int error = data_read_file(section, keeper_buffer(), len, offset, &got);
    if (!error)
      error = data_write(section, section->resize_fence, keeper_buffer(), got, offset);
    if (error || got < len)
      return error;
    offset += len;
  }
  return 0;
}

/* Pages that hold data are published as they come; those of holes stay unfilled, but where one
 * may be open already. */
static int
append(struct section *section, uint64_t first, uint64_t new_size) {
  unsigned shift = host_config.page_shift;
  uint64_t at = first << shift;
  while (at < new_size) {
    uint64_t start, end;
    int error = data_of_file(section, at, new_size, &start, &end);
    if (error || start >= new_size)
      return error;
    start &= ~(uint64_t)(host_config.page_size - 1);
    if (start < at)
      start = at;
    end = pages_of(end) << host_config.page_shift;
    error = host_resize(section->data_fd, start); /* the hole before it */
    if (!error)
      error = append_run(section, start, end < new_size ? end : new_size);
    if (error)
      return error;
    if (stamp_is_wanted(section))
      error = stamp_pages(section, start >> shift, (end - start) >> shift, 0);
    if (!error)
      error = publish_range(section, start >> shift, end >> shift);
    if (error)
      return error;
    at = end;
  }
  return 0;
}

/* As before: what is stored to pages that don't exist yet would be lost when they come to. */
static void
ungrow(struct section *section, uint64_t first, uint64_t npages) {
  for (uint64_t page = first; page < npages; page++)
    if (atomic_load(section_state(section, page)) != PAGE_UNFILLED)
      atomic_store(section_state(section, page), PAGE_UNFILLED);
  if (host_resize(section->data_fd, first << host_config.page_shift))
    return; /* a first store to them is refused all the same (fault/serve.c) */
}

static int
grow(struct section *section, uint64_t old_size, uint64_t new_size) {
  uint64_t first = pages_of(old_size);
  uint64_t npages = pages_of(new_size);
  int error = extent_reach(section, npages);
  if (error)
    return error;
  doubt_tail(section, old_size);
  error = grow_tail(section, old_size, new_size);
  if (!error && npages > first)
    error = append(section, first, new_size);
  if (!error && npages > first)
    error = host_resize(section->data_fd, npages << host_config.page_shift);
  if (error) {
    ungrow(section, first, npages);
    return error;
  }
  atomic_store(&section->control->size, new_size);
  counter_add(COUNT_FILES_GROWN, 1);
  return publish_open(section, first, npages);
}

/* Zero what the last page has behind the end, as the kernel does when it cuts a file off. */
static int
zero_tail(struct section *section, uint64_t size) {
  uint64_t end = pages_of(size) << host_config.page_shift;
  unsigned char *zeros = keeper_buffer();
  struct tail tail = { .is_stamped = false };
  int tail_error = size < end ? tail_begin(section, size >> host_config.page_shift, &tail) : 0;
  if (tail_error)
    return tail_error;
  while (size < end) {
    size_t len = end - size < KEEPER_BUFFER ? (size_t)(end - size) : KEEPER_BUFFER;
    __builtin_memset(zeros, 0, len);
    int error = tail_put(section, &tail, zeros, len, size);
    if (error)
      return error;
    size += len;
  }
  tail_end(section, &tail);
  return 0;
}

/* What is being filled there must not arrive any more: the file may grow again. */
static int
forget_states(struct section *section, uint64_t page, uint64_t end) {
  uint32_t hands = 0;
  int error = 0;
  for (; page < end; page++) {
    uint8_t was = atomic_exchange(section_state(section, page), PAGE_UNFILLED);
    if (page_kind(was) == PAGE_FILLING)
      hands |= (uint32_t)1 << page_hand(was);
  }
  for (uint32_t hand = 0; hand < PAGE_HANDS; hand++)
    if (hands >> hand & 1) {
      int fence_error = fence_revoke(section, hand);
      error = error ? error : fence_error;
    }
  return error;
}

/* Whoever shrank the section may have died since.  As long as the data is longer there may be
 * states to be reset. */
static int
cut_off(struct section *section) {
  struct host_stat data;
  uint64_t size = atomic_load(&section->control->size);
  uint64_t npages = pages_of(size);
  int error = host_stat_fd(section->data_fd, &data);
  if (!error)
    error = extent_reach(section, pages_of(data.size));
  if (!error)
    error = forget_states(section, npages, pages_of(data.size));
  if (!error)
    error = host_resize(section->data_fd, npages << host_config.page_shift);
  if (!error)
    error = zero_tail(section, size);
  if (!error)
    atomic_store(&section->control->cutting, 0);
  return error;
}

static int
shrink(struct section *section, uint64_t old_size, uint64_t new_size) {
  atomic_store(&section->control->cutting, 1);
  /* What is open stays open. */
  control_note_past_end(section->control, pages_of(new_size), pages_of(old_size));
  atomic_store(&section->control->size, new_size);
  counter_add(COUNT_FILES_SHRUNK, 1);
  return cut_off(section);
}

/* Only one process at a time; the lock goes with a process that dies. */
static int
resize_gate(struct section *section) {
  for (;;) {
    int error = host_byte_lock(section->control_fd, CONTROL_LOCK_RESIZE);
    if (error != EAGAIN)
      return error;
    host_nap(100000);
  }
}

/* To the size that the file has now.  [the gate is ours] */
static int
follow(struct section *section, bool *changed) {
  struct host_stat stat;
  uint64_t seen;
  int error = fence_ready(section, &section->resize_fence);
  if (!error)
    error = host_stat_fd(section->file_fd, &stat);
  if (error)
    return error;
  uint64_t old_size = atomic_load(&section->control->size);
  *changed |= stat.size != old_size;
  if (atomic_load(&section->control->cutting))
    error = cut_off(section);
  if (error)
    return error;
  if (stat.size < old_size)
    atomic_fetch_or(&section->control->watch, CONTROL_CUT);
  if (stat.size > old_size)
    error = grow(section, old_size, stat.size);
  else if (stat.size < old_size)
    error = shrink(section, old_size, stat.size);
  if (!error)
    note_growth(section->control, 0);
  if (*changed && !error) {
    error = section_note_mtime(section, section->file_fd, &stat, &seen);
    trace_note(TRACE_SIZE, section->trace, 0, section_npages(section));
  }
  return error;
}

/* [resize_lock is held] */
static int
follow_alone(struct section *section, bool *changed) {
  int error = resize_gate(section);
  if (error)
    return error;
  do
    error = follow(section, changed);
  while (error == ECANCELED); /* stopped meanwhile, and our fence revoked */
  int unlock_error = host_byte_unlock(section->control_fd, CONTROL_LOCK_RESIZE);
  return error ? error : unlock_error;
}

int
section_follow(struct section *section, bool *changed) {
  struct host_stat stat;
  *changed = false;
  int error = host_stat_fd(section->file_fd, &stat);
  if (error)
    return error;
  bool is_followed = stat.size == atomic_load(&section->control->size) &&
                     !atomic_load(&section->control->cutting) &&
                     !(atomic_load(&section->control->growths) & 1);
  if (is_followed && section_npages(section) == section_npages_all(section))
    return 0;
  lock_take(&section->resize_lock);
  if (!is_followed)
    error = follow_alone(section, changed);
  if (!error) /* it may be another one who made the section longer */
    error = extent_reach(section, section_npages_all(section));
  lock_drop(&section->resize_lock);
  return error;
}

/* A page that was claimed before the size was lowered: its writer looks at it afterwards. */
static int
wait_for_writer(struct section *section, uint64_t page) {
  struct patience patience = { 0 };
  bool taken;
  int error = 0;
  while (!error && page_is_writing(atomic_load(section_state(section, page)))) {
    host_nap(50000);
    error = take_over(section, page, LANE_WRITING, &patience, &taken);
  }
  return error;
}

static int
truncate_file(struct section *section, int fd, uint64_t size) {
  uint64_t old_size = atomic_load(&section->control->size);
  bool changed = false;
  int error = 0;
  if (size < old_size) {
    uint64_t end = pages_of(old_size), reach = section_reach(section);
    atomic_fetch_or(&section->control->watch, CONTROL_CUT);
    atomic_store(&section->control->size, size);
    for (uint64_t page = size >> host_config.page_shift; page < end && page < reach && !error;
         page++)
      error = wait_for_writer(section, page);
  }
  if (!error)
    error = host_resize(fd, size);
  if (error) {
    atomic_store(&section->control->size, old_size);
    return error;
  }
  return size < old_size ? shrink(section, old_size, size) : follow(section, &changed);
}

int
section_truncate(struct section *section, int fd, uint64_t size) {
  bool changed;
  int error = section_follow(section, &changed);
  if (error)
    return error;
  lock_take(&section->resize_lock);
  error = resize_gate(section);
  if (!error) {
    error = fence_ready(section, &section->resize_fence);
    if (!error)
      error = truncate_file(section, fd, size);
    while (error == ECANCELED) /* stopped meanwhile, and our fence revoked */
      error = follow(section, &changed);
    int unlock_error = host_byte_unlock(section->control_fd, CONTROL_LOCK_RESIZE);
    if (!error)
      error = unlock_error;
  }
  lock_drop(&section->resize_lock);
  return error;
}

static int
follow_job(void *arg) {
  bool changed;
  return section_follow(arg, &changed);
}

int
section_follow_to(struct section *section, uint64_t page, bool *exists) {
  int error = page < section_npages(section) ? 0 : keeper_run(follow_job, section);
  *exists = page < section_npages(section);
  return error;
}
