/* storm.c - the workers of kill_storm. */
#include "storm.h"

static struct storm *storm;
static unsigned me;
static struct t_random rng;
static unsigned char *at[FILES];
static int fds[FILES] = { -1, -1 };

static uint64_t
load_slot(unsigned file, unsigned page, unsigned owner) {
  return *(volatile uint64_t *)(void *)(at[file] + slot_offset(page, owner));
}

/* ---- The model ------------------------------------------------------------------------------- */

/* Memory has what was stored last. What is ours goes on from there. */
static void
check_memory(unsigned file, unsigned as_owner) {
  for (unsigned page = 0; page < PAGES; page++)
    for (unsigned owner = 0; owner < OWNERS; owner++) {
      struct note *note = &storm->notes[file][page][owner];
      uint64_t low = atomic_load(&note->done);
      uint64_t value = load_slot(file, page, owner);
      uint64_t high = atomic_load(&note->next);
      uint64_t count = slot_count(file, page, owner, value);

      if (count < low || count > high)
        t_fail(T_HERE, "worker %u: file %u page %u owner %u: memory has %#jx, wanted %ju to %ju",
               me, file, page, owner, (uintmax_t)value, (uintmax_t)low, (uintmax_t)high);
      if (owner == as_owner) {
        atomic_store(&note->next, count);
        atomic_store(&note->done, count);
      }
    }
}

static void
store(unsigned file, unsigned page, unsigned owner) {
  struct note *note = &storm->notes[file][page][owner];
  uint64_t count = atomic_load(&note->done) + 1;

  atomic_store(&note->next, count);
  *(volatile uint64_t *)(void *)(at[file] + slot_offset(page, owner)) =
      slot_value(file, page, owner, count);
  atomic_store(&note->done, count);
}

struct snapshot {
  uint64_t done[PAGES][OWNERS];
};

static void
take_snapshot(unsigned file, struct snapshot *s) {
  for (unsigned page = 0; page < PAGES; page++)
    for (unsigned owner = 0; owner < OWNERS; owner++)
      s->done[page][owner] = atomic_load(&storm->notes[file][page][owner].done);
}

static void
vouched(unsigned file, unsigned page, unsigned owner, const struct snapshot *s) {
  struct note *note = &storm->notes[file][page][owner];
  uint64_t old = atomic_load(&note->synced);

  while (old < s->done[page][owner] &&
         !atomic_compare_exchange_weak(&note->synced, &old, s->done[page][owner]))
    continue;
}

/* ---- What a worker does ---------------------------------------------------------------------- */

static void
map_file(unsigned file, unsigned owner) {
  fds[file] = t_open(storm->path[file], O_RDWR);
  at[file] = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fds[file], 0);
  check_memory(file, owner);
}

/* What we had stored is in the file now; what others stored needn't be. */
static void
unmap_file(unsigned file) {
  struct snapshot s;

  take_snapshot(file, &s);
  T_OK(munmap(at[file], t_pages(PAGES)));
  at[file] = NULL;
  (void)close(fds[file]);
  for (unsigned page = 0; page < PAGES; page++)
    vouched(file, page, me, &s);
}

/* A sync is for everybody's stores. */
static void
sync_pages(unsigned file, unsigned first, unsigned end) {
  struct snapshot s;

  take_snapshot(file, &s);
  T_OK(msync(at[file] + t_pages(first), t_pages(end - first),
             t_random_below(&rng, 3) == 0 ? MS_ASYNC : MS_SYNC));
  for (unsigned page = first; page < end; page++)
    for (unsigned owner = 0; owner < OWNERS; owner++)
      vouched(file, page, owner, &s);
}

static void
sync_some(unsigned file) {
  unsigned first = t_random_below(&rng, PAGES);

  if (t_random_below(&rng, 2) == 0)
    sync_pages(file, 0, PAGES);
  else
    sync_pages(file, first, first + 1 + t_random_below(&rng, PAGES - first));
}

static void
sync_all_files(void) {
  struct snapshot s[FILES];

  for (unsigned file = 0; file < FILES; file++)
    take_snapshot(file, &s[file]);
  T_OK(softmap_sync_all());
  for (unsigned file = 0; file < FILES; file++)
    for (unsigned page = 0; at[file] != NULL && page < PAGES; page++)
      for (unsigned owner = 0; owner < OWNERS; owner++)
        vouched(file, page, owner, &s[file]);
}

static void
store_some(unsigned file, unsigned owner) {
  for (unsigned n = 1 + t_random_below(&rng, 12); n > 0; n--)
    store(file, t_random_below(&rng, PAGES), owner);
}

/* The child has slots of its own, and ends in one way or another: killed, it may leave
 * a section behind that nobody else was in. */
static _Noreturn void
child(void) {
  unsigned owner = me + WORKERS;

  for (unsigned file = 0; file < FILES; file++)
    if (at[file] != NULL)
      check_memory(file, owner);
  for (unsigned n = t_random_below(&rng, 4); n > 0; n--) {
    unsigned file = t_random_below(&rng, FILES);

    if (at[file] == NULL)
      map_file(file, owner);
    store_some(file, owner);
    if (t_random_below(&rng, 3) == 0)
      sync_some(file);
  }
  switch (storm->is_proper ? 0 : t_random_below(&rng, 3)) {
  case 0:
    exit(0);
  case 1:
    (void)raise(SIGKILL);
    break;
  default:
    break;
  }
  _exit(0);
}

static void
fork_one(void) {
  pid_t parent = getpid();
  pid_t pid = fork();
  int status;

  if (pid == 0) {
    t_limit_this_process(50);
    if (getppid() != parent)
      _exit(0);
    (void)t_random_next(&rng);
    child();
  }
  if (pid < 0)
    t_fail(T_HERE, "fork: errno %d", errno);
  T_EQ(waitpid(pid, &status, 0), pid);
  if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0)
    t_fail(T_HERE, "the child of worker %u ended with status %#x", me, (unsigned)status);
}

static void
one_step(unsigned file) {
  unsigned dice = t_random_below(&rng, 100);
  enum storm_op op = dice < 50   ? OP_STORE
                     : dice < 68 ? OP_SYNC
                     : dice < 72 ? OP_SYNC_ALL
                     : dice < 84 ? OP_LOOK
                     : dice < 94 ? OP_UNMAP
                                 : OP_FORK;

  if (at[file] == NULL)
    op = OP_MAP;
  atomic_store(&storm->worker[me].op, (int)op);
  switch (op) {
  case OP_MAP:
    map_file(file, me);
    break;
  case OP_UNMAP:
    unmap_file(file);
    break;
  case OP_STORE:
    store_some(file, me);
    break;
  case OP_SYNC:
    sync_some(file);
    break;
  case OP_SYNC_ALL:
    sync_all_files();
    break;
  case OP_LOOK:
    check_memory(file, OWNERS);
    break;
  case OP_FORK:
    fork_one();
    break;
  case OP_START:
  case OP_END:
    break;
  }
}

intmax_t
storm_worker(intmax_t as, intmax_t id, const char *text) {
  (void)text;
  storm = t_common_of((int)id);
  me = (unsigned)as;
  rng.state = storm->worker[me].seed;
  T_OK(setpgid(0, 0));
  atomic_store(&storm->worker[me].has_group, true);
  T_OK(softmap_configure("fill", t_random_below(&rng, 2) == 0 ? "touch" : "whole"));
  while (!atomic_load(&storm->ends)) {
    one_step(t_random_below(&rng, FILES));
    atomic_fetch_add(&storm->worker[me].ops, 1);
  }
  for (unsigned file = 0; file < FILES; file++)
    if (at[file] != NULL)
      unmap_file(file);
  atomic_store(&storm->worker[me].op, OP_END);
  return 0;
}
