/* fill.c - reading pages of the file into the section.
 *
 * unfilled -> filling (our lane says who) -> read aside -> one write into the data -> clean.
 * Nobody can store to the page before it is clean: it is inaccessible in every mapping.  A filler
 * that died or is stopped is found by its lane, and its pages are filled again (patience.c).
 * models/fill.pml plays it, step names as its inlines.
 */
#include "backing/fill.h"

#include <errno.h>
#include <string.h>

#include "backing/keeper.h"
#include "backing/patience.h"
#include "section/stamp.h"
#include "trace/counters.h"
#include "trace/ring.h"

/* Claim unfilled pages from `first` on, at most n; how many. */
static uint64_t
claim(struct section *section, uint64_t first, uint64_t n) {
  uint64_t count = 0;
  if (page_kind(atomic_load(section_state(section, first))) != PAGE_UNFILLED)
    return 0;
  n = claims_begin(section, first, n);
  for (; count < n; count++) {
    page_byte *lane = section_lane(section, first + count);
    page_byte *state = section_state(section, first + count);
    uint8_t now = atomic_load(state);
    if (page_kind(now) != PAGE_UNFILLED)
      break;
    if (atomic_fetch_or(lane, LANE_FILLING) & LANE_FILLING)
      break; /* a write of ours (coherent.c) has it by now */
    if (!page_step(state, now, page_in_hand(PAGE_FILLING, section->lane))) {
      atomic_fetch_and(lane, (uint8_t)~LANE_FILLING);
      break;
    }
  }
  if (!count)
    claims_end(section);
  return count;
}

/* Filled, or not; but for pages that others have taken over, or that don't exist any more. */
static void
settle(struct section *section, uint64_t first, uint64_t n, enum page_state state) {
  uint8_t filling = page_in_hand(PAGE_FILLING, section->lane);
  uint64_t exist = section_npages(section);
  for (uint64_t page = first; page < first + n; page++) {
    page_byte *lane = section_lane(section, page);
    if (page >= exist)
      state = PAGE_UNFILLED;
    if (!(atomic_fetch_and(lane, (uint8_t)~LANE_FILLING) & LANE_FILLING) ||
        !page_step(section_state(section, page), filling, (uint8_t)state))
      continue;
    /* Opened while it lay past the end (I3)? */
    if (state == PAGE_CLEAN && (atomic_load(lane) & LANE_OPEN))
      section_mark(section, page);
  }
  claims_end(section);
}

static bool
is_zero(const unsigned char *bytes, size_t len) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* Put what was read into the data, but for pages of zeros: those are there already (unless the
 * data is stale), and cost no memory as long as they are holes. */
static int
put(struct section *section, const unsigned char *fence, const unsigned char *bytes, size_t len,
    uint64_t offset) {
  size_t page_size = host_config.page_size;
  size_t from = 0; /* of what is still to be written */
  bool is_stale = atomic_load(&section->control->stale);
  int error = 0;
  for (size_t at = 0; at < len && !error; at += page_size) {
    size_t n = len - at < page_size ? len - at : page_size;
    if (is_stale || !is_zero(bytes + at, n))
      continue;
    error = data_write(section, fence, bytes + from, at - from, offset + from);
    from = at + n;
  }
  return error        ? error
         : from < len ? data_write(section, fence, bytes + from, len - from, offset + from)
                      : 0;
}

/* Copy the bytes of claimed pages. */
static int
copy(struct section *section, const unsigned char *fence, uint64_t first, uint64_t n) {
  uint64_t at = first << host_config.page_shift;
  uint64_t end = (first + n) << host_config.page_shift;
  uint64_t size = atomic_load(&section->control->size);
  if (end > size)
    end = size;
  while (at < end) {
    uint64_t data, data_end;
    int error = 0;
    if (atomic_load(&section->control->stale)) { /* holes must be written, too */
      data = at;
      data_end = end;
    } else {
      error = data_of_file(section, at, end, &data, &data_end);
    }
    if (error || data >= end)
      return error;
    data &= ~(uint64_t)(host_config.page_size - 1);
    size_t len = data_end - data < KEEPER_BUFFER ? (size_t)(data_end - data) : KEEPER_BUFFER;
    size_t got;
    error = data_read_file(section, keeper_buffer(), len, data, &got);
    if (!error)
      error = put(section, fence, keeper_buffer(), got, data);
    if (error)
      return error;
    at = data + len;
  }
  return 0;
}

/* A page that somebody else fills, or another keeper of ours: wait, or take over. */
int
fill_wait(struct section *section, uint64_t page) {
  struct patience patience = { 0 };
  uint64_t nap = 20000;
  int error = 0;
  do {
    bool taken = false;
    host_nap(nap);
    if (nap < 1000000) {
      nap *= 2;
    } else if (!(atomic_load(section_lane(section, page)) & LANE_FILLING) &&
               claims_begin(section, page, 1)) {
      error = take_over(section, page, LANE_FILLING, &patience, &taken);
      claims_end(section);
    }
  } while (!error && page_kind(atomic_load(section_state(section, page))) == PAGE_FILLING);
  return error;
}

int
fill(struct section *section, uint64_t first, uint64_t npages) {
  uint64_t exist = section_npages(section);
  uint64_t end = first + npages < exist ? first + npages : exist;
  const unsigned char *fence;
  int error = fence_ready(section, &fence);
  for (uint64_t page = first; page < end && !error;) {
    uint64_t n = claim(section, page, end - page);
    if (n > 0) {
      error = copy(section, fence, page, n);
      if (!error && stamp_is_wanted(section))
        error = stamp_pages(section, page, n, LANE_FILLING);
      settle(section, page, n, error ? PAGE_UNFILLED : PAGE_CLEAN);
      if (!error) {
        counter_add(COUNT_PAGES_FILLED, n);
        trace_note(TRACE_FILL, section->trace, page, n);
      }
      if (error == ECANCELED) { /* others took over while we were stopped */
        error = fence_ready(section, &fence);
        n = 0;
      }
    } else if (page_is_filled(atomic_load(section_state(section, page)))) {
      n = 1;
    } else {
      error = fill_wait(section, page);
    }
    page += n;
  }
  return error;
}

struct fill_request {
  struct section *section;
  uint64_t first, npages;
};

static int
fill_job(void *arg) {
  const struct fill_request *request = arg;
  return fill(request->section, request->first, request->npages);
}

int
fill_from_anywhere(struct section *section, uint64_t first, uint64_t npages) {
  struct fill_request request = { section, first, npages };
  return keeper_run(fill_job, &request);
}
