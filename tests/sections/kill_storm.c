/* kill_storm.c - unrelated processes store, sync, map, unmap and fork on the same files, and are
 * killed or stopped at random instants. Nothing that was synced is ever missing in the file, nothing
 * that was stored is lost, nobody hangs, nothing is left.
 *
 * T_SEED repeats the harness's choices (not the instants); T_KILLS sets the number; T_RECOVER is
 * recover or map, instead of by turns.
 */
#include "storm.h"

#include <sys/prctl.h>
#include <time.h>

enum { HANG_SECONDS = 15 };

static const char *const op_names[] = { "start",    "map",  "unmap", "store", "sync",
                                        "sync_all", "look", "fork",  "end" };

static struct storm *storm;
static int storm_id;
static struct t_random rng;
static int fds[FILES];
static struct t_stranger worker[WORKERS];
static struct {
  uint64_t ops;
  double since;
} seen[WORKERS];
static struct { unsigned kills, recovered, adopted, stops; } count;

static double
now(void) {
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static void
start(unsigned w) {
  storm->worker[w].seed = t_random_next(&rng);
  atomic_store(&storm->worker[w].op, OP_START);
  atomic_store(&storm->worker[w].has_group, false);
  worker[w] = t_stranger();
  t_ask_begin(T_HERE, &worker[w], storm_worker, w, storm_id, NULL);
  seen[w].since = now();
}

/* Its children come to us when it is gone; they die with it. */
static void
reap(unsigned w) {
  T_REAP(worker[w].pid, T_KILLED(SIGKILL));
  while (waitpid(-worker[w].pid, NULL, 0) > 0)
    continue;
  (void)close(worker[w].fd);
}

static void
kill_worker(unsigned w) {
  bool with_children = atomic_load(&storm->worker[w].has_group) && t_random_below(&rng, 3) == 0;

  T_OK(kill(with_children ? -worker[w].pid : worker[w].pid, SIGKILL));
  count.kills++;
}

/* Everybody who isn't excepted goes on, or the test fails. */
static void
look_for_hangs(unsigned except) {
  for (unsigned w = 0; w < WORKERS; w++) {
    uint64_t ops = atomic_load(&storm->worker[w].ops);

    if (ops != seen[w].ops || w == except) {
      seen[w].ops = ops;
      seen[w].since = now();
    } else if (now() - seen[w].since > HANG_SECONDS * t_slowness()) {
      if (except < WORKERS)
        t_note("worker %u (%d) is stopped: %s", except, (int)worker[except].pid,
               op_names[atomic_load(&storm->worker[except].op)]);
      t_fail(T_HERE, "worker %u (%d) hangs: %s", w, (int)worker[w].pid,
             op_names[atomic_load(&storm->worker[w].op)]);
    }
  }
}

/* The instants are random: there is nothing to wait for. */
static void
let_pass(void) {
  long us = (long)50 << t_random_below(&rng, 10);
  struct timespec t = { 0, (us + (long)t_random_below(&rng, (uint32_t)us)) * 1000 };

  (void)nanosleep(&t, NULL);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void
make_files(void) {
  for (unsigned file = 0; file < FILES; file++) {
    static const uint64_t zeros[OWNERS];

    fds[file] = t_tmpfile(storm->path[file], (off_t)t_pages(PAGES));
    for (unsigned page = 0; page < PAGES; page++)
      T_EQ(pwrite(fds[file], zeros, sizeof zeros, (off_t)slot_offset(page, 0)), sizeof zeros);
  }
}

struct limits {
  uint64_t low[PAGES][OWNERS], high[PAGES][OWNERS];
};

static void
check_page(unsigned file, unsigned page, const unsigned char *bytes, const struct limits *limits) {
  for (unsigned owner = 0; owner < OWNERS; owner++) {
    uint64_t value;
    uint64_t n;

    memcpy(&value, bytes + slot_offset(0, owner), sizeof value);
    n = slot_count(file, page, owner, value);
    if (n < limits->low[page][owner] || n > limits->high[page][owner])
      t_fail(T_HERE, "after %u kills: file %u page %u owner %u has %#jx, wanted %ju to %ju",
             count.kills, file, page, owner, (uintmax_t)value, (uintmax_t)limits->low[page][owner],
             (uintmax_t)limits->high[page][owner]);
  }
  T_MEM_OLD(bytes, SLOTS_AT, (off_t)t_pages(page));
  T_MEM_OLD(bytes + slot_offset(0, OWNERS), t_page_size() - slot_offset(0, OWNERS),
            (off_t)(t_pages(page) + slot_offset(0, OWNERS)));
}

/* all_stored: nobody is left, and all was written, not only what was synced. */
static void
check_file(unsigned file, bool all_stored) {
  static struct limits limits;
  unsigned char *bytes = malloc(t_pages(PAGES));

  T_CHECK(bytes != NULL);
  for (unsigned page = 0; page < PAGES; page++)
    for (unsigned owner = 0; owner < OWNERS; owner++) {
      struct note *note = &storm->notes[file][page][owner];

      limits.low[page][owner] = atomic_load(all_stored ? &note->done : &note->synced);
    }
  T_EQ(pread(fds[file], bytes, t_pages(PAGES), 0), t_pages(PAGES));
  for (unsigned page = 0; page < PAGES; page++)
    for (unsigned owner = 0; owner < OWNERS; owner++)
      limits.high[page][owner] = atomic_load(&storm->notes[file][page][owner].next);
  for (unsigned page = 0; page < PAGES; page++)
    check_page(file, page, bytes + t_pages(page), &limits);
  T_FILE_SIZE(fds[file], t_pages(PAGES));
  free(bytes);
}

static void
check_files(bool all_stored) {
  for (unsigned file = 0; file < FILES; file++)
    check_file(file, all_stored);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void
begin(bool is_proper) {
  rng = t_random_start();
  T_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  storm = t_common(sizeof *storm, &storm_id);
  storm->is_proper = is_proper;
  make_files();
  for (unsigned w = 0; w < WORKERS; w++)
    start(w);
}

static void
kill_all(void) {
  for (unsigned w = 0; w < WORKERS; w++)
    kill_worker(w);
  for (unsigned w = 0; w < WORKERS; w++)
    reap(w);
  check_files(false);
}

/* What they left is written by softmap_recover, or by who maps the files next. */
static void
recover(void) {
  const char *how = getenv("T_RECOVER");
  struct t_stranger next = t_stranger();

  if (how != NULL ? strcmp(how, "map") != 0 : t_random_below(&rng, 2) == 0) {
    count.recovered += (unsigned)T_RECOVER_ALL();
  } else {
    for (unsigned file = 0; file < FILES; file++) {
      T_OK(S_MAP(next, storm->path[file], PAGES, S_SHARED));
      T_OK(S_UNMAP(next));
      count.adopted++;
    }
  }
  T_SWEEP(next);
  T_DISMISS(next);
  check_files(true);
  T_NOTHING_LEFT();
}

static void
end(void) {
  uint64_t ops = 0;

  kill_all();
  recover();
  for (unsigned w = 0; w < WORKERS; w++)
    ops += atomic_load(&storm->worker[w].ops);
  t_note("%u kills, %u stops, %u sections recovered, %u left to who maps next, %ju steps",
         count.kills, count.stops, count.recovered, count.adopted, (uintmax_t)ops);
  T_CHECK(ops > 0);
}

static unsigned
how_many(unsigned ci, unsigned all, unsigned soak) {
  const char *given = getenv("T_KILLS");
  unsigned n = given != NULL ? (unsigned)strtoul(given, NULL, 0) : engine_scale(ci, all, soak);

  t_limit_this_process(60 + n);
  return n;
}

static void
killed_at_random_instants(void) {
  unsigned kills = how_many(300, 10000, 50000);

  begin(false);
  while (count.kills < kills) {
    unsigned w = t_random_below(&rng, WORKERS);

    let_pass();
    look_for_hangs(WORKERS);
    if (t_random_below(&rng, 16) == 0) {
      kill_all();
      if (t_random_below(&rng, 2) == 0)
        recover(); /* else the next to map does */
      for (w = 0; w < WORKERS; w++)
        start(w);
      continue;
    }
    kill_worker(w);
    reap(w);
    check_files(false);
    start(w);
  }
  end();
}

/* While one is stopped, all others go on: some steps each. */
static void
others_go_on(unsigned stopped) {
  uint64_t from[WORKERS];
  struct timespec moment = { 0, 500000 };

  for (unsigned w = 0; w < WORKERS; w++)
    from[w] = atomic_load(&storm->worker[w].ops);
  for (unsigned w = 0; w < WORKERS; w++)
    while (w != stopped && atomic_load(&storm->worker[w].ops) < from[w] + 30) {
      look_for_hangs(stopped);
      (void)nanosleep(&moment, NULL);
    }
}

static void
stopped_at_random_instants(void) {
  unsigned stops = how_many(80, 1000, 10000);

  begin(false);
  for (count.stops = 0; count.stops < stops; count.stops++) {
    unsigned w = t_random_below(&rng, WORKERS);

    let_pass();
    T_STOP(worker[w].pid);
    others_go_on(w);
    check_files(false);
    if (t_random_below(&rng, 3) == 0) {
      kill_worker(w);
      reap(w);
      start(w);
    } else {
      T_OK(kill(worker[w].pid, SIGCONT));
    }
  }
  end();
}

/* The control: nobody is killed, all leave as they should, and nothing needs recovering. */
static void
left_properly(void) {
  begin(true);
  others_go_on(WORKERS);
  others_go_on(WORKERS);
  atomic_store(&storm->ends, true);
  for (unsigned w = 0; w < WORKERS; w++) {
    T_EQ(t_answer(T_HERE, &worker[w]), 0);
    T_DISMISS(worker[w]);
  }
  T_EQ(softmap_sections(NULL, 0), 0);
  check_files(true);
  T_NOTHING_LEFT();
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(left_properly),
  T_CASE_MAPS_NOTHING(killed_at_random_instants),
  T_CASE_MAPS_NOTHING(stopped_at_random_instants),
};
T_MAIN(cases)
