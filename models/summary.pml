/* summary.pml - the summary byte of a block: DIRTY never misses while a page is dirty or being written.
 *
 * Two pages in the block.  Each of two processes stores to a page of its own; each syncs the block,
 * which settles the summary; a sync that finds no DIRTY passes.  When a store was made the summary
 * must say so until a sync has written the page.
 *
 * Followed: section/section.h (summary_set, section_mark), section/summary.c (summary_settle),
 * backing/writeback.c (judge, write_block).  The turns count to 16 there, to 2 here: a settler that
 * sleeps through as many others as there are turns isn't played.
 *
 * Mutants: each must be rejected.
 *   SUMMARY_BEFORE_STATE  who marks sets the summary before the state
 *   CHECKING_STAYS        who marks leaves CHECKING if DIRTY is set already
 *   NO_CHECKING           a settler doesn't ask whether somebody marked meanwhile
 *   NO_TURN               settlers don't know their own CHECKING from another's
 *   WRITING_IS_CLEAN      a page that is being written doesn't count as dirty
 */
#define CLEAN 2
#define DIRTY 5
#define WRITING 6

byte kind[2] = CLEAN;
bool dirty, checking; /* the summary byte */
byte turn;
bool stored[2];       /* a store that no write has seen */

inline summary_set() {
  d_step {
#ifdef CHECKING_STAYS
    if
    :: !dirty -> dirty = true; checking = false
    :: else
    fi
#else
    dirty = true;
    checking = false
#endif
  }
}

inline mark(page) {
#ifdef SUMMARY_BEFORE_STATE
  summary_set();
#endif
  kind[page] = DIRTY;
#ifndef SUMMARY_BEFORE_STATE
  summary_set()
#endif
}

#ifdef WRITING_IS_CLEAN
#define HAS_DIRT(page) (kind[page] == DIRTY)
#else
#define HAS_DIRT(page) (kind[page] >= DIRTY)
#endif
#ifdef NO_CHECKING
#define STILL_MINE true
#elif defined NO_TURN
#define STILL_MINE checking
#else
#define STILL_MINE (checking && turn == mine)
#endif

inline settle() {
  d_step { turn = (turn + 1) % 4; mine = turn; checking = true };
  if
  :: HAS_DIRT(0) -> summary_set()
  :: else ->
     if
     :: HAS_DIRT(1) -> summary_set()
     :: else ->
        d_step {
          if
          :: STILL_MINE -> checking = false; dirty = false
          :: else
          fi;
          mine = 0
        }
     fi
  fi
}

inline write_page(page) {
  if
  :: d_step { kind[page] == DIRTY -> kind[page] = WRITING };
     stored[page] = false;
     if
     :: kind[page] = CLEAN
     :: kind[page] = DIRTY; summary_set() /* failed, or open somewhere */
     fi
  :: else
  fi
}

proctype Process(byte page) {
  byte mine;
  mark(page);
  stored[page] = (kind[page] == DIRTY);
  if
  :: dirty -> write_page(0); write_page(1); settle()
  :: !dirty -> assert(kind[page] == CLEAN || !stored[page])
  fi
}

/* It may be one that trusts the summary and nothing else. */
active proctype Settler() {
  byte mine;
  settle()
}

#define IS_MISSING(page) (stored[page] && kind[page] >= DIRTY && !dirty)

active proctype Invariant() {
end:
  atomic { IS_MISSING(0) || IS_MISSING(1) -> assert(false) }
}

init {
  atomic {
    run Process(0);
    run Process(1)
  }
}
