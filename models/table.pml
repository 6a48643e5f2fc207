/* table.pml - the look-up array: published, retired and freed while faults and write-back look.
 *
 * A munmap takes a mapping out and gives its addresses away; a mmap publishes an array without
 * waiting; a fork closes the gate.  A fault looks the mapping up and opens a page of it; a
 * write-back finds it in its section's list and closes the page.  Nobody reads a freed array or
 * changes addresses that were given away; no page is opened in a fork's critical moment; nobody
 * sleeps for ever, also without the time limit that wait_for has.
 *
 * Followed: core/guard.h, track/readers.c, space/space.c (space_replace, space_quiesce),
 * space/retire.c, space/cut.c.
 *
 * Mutants: each must be rejected.
 *   ONE_FLIP         a quiesce flips and waits once
 *   FREE_AT_ONCE     an array is freed when it is replaced
 *   GIVE_EARLY       addresses are given away before the second quiesce
 *   UNLINK_LATE      the mapping leaves its section's list behind that
 *   WAITER_UNCOUNTED who waits for a side doesn't say so
 *   GATE_FIRST       a reader looks at the gate before it counts itself
 *   NO_GATE          it doesn't look at the gate
 */
#define NOBODY 255

byte epoch, inside[2];
byte waiting;
bool gate;
bool lock;          /* space lock */
byte current;       /* the array, by number */
bool holds[3];      /* does it name the mapping? */
bool freed[3];
bool in_list;       /* of its section */
bool given;         /* its addresses */
bool critical;      /* of a fork */
byte asleep = NOBODY; /* whoever sleeps on inside[side] */

inline enter(side) {
  side = epoch;
  inside[side]++
}

/* guard_leave, and the wake */
inline leave(side) {
  d_step { inside[side]--; is_empty = (inside[side] == 0) };
  if
  :: is_empty && waiting > 0 ->
     if
     :: asleep == side -> asleep = NOBODY
     :: else
     fi
  :: else
  fi
}

inline flip_and_wait() {
  d_step { side = epoch; epoch = 1 - epoch };
#ifndef WAITER_UNCOUNTED
  waiting++;
#endif
  do
  :: atomic { inside[side] == 0 -> break }
  :: atomic { inside[side] > 0 -> seen = inside[side] };
     if
     :: atomic { inside[side] == seen -> asleep = side }; asleep == NOBODY /* the futex */
     :: inside[side] != seen
     fi
  od;
#ifndef WAITER_UNCOUNTED
  waiting--;
#endif
  seen = 0
}

/* readers_quiesce, and what was retired before is freed */
inline quiesce() {
  flip_and_wait();
#ifndef ONE_FLIP
  flip_and_wait()
#endif
}

proctype Fault() {
  byte side, mine;
  bool is_empty, found;
  /* readers_enter */
  do
  ::
#ifdef GATE_FIRST
     if
     :: gate -> !gate
     :: else -> enter(side); break
     fi
#else
     enter(side);
#ifdef NO_GATE
     break
#else
     if
     :: !gate -> break
     :: else -> leave(side); !gate
     fi
#endif
#endif
  od;
  mine = current;
  assert(!freed[mine]);
  found = holds[mine];
  assert(!freed[mine]);
  if
  :: found -> assert(!given && !critical) /* track_open */
  :: else
  fi;
  leave(side)
}

/* claim_span */
proctype WriteBack() {
  byte side;
  bool is_empty, found;
  enter(side);
  found = in_list;
  if
  :: found -> assert(!given) /* track_close */
  :: else
  fi;
  leave(side)
}

proctype Munmap() {
  byte side, seen;
  atomic { !lock -> lock = true };
  d_step { holds[current + 1] = false };
#ifdef FREE_AT_ONCE
  d_step { freed[current] = true; current++ };
#else
  current++;
#endif
  quiesce();
  freed[current - 1] = true; /* retire_free */
#ifdef GIVE_EARLY
  given = true;
#endif
#ifndef UNLINK_LATE
  in_list = false;
#endif
  quiesce();
  given = true;
#ifdef UNLINK_LATE
  in_list = false;
#endif
  lock = false
}

/* Another mapping: its array is retired, and freed when somebody has waited anyway. */
proctype Mmap() {
  atomic { !lock -> lock = true };
  d_step { holds[current + 1] = holds[current] };
  current++;
  lock = false
}

proctype Fork() {
  byte side, seen;
  atomic { !lock -> lock = true };
  gate = true;
  quiesce();
  critical = true;
  critical = false;
  gate = false;
  lock = false
}

init {
  atomic {
    holds[0] = true;
    in_list = true;
    run Fault();
    run WriteBack();
    run Munmap();
    run Mmap();
    run Fork()
  };
  (_nr_pr == 1);
}
