/* behind.c - looking at the last window of a run when it goes on. */
#include <string.h>

#include "track/ahead.h"

/* Closed here, and the bit is held.  Not stored to if we are the only lane there ever was: the
 * order is that of a sync, a look at the number of lanes taking the place of one at each. */
static void
end_not_stored(struct section *section, uint64_t page, uint8_t was) {
  page_byte *lane = section_lane(section, page);
  if (section->lane != 0 || atomic_load(&section->control->lanes) != 1 ||
      (atomic_load(lane) & LANE_OPEN))
    return;
  atomic_fetch_or(lane, LANE_WRITING);
  if (page_step(section_state(section, page), was, page_in_hand(PAGE_WRITING, section->lane)))
    settle_same(section, page, was, atomic_load(&section->control->lanes) != 1);
  else
    atomic_fetch_and(lane, (uint8_t)~LANE_WRITING);
}

/* Is the page opened ahead, and where is its twin? */
static bool
has_twin(struct section *section, uint64_t page, uint8_t *was, struct twin *twin) {
  *was = atomic_load(section_state(section, page));
  return page_is_doubtful(*was) && (*was & PAGE_AHEAD) && twin_find(section, page, twin);
}

static void
end_stored(struct section *section, uint64_t page, uint8_t was, const struct twin *twin) {
  if (page_step(section_state(section, page), was, PAGE_DIRTY))
    twin_give_back(section, twin);
}

/* Have `len` bytes at `offset` of each of n pages copied side by side. */
static bool
peek(const struct mapping *mapping, uint64_t first, uint64_t n, size_t offset, size_t len,
     struct scratch *scratch) {
  struct iovec to = { scratch->bytes, (size_t)n * len };
  size_t done;
  for (uint64_t i = 0; i < n; i++) {
    uintptr_t addr = mapping_address(mapping, first + i, host_config.page_shift);
    scratch->from[i] = (struct iovec){ (void *)(addr + offset), len };
  }
  return !host_copy_memory(&to, 1, scratch->from, (int)n, &done) && done == n * len;
}

/* Stores of a run often go to the same place of each page: look there first. */
static void
ask_at(const struct mapping *mapping, uint64_t first, uint64_t n, size_t offset,
       struct scratch *scratch) {
  if (!peek(mapping, first, n, offset, TWIN_PEEK, scratch))
    return;
  for (uint64_t i = 0; i < n; i++) {
    uint8_t was;
    struct twin twin;
    if (has_twin(mapping->section, first + i, &was, &twin) &&
        memcmp(scratch->bytes + i * TWIN_PEEK, twin_bytes(mapping->section, &twin) + offset,
               TWIN_PEEK) != 0)
      end_stored(mapping->section, first + i, was, &twin);
  }
}

/* Ask the twin of one page, if it has one.  True: it wasn't stored to.  *offset: where it was. */
static bool
ask_twin(struct section *section, uint64_t page, const unsigned char *bytes, bool is_closed,
         size_t *offset) {
  uint8_t was;
  struct twin twin;
  if (!has_twin(section, page, &was, &twin))
    return false;
  const unsigned char *then = twin_bytes(section, &twin);
  if (memcmp(bytes, then, host_config.page_size) == 0 && twin_is_there(section, &twin)) {
    if (is_closed)
      end_not_stored(section, page, was);
    return true;
  }
  end_stored(section, page, was, &twin);
  *offset = twin_differs_at(bytes, then);
  return false;
}

/* Ask the twins of [first, first + n); how many pages weren't stored to. */
static uint64_t
ask_twins(const struct mapping *mapping, uint64_t first, uint64_t n, bool are_closed,
          size_t *offset, struct scratch *scratch) {
  uint64_t count = 0;
  uint64_t most = COMPARED_BYTES >> host_config.page_shift;
  for (uint64_t page = first; page < first + n;) {
    uint64_t got = 0;
    while (page + got < first + n && got < most &&
           page_is_doubtful(atomic_load(section_state(mapping->section, page + got))))
      got++;
    if (got && !peek(mapping, page, got, 0, host_config.page_size, scratch))
      return count; /* a sync will ask them */
    for (uint64_t k = 0; k < got; k++)
      count += ask_twin(mapping->section, page + k, scratch->bytes + (k << host_config.page_shift),
                        are_closed, offset);
    page += got ? got : 1;
  }
  return count;
}

/* Close pages of a window: all of it, or those that may not have been stored to. */
static void
close_behind(struct section *section, uint64_t first, uint64_t n, bool even_dirty) {
  struct track_set set = { { 0 } };
  bool any = false;
  for (uint64_t i = 0; i < n; i++) {
    uint8_t state = atomic_load(section_state(section, first + i));
    if ((atomic_load(section_lane(section, first + i)) & LANE_OPEN) &&
        (even_dirty || page_is_doubtful(state)) && !section_is_pinned(section, first + i)) {
      track_set_add(&set, i);
      any = true;
    }
  }
  if (any)
    track_close(section, first, n, &set);
}

void
look_behind(const struct mapping *mapping, const struct plan *plan, struct scratch *scratch) {
  struct section *section = mapping->section;
  uint64_t end = mapping->first + mapping_npages(mapping, host_config.page_shift);
  uint64_t first = plan->behind;
  uint64_t last = first + plan->behind_n;
  bool has_gaps = width_of(plan->stride) > 1;
  if (first > last || first < mapping->first)
    first = mapping->first;
  last = last < end ? last : end;
  if (first >= last)
    return;
  uint64_t n = last - first;
  size_t offset = atomic_load_explicit(&plan->run->offset, memory_order_relaxed);
  ask_at(mapping, first, n, offset, scratch);
  if (has_gaps || ask_twins(mapping, first, n, false, &offset, scratch)) {
    section_bits_take(section, first, n);
    close_behind(section, first, n, has_gaps);
    ask_twins(mapping, first, n, true, &offset, scratch);
    section_bits_drop(section, first, n);
  }
  atomic_store_explicit(&plan->run->offset, (uint32_t)offset, memory_order_relaxed);
}
