/* fill.pml - filling one page: two keepers of process 0, one of process 1, which then stores.
 *
 * Process 0 may be stopped, go on, or be killed between any two steps; others take over what it has
 * in hand.  No fill may put the file's old bytes over a store, and nobody who runs waits for ever.
 *
 * Followed: backing/fill.c (claim, copy, settle, wait_for_filler), backing/patience.c (take_over),
 * section/fence.c.  Time isn't here: whoever waits may lose patience at any moment.  A write into
 * the data is one step: the kernel writes with the file's lock held, and reads the fence in it.
 *
 * Large: -DTAKINGS=3
 * Mutants: each must be rejected.
 *   SHARED_CLAIM        two keepers of a process may claim the same page
 *   FENCE_OF_NOW        a fill uses the fence of its write, not that of its claim
 *   NO_FENCE            a filler's fence isn't cut off by who takes over
 *   FENCE_EARLY         ... only before the page is in another hand
 *   STATE_TO_FREE       a page is given free without having been in the taker's hand
 *   NO_HAND             a filler ends what is in any hand
 *   NO_TAKE_OVER        nobody takes over
 *   NO_TAKE_UNMARKED    nobody takes over what no lane says is its own
 */
#define UNFILLED 0
#define FILLING 1
#define FILLED 2

byte kind, hand;
bool claimed[2];     /* section->claims: one of the process's keepers has the page */
bool filling[2];     /* the lanes */
byte fence[2] = 1;   /* each lane's, by number; 0: to be made */
byte made[2] = 1;    /* the last one */
byte cut[2];         /* that one and those before are cut off */
bool stopped, dead;  /* process 0 */
bool stored;
byte done;           /* keepers of process 0 */
#ifndef TAKINGS
#define TAKINGS 2
#endif
byte takings = TAKINGS;

inline claim(p) {
  if
#ifdef SHARED_CLAIM
  :: true ->
#else
  :: atomic { !claimed[p] && kind == UNFILLED -> claimed[p] = true };
#endif
     if
     :: atomic { kind == UNFILLED -> filling[p] = true };
        if
        :: d_step { kind == UNFILLED -> kind = FILLING; hand = p }; has = true
        :: atomic { else -> filling[p] = false; claimed[p] = false }
        fi
     :: atomic { else -> claimed[p] = false }
     fi
  :: else
  fi
}

#ifdef NO_HAND
#define MINE(p) (kind == FILLING)
#else
#define MINE(p) (kind == FILLING && hand == p)
#endif

inline settle(p, to) {
  d_step { was = filling[p]; filling[p] = false };
  d_step {
    if
    :: was && MINE(p) -> kind = to
    :: else
    fi;
    was = false;
    has = false
  }
  claimed[p] = false
}

/* data_write: refused if the fence is cut off. */
inline put(p) {
  d_step {
#ifdef FENCE_OF_NOW
    own = fence[p];
#endif
    refused = (own <= cut[p]);
    if
    :: !refused -> assert(!stored)
    :: else
    fi
  }
}

inline fence_ready(p) {
  d_step {
    if
    :: fence[p] == 0 -> made[p]++; fence[p] = made[p]
    :: else
    fi;
    own = fence[p]
  }
}

inline fence_was_revoked(p) {
  d_step {
    if
    :: fence[p] == own -> fence[p] = 0
    :: else
    fi;
    refused = false
  }
}

/* fence_revoke */
#ifdef NO_FENCE
inline cut_off(lane) { skip }
#else
inline cut_off(lane) { cut[lane] = made[lane] }
#endif

/* take_over.  `other` is the only other process; the marks of our own lane aren't looked at.  Into our
 * hand first: whatever claim it was that lost the page, its fence was made before, and is cut off
 * once more. */
inline take_over(p, other) {
  atomic { seen_hand = hand; takings-- };
  if
  :: filling[other] && other == 0 && (dead || stopped)
#ifndef NO_TAKE_UNMARKED
  :: !filling[other]
#endif
  :: else -> goto not_taken
  fi;
  cut_off(seen_hand);
  filling[p] = true;
#ifndef STATE_TO_FREE
  if
  :: d_step { kind == FILLING && hand == seen_hand -> hand = p };
#ifndef FENCE_EARLY
     cut_off(seen_hand);
#endif
  :: else
  fi;
  filling[p] = false;
  d_step {
    if
    :: kind == FILLING && hand == p -> kind = UNFILLED
    :: else
    fi
  };
#else
  filling[p] = false;
  d_step {
    if
    :: kind == FILLING && hand == seen_hand -> kind = UNFILLED
    :: else
    fi
  };
#endif
not_taken:
  skip;
  d_step { claimed[p] = false; seen_hand = 0 }
}

/* Is there something that patience could end? */
#ifdef NO_TAKE_OVER
#define IS_LATE(p, other) false
#elif defined NO_TAKE_UNMARKED
#define IS_LATE(p, other) (!filling[p] && filling[other] && other == 0 && (dead || stopped))
#else
#define IS_LATE(p, other)                                                                          \
  (!filling[p] && ((filling[other] && other == 0 && (dead || stopped)) || !filling[other]))
#endif

inline fill(p, other) {
  fence_ready(p);
  do
  :: kind == FILLED -> break
  :: kind == UNFILLED && !claimed[p] -> /* the other keeper's is waited for */
     claim(p);
     if
     :: has ->
        put(p);
        if
        :: refused -> settle(p, UNFILLED); fence_was_revoked(p); fence_ready(p)
        :: else -> settle(p, FILLED)
        fi
     :: else
     fi
  :: atomic { kind == FILLING && takings > 0 && !claimed[p] && IS_LATE(p, other) -> claimed[p] = true };
     take_over(p, other)
  od
}

proctype Keeper0() provided (!stopped && !dead) {
  bool has, was, refused;
  byte seen_hand, own;
  fill(0, 1);
  done++
}

proctype Program1() {
  bool has, was, refused;
  byte seen_hand, own;
  fill(1, 0);
  stored = true /* opened and marked: page.pml */
}

proctype Signals() {
  if
  :: stopped = true; stopped = false
  :: stopped = true
  :: dead = true
  fi
}

init {
  atomic {
    run Keeper0();
    run Keeper0();
    run Program1();
    run Signals()
  };
  timeout -> assert(takings == 0 || stored && (stopped || dead || done == 2))
}
