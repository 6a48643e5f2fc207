/* atomic.pml - syncs of an atomic section, kills and power cuts.
 *
 * Program 0 syncs, twice: all pages of the file get the sync's number.  Program 1 maps the file
 * meanwhile, and may then write it itself, as plain programs do: 3.  Both may be killed, and the
 * machine may lose its power, between any two steps, also while a journal is replayed; they start again
 * then.  What was written and not flushed is on storage or not, each piece and each name by itself.  A
 * call may fail.  Who maps the file finds it as it was before a sync or after it; after each that has
 * returned.
 *
 * Followed: backing/journal.c, backing/atomic.c (in_gate), section/kind.c (settle).  Stores aren't
 * here: what a sync writes is what its journal has.
 *
 * Large: -DCRASHES=4 -DFAILURES=2
 * Mutants: each must be rejected.
 *   NO_FLUSH_JOURNAL     the file is written before the journal's contents are on storage
 *   NO_FLUSH_NAME        ... before its name is
 *   NO_FLUSH_FILE        the journal is removed before the file is on storage
 *   NO_FLUSH_REPLAYED    the same, of who replays
 *   REPLAYED_AT_ONCE     who replays a journal doesn't flush it first
 *   REMOVED_ONLY         a journal is whole until its name goes, which is flushed
 *   NO_FLUSH_REMOVAL     that a journal isn't whole any more is on storage after its name has gone
 *   REMOVED_FIRST        ... before the file is written
 *   NO_SUM_OF_PAGES      a journal counts as whole whose header is
 *   NO_SUM               ... if it is there
 *   FROM_MEMORY          what is written to the file is the memory of the moment, not the journal
 *   FAILED_IS_REMOVED    a journal that couldn't be written to the file is removed
 *   KEPT_IF_NOT_WHOLE    one that isn't whole stays
 *   NO_GATE              who maps doesn't wait for who syncs
 *   SYNC_FIRST           a sync doesn't look for a journal first
 */
#define SYNCS 2
#define PLAIN 3
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef FAILURES
#define FAILURES 1
#endif

/* As programs see it, and on storage. */
byte file[2], stored_file[2];
byte name, stored_name; /* whose journal has it */
typedef journal {
  byte page[2], header; /* its checksums are those of pages that are as it says */
  byte stored_page[2], stored_header
}
journal journals[SYNCS + 1];

byte gate;            /* whose it is: program + 1 */
bool crashed[2];
byte syncs;           /* begun */
byte sure, pending;   /* the last that has returned; one that hasn't, or failed */
byte crashes = CRASHES, failures = FAILURES; /* still to come */

inline may_fail() {
  if
  :: true
  :: d_step { failures > 0 -> failures--; error = true }
  fi
}

#ifdef NO_SUM
#define IS_WHOLE(j) true
#else
#ifdef NO_SUM_OF_PAGES
#define IS_WHOLE(j) (journals[j].header == j)
#else
#define IS_WHOLE(j)                                                                                \
  (journals[j].header == j && journals[j].page[0] == j && journals[j].page[1] == j)
#endif
#endif

/* Whoever is killed in between, and loses the name, leaves nothing on storage that is whole. */
inline take_away() {
#ifdef REMOVED_ONLY
  name = 0;
  stored_name = name
#else
  journals[j].header = 0;
#ifndef NO_FLUSH_REMOVAL
  journals[j].stored_header = 0;
#endif
  name = 0
#endif
}

#ifdef FROM_MEMORY
inline write_file(i) {
  if
  :: file[i] = journals[j].page[i]
  :: file[i] = PLAIN + 1
  fi
}
#else
inline write_file(i) { file[i] = journals[j].page[i] }
#endif

inline flush_file() { d_step { stored_file[0] = file[0]; stored_file[1] = file[1] } }

inline flush_journal() {
  d_step {
    journals[j].stored_page[0] = journals[j].page[0];
    journals[j].stored_page[1] = journals[j].page[1];
    journals[j].stored_header = journals[j].header
  };
#ifndef NO_FLUSH_NAME
  stored_name = name /* flush_names */
#else
  skip
#endif
}

inline carry_out(replayed) {
#ifdef REMOVED_FIRST
  take_away();
#endif
  write_file(0);
  may_fail();
  if
  :: !error ->
     write_file(1);
#ifndef NO_FLUSH_FILE
#ifdef NO_FLUSH_REPLAYED
     if
     :: !replayed -> flush_file()
     :: else
     fi;
#else
     flush_file();
#endif
#endif
     take_away()
  :: else ->
#ifdef FAILED_IS_REMOVED
     take_away()
#endif
  fi
}

/* journal_replay; and what is found then */
inline replay() {
  j = name;
  if
  :: j && IS_WHOLE(j) ->
#ifndef REPLAYED_AT_ONCE
     flush_journal();
#endif
     carry_out(true)
  :: j && !IS_WHOLE(j) ->
#ifndef KEPT_IF_NOT_WHOLE
     take_away()
#endif
  :: else
  fi;
  if
  :: !error ->
     d_step {
       assert(file[0] == file[1]);
       assert(file[0] == sure || (pending && file[0] == pending));
       sure = file[0];
       pending = 0
     }
  :: else
  fi
}

/* journal_write */
inline write_journal() {
  d_step { syncs++; j = syncs; pending = j };
  assert(name == 0); /* O_EXCL */
  name = j;
  journals[j].page[0] = j;
  journals[j].page[1] = j;
  journals[j].header = j;
  may_fail();
  if
  :: !error ->
#ifndef NO_FLUSH_JOURNAL
     flush_journal();
#endif
     carry_out(false);
     if
     :: !error -> d_step { sure = j; pending = 0 }
     :: else
     fi
  :: else ->
     take_away();
     d_step { pending = 0 }
  fi
}

inline take_gate() {
  atomic { gate == 0 -> gate = id + 1 };
  error = false
}
inline drop_gate() { d_step { gate = 0; error = false; j = 0 } }

inline map_file() {
#ifndef NO_GATE
  take_gate();
#endif
  replay();
  if
  :: id == 1 && !error -> /* at once; a mix of its own making is nobody's concern */
     d_step { file[0] = PLAIN; file[1] = PLAIN; flush_file(); sure = PLAIN }
  :: true
  fi;
#ifndef NO_GATE
  drop_gate()
#endif
}

inline sync() {
  take_gate();
#ifndef SYNC_FIRST
  replay();
#endif
  if
  :: !error -> write_journal()
  :: else
  fi;
  drop_gate()
}

proctype Program(bit id) {
  byte j;
  bool error;
again:
  {
    map_file();
    do
    :: id == 0 && syncs < SYNCS -> sync()
    :: else -> break
    od;
end_maps:
    false
  } unless { d_step { crashed[id] -> crashed[id] = false; j = 0; error = false } };
  goto again
}

/* What wasn't flushed is on storage, or isn't. */
inline settle(there, on_storage) {
  if
  :: there != on_storage -> on_storage = there
  :: there = on_storage
  fi
}

inline cut_power() {
  settle(file[0], stored_file[0]);
  settle(file[1], stored_file[1]);
  settle(name, stored_name);
  i = 1;
  do
  :: i <= SYNCS ->
     settle(journals[i].page[0], journals[i].stored_page[0]);
     settle(journals[i].page[1], journals[i].stored_page[1]);
     settle(journals[i].header, journals[i].stored_header);
     i++
  :: else -> i = 0; break
  od;
  gate = 0;
  crashed[0] = true;
  crashed[1] = true
}

inline kill(id) {
  crashed[id] = true;
  gate = (gate == id + 1 -> 0 : gate)
}

proctype Crashes() {
  byte i;
  do
  :: atomic { crashes > 0 && !crashed[0] && !crashed[1] -> crashes--; cut_power() }
  :: atomic { crashes > 0 && !crashed[0] && !crashed[1] -> crashes--; kill(0) }
  :: atomic { crashes > 0 && !crashed[0] && !crashed[1] -> crashes--; kill(1) }
  :: crashes = 0; break
  od
}

init {
  atomic {
    run Program(0);
    run Program(1);
    run Crashes()
  }
}
