/* ahead.pml - a page that is opened ahead: its twin, and who compares.
 *
 * Process A (lane 0) has a thread that opens, stores and closes, and one that syncs; B (lane 1) opens,
 * stores and syncs.  A may be killed between any two steps, or stopped, and go on when others have
 * taken over what it had in hand.  Or: another page takes the twin's place, and somebody reads from
 * outside.  Or: the file became longer behind a page that wasn't whole; the byte that is played is one
 * behind the old end then.  Bytes are 0 or 1, so that a store may bring back what was there.  What is
 * in the file is always something that memory has held since the last sync that is over began; in the
 * end the file is as the memory, or a sync would find that it isn't.
 *
 * Followed: track/ahead.c (open_window), section/settle.c, section/twins.c, section/outside.c,
 * backing/merge.c, backing/writeback.c (write_span), backing/patience.c, section/size.c (grow).
 *   O  OPEN into the lane   N  the state OPENING    K  a place for the twin   T  the twin is made
 *   A  AHEAD                G  has the file grown?  H  the host opens         M  mark
 *   X  closed               W  dirty -> writing     L  look at the lanes      V  compare
 *   F  copy to the file     R  into the twin        E  end
 * A copy is one step; so is a page's closing, which page.pml plays.
 *
 * Large: -DSTEPS=3 -DTAKINGS=2
 * Mutants: each must be rejected.
 *   COPY_BEFORE_OPEN     T before O
 *   OPEN_LAST            O behind A
 *   GUESS_STAYS          A though the page was marked meanwhile
 *   OPENING_STAYS_OPEN   opened though a sync has it in hand instead
 *   LOOK_BEHIND_COMPARE  L behind V
 *   OPEN_ELSEWHERE       a page as its twin is clean though it is open somewhere
 *   NOT_RENEWED          no R
 *   RENEWED_FROM_MEMORY  R copies the memory of the moment, not what was written
 *   NO_FENCE_WHOLE       F by who was stopped, of a page without a twin
 *   NO_FENCE_FILE        F of a copy by who was stopped
 *   NO_FENCE_TWIN        R by who was stopped
 *   FENCE_ONCE           the fence is cut off only before the page is in the taker's hand
 *   PLACE_IN_THE_MAKING  may be taken
 *   KEY_SEEN_ONCE        V from outside doesn't look whether the place was taken meanwhile
 *   GROWTH_BEFORE        G before N
 *   GROWTH_PASSES_WRITER who makes the file longer leaves a page alone that is being written
 *   GROWTH_COUNTED_ONCE  ... doesn't tell that it is under way
 *   GROWTH_UNSEEN        a sync doesn't look whether the file is just growing
 */
/* Where a mutant is to be found. */
#if defined(PLACE_IN_THE_MAKING) || defined(KEY_SEEN_ONCE)
#define PLACES
#endif
#if defined(GROWTH_BEFORE) || defined(GROWTH_PASSES_WRITER) || defined(GROWTH_COUNTED_ONCE) || defined(GROWTH_UNSEEN)
#define GROWTH
#endif
#if defined(NO_FENCE_WHOLE) || defined(NO_FENCE_FILE) || defined(NO_FENCE_TWIN) || defined(FENCE_ONCE)
#define SIGNALS
#endif

#define CLEAN 2 /* also: written */
#define OPENING 3
#define AHEAD 4
#define DIRTY 5
#define WRITING 6
#define AGAIN 7

#ifndef STEPS
#define STEPS 2
#endif
#ifndef TAKINGS
#define TAKINGS 1
#endif

byte kind = CLEAN, hand;          /* the state */
bool taken, open[2], writing[2];  /* lanes; B is one thread, and needs no bit */
bool alive[2] = true;
bool writable[2];
bool memory, file, twin;
byte since = 1;                   /* what may be in the file, a bit a value */
byte mask[3];                     /* what memory has held since each sync, and look, began */
byte owner, turn;                 /* the place: 0 free, 1 the page's, 2 another's; its key */
bool making;
byte made[2] = 1, cut[2];         /* fences, by number; those up to `cut` are cut off */
bool dead, stopped, b_is_done;    /* A, A, B */
bool is_alone;                    /* A has one thread */
byte takings = TAKINGS;           /* bound */
bool grows, is_put;               /* the byte behind the old end: is it in memory? */
bool is_known = true;             /* ... and is it in the section's size? */
byte growths;

#define HAS(set, value) ((set) >> (value) & 1)

inline store(value) {
  memory = value;
  since = since | 1 << value;
  mask[0] = (mask[0] -> mask[0] | 1 << value : 0);
  mask[1] = (mask[1] -> mask[1] | 1 << value : 0);
  mask[2] = (mask[2] -> mask[2] | 1 << value : 0)
}

inline write_file(value) {
  file = value;
  assert(HAS(since, file))
}

inline mark() {
  if
  :: kind < DIRTY -> kind = DIRTY
  :: kind == WRITING -> kind = AGAIN
  :: else
  fi
}

#ifdef GROWTH_COUNTED_ONCE
#define GROWS_NOW false
#else
#define GROWS_NOW (growths & 1)
#endif

/* ---- The twin's place ---- */

#ifdef PLACE_IN_THE_MAKING
#define IS_MAKING false
#else
#define IS_MAKING making
#endif
#define IS_THERE (owner == 1 && !making)
#define IS_FREE (!IS_MAKING && !(owner == 1 && kind != CLEAN && kind != DIRTY))

inline give_back() {
  if
  :: IS_THERE && turn == key -> owner = 0
  :: else
  fi
}

/* ---- Opening ---- */

/* For B true: nobody contends. */
#define take_bit(p) (!taken || p == 1) -> taken = (p == 0 -> true : taken)
#define drop_bit(p) taken = (p == 0 -> false : taken)

inline end_twin(p) {
  d_step { /* twin_is_made; A */
    owner = 1; turn = key; making = false;
    if
    :: kind == OPENING -> kind = AHEAD; ok = true
#ifdef GUESS_STAYS
    :: else -> kind = AHEAD; ok = true
#else
    :: else
#endif
    fi
  };
  if
  :: !ok ->
     d_step {
       give_back();
       if
#ifdef OPENING_STAYS_OPEN
       :: true -> ok = true
#else
       :: kind == DIRTY -> ok = true
       :: kind == OPENING -> kind = CLEAN; open[p] = false
       :: else -> open[p] = false
#endif
       fi
     }
  :: else
  fi
}

/* A page of a window but the one that is stored to. */
inline open_ahead(p) {
  d_step { take_bit(p); grown = growths };
#ifdef COPY_BEFORE_OPEN
  copy = memory;
#endif
#ifndef OPEN_LAST
  open[p] = true; /* O */
#endif
#ifdef GROWTH_BEFORE
  grew = (growths != grown || GROWS_NOW);
#endif
  d_step { /* N, K */
    was = kind;
    if
    :: was == CLEAN && ((owner == 1 && !making) || IS_FREE) ->
       kind = OPENING; owner = 1; making = true; turn++; key = turn; has = true
    :: was == AHEAD || was == DIRTY -> ok = true
    :: else -> open[p] = false
    fi
  };
  if
  :: has ->
#ifdef COPY_BEFORE_OPEN
     twin = copy;
#else
     twin = memory; /* T */
#endif
     end_twin(p)
  :: else
  fi;
#ifdef OPEN_LAST
  open[p] = ok;
#endif
  d_step {
#ifndef GROWTH_BEFORE
    grew = (growths != grown || GROWS_NOW); /* G */
#endif
    if
    :: ok && grew -> mark()
    :: else
    fi
  };
  d_step {
    writable[p] = ok; /* H */
    drop_bit(p);
    ok = false; has = false; was = 0; key = 0; copy = false; grown = 0; grew = false
  }
}

/* track_pin: marked, then opened */
inline open_marked(p) {
  d_step { take_bit(p); open[p] = true }; /* O */
  d_step { mark() };                      /* M */
  d_step { writable[p] = true; drop_bit(p) } /* H */
}

/* Some steps of a program. */
inline steps(p) {
  do
  :: left > 0 ->
     left--;
     if
     :: !writable[p] -> open_ahead(p)
     :: !writable[p] && (p == 1 || !is_alone) -> open_marked(p)
     :: d_step { writable[p] -> store(0) }
     :: d_step { writable[p] -> store(1) }
     :: d_step { !is_alone && writable[p] && (!taken || p == 1) -> writable[p] = false; open[p] = false }
     fi
  :: left = 0; break
  od
}

/* ---- Syncs ---- */

#ifdef GROWTH_UNSEEN
#define GROWS_AT_LOOK false
#else
#define GROWS_AT_LOOK GROWS_NOW
#endif
#define LOOK(p, other) is_open = (open[p] || (open[other] && alive[other]) || GROWS_AT_LOOK)

inline take_mark(p) { d_step { mine = writing[p]; writing[p] = false } }

/* page_end_write */
inline end_write(p, is_written) {
  take_mark(p);
  d_step {
    if
    :: mine && hand == p && kind == WRITING && is_written && !is_open -> kind = CLEAN
    :: mine && hand == p && kind >= WRITING && !(kind == WRITING && is_written && !is_open) ->
       kind = DIRTY
    :: else
    fi;
    mine = false
  }
}

/* settle_same */
inline end_same(p) {
  d_step { key = turn; has = (IS_THERE && !is_open); mine = writing[p]; writing[p] = false };
  d_step {
    if
#ifdef OPEN_ELSEWHERE
    :: mine && hand == p && kind == WRITING -> kind = CLEAN
#else
    :: mine && hand == p && kind == WRITING -> kind = (is_open -> was : CLEAN)
#endif
    :: mine && hand == p && kind == AGAIN -> kind = DIRTY; has = false
    :: else -> has = false
    fi;
    mine = false
  };
  if
  :: has -> d_step { give_back() }
  :: else
  fi
}

/* settle_drop_twin */
inline drop_twin(p) {
  d_step {
    if
    :: IS_THERE && writing[p] -> owner = 0
    :: else
    fi
  }
}

#ifdef NO_FENCE_WHOLE
#define WHOLE_REFUSES(p) false
#else
#define WHOLE_REFUSES(p) (own <= cut[p])
#endif

/* write_run */
inline write_whole(p) {
  d_step { /* F */
    if
    :: !is_known
    :: is_known && WHOLE_REFUSES(p) -> met = true
    :: is_known && !WHOLE_REFUSES(p) -> write_file(memory)
    fi
  };
  end_write(p, !met)
}

#ifdef NO_FENCE_FILE
#define FILE_REFUSES(p) false
#else
#define FILE_REFUSES(p) (own <= cut[p])
#endif
#ifdef NO_FENCE_TWIN
#define TWIN_REFUSES(p) false
#else
#define TWIN_REFUSES(p) (own <= cut[p])
#endif

/* merge_page, of a page with a twin */
inline merge_page(p) {
  copy = memory;
  if
  :: !writing[p] -> met = true /* taken over */
  :: else ->
     if
     :: copy != twin && is_known ->
        d_step { /* F */
          if
          :: FILE_REFUSES(p) -> met = true
          :: else -> write_file(copy)
          fi
        };
#ifndef NOT_RENEWED
        if
        :: !met ->
           d_step { /* R */
             if
             :: TWIN_REFUSES(p) -> met = true
#ifdef RENEWED_FROM_MEMORY
             :: else -> twin = memory
#else
             :: else -> twin = copy
#endif
             fi
           }
        :: else
        fi
#endif
     :: else
     fi;
     if
     :: met -> drop_twin(p); end_write(p, false)
     :: else -> end_same(p)
     fi
  fi
}

/* settle_compare */
inline compare(p) {
  if
  :: was == AHEAD ->
     copy = memory;
     same = (IS_THERE && (copy == twin || !is_known)) /* V */
  :: else -> same = (was == OPENING)
  fi
}

/* write_span; or settle_page, which writes nothing */
inline write_page(p, other) {
  d_step {
    take_bit(p);
    made[p] = (cut[p] == made[p] -> made[p] + 1 : made[p]); /* fence_ready */
    own = made[p];
    met = false;
    writing[p] = true
  };
  if
  :: d_step { kind >= OPENING && kind <= DIRTY -> was = kind; kind = WRITING; hand = p }; /* W */
     if
     :: d_step { true -> writable[p] = false; open[p] = false; drop_bit(p) } /* X */
     :: d_step { was != DIRTY && open[p] -> drop_bit(p) } /* stays open */
     fi;
#ifndef LOOK_BEHIND_COMPARE
     LOOK(p, other); /* L */
#endif
     compare(p);
#ifdef LOOK_BEHIND_COMPARE
     LOOK(p, other);
#endif
     if
     :: same -> end_same(p)
     :: !same && was == AHEAD -> /* without a write */
        drop_twin(p);
        end_write(p, false);
        met = true
     :: !same && was == AHEAD && is_open ->
        if
        :: IS_THERE -> merge_page(p)
        :: else -> write_whole(p)
        fi
     :: !same && was == AHEAD && !is_open -> drop_twin(p); write_whole(p)
     :: !same && was == DIRTY -> write_whole(p)
     fi
  :: d_step { else -> writing[p] = false; met = (kind >= OPENING); drop_bit(p) }
  fi;
  d_step { is_open = false; same = false; has = false; copy = false; was = 0; key = 0; own = 0 }
}

#define IS_STOPPED(other) (other == 0 && stopped && !dead)
#define MAY_TAKE(other)                                                                            \
  (takings > 0 && kind >= WRITING &&                                                               \
   (!writing[other] || !alive[other] || IS_STOPPED(other)))

/* take_over; into our hand first, as with fills */
inline meet_writer(p, other) {
  d_step { seen_hand = hand; takings-- };
  d_step {
    if
    :: writing[other] && (!alive[other] || IS_STOPPED(other)) -> writing[other] = false; mine = true
    :: !writing[other] -> mine = true
    :: else
    fi
  };
  if
  :: mine ->
     cut[seen_hand] = made[seen_hand];
     d_step {
       take_bit(p);
       mine = false;
       if
#ifdef FENCE_ONCE
       :: kind >= WRITING && hand == seen_hand -> kind = DIRTY; drop_bit(p)
#else
       :: kind >= WRITING && hand == seen_hand -> writing[p] = true; kind = WRITING; hand = p; mine = true
#endif
       :: else -> drop_bit(p)
       fi
     };
     if
     :: mine ->
        cut[seen_hand] = made[seen_hand];
        d_step {
          if
          :: writing[p] && hand == p && kind >= WRITING -> kind = DIRTY
          :: else
          fi;
          writing[p] = false; mine = false; drop_bit(p)
        }
     :: else
     fi
  :: else
  fi
}

inline sync_page(p, other) {
  atomic { !growths || is_known -> mask[p] = 1 << memory }; /* section_follow */
  do
  :: kind == CLEAN -> break
  :: kind >= OPENING && kind <= DIRTY ->
     write_page(p, other);
     if
     :: !met -> break
     :: else
     fi
  :: MAY_TAKE(other) -> meet_writer(p, other)
  od;
  atomic {
    since = (!grows || is_put -> since & mask[p] : since);
    assert(HAS(since, file));
    mask[p] = 0;
    met = false
  }
}

proctype A() provided (!dead && !stopped) {
  byte left = STEPS, was, key, grown, own, seen_hand;
  bool ok, has, copy, grew, met, same, is_open, mine;
  steps(0);
  if
  :: is_alone -> sync_page(0, 1)
  :: else
  fi
}

proctype Syncer() {
  byte was, key, own, seen_hand;
  bool met, same, has, copy, is_open, mine;
  sync_page(0, 1)
}

proctype B() {
  byte left, was, key, grown, own, seen_hand;
  bool ok, has, copy, grew, met, same, is_open, mine;
  if
  :: is_alone -> left = 2; steps(1)
  :: true
  fi;
  sync_page(1, 0);
  if
  :: is_alone -> left = 3; steps(1)
  :: true
  fi;
  b_is_done = true
}

/* ---- What else happens ---- */

proctype Signals() {
  if
#ifndef SIGNALS
  :: d_step { dead = true; alive[0] = false; mask[0] = 0 }
#endif
  :: stopped = true; stopped = false
  fi
}

/* Another page's twin, which isn't needed when it is there. */
proctype Other() {
  byte key;
  d_step { IS_FREE -> key = turn };
  if
  :: d_step { turn == key -> owner = 2; making = true; turn++; key = turn };
     if
     :: twin = false
     :: twin = true
     fi;
     d_step { owner = 2; turn = key; making = false };
     d_step {
       if
       :: owner == 2 && turn == key -> owner = 0
       :: else
       fi
     }
  :: else
  fi
}

/* outside_is_stored */
proctype Looker() {
  byte key;
  bool same, copy;
  mask[2] = 1 << memory;
  if
  :: kind == CLEAN || kind == OPENING -> same = true
  :: kind == AHEAD ->
     d_step { key = turn; same = IS_THERE };
     copy = memory;
     same = same && copy == twin; /* V */
#ifndef KEY_SEEN_ONCE
     d_step { same = (same && IS_THERE && turn == key) }
#endif
  :: kind >= DIRTY
  fi;
  d_step { assert(!same || HAS(mask[2], file)); mask[2] = 0 }
}

proctype Growth() {
  growths++;
  d_step {
    if
#ifdef GROWTH_PASSES_WRITER
    :: kind < DIRTY && kind != CLEAN -> kind = DIRTY
#else
    :: kind != CLEAN -> mark()
#endif
    :: else
    fi
  };
  d_step { is_put = true; store(1); since = 2 }; /* as the file has it */
  is_known = true;
#ifndef GROWTH_COUNTED_ONCE
  growths++
#endif
}

init {
  atomic {
    if
#if !defined(PLACES) && !defined(GROWTH)
    :: is_alone = true; run Signals()
#endif
#if !defined(SIGNALS) && !defined(GROWTH)
    :: takings = 0; run Other(); run Looker()
#endif
#if !defined(SIGNALS) && !defined(PLACES)
    :: takings = 0; run Syncer(); grows = true; is_known = false; file = true; since = 3; run Growth()
#endif
    fi;
    run A();
    run B()
  };
  timeout -> assert(takings == 0 || b_is_done);
  assert((kind != CLEAN && kind != OPENING) || file == memory);
  assert(kind != AHEAD || !IS_THERE || memory != twin || file == memory)
}
