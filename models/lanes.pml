/* lanes.pml - a page that one process writes while others are killed, stopped and come.
 *
 * A (lane 0) stores and syncs; it may be killed between any two steps, or stopped, and go on when
 * others have taken over what it had in hand.  B (lane 1) does the same and lives.  When A is dead
 * C takes its lane, and syncs; C may be killed, too.  What is in the file after a sync that succeeded
 * is no older than the memory was when it began, the stores of the dead included; B ends always.
 *
 * Followed: backing/writeback.c, backing/patience.c (take_over), section/lane.c (find_holder,
 * lane_any_other, lane_take_over, take_over_writes).  A copy to the file is one step: a stopped process
 * has no system call under way, and the kernel's copies into a file come one after another.
 * Step names as in page.pml.
 *
 * Large: -DTAKINGS=3 -DFAILURES=1
 * Mutants: each must be rejected.
 *   CLEAR_FIRST          the state is clean while the page is being written
 *   DEAD_IS_CLEAN        what a dead process was writing counts as written
 *   NO_HAND              a writer ends what is in any hand
 *   STRANGERS_ARE_CLOSED lanes of other processes aren't looked at
 *   AGAIN_STAYS          a page stored to while it is written isn't taken over
 *   STOPPED_STAYS        nor is what a stopped process has in hand
 *   UNMARKED_STAYS       nor what no lane says is its own
 */
#define CLEAN 2
#define DIRTY 5
#define WRITING 6
#define AGAIN 7

byte kind = CLEAN, hand;
bool open[2], writing[2]; /* lanes */
bool alive[2] = true;     /* their locks */
bool writable[2];         /* of A and B */
byte memory, file;
bool dead_a, dead_c, stopped, b_is_done;
#ifndef FAILURES
#define FAILURES 0
#endif
byte failures = FAILURES; /* of writes, still to come */
#ifndef TAKINGS
#define TAKINGS 2
#endif
byte takings = TAKINGS;   /* bound */

inline mark() {
  d_step {
    if
    :: kind == CLEAN -> kind = DIRTY
    :: kind == WRITING -> kind = AGAIN
    :: else
    fi
  }
}

inline store(p) {
  if
  :: atomic { !writable[p] -> open[p] = true }; /* O */
     mark();                                    /* M */
     writable[p] = true                         /* H */
  fi;
  memory++ /* nobody else closes it */
}

/* lane_any_other */
#ifdef STRANGERS_ARE_CLOSED
inline look_at(other) { skip }
#else
inline look_at(other) {
  if
  :: open[other] ->
     if
     :: alive[other] -> is_open = true
     :: else
     fi
  :: else
  fi
}
#endif

#ifdef NO_HAND
#define MINE(p) true
#else
#define MINE(p) (hand == p)
#endif

/* page_end_write */
inline end_write(p, ok) {
  d_step {
    if
    :: kind == WRITING && MINE(p) && (ok) && !is_open -> kind = CLEAN
    :: kind >= WRITING && MINE(p) && !(kind == WRITING && (ok) && !is_open) -> kind = DIRTY
    :: else
    fi
  }
}

/* write_span; `maps`: whether this process has the page mapped */
inline write_page(p, other, maps) {
  writing[p] = true;
  if
  :: d_step { kind == DIRTY -> kind = WRITING; hand = p }; /* W */
#ifdef CLEAR_FIRST
     kind = CLEAN;
#endif
     if
     :: maps && open[p] -> writable[p] = false; open[p] = false /* X, C */
     :: else
     fi;
     is_open = open[p]; /* L */
     look_at(other);
     if
     :: atomic { true -> file = memory; ok = true } /* F */
     :: atomic { failures > 0 -> failures--; ok = false; error = true }
     fi;
     if
     :: d_step { writing[p] -> writing[p] = false }; end_write(p, ok)
     :: else
     fi;
     d_step { is_open = false; ok = false }
  :: d_step { else -> writing[p] = false; met = (kind >= DIRTY) }
  fi
}

/* Whose mark may be taken away, and is there a state that nobody has in hand? */
#ifdef STOPPED_STAYS
#define IS_STOPPED(other) false
#else
#define IS_STOPPED(other) (other == 0 && stopped && !dead_a)
#endif
#ifdef UNMARKED_STAYS
#define IS_UNMARKED(other) false
#else
#define IS_UNMARKED(other) (!writing[other])
#endif
#ifdef AGAIN_STAYS
#define IS_KIND(k) (k == WRITING)
#else
#define IS_KIND(k) (k >= WRITING)
#endif
#ifdef DEAD_IS_CLEAN
#define THEN CLEAN
#else
#define THEN DIRTY
#endif
#define MAY_TAKE(other)                                                                            \
  (takings > 0 && IS_KIND(kind) &&                                                                 \
   (IS_UNMARKED(other) || (writing[other] && (!alive[other] || IS_STOPPED(other)))))

/* meet_writer */
inline meet_writer(p, other) {
  d_step { seen = kind; seen_hand = hand; takings-- };
  if
  :: writing[other] && (!alive[other] || IS_STOPPED(other)) ->
     d_step { was = writing[other]; writing[other] = false }
  :: IS_UNMARKED(other) -> was = true
  :: else
  fi;
  d_step { /* page_take_over */
    if
    :: was && IS_KIND(seen) && IS_KIND(kind) && hand == seen_hand -> kind = THEN
    :: else
    fi;
      seen = 0;
    seen_hand = 0
  }
}

inline sync_page(p, other, maps) {
  floor = memory;
  error = false;
  do
  :: kind == CLEAN -> break
  :: kind == DIRTY ->
     met = false;
     write_page(p, other, maps);
     if
     :: !met || error -> break
     :: else
     fi
  :: MAY_TAKE(other) -> meet_writer(p, other)
  od;
  assert(error || file >= floor);
  d_step { floor = 0; met = false }
}

proctype A() provided (!dead_a && !stopped) {
  byte floor, seen, seen_hand;
  bool met, ok, is_open, error, was;
  store(0);
  sync_page(0, 1, true);
  error = false
}

proctype B() {
  byte floor, seen, seen_hand;
  bool met, ok, is_open, error, was;
  if
  :: store(1)
  :: true
  fi;
  sync_page(1, 0, true);
  if
  :: error -> sync_page(1, 0, true)
  :: else
  fi;
  b_is_done = true
}

/* lane_claim, and a sync: the stores of A are adopted. */
proctype C() provided (!dead_c) {
  byte floor, seen, seen_hand;
  bool met, ok, is_open, error, was;
  atomic { dead_a && !alive[0] -> alive[0] = true };
  if /* take_over_writes */
  :: d_step { writing[0] -> writing[0] = false }; end_write(0, false)
  :: else
  fi;
  d_step { open[0] = false; writing[0] = false }; /* lane_clean */
  sync_page(0, 1, false);
  error = false
}

proctype Signals() {
  if
  :: dead_a = true; alive[0] = false; /* its memory stays */
     if
     :: atomic { alive[0] -> dead_c = true }; alive[0] = false
     :: true
     fi
  :: stopped = true;
     if
     :: stopped = false
     :: true
     fi
  fi
}

init {
  atomic {
    run A();
    run B();
    run C();
    run Signals()
  };
  timeout -> assert(takings == 0 || b_is_done)
}
