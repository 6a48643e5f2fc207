/* judge.c - stores that no state tells of: by comparing pages with their stamps.
 *
 * A process that watches leaves pages writable that count as clean; what it stored to is known to
 * its kernel only, and not any more when it died.  The lane says which pages those are.  Who needs
 * to know (a sync in another process, whoever adopts) reads them and compares.
 */
#include <errno.h>
#include <string.h>

#include "backing/fill.h"
#include "backing/keeper.h"
#include "section/lane.h"
#include "section/scan.h"
#include "section/stamp.h"

#define GROUP 512 /* pages looked at in one go */

struct group {
  uint64_t first, n;
  uint64_t watched[GROUP / 64];
};

/* Clean by its state; others are dirty already, or don't exist. */
static bool
is_doubtful(const struct group *group, struct section *section, uint64_t i) {
  uint8_t state = atomic_load(section_state(section, group->first + i));
  return (group->watched[i / 64] >> (i % 64) & 1) && page_is_filled(state) && !page_is_dirty(state);
}

static bool
is_watched(struct section *section, uint64_t page, int *error) {
  uint64_t watched = 0;
  if (atomic_load(section_lane(section, page)) & LANE_WATCHED)
    return true;
  *error = lane_watched(section, page, 1, LANE_MAX, &watched);
  return watched;
}

/* A page that is in somebody's hand can't be marked.  As long as it is watched, that is somebody who
 * is just going to see it, and to let it go (backing/coherent.c, refresh.c); or who died. */
static int
mark(struct section *section, uint64_t page, uint64_t *count) {
  int error = 0;
  for (unsigned naps = 0; !error; naps++) {
    if (section_mark(section, page)) {
      ++*count;
      return 0;
    }
    if (page_kind(atomic_load(section_state(section, page))) != PAGE_FILLING ||
        !is_watched(section, page, &error))
      return error;
    if (naps < 1000)
      host_nap(20000);
    else
      error = fill_wait(section, page);
  }
  return error;
}

static int
compare(struct section *section, uint64_t first, uint64_t n, uint64_t *count) {
  unsigned char *bytes = keeper_buffer();
  size_t page_size = host_config.page_size;
  size_t len = (size_t)n * page_size;
  size_t got;
  bool has_place = !stamp_ready(section, first, n); /* else none has a stamp */
  int error = data_read(section, bytes, len, first << host_config.page_shift, &got);
  if (error)
    return error;
  memset(bytes + got, 0, len - got);
  for (uint64_t i = 0; i < n && !error; i++) {
    struct stamp now = stamp_of(bytes + i * page_size, page_size);
    struct stamp was = { { 0 } };
    if (has_place)
      was = stamp_get(section, first + i);
    if (now.half[0] != was.half[0] || now.half[1] != was.half[1])
      error = mark(section, first + i, count);
  }
  return error;
}

int
judge_page(struct section *section, uint64_t page, bool *stored) {
  uint64_t count = 0;
  int error = compare(section, page, 1, &count);
  *stored = count > 0;
  return error;
}

static int
judge_group(struct section *section, const struct group *group) {
  uint64_t most = KEEPER_BUFFER >> host_config.page_shift;
  int error = 0;
  for (uint64_t i = 0; i < group->n && !error;) {
    uint64_t end = i, count = 0;
    while (end < group->n && end - i < most && is_doubtful(group, section, end))
      end++;
    if (end > i)
      error = compare(section, group->first + i, end - i, &count);
    i = end > i ? end : i + 1;
  }
  return error;
}

/* Judge what one lane watches, or all but ours (LANE_MAX), in blocks that ever had such pages. */
static int
judge(struct section *section, uint64_t first, uint64_t n, uint32_t lane) {
  uint64_t exist = section_npages(section);
  uint64_t reach = section_reach(section);
  uint64_t end = n < exist && first < exist - n ? first + n : exist;
  int error = 0;
  end = end < reach ? end : reach;
  for (uint64_t page = first;
       !error && (page = scan_blocks(section, page, end, SUMMARY_WATCHED)) < end;) {
    struct group group = { .first = page };
    uint64_t block_end = (page / SUMMARY_PAGES + 1) * SUMMARY_PAGES;
    block_end = block_end < end ? block_end : end;
    group.n = block_end - page < GROUP ? block_end - page : GROUP;
    error = lane_watched(section, page, group.n, lane, group.watched);
    if (!error)
      error = judge_group(section, &group);
    page += group.n;
  }
  return error;
}

int
judge_others(struct section *section, uint64_t first, uint64_t n) {
  return lane_any_watches(section) ? judge(section, first, n, LANE_MAX) : 0;
}

int
judge_own(struct section *section) {
  return judge(section, 0, section_npages(section), section->lane);
}

static int
judge_all(struct section *section, uint32_t lane) {
  lock_take(&section->resize_lock);
  int error = extent_reach(section, section_npages_all(section));
  lock_drop(&section->resize_lock);
  return error ? error : judge(section, 0, section_npages(section), lane);
}

int
judge_dead(struct section *section) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  int error = 0;
  for (uint32_t lane = 0; lane < lanes && lane < LANE_MAX && !error; lane++) {
    uint64_t token = 0;
    if (lane != section->lane)
      error = lane_dead_watches(section, lane, &token);
    if (!error && token)
      error = judge_all(section, lane);
    if (!error && token)
      lane_was_judged(section, lane, token);
  }
  return error;
}
