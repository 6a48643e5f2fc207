/* page.pml - the page protocol: stores, syncs and closings of one page in two processes.
 *
 * Process 0 has the page in two mappings, process 1 in one.  Every thread stores and then syncs;
 * what is in the file after a sync that succeeded must be no older than the memory was when it
 * began.  A write, and the host's change of a protection, may fail.  Early closing (memory areas
 * short, mprotect, munmap, fork) comes at any moment.
 *
 * Followed: core/page.h, track/fault.c (track_open, track_close), backing/writeback.c (claim_span,
 * look_at_lanes, write_run, judge).  Step names are those of the comments there:
 *   O  OPEN into the lane   M  mark   H  the host opens   X  the host closes   C  OPEN out of the lane
 *   W  dirty -> writing     L  look at the lanes          F  copy to the file  E  end the write
 *
 * Large: -DSTORES=2
 * Mutants: each must be rejected.
 *   NO_BIT               openings and closings of a process aren't kept apart
 *   MARK_BEFORE_OPEN     M before O
 *   HOST_BEFORE_MARK     H before M
 *   MARK_FORGETS_WRITING a mark doesn't tell the writer
 *   LANE_BEFORE_HOST     C before X
 *   ONE_MAPPING          closed in one mapping only
 *   FORGETS_OPEN         C though a mapping could not be closed
 *   LOOK_BEFORE_STEP     L before W
 *   LOOK_AFTER_WRITE     L behind F
 *   WRITE_BEFORE_CLOSE   F before X
 *   FAILURE_IS_CLEAN     a failed write leaves the page clean
 *   NO_WAIT              a sync doesn't wait for what another is writing
 */
#define CLEAN 2 /* also: written; the flush is flush.pml's */
#define DIRTY 5
#define WRITING 6
#define AGAIN 7

#define OWNER(m) ((m) / 2)
#ifndef STORES
#define STORES 1
#endif

byte kind = CLEAN, hand;          /* the state */
bool taken[2], open[2], writing[2]; /* the lanes */
bool view[3], writable[3];        /* view bytes; what the host lets the program do */
bool syncing[2];                  /* sync_lock */
byte memory, file;
byte failures = 1; /* of the host, still to come */

#ifdef NO_BIT
inline take_bit(p) { skip }
#else
inline take_bit(p) { atomic { !taken[p] -> taken[p] = true } }
#endif
inline drop_bit(p) { taken[p] = false }

inline mark() {
  d_step {
    if
    :: kind == CLEAN -> kind = DIRTY
#ifndef MARK_FORGETS_WRITING
    :: kind == WRITING -> kind = AGAIN
#endif
    :: else
    fi
  }
}

/* track_open */
inline open_page(p, m) {
  take_bit(p);
#ifdef MARK_BEFORE_OPEN
  mark();
  was_open = open[p]; open[p] = true;
#else
  d_step { was_open = open[p]; open[p] = true } /* O */
#ifdef HOST_BEFORE_MARK
  writable[m] = true;
#endif
  mark();                                       /* M */
#endif
  if
  :: d_step { writable[m] = true; view[m] = true } /* H */
  :: d_step { failures > 0 -> failures-- };        /* ENOMEM: relieved, and tried again */
     if
     :: !was_open -> open[p] = false
     :: else
     fi
  fi;
  d_step { drop_bit(p); was_open = false }
}

/* close_in_mappings for one of them; `all` */
inline close_in(m) {
  if
  :: view[m] ->
     if
     :: writable[m] = false; view[m] = false /* X */
     :: d_step { failures > 0 -> failures-- }; all = false
     fi
  :: else
  fi
}

/* track_close */
inline close_page(p) {
  all = true;
#ifdef LANE_BEFORE_HOST
  open[p] = false;
#endif
  if
  :: p == 0 ->
     close_in(0);
#ifndef ONE_MAPPING
     close_in(1)
#endif
  :: else -> close_in(2)
  fi;
#ifdef FORGETS_OPEN
  open[p] = false
#else
  if
  :: all || (p == 0 && !view[0] && !view[1]) || (p == 1 && !view[2]) -> open[p] = false /* C */
  :: else
  fi
#endif
}

/* write_all, of one page */
inline sync_page(p) {
  atomic { !syncing[p] -> syncing[p] = true; floor = memory };
  error = false;
again:
  met = false;
  take_bit(p);
  writing[p] = true;
#ifdef LOOK_BEFORE_STEP
  is_open = open[1 - p];
#endif
  if
  :: d_step { kind == DIRTY -> kind = WRITING; hand = p }; /* W */
#ifdef WRITE_BEFORE_CLOSE
     copy = memory;
#endif
     if
     :: open[p] -> close_page(p)
     :: else
     fi;
     drop_bit(p);
#ifndef LOOK_BEFORE_STEP
#ifndef LOOK_AFTER_WRITE
     is_open = open[p];           /* L */
     is_open = is_open || open[1 - p];
#endif
#else
     is_open = is_open || open[p];
#endif
     if
#ifndef WRITE_BEFORE_CLOSE
     :: copy = memory; file = copy; ok = true /* F */
#else
     :: file = copy; ok = true
#endif
     :: d_step { failures > 0 -> failures-- }; ok = false; error = true
     fi;
#ifdef LOOK_AFTER_WRITE
     is_open = open[p];
     is_open = is_open || open[1 - p];
#endif
#ifdef FAILURE_IS_CLEAN
     ok = true;
#endif
     writing[p] = false;
     d_step { /* E */
       if
       :: kind == WRITING && hand == p && ok && !is_open -> kind = CLEAN
       :: kind >= WRITING && hand == p && !(kind == WRITING && ok && !is_open) -> kind = DIRTY
       :: else
       fi
     }
  :: else ->
     writing[p] = false;
     drop_bit(p);
     met = kind >= DIRTY
  fi;
  if
#ifndef NO_WAIT
  :: met && !error -> (kind < WRITING || hand == p); goto again
#endif
  :: else
  fi;
  assert(error || file >= floor);
  d_step { syncing[p] = false; floor = 0; copy = 0; met = false; ok = false; is_open = false; all = false; error = false }
}

proctype Program(byte m) {
  byte p = OWNER(m), copy, floor, n;
  bool met, ok, is_open, error, all, was_open;
  do
  :: n < STORES ->
     do
     :: atomic { writable[m] -> memory++; break }
     :: !writable[m] -> open_page(p, m)
     od;
     n++
  :: n == STORES -> break
  od;
  sync_page(p)
}

/* track_close_all: closes and marks nothing. */
proctype Closer(byte p) {
  bool all;
  take_bit(p);
  if
  :: open[p] -> close_page(p)
  :: else
  fi;
  drop_bit(p)
}

#define LIES(m) (writable[m] && !(kind >= DIRTY && open[OWNER(m)]))

active proctype Invariants() {
end:
  atomic { (LIES(0) || LIES(1) || LIES(2)) -> assert(false) } /* I1 */
}

init {
  atomic {
    run Program(0);
    run Program(1);
    run Program(2);
    run Closer(0)
  }
  (_nr_pr == 2);
  assert(kind >= DIRTY || file == memory)
}
