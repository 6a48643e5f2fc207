/* life.c - joining a section, and leaving it.
 *
 * No lock decides who is in and who is last: a process that is stopped while it has one would hold
 * up everybody.  A joiner claims a lane, then looks at control->life; whoever wants to remove the
 * section first marks itself as leaving, puts a token into life, and then looks at the lanes.  So
 * one of the two sees the other.  The joiner takes the token away; removing needs it there.
 *
 * With several leaving at once the last token counts, and its owner sees the others leaving.  One
 * that goes back, because it found dirt, joins again; one whose process ends, only if it syncs or
 * maps after that.  models/life.pml plays it.
 */
#include <errno.h>

#include "section/files.h"
#include "section/kind.h"
#include "section/lane.h"
#include "section/say.h"
#include "section/stamp.h"
#include "section/survey.h"

/* ---- Leaving ------------------------------------------------------------------------------- */

static uint64_t
new_token(const struct section *section) {
  static _Atomic uint32_t count;
  uint64_t moment = host_now_ns() + atomic_fetch_add(&count, 1);
  return moment * LANE_MAX + section->lane + 2; /* 0 and 1 are taken */
}

/* Nobody else stays, and nobody comes: 0 and LIFE_REMOVED is ours to act upon.  EBUSY: somebody
 * does, or has removed it.  EAGAIN: there is dirt. */
static int
remove_if_last(struct section *section) {
  _Atomic uint64_t *life = &section->control->life;
  uint64_t token = new_token(section);
  uint64_t now = atomic_load(life);
  do {
    if (now == LIFE_REMOVED)
      return EBUSY;
  } while (!atomic_compare_exchange_weak(life, &now, token));
  struct lane_census others;
  int error = lane_look(section, &others);
  if (!error && others.staying)
    error = EBUSY;
  if (!error)
    error = judge_dead(section);
  if (!error)
    error = settle_all(section, 0, section_npages(section));
  if (!error && section_has_dirt(section))
    error = others.members ? EBUSY : EAGAIN; /* they may have pages open: those stay dirty */
  now = token;
  if (!error)
    return atomic_compare_exchange_strong(life, &now, LIFE_REMOVED) ? 0 : EBUSY;
  atomic_compare_exchange_strong(life, &now, LIFE_LIVE);
  return error;
}

int
life_leave(struct section *section) {
  lane_leave(section);
  int error = remove_if_last(section);
  if (error == EAGAIN && !lane_enter(section) && !life_keep(section))
    return EAGAIN; /* else others have removed it meanwhile, with nothing dirty in it */
  if (!error)
    files_remove(section);
  lane_give_back(section);
  return 0;
}

void
life_leave_as_it_is(struct section *section) {
  lane_leave(section);
  lane_give_back(section);
}

void
life_leave_behind(struct section *section) {
  if (life_leave(section) == EAGAIN)
    life_leave_as_it_is(section);
}

/* It lingers: its late stores are a member's, but whoever leaves after it doesn't leave the section
 * to it. */
void
life_end(struct section *section) {
  lane_leave(section);
  if (!remove_if_last(section))
    files_remove(section);
  else if (lane_linger(section))
    host_yield(); /* its late stores may not be adopted */
}

void
life_come_back(struct section *section) {
  if (lane_is_leaving(section) && (lane_enter(section) || life_keep(section)))
    host_yield(); /* removed: what we write now, no other process of softmap's knows of */
}

/* ---- Joining ------------------------------------------------------------------------------- */

/* Is there as much data as the header says?  Whoever shrinks the section moves the size first. */
static bool
is_data_short(struct section *section) {
  for (;;) {
    struct host_stat data;
    uint64_t npages = section_npages_all(section);
    if (host_stat_fd(section->data_fd, &data))
      return true;
    bool is_short = data.size >> host_config.page_shift < npages;
    if (!is_short || section_npages_all(section) == npages)
      return is_short;
  }
}

/* States that no version of ours writes, and data shorter than the header says. */
static bool
is_damaged(struct section *section) {
  uint64_t npages = section_npages(section);
  if (is_data_short(section))
    return true;
  for (uint64_t page = 0; page < npages; page++)
    if (page % SUMMARY_PAGES == 0 &&
        !(atomic_load(section_summary(section, page)) & (SUMMARY_DIRTY | SUMMARY_WATCHED)))
      page += SUMMARY_PAGES - 1;
    else if (!page_is_state(atomic_load(section_state(section, page))))
      return true;
  return false;
}

/* Is the file as it was after the last write of those who died? */
static bool
is_unchanged(struct section *section, bool dead_writing) {
  struct host_stat file;
  return !host_stat_fd(section->file_fd, &file) &&
         survey_is_unchanged(section->control, &file, dead_writing);
}

static enum life_left
judge_as(struct section *section, bool dead_writing) {
  if (is_damaged(section) || judge_dead(section))
    return LIFE_LEFT_DAMAGED;
  bool in_doubt = settle_all(section, 0, section_npages(section)) != 0;
  if (!in_doubt && !section_has_dirt(section))
    return LIFE_LEFT_CLEAN;
  return is_unchanged(section, dead_writing) ? LIFE_LEFT_DIRTY : LIFE_LEFT_CHANGED;
}

/* Who joins with us may be a member by now, and be writing: then its hand looks like somebody
 * else's.  So "changed" counts only if nobody came meanwhile, stayed or not. */
int
life_judge(struct section *section, struct lane_census *others, enum life_left *out) {
  int error = lane_look(section, others);
  while (!error && !others->members) {
    bool dead_writing = others->dead_writing;
    uint64_t mtime = atomic_load(&section->control->mtime_ns);
    *out = judge_as(section, dead_writing);
    if (*out != LIFE_LEFT_CHANGED)
      break;
    error = lane_look(section, others);
    if (others->dead_writing == dead_writing && atomic_load(&section->control->mtime_ns) == mtime)
      break;
  }
  return error;
}

/* In our hand first, then a look at the lanes: what is watched can be stored to at any moment
 * (track/watch.c, choose). */
static void
unfill_page(struct section *section, uint64_t page, uint8_t now) {
  page_byte *lane = section_lane(section, page);
  page_byte *state = section_state(section, page);
  uint8_t filling = page_in_hand(PAGE_FILLING, section->lane);
  bool is_watched = false;
  atomic_fetch_or(lane, LANE_FILLING);
  bool has = page_step(state, now, filling);
  if (has && (atomic_load(section_summary(section, page)) & SUMMARY_WATCHED) &&
      lane_any_other(section, page, LANE_WATCHED, &is_watched))
    is_watched = true;
  if ((atomic_fetch_and(lane, (uint8_t)~LANE_FILLING) & LANE_FILLING) && has)
    page_step(state, filling, is_watched ? now : PAGE_UNFILLED);
}

/* A clean rest of a file that has changed: its pages are to be filled again.  Who joins with us may
 * do the same, or be at work already; a page that is as in the file may always be filled again. */
static void
unfill(struct section *section) {
  uint64_t npages = section_npages(section);
  atomic_store(&section->control->stale, 1);
  for (uint64_t page = 0; page < npages; page++) {
    uint8_t now = atomic_load(section_state(section, page));
    if (page_is_filled(now) && !page_is_dirty(now))
      unfill_page(section, page, now);
  }
}

/* Nobody is in it but who is joining, too, and judges as we do. */
static int
judge(struct section *section, bool *left) {
  struct lane_census others;
  enum life_left found;
  int error = life_judge(section, &others, &found);
  if (error || others.members)
    return error;
  kind_doubt(section);
  if (atomic_load(&section->control->atomic) && found != LIFE_LEFT_DAMAGED)
    found = LIFE_LEFT_CLEAN; /* what is dirty is given up */
  switch (found) {
  case LIFE_LEFT_CLEAN:
    if (!is_unchanged(section, false))
      unfill(section);
    return 0;
  case LIFE_LEFT_DIRTY:
    *left = true;
    return 0;
  case LIFE_LEFT_CHANGED:
    return say_refused(section, ": changed by others since a process died that left pages of it "
                                "unwritten; see 'softmap recover'");
  case LIFE_LEFT_DAMAGED:
  default:
    return say_refused(section, ": its section is damaged; 'softmap recover' tells more");
  }
}

int
life_keep(struct section *section) {
  uint64_t now = atomic_load(&section->control->life);
  while (now != LIFE_LIVE) {
    if (now == LIFE_REMOVED)
      return EAGAIN;
    if (atomic_compare_exchange_weak(&section->control->life, &now, LIFE_LIVE))
      break; /* its token is gone: whoever wanted to remove it doesn't */
  }
  return 0;
}

static int
reach_file(struct section *section) {
  lock_take(&section->resize_lock);
  int error = extent_reach(section, section_npages_all(section));
  lock_drop(&section->resize_lock);
  return error;
}

/* The header, before anything of it is used: read, not mapped, since it may be too short. */
static int
check_header(struct section *section) {
  struct control control;
  struct host_stat stat;
  size_t got;
  int error = host_stat_fd(section->control_fd, &stat);
  if (!error)
    error = host_read(section->control_fd, &control, sizeof control, 0, &got);
  if (error)
    return error;
  if (got < sizeof control)
    return EINVAL;
  error = control_check(&control, stat.size);
  if (error)
    return error;
  if (control.device != section->key.device || control.inode != section->key.inode)
    return EINVAL;
  return section->data_fd < 0 && atomic_load(&control.life) != LIFE_REMOVED ? EINVAL : 0;
}

int
life_arrive(struct section *section) {
  int error = check_header(section);
  if (!error)
    error = extent_map_head(section);
  if (!error)
    error = lane_claim(section);
  if (error)
    return error;
  error = life_keep(section);
  if (!error)
    error = is_data_short(section) ? EINVAL : reach_file(section);
  else
    files_remove(section); /* who removed it didn't get that far */
  if (error)
    lane_give_back(section);
  return error;
}

int
life_join(struct section *section, bool *left) {
  *left = false;
  int error = life_arrive(section);
  if (error == EPROTO)
    return say_refused(section, ": its section is of another version of softmap");
  if (error == EINVAL)
    return say_refused(section, ": its section is damaged; 'softmap recover' tells more");
  if (error)
    return error;
  error = judge(section, left);
  if (!error)
    error = lane_enter(section);
  if (error == EBUSY)
    life_leave_as_it_is(section); /* refused: for a recovery */
  else if (error)
    life_leave_behind(section);
  return error;
}
