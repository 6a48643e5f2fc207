/* sweep.pml - making a section, and sweeping away what killed makers left half made.
 *
 * A maker makes a directory under a passing name, claims the first lane in it, gives it its name, uses
 * it and goes; it may be killed between two steps.  A member may join what has its name, and stays.
 * Another maker sweeps: it may be held up between two steps for as long as it takes.
 *
 * Followed: section/files.c (files_make, make_control, sweep, is_named), section/lane.c (claim).
 *
 * Large: -DMAKERS=3
 * Mutants: each must be rejected.
 *   NAME_NOT_ASKED     who sweeps doesn't look whether the directory still has its passing name
 *   NAME_ASKED_FIRST   it looks before it has the lane
 *   LANE_NOT_TAKEN     it sweeps without the lane
 *   NAMED_WITHOUT_LANE a maker that didn't get the first lane goes on all the same
 */
#ifndef MAKERS
#define MAKERS 2
#endif
#define NOBODY 9
#define SWEEPER 8

mtype = { none, passing, named };

mtype name[3] = none;    /* of each maker's directory */
byte lane[3] = NOBODY;   /* whose its first lane is */
bool files[3];           /* are they there? */
bool joined[3];          /* somebody else uses it, and stays */
byte kills = 1;

#define CAN_MAKE (name[0] != named && name[1] != named && name[2] != named)

proctype maker(byte d) {
  bool has;
end:
  do
  :: CAN_MAKE && name[d] == none ->
     atomic { name[d] = passing; files[d] = true };
     d_step { has = (lane[d] == NOBODY); if :: has -> lane[d] = d :: else fi };
     if
#ifndef NAMED_WITHOUT_LANE
     :: !has -> atomic { if :: name[d] == passing -> name[d] = none; files[d] = false :: else fi }
#endif
#ifdef NAMED_WITHOUT_LANE
     :: true ->
#else
     :: has ->
#endif
        d_step { /* rename: another one may have been faster, or it was swept away */
          if
          :: CAN_MAKE && name[d] == passing && files[d] -> name[d] = named
          :: else
          fi
        };
        if
        :: name[d] == named && !joined[d] -> /* the last one: it goes with its directory */
           d_step { if :: !joined[d] -> files[d] = false; name[d] = none :: else fi }
        :: name[d] == named
        :: name[d] == passing -> name[d] = none; files[d] = false
        :: name[d] == none
        fi;
        d_step { if :: lane[d] == d -> lane[d] = NOBODY :: else fi } /* left, joined or not */
     :: kills > 0 -> d_step { kills--; if :: lane[d] == d -> lane[d] = NOBODY :: else fi };
        break
     fi
  od
}

/* Who joins makes sure that the directory isn't being removed (life.pml). */
proctype member() {
  byte d;
end:
  do
  :: d_step { d < MAKERS && name[d] == named && files[d] && !joined[d] -> joined[d] = true }
  :: d < MAKERS -> d++
  :: d > 0 -> d--
  od
}

proctype sweeper(byte d) {
  bool has, is_passing;
end:
  do
  :: name[d] == passing -> /* opens it */
     is_passing = true;
#ifdef NAME_ASKED_FIRST
     is_passing = (name[d] == passing);
#endif
#ifdef LANE_NOT_TAKEN
     has = true;
#else
     d_step { has = (lane[d] == NOBODY); if :: has -> lane[d] = SWEEPER :: else fi };
#endif
#if !defined(NAME_NOT_ASKED) && !defined(NAME_ASKED_FIRST)
     is_passing = (name[d] == passing);
#endif
     if
     :: has && is_passing ->
        files[d] = false; /* through its descriptor, whatever its name */
        assert(!joined[d]);
        d_step { if :: name[d] == passing -> name[d] = none :: else fi }
     :: else
     fi;
     d_step { if :: lane[d] == SWEEPER -> lane[d] = NOBODY :: else fi };
     has = false
  od
}

init {
  byte d;
  atomic {
    for (d : 0 .. MAKERS - 1) { run maker(d); run sweeper(d) }
    run member()
  }
}
