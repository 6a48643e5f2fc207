/* settle.c - pages of which a twin says whether they were stored to.
 *
 * A doubtful page is claimed as one that is to be written: WRITING in the lane, the state in our
 * hand.  Then look at the lanes (I2), and compare the data with the twin, both read by the kernel.
 * Who dies in between leaves a page that is taken over as dirty.  models/ahead.pml plays it.
 */
#include <errno.h>
#include <string.h>

#include "backing/keeper.h"
#include "section/lane.h"
#include "section/scan.h"
#include "section/twins.h"

/* Is the page at `bytes` as its twin, as far as the file goes? */
static bool
is_same(struct section *section, uint64_t page, const unsigned char *bytes) {
  struct twin twin;
  uint64_t at = page << host_config.page_shift;
  uint64_t size = atomic_load(&section->control->size);
  size_t len = size > at ? (size_t)(size - at) : 0;
  if (len > host_config.page_size)
    len = host_config.page_size;
  if (!twin_find(section, page, &twin))
    return false;
  if (memcmp(bytes, twin_bytes(section, &twin), len) == 0)
    return twin_is_there(section, &twin);
  atomic_store_explicit(&section->differed,
                        (uint32_t)twin_differs_at(bytes, twin_bytes(section, &twin)),
                        memory_order_relaxed);
  return false;
}

static bool
has_twin(struct section *section, uint64_t page) {
  struct twin twin;
  return twin_find(section, page, &twin);
}

/* Found while the page was ours: an exact key is given back. */
void
settle_drop_twin(struct section *section, uint64_t page) {
  struct twin twin;
  if (twin_find(section, page, &twin) && (atomic_load(section_lane(section, page)) & LANE_WRITING))
    twin_give_back(section, &twin);
}

void
settle_dirty(struct section *section, uint64_t page) {
  settle_drop_twin(section, page);
  if (!(atomic_fetch_and(section_lane(section, page), (uint8_t)~LANE_WRITING) & LANE_WRITING))
    return;
  if (!page_end_write(section_state(section, page), section->lane, false, true))
    summary_set(section, page, SUMMARY_DIRTY);
}

static void
compare_run(struct section *section, uint64_t first, uint64_t n, bool *same) {
  size_t got;
  size_t len = (size_t)n << host_config.page_shift;
  if (data_read(section, keeper_buffer(), len, first << host_config.page_shift, &got))
    got = 0;
  const unsigned char *bytes = keeper_buffer();
  for (uint64_t i = 0; i < n; i++) {
    size_t at = (size_t)i << host_config.page_shift;
    same[i] = got >= at + host_config.page_size && is_same(section, first + i, bytes + at);
  }
}

/* ---- A glance ------------------------------------------------------------------------------ */

#define GLANCES 64 /* pages that one call looks at */

struct glance {
  int n;
  uint64_t pages[GLANCES];
  struct iovec from[GLANCES];
};

/* Do TWIN_PEEK bytes of a page differ from its twin's, all of them in the file? */
static bool
differs(struct section *section, uint64_t page, size_t offset, const unsigned char *bytes) {
  struct twin twin;
  uint64_t end = (page << host_config.page_shift) + offset + TWIN_PEEK;
  return end <= atomic_load(&section->control->size) && twin_find(section, page, &twin) &&
         memcmp(bytes, twin_bytes(section, &twin) + offset, TWIN_PEEK) != 0;
}

/* was: of page first. */
static void
take_glance(struct section *section, const struct glance *glance, size_t offset, uint64_t first,
            uint8_t *was) {
  unsigned char *bytes = keeper_buffer();
  struct iovec to = { bytes, (size_t)glance->n * TWIN_PEEK };
  size_t done;
  if (host_copy_memory(&to, 1, glance->from, glance->n, &done) || done < to.iov_len)
    return; /* all of them are compared */
  for (int k = 0; k < glance->n; k++)
    if (differs(section, glance->pages[k], offset, bytes + (size_t)k * TWIN_PEEK))
      was[glance->pages[k] - first] = 0;
}

void
settle_peek(struct section *section, uint64_t first, uint64_t n, const unsigned char *at,
            uint8_t *was) {
  struct glance glance;
  size_t offset = atomic_load_explicit(&section->differed, memory_order_relaxed);
  glance.n = 0;
  for (uint64_t i = 0; i < n; i++) {
    if (page_is_doubtful(was[i]) && (was[i] & PAGE_AHEAD)) {
      const unsigned char *bytes = at + (i << host_config.page_shift) + offset;
      glance.pages[glance.n] = first + i;
      glance.from[glance.n++] = (struct iovec){ (void *)(uintptr_t)bytes, TWIN_PEEK };
    }
    if (glance.n == GLANCES || (glance.n > 0 && i == n - 1)) {
      take_glance(section, &glance, offset, first, was);
      glance.n = 0;
    }
  }
}

/* ---- All bytes ------------------------------------------------------------------------------ */

void
settle_compare(struct section *section, uint64_t first, uint64_t n, const uint8_t *was,
               bool *same) {
  uint64_t most = KEEPER_BUFFER >> host_config.page_shift;
  for (uint64_t i = 0; i < n;) {
    uint64_t end = i;
    same[i] = page_is_doubtful(was[i]) && was[i] & PAGE_OPENING;
    while (end < n && end - i < most && page_is_doubtful(was[end]) && was[end] & PAGE_AHEAD)
      end++;
    if (end > i)
      compare_run(section, first + i, end - i, same + i);
    i = end > i ? end : i + 1;
  }
}

bool
settle_same(struct section *section, uint64_t page, uint8_t was, bool is_open) {
  struct twin twin;
  bool has_twin = !is_open && twin_find(section, page, &twin);
  if (!(atomic_fetch_and(section_lane(section, page), (uint8_t)~LANE_WRITING) & LANE_WRITING))
    return false;
  bool is_ended = page_end_compare(section_state(section, page), section->lane, was, is_open);
  uint8_t bits = SUMMARY_DIRTY;
  if (is_ended && !is_open)
    bits = was & PAGE_UNFLUSHED ? SUMMARY_UNFLUSHED : 0;
  if (is_ended && has_twin)
    twin_give_back(section, &twin);
  if (bits)
    summary_set(section, page, bits);
  return is_ended;
}

/* ---- Without writing ----------------------------------------------------------------------- */

/* The bit keeps threads of this process that claim the page as well out. */
bool
settle_claim(struct section *section, uint64_t page, uint8_t *was) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  bool is_ours = false;
  if (!page_is_doubtful(atomic_load(state)))
    return false;
  section_bits_take(section, page, 1);
  if (page_is_doubtful(*was = atomic_load(state))) { /* so no thread of ours has it */
    atomic_fetch_or(lane, LANE_WRITING);
    is_ours = page_step(state, *was, page_in_hand(PAGE_WRITING, section->lane));
    if (!is_ours)
      atomic_fetch_and(lane, (uint8_t)~LANE_WRITING);
  }
  section_bits_drop(section, page, 1);
  return is_ours;
}

/* Dirty without a doubt; with its twin where that tells which bytes changed. */
static void
end_stored(struct section *section, uint64_t page, uint8_t was) {
  if (section_merges(section) && has_twin(section, page))
    settle_same(section, page, was | PAGE_STORED, true);
  else
    settle_dirty(section, page);
}

static int
settle_page(struct section *section, uint64_t page) {
  uint8_t was;
  if (!settle_claim(section, page, &was))
    return 0;
  bool is_open = atomic_load(section_lane(section, page)) & LANE_OPEN;
  int error = is_open ? 0 : lane_any_other(section, page, LANE_OPEN, &is_open);
  bool same = false;
  if (!error)
    settle_compare(section, page, 1, &was, &same);
  if (!same)
    end_stored(section, page, was);
  else if (!settle_same(section, page, was & (uint8_t)~PAGE_STORED, is_open))
    return 0; /* stored to meanwhile */
  return error;
}

int
settle_all(struct section *section, uint64_t first, uint64_t end) {
  int error = 0;
  twins_reach(section);
  for (uint64_t page = first;
       !error && (page = scan_blocks(section, page, end, SUMMARY_DIRTY)) < end;) {
    uint64_t block_end = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
    block_end = block_end < end ? block_end : end;
    for (; (page = scan_busy(section, page, block_end)) < block_end && !error; page++)
      error = settle_page(section, page);
  }
  return error;
}
