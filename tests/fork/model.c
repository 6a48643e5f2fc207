/* model.c - softmap_dirty against a model: random stores, syncs, protections, splits, moves and
 * forks, in up to three processes that take turns.
 *
 * The model lives in memory that the processes share. For each page: is it dirty, and in which
 * processes is it open (a page open elsewhere is written by a sync, but stays dirty). Each process
 * has a work mapping, which is cut and moved about, and a second, whole one through which it asks.
 * With opening ahead a page may be closed early: then what was written while it seemed open elsewhere
 * may be clean; it may be open where nobody stored to it: then what another process stored stays
 * dirty; and stores that leave a page as it was need not be seen.
 */
#include "t_engine.h"

enum { PAGES = 48, PROCESSES = 3, STEPS = 60 };

struct model {
  bool dirty[PAGES];
  bool open[PROCESSES][PAGES];
  bool may_be_clean[PAGES]; /* written, and not stored to since */
  bool may_be_open[PAGES];  /* stored to while there were several processes */
  bool is_ahead, is_shared;
  unsigned char memory[PAGES]; /* first byte of the page */
  unsigned char file[PAGES];
  struct t_random random;
  unsigned step;
  char last[128]; /* what was done, for who reads a failure */
};

/* What a process has mapped of page i: where, or NULL, and may it be written? */
static struct {
  unsigned char *at;
  bool may_write;
} work[PAGES];

static struct model *model;
static unsigned char *whole;
static int fd;
static unsigned me;
static bool is_alive[PROCESSES];

static void
check(void) {
  struct softmap_range ranges[PAGES];
  bool got[PAGES] = { false };
  ssize_t n = softmap_dirty(whole, t_pages(PAGES), ranges, PAGES);

  T_CHECK(n >= 0);
  for (ssize_t i = 0; i < n; i++)
    for (size_t k = 0; k < ranges[i].length; k += t_page_size())
      got[((size_t)ranges[i].offset + k) / t_page_size()] = true;
  for (size_t i = 0; i < PAGES; i++) {
    bool is_free = got[i] ? model->may_be_open[i]
                          : model->may_be_clean[i] || model->memory[i] == model->file[i];

    if (got[i] != model->dirty[i] && !(model->is_ahead && is_free))
      t_fail(T_HERE, "step %u, process %u, after %s: page %zu is %sdirty", model->step, me,
             model->last, i, got[i] ? "" : "not ");
    if (GET(whole + t_pages(i)) != model->memory[i])
      t_fail(T_HERE, "step %u, process %u, after %s: page %zu holds %d, wanted %d", model->step, me,
             model->last, i, GET(whole + t_pages(i)), model->memory[i]);
  }
}

/* ---- The model's rules ----------------------------------------------------------------------- */

static void
closed(size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    model->open[me][i] = false;
}

static void
synced(size_t from, size_t to) {
  closed(from, to);
  for (size_t i = from; i < to; i++) {
    bool open_elsewhere = false;

    if (!model->dirty[i])
      continue;
    for (unsigned p = 0; p < PROCESSES; p++)
      open_elsewhere |= model->open[p][i];
    model->file[i] = model->memory[i];
    model->dirty[i] = open_elsewhere && !engine_is_exact();
    model->may_be_clean[i] = true;
  }
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static uint32_t
below(uint32_t n) {
  return t_random_below(&model->random, n);
}

static void
say(const char *what, size_t from, size_t to) {
  (void)snprintf(model->last, sizeof model->last, "%s of [%zu, %zu)", what, from, to);
}

/* A run of pages whose work mapping lies in one piece. */
static bool
some_run(size_t *from, size_t *to, size_t longest) {
  *from = below(PAGES);
  *to = *from + 1;
  if (work[*from].at == NULL)
    return false;
  while (*to < PAGES && *to - *from < longest && below(4) != 0 &&
         work[*to].at == work[*from].at + t_pages(*to - *from))
    ++*to;
  return true;
}

static void
store(void) {
  for (uint32_t n = 1 + below(6); n > 0; n--) {
    size_t i = below(PAGES);

    if (work[i].at == NULL || !work[i].may_write)
      continue;
    say("store", i, i + 1);
    do /* not as in the file again, which may count as no store */
      model->memory[i] = (unsigned char)(model->memory[i] + 1 + below(200));
    while (model->memory[i] == model->file[i]);
    PUT(work[i].at, model->memory[i]);
    model->dirty[i] = true;
    model->may_be_clean[i] = false;
    model->may_be_open[i] |= model->is_shared;
    model->open[me][i] = true;
  }
}

static void
sync_some(void) {
  static const int how[] = { MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE };
  size_t from;
  size_t to;

  if (!some_run(&from, &to, PAGES))
    return;
  say("msync", from, to);
  T_OK(msync(work[from].at, t_pages(to - from), how[below(3)]));
  synced(from, to);
}

static void
sync_whole(void) {
  say("msync through the other mapping", 0, PAGES);
  T_OK(msync(whole, t_pages(PAGES), MS_SYNC));
  synced(0, PAGES);
}

static void
protect(void) {
  size_t from;
  size_t to;
  bool write = below(2) == 0;

  if (!some_run(&from, &to, 8))
    return;
  say(write ? "mprotect to write" : "mprotect to read", from, to);
  T_OK(mprotect(work[from].at, t_pages(to - from), write ? RW : PROT_READ));
  for (size_t i = from; i < to; i++)
    work[i].may_write = write;
  if (!write)
    closed(from, to);
}

static void
unmap(void) {
  size_t from;
  size_t to;

  if (!some_run(&from, &to, 4))
    return;
  say("munmap", from, to);
  T_OK(munmap(work[from].at, t_pages(to - from)));
  for (size_t i = from; i < to; i++)
    work[i].at = NULL;
  synced(from, to);
}

static void
map_again(void) {
  size_t from = below(PAGES);
  size_t to = from;
  unsigned char *p;

  while (to < PAGES && work[to].at == NULL)
    to++;
  if (to == from)
    return;
  say("mmap", from, to);
  p = T_MAP(NULL, t_pages(to - from), RW, MAP_SHARED, fd, (off_t)t_pages(from));
  for (size_t i = from; i < to; i++) {
    work[i].at = p + t_pages(i - from);
    work[i].may_write = true;
  }
}

static void
map_over(void) {
  size_t from;
  size_t to;

  if (!some_run(&from, &to, 6))
    return;
  say("MAP_FIXED", from, to);
  (void)T_MAP(work[from].at, t_pages(to - from), RW, MAP_SHARED | MAP_FIXED, fd,
              (off_t)t_pages(from));
  for (size_t i = from; i < to; i++)
    work[i].may_write = true;
  synced(from, to);
}

/* mremap wants one mapping: protections and earlier cuts may have made it several. */
static void
move(void) {
  size_t from;
  size_t to;
  unsigned char *room;
  void *p;

  if (!some_run(&from, &to, 5))
    return;
  say("mremap", from, to);
  room = t_reserve(to - from);
  p = mremap(work[from].at, t_pages(to - from), t_pages(to - from), MREMAP_MAYMOVE | MREMAP_FIXED,
             room);
  if (p == MAP_FAILED) {
    T_EQ(errno, EFAULT);
    return;
  }
  closed(from, to);
  for (size_t i = from; i < to; i++)
    work[i].at = room + t_pages(i - from);
}

static void
one_step(void) {
  static void (*const steps[])(void) = { store, store,   store, sync_some, sync_whole,
                                         unmap, protect, move,  map_again, map_over };

  model->step++;
  steps[below(sizeof steps / sizeof *steps)]();
  check();
}

static void
some_steps(unsigned n) {
  while (n-- > 0)
    one_step();
}

/* ---- Processes ------------------------------------------------------------------------------- */

struct other {
  pid_t pid;
  struct t_meeting go, done;
};

static _Noreturn void
live(unsigned id, const struct other *other) {
  me = id;
  check();
  t_ping(&other->done);
  for (;;) {
    char byte;

    T_EQ(read(other->go.fd[0], &byte, 1), 1);
    if (byte == 'x')
      _exit(0);
    some_steps(4);
    t_ping(&other->done);
  }
}

static void
start_other(struct other *other, unsigned id) {
  other->go = t_meeting();
  other->done = t_meeting();
  say("fork", 0, PAGES);
  closed(0, PAGES); /* the prepare step closes all; they stay dirty */
  other->pid = t_fork();
  if (other->pid == 0)
    live(id, other);
  (void)close(other->go.fd[0]); /* so that a wait for one that failed ends */
  (void)close(other->done.fd[1]);
  t_wait(&other->done);
  is_alive[id] = true;
  check();
}

static void
end_other(struct other *other, unsigned id) {
  T_EQ(write(other->go.fd[1], "x", 1), 1);
  T_REAP(other->pid, T_EXITED(0));
  (void)close(other->go.fd[1]);
  (void)close(other->done.fd[0]);
  say("end of a process", 0, PAGES);
  memset(model->open[id], 0, sizeof model->open[id]);
  is_alive[id] = false;
  check();
}

static void
start(bool touch, bool ahead) {
  if (touch)
    T_OK(softmap_configure("fill", "touch"));
  if (!ahead)
    T_OK(softmap_configure("ahead", "0"));
  model = mmap(NULL, sizeof *model, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  T_CHECK(model != MAP_FAILED);
  model->random = t_random_start();
  model->is_ahead = ahead;
  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  for (size_t i = 0; i < PAGES; i++)
    model->memory[i] = model->file[i] = t_old_byte((off_t)t_pages(i));
  whole = T_MAP(NULL, t_pages(PAGES), PROT_READ, MAP_SHARED, fd, 0);
  map_again();
  for (size_t i = 0; i < PAGES; i++)
    if (work[i].at == NULL)
      map_again();
}

static void
finish(void) {
  T_OK(msync(whole, t_pages(PAGES), MS_SYNC));
  synced(0, PAGES);
  say("the last msync", 0, PAGES);
  check();
  for (size_t i = 0; i < PAGES; i++) {
    T_CHECK(!model->dirty[i]);
    T_FILE_BYTE(fd, (off_t)t_pages(i), model->memory[i]);
    T_FILE_OLD(fd, (off_t)t_pages(i) + 1, t_page_size() - 1);
  }
}

static void
one_process(void) {
  start(false, true);
  some_steps(engine_scale(2000, 20000, 200000));
  finish();
}

static void
one_process_filled_on_touch(void) {
  start(true, true);
  some_steps(engine_scale(1000, 10000, 100000));
  finish();
}

static void
in_turns(bool ahead) {
  struct other others[PROCESSES];

  start(false, ahead);
  model->is_shared = true;
  for (unsigned round = 0; round < engine_scale(STEPS, STEPS * 10, STEPS * 100); round++) {
    unsigned id = 1 + below(PROCESSES - 1);

    some_steps(2);
    if (!is_alive[id]) {
      start_other(&others[id], id);
    } else if (below(4) == 0) {
      end_other(&others[id], id);
    } else {
      T_EQ(write(others[id].go.fd[1], "g", 1), 1);
      t_wait(&others[id].done);
      check();
    }
  }
  for (unsigned id = 1; id < PROCESSES; id++)
    if (is_alive[id])
      end_other(&others[id], id);
  finish();
}

static void
processes_in_turns(void) {
  in_turns(false);
}

static void
processes_in_turns_opening_ahead(void) {
  in_turns(true);
}

static const struct t_case cases[] = {
  T_CASE(one_process),
  T_CASE(one_process_filled_on_touch),
  T_CASE(processes_in_turns),
  T_CASE(processes_in_turns_opening_ahead),
};
T_MAIN(cases)
