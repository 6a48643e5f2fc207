/* In which order the parties of the page protocol must do their steps: every interleaving of the
 * right order is played, and none loses a store; for each step that matters, a wrong order is
 * played too, and some interleaving of it loses one.
 *
 * One page; the writer is another process than the one that stores.  The steps:
 *   writer   W dirty to writing   F copy memory to the file   L look whether the lane is open
 *            E end the write
 *   fault    O set OPEN in the lane   M mark   P the host lets the page be written
 *   closer   H the host closes the page   M mark   C clear OPEN in the lane
 *   storer   S store, if the host lets it   V sync: what isn't dirty has to be in the file
 * Pages that are opened ahead, with a twin (the first four steps are another process's):
 *   writer   w claim whatever kind of dirty it is   L as above   c compare with the twin; the same:
 *            end here, else   F, E as above
 *   opener   O as above   N clean to OPENING   T make the twin   A to AHEAD   P as above
 *   another  X mark, store, sync, and clean if no lane is open
 *   storer   B store what was there at first, if the host lets it
 */
#include "core/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PARTIES = 3 };

struct play {
  page_byte state, lane;
  bool writable;  /* as the host has it */
  bool seen_open; /* by the writer */
  uint8_t was;    /* when the writer claimed it */
  int memory, file, twin;
  const char *steps[PARTIES]; /* still to do */
};

/* Would a sync leave the page alone, though the file doesn't have it? */
static bool
is_lost(const struct play *play) {
  uint8_t state = atomic_load(&play->state);
  bool is_dirty = page_is_dirty(state);
  if (page_is_doubtful(state))
    is_dirty = (state & PAGE_AHEAD) && play->memory != play->twin;
  return !is_dirty && play->file != play->memory;
}

/* Steps with twins; whoever can't go on leaves. */
static bool
do_ahead_step(struct play *play, char step) {
  uint8_t opening = page_opening(PAGE_CLEAN);
  switch (step) {
  case 'w':
    play->was = atomic_load(&play->state);
    return page_kind(play->was) == PAGE_DIRTY && page_step(&play->state, play->was, PAGE_WRITING);
  case 'c':
    if (!page_is_doubtful(play->was) || ((play->was & PAGE_AHEAD) && play->memory != play->twin))
      return true;
    page_end_compare(&play->state, 0, play->was, play->seen_open);
    return false;
  case 'N':
    return page_step(&play->state, PAGE_CLEAN, opening);
  case 'T':
    play->twin = play->memory;
    return true;
  case 'A':
    return page_step(&play->state, opening, page_ahead(opening));
  case 'X':
    if (page_is_writing(atomic_load(&play->state)))
      return false;
    page_mark(&play->state);
    play->file = play->memory = 2;
    if (!(atomic_load(&play->lane) & LANE_OPEN))
      atomic_store(&play->state, PAGE_CLEAN);
    return true;
  default: /* B */
    if (play->writable)
      play->memory = 1;
    return play->writable;
  }
}

/* Do the next step of a party; whoever can't go on leaves. */
static void
do_step(struct play *play, int party) {
  char step = *play->steps[party]++;
  switch (step) {
  case 'W':
    if (!page_step(&play->state, PAGE_DIRTY, PAGE_WRITING))
      play->steps[party] = "";
    break;
  case 'F':
    play->file = play->memory;
    break;
  case 'L':
    play->seen_open = atomic_load(&play->lane) & LANE_OPEN;
    break;
  case 'E':
    page_end_write(&play->state, 0, true, play->seen_open);
    break;
  case 'O':
    atomic_fetch_or(&play->lane, LANE_OPEN);
    break;
  case 'M':
    page_mark(&play->state);
    break;
  case 'P':
    play->writable = true;
    break;
  case 'H':
    play->writable = false;
    break;
  case 'C':
    atomic_fetch_and(&play->lane, (uint8_t)~LANE_OPEN);
    break;
  case 'S':
    if (play->writable)
      play->memory++;
    else
      play->steps[party] = "";
    break;
  case 'V':
    break;
  default:
    if (!do_ahead_step(play, step))
      play->steps[party] = "";
    break;
  }
}

/* In how many ways of going on is a store lost? */
static unsigned
count_losses(const struct play *play) {
  unsigned losses = 0;
  bool over = true;
  for (int i = 0; i < PARTIES; i++) {
    if (*play->steps[i] == '\0')
      continue;
    over = false;
    if (*play->steps[i] == 'V' && is_lost(play)) {
      losses++;
      continue;
    }
    struct play then = *play;
    do_step(&then, i);
    losses += count_losses(&then);
  }
  return over ? is_lost(play) : losses;
}

#define AHEAD (PAGE_DIRTY | PAGE_AHEAD)

static const struct row {
  const char *name;
  uint8_t state;
  bool open;
  bool loses;
  const char *steps[PARTIES];
} rows[] = {
  { "control: fault while written", PAGE_DIRTY, false, false, { "WFLE", "OMPSV", "" } },
  { "OPEN set behind the mark", PAGE_DIRTY, false, true, { "WFLE", "MOPSV", "" } },
  { "lanes seen before the step", PAGE_DIRTY, false, true, { "LWFE", "OMPSV", "" } },
  { "control: fault, another stores", PAGE_WRITTEN, false, false, { "WFLE", "OMP", "SV" } },
  { "host opens before the mark", PAGE_WRITTEN, false, true, { "WFLE", "OPM", "SV" } },
  { "control: closed while written", PAGE_DIRTY, true, false, { "WFLE", "HMC", "SV" } },
  { "marked before the host closes", PAGE_DIRTY, true, true, { "WFLE", "MHC", "SV" } },
  { "OPEN cleared before the mark", PAGE_DIRTY, true, true, { "WFLE", "HCM", "SV" } },
  { "OPEN cleared before the host closes", PAGE_DIRTY, true, true, { "WFLE", "MCH", "SV" } },
  { "closed without a mark", PAGE_DIRTY, true, true, { "WFLE", "HC", "SV" } },
  /* A writer that looks before it copies doesn't depend on the mark of who closes. */
  { "lanes seen before the copy", PAGE_DIRTY, true, false, { "WLFE", "HC", "SV" } },
  { "lanes seen before the copy, fault", PAGE_DIRTY, false, false, { "WLFE", "OMPSV", "" } },
  { "control: opened ahead, written by another", PAGE_CLEAN, false, false, { "X", "ONTAP", "BV" } },
  { "twin made before OPEN", PAGE_CLEAN, false, true, { "X", "TONAP", "BV" } },
  { "OPEN set behind AHEAD", PAGE_CLEAN, false, true, { "X", "NTAPO", "BV" } },
  { "control: opened ahead, synced", PAGE_CLEAN, false, false, { "wLcFE", "ONTAP", "SV" } },
  { "host opens before AHEAD", PAGE_CLEAN, false, true, { "wLcFE", "ONTPA", "SV" } },
  { "control: compared, closed", AHEAD, true, false, { "wLcFE", "HC", "SV" } },
  { "lanes seen behind the comparison", AHEAD, true, true, { "wcLFE", "HC", "SV" } },
};

static void
only_the_right_order_loses_nothing(void **unused) {
  (void)unused;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct play play = {
      .state = rows[i].state,
      .lane = rows[i].open ? LANE_OPEN : 0,
      .writable = rows[i].open,
      .memory = 1,
      .file = page_is_stored(rows[i].state) ? 0 : 1,
      .twin = 1,
      .steps = { rows[i].steps[0], rows[i].steps[1], rows[i].steps[2] },
    };
    unsigned losses = count_losses(&play);
    if ((losses != 0) != rows[i].loses)
      fail_msg("%s: %u losses", rows[i].name, losses);
  }
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_the_right_order_loses_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
