/* lane.h - one process's bytes of a section, and those of the others.
 *
 * Who may call: as section.h.
 */
#ifndef SOFTMAP_LANE_H
#define SOFTMAP_LANE_H

#include "section/section.h"

static inline struct lane_record *
lane_record(struct section *section, uint32_t lane) {
  return (struct lane_record *)((unsigned char *)section->control + CONTROL_RECORDS) + lane;
}

/* ---- Ours (lane.c) ------------------------------------------------------------------------- */

/* Claim a lane and map its bytes for the extents there are.  [keeper] */
SOFTMAP_MUST_CHECK int lane_claim(struct section *section);
/* Clean and give back ours.  [keeper] */
void lane_give_back(struct section *section);
/* Map ours for one extent.  [keeper] */
SOFTMAP_MUST_CHECK int lane_reach(struct section *section, unsigned extent);
/* Map `count` lanes of an extent, side by side.  [keeper] */
SOFTMAP_MUST_CHECK int lane_map(struct section *section, unsigned extent, uint32_t lane,
                                uint32_t count, page_byte **out);
/* Count as a member, having made the section or found it good; and no more.  [keeper] */
SOFTMAP_MUST_CHECK int lane_enter(struct section *section);
void lane_leave(struct section *section);
/* Having left: a member again, but not one that stays.  [keeper] */
SOFTMAP_MUST_CHECK int lane_linger(struct section *section);
/* Ours has left, whether it lingers or not. */
bool lane_is_leaving(struct section *section);
/* A forked child on its way counts as staying, as long as its parent lives, until it has a lane. */
struct lane_child lane_announce_child(struct section *section);
bool lane_awaits_child(struct section *section);
void lane_child_arrived(struct section *section, const struct lane_child *child);
/* Between the first write of a sync and control->mtime_ns: a recovery then doesn't take our own
 * change of the file's mtime for somebody else's.  [keeper] */
void lane_note_writing(struct section *section, bool is_writing);
/* While pages are in state "flushing" in our hand.  [keeper] */
void lane_note_flushing(struct section *section, bool is_flushing);
/* Pages of it may be watched from now on. */
void lane_note_watching(struct section *section);

/* ---- The others' (peers.c) ----------------------------------------------------------------- */

/* Who is in the section besides us?  [keeper] */
struct lane_census {
  uint32_t members; /* alive, and have made the section or found it good */
  uint32_t staying; /* alive and not leaving: members but those that linger, and who just joins */
  uint32_t dead;    /* lanes that nobody has cleaned yet */
  bool dead_writing;
};
SOFTMAP_MUST_CHECK int lane_look(struct section *section, struct lane_census *out);

/* Which living lane other than ours has any of `bits` set for page?  *out: yes or no.
 * Sees what was set before the call.  [keeper] */
SOFTMAP_MUST_CHECK int lane_any_other(struct section *section, uint64_t page, uint8_t bits,
                                      bool *out);
/* Who has the mark `bit` on page?  A dead one's is taken away (by one caller only, who then takes
 * over what the mark stood for).  Nobody: the mark is just being set or cleared, or whoever took
 * it away died before taking over.  [keeper] */
struct lane_holder {
  enum { LANE_HOLDER_NONE, LANE_HOLDER_ALIVE, LANE_HOLDER_DEAD } is;
  uint32_t lane;
};
SOFTMAP_MUST_CHECK int lane_holder(struct section *section, uint64_t page, uint8_t bit,
                                   struct lane_holder *out);
/* Is a living lane's process stopped, so that none of its system calls is under way?  Known of our
 * own pid namespace only.  [keeper] */
bool lane_is_stopped(struct section *section, uint32_t lane);
/* Take its mark away, and with it what the mark stood for; false: it was faster. [keeper] */
bool lane_take_mark(struct section *section, uint64_t page, uint8_t bit, uint32_t lane);
/* Has another living lane with that hand pages in state "flushing"?  [keeper] */
SOFTMAP_MUST_CHECK int lane_is_flushing(struct section *section, uint32_t hand, bool *out);

/* Does another lane, alive or dead, watch pages?  Which of [first, first + n), one lane's, or
 * LANE_MAX: all but ours?  Adds bits.  [keeper] */
bool lane_any_watches(struct section *section);
SOFTMAP_MUST_CHECK int lane_watched(struct section *section, uint64_t first, uint64_t n,
                                    uint32_t lane, uint64_t *bits);
/* Does another lane watch the page, or is that unknown without a descriptor? */
bool lane_may_be_watched(struct section *section, uint64_t page);
/* *token: not 0 if a dead lane's pages are to be judged; and they were. */
SOFTMAP_MUST_CHECK int lane_dead_watches(struct section *section, uint32_t lane, uint64_t *token);
void lane_was_judged(struct section *section, uint32_t lane, uint64_t token);

#endif
