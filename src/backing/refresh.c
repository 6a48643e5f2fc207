/* refresh.c - MS_INVALIDATE: reading clean pages from the file again.
 *
 * clean -> filling -> read aside -> written into the data if it differs -> clean.  The page stays
 * readable meanwhile; a store to it waits for the fill, as at the first one.
 *
 * A page that is open with a twin, and wasn't stored to, takes over the bytes of the file that
 * differ from its twin; a store to other bytes of it meanwhile stays.
 */
#include <errno.h>
#include <string.h>

#include "backing/file.h"
#include "backing/keeper.h"
#include "backing/merge.h"
#include "backing/writeback.h"
#include "section/lane.h"
#include "section/stamp.h"
#include "section/twins.h"
#include "track/track.h"

/* Bring the bytes of one page up to date with the file. */
static int
reread(struct section *section, const unsigned char *fence, uint64_t page) {
  size_t half = KEEPER_BUFFER / 2;
  unsigned char *file = keeper_buffer();
  unsigned char *memory = file + half;
  uint64_t at = page << host_config.page_shift;
  uint64_t end = at + host_config.page_size;
  uint64_t size = atomic_load(&section->control->size);
  if (end > size)
    end = size;
  while (at < end) {
    size_t len = end - at < half ? (size_t)(end - at) : half;
    size_t got, had;
    int error = data_read_file(section, file, len, at, &got);
    if (!error)
      error = data_read(section, memory, got, at, &had);
    if (!error && (had < got || memcmp(file, memory, got) != 0))
      error = data_write(section, fence, file, got, at);
    if (error)
      return error;
    at += len;
  }
  return 0;
}

/* Does a living process watch it?  Its kernel lets it store at any moment.  Asked when the page is
 * in our hand: who begins to watch it now sees that. */
static bool
is_watched(struct section *section, uint64_t page) {
  bool is_watched = false;
  return stamp_is_wanted(section) &&
         ((atomic_load(section_lane(section, page)) & LANE_WATCHED) ||
          lane_any_other(section, page, LANE_WATCHED, &is_watched) || is_watched);
}

int
refresh_bytes(struct section *section, const unsigned char *fence, uint64_t page) {
  if (is_watched(section, page))
    return 0;
  int error = reread(section, fence, page);
  return !error && stamp_is_wanted(section) ? stamp_pages(section, page, 1, LANE_FILLING) : error;
}

/* A claimed page whose twin is there.  The twin comes first: should we be stopped, the page isn't
 * as its twin, and dirty. */
static int
take_changes(struct section *section, const unsigned char *fence, uint64_t page,
             unsigned char *twin) {
  unsigned char *file = keeper_buffer();
  uint64_t at = page << host_config.page_shift;
  size_t got;
  int error = data_read_file(section, file, host_config.page_size, at, &got);
  for (size_t i = 0; !error && i < got;) {
    size_t run = i;
    while (run < got && file[run] != twin[run])
      run++;
    if (run > i)
      error = merge_renew_twin(fence, twin + i, file + i, run - i);
    if (run > i && !error)
      error = data_write(section, fence, file + i, run - i, at + i);
    i = run + 1;
  }
  return error;
}

/* What is watched has a stamp, too, and stays as it is. */
static int
refresh_open(struct section *section, const unsigned char *fence, uint64_t page) {
  uint8_t was;
  struct twin twin;
  bool same;
  int error = 0;
  if (stamp_is_wanted(section) || !settle_claim(section, page, &was))
    return 0;
  settle_compare(section, page, 1, &was, &same);
  if (same && (was & PAGE_AHEAD) && twin_find(section, page, &twin))
    error = take_changes(section, fence, page, twin_bytes(section, &twin));
  if (error)
    settle_dirty(section, page);
  else
    settle_same(section, page, was, true);
  return error == ECANCELED ? 0 : error;
}

static int
refresh_page(struct section *section, const unsigned char *fence, uint64_t page) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  uint8_t was = atomic_load(state);
  if (page_is_doubtful(was))
    return refresh_open(section, fence, page);
  if (was != PAGE_CLEAN && was != PAGE_WRITTEN)
    return 0;
  if (!claims_begin(section, page, 1))
    return 0; /* another keeper of ours reads it anew */
  if (atomic_fetch_or(lane, LANE_FILLING) & LANE_FILLING) {
    claims_end(section);
    return 0; /* a write of ours (coherent.c) brings it up to date */
  }
  uint8_t filling = page_in_hand(PAGE_FILLING, section->lane);
  int error = 0;
  bool has = page_step(state, was, filling);
  if (has)
    error = refresh_bytes(section, fence, page);
  if ((atomic_fetch_and(lane, (uint8_t)~LANE_FILLING) & LANE_FILLING) && has)
    page_step(state, filling, was);
  claims_end(section);
  return error == ECANCELED ? 0 : error; /* taken over while we were stopped, and read anew */
}

int
refresh(struct section *section, uint64_t first, uint64_t npages) {
  lock_take(&section->sync_lock);
  int error = file_look(section);
  const unsigned char *fence = NULL;
  if (!error)
    error = fence_ready(section, &fence);
  if (!error)
    error = track_settle_all(section, first, npages);
  twins_reach(section);
  uint64_t exist = section_npages(section);
  uint64_t end = npages < exist && first < exist - npages ? first + npages : exist;
  for (uint64_t page = first; page < end && !error; page++)
    error = refresh_page(section, fence, page);
  lock_drop(&section->sync_lock);
  return error;
}
