/* life.pml - joining a section and leaving it, without a lock, with kills.
 *
 * Three processes join, may store, and leave, again after others have, or end; any one may be killed
 * between two steps.  A section is removed only when nobody uses it and nothing in it is dirty; and it is
 * removed if nobody was killed.
 *
 * Followed: section/life.c (life_keep, remove_if_last, life_leave, life_end), section/lane.c
 * (lane_lock_free_one, lane_take_over, lane_enter), section/peers.c (lane_look), section/open.c
 * (release_job).
 *
 * Large: -DPROCESSES=3
 * Mutants: each must be rejected.
 *   LOOK_BEFORE_TOKEN  a leaver looks at the lanes before its token is in life
 *   KEEP_BEFORE_LANE   a joiner looks at life before its lane counts
 *   TOKEN_STAYS        a joiner leaves the token of a leaver alone
 *   DIRT_IGNORED       a leaver doesn't look for dirt
 *   BACK_WITHOUT_KEEP  a leaver that finds dirt goes back without looking at life
 *   END_STAYS          a process that ends stays until it is gone
 */
#define LIVE 0
#define REMOVED 1
#define TOKEN(p) (2 + p)
#ifndef PROCESSES
#define PROCESSES 2
#endif

byte life;
bool alive[3], leaving[3];
bool uses[3]; /* may have it mapped */
bool dirt;
bool killed[3], gone[3];
byte kills = 1;

#define IS_STAYING(q) (q != p && q < PROCESSES && alive[q] && !leaving[q])

inline keep() {
  d_step {
    if
#ifdef TOKEN_STAYS
    :: true
#else
    :: life >= 2 -> life = LIVE
    :: else
#endif
    fi;
    is_gone = (life == REMOVED)
  }
}

inline join(p) {
#ifdef KEEP_BEFORE_LANE
  keep();
#endif
  alive[p] = true;
  leaving[p] = false;
#ifndef KEEP_BEFORE_LANE
  keep();
#endif
  if
  :: is_gone -> alive[p] = false; goto out
  :: else -> uses[p] = true
  fi
}

/* 0 left, EBUSY left to others, EAGAIN dirt: `left` */
inline leave(p) {
  leaving[p] = true;
#ifdef LOOK_BEFORE_TOKEN
  others = IS_STAYING(0) || IS_STAYING(1) || IS_STAYING(2);
#endif
  if
  :: d_step { life != REMOVED -> life = TOKEN(p) };
#ifndef LOOK_BEFORE_TOKEN
     others = IS_STAYING(0);
     others = others || IS_STAYING(1);
     others = others || IS_STAYING(2);
#endif
#ifdef DIRT_IGNORED
     has_dirt = false;
#else
     has_dirt = dirt;
#endif
     if
     :: d_step { !others && !has_dirt && life == TOKEN(p) ->
           life = REMOVED;
           uses[p] = false;
           assert(!dirt && !uses[0] && !uses[1] && !uses[2]) }
     :: d_step { else ->
           if
           :: (others || has_dirt) && life == TOKEN(p) -> life = LIVE
           :: else
           fi };
        if
        :: !others && has_dirt ->
           leaving[p] = false;
#ifndef BACK_WITHOUT_KEEP
           keep();
#endif
           back = !is_gone
        :: else
        fi
     fi
  :: else
  fi
}

proctype Process(byte p) provided (!killed[p]) {
  bool others, has_dirt, is_gone, back;
  byte n;
  do
  :: n == 2 -> break
  :: n < 2 ->
     n++;
     join(p);
     uses[p] = true;
     do
     :: true -> /* maps, stores */
        uses[p] = true;
        if
        :: dirt = true
        :: true
        fi;
        dirt = false; /* release_job */
        uses[p] = false;
        back = false;
        leave(p);
        if
        :: !back -> break
        :: else /* another thread of it maps the file now, or it only writes and leaves */
        fi
     od;
#ifdef END_STAYS
     if
     :: is_gone || life == REMOVED
     :: else -> leaving[p] = false; keep()
     fi;
#endif
     alive[p] = false
  od;
out:
  gone[p] = true
}

active proctype Kill() {
  byte p;
  do
  :: kills > 0 ->
     kills--;
     select(p : 0 .. PROCESSES - 1);
     killed[p] = true;
     atomic { uses[p] = false; alive[p] = false }
  :: break
  od
}

init {
  byte p;
  atomic {
    do
    :: p < PROCESSES -> run Process(p); p++
    :: else -> break
    od
  };
  timeout;
  if
  :: gone[0] && gone[1] && (PROCESSES < 3 || gone[2]) -> assert(life == REMOVED)
  :: else
  fi
}
