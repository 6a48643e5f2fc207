/* kills.c - a process killed at every call of the host during an atomic sync, and while it leaves.
 *
 * Whoever maps the file next, plainly or not, finds it as it was before the sync or after it, in
 * memory too; stores that nobody had synced are gone. With a survivor: what it stored itself is
 * there after its next sync, and of the victim's sync all or nothing.
 */
#include "atomic.h"

enum { PAGES = 8, CALLS_MAX = 60 };

static char path[T_PATH];
static int fd;
static size_t size;
static unsigned char before[PAGES << 16], after[PAGES << 16];

/* ---- The victim ------------------------------------------------------------------------------ */

static intmax_t
act_sync(void) {
  return msync(stranger_at, stranger_len, MS_SYNC);
}

static intmax_t
act_leave(void) {
  return munmap(stranger_at, stranger_len);
}

static intmax_t (*const acts[])(void) = { act_sync, act_leave };

static intmax_t
act_armed(intmax_t site_and_act, intmax_t nth, const char *text) {
  intmax_t result;

  (void)stranger_arm_kill(site_and_act & 0xff, nth, text);
  result = acts[site_and_act >> 8]();
  inject_disarm();
  return result;
}

static bool
killed_at(struct t_stranger *victim, intmax_t act, intmax_t site, intmax_t nth) {
  intmax_t result;

  t_ask_begin(T_HERE, victim, act_armed, site | act << 8, nth, NULL);
  if (t_answered(victim, &result)) {
    T_EQ(result, 0);
    return false;
  }
  T_REAP(victim->pid, T_KILLED(SIGKILL));
  (void)close(victim->fd);
  return true;
}

/* ---- What is stored -------------------------------------------------------------------------- */

static void
store(const struct t_stranger *s, size_t offset, unsigned char value) {
  T_OK(t_ask(T_HERE, s, stranger_store, (intmax_t)offset, value, NULL));
}

/* Synced, and then the stores that are all to come together, or not at all. */
static struct t_stranger
victim_at_work(void) {
  struct t_stranger victim;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES) - 900);
  size = t_pages(PAGES) - 900;
  victim = atomic_stranger(path, PAGES);
  store(&victim, 5, 's');
  store(&victim, t_pages(3) + 5, 's');
  T_OK(S_SYNC(victim));
  T_EQ(pread(fd, before, size, 0), size);
  memcpy(after, before, size);
  for (size_t page = 0; page < PAGES; page += page == 2 ? 3 : 1) {
    store(&victim, t_pages(page) + 10, 'v');
    after[t_pages(page) + 10] = 'v';
  }
  return victim;
}

static void
file_is(const unsigned char *want) {
  T_FILE_SIZE(fd, size);
  T_FILE_EQUALS(fd, 0, want, size);
}

static const unsigned char *
which_state(const unsigned char *memory) {
  if (memcmp(memory, before, size) == 0)
    return before;
  if (memcmp(memory, after, size) != 0) {
    for (size_t i = 0; i < size; i++)
      if (memory[i] != before[i] && memory[i] != after[i])
        t_note("byte %zu of page %zu is neither: %#x", i % t_page_size(), i / t_page_size(),
               memory[i]);
      else if (before[i] != after[i])
        t_note("page %zu: %s", i / t_page_size(), memory[i] == after[i] ? "after" : "before");
    t_fail(T_HERE, "a mix");
  }
  return after;
}

/* ---- Nobody is left -------------------------------------------------------------------------- */

static struct tally { unsigned killed, before, after; } tally;

static void
count(const unsigned char *state) {
  tally.before += state == before;
  tally.after += state == after;
}

/* In turn: mapped plainly, atomically, or recovered. */
static void
next_finds(void) {
  static unsigned turn;
  static unsigned char memory[PAGES << 16];
  const unsigned char *state;
  unsigned char *p;

  if (++turn % 3 == 0)
    (void)recover_all(T_HERE);
  p = T_MAP(NULL, t_pages(PAGES), RW, turn % 3 == 1 ? ATOMIC : MAP_SHARED, fd, 0);
  memcpy(memory, p, size);
  state = which_state(memory);
  file_is(state);
  count(state);
  PUT(p + t_pages(4), 'n');
  T_OK(munmap(p, t_pages(PAGES)));
  T_FILE_BYTE(fd, (off_t)t_pages(4), 'n');
  T_EQ(journals(path), 0);
}

static bool
one_kill(intmax_t act, intmax_t site, intmax_t nth) {
  struct t_stranger victim = victim_at_work();
  bool killed = killed_at(&victim, act, site, nth);

  if (killed)
    next_finds();
  else
    T_DISMISS(victim);
  (void)close(fd);
  return killed;
}

/* ---- Somebody is ----------------------------------------------------------------------------- */

/* It has stored to a page of its own before, and does again. */
static bool
one_kill_survived(intmax_t act, intmax_t site, intmax_t nth) {
  struct t_stranger victim = victim_at_work();
  struct t_stranger survivor = atomic_stranger(path, PAGES);
  static unsigned char memory[PAGES << 16];
  bool killed;

  store(&survivor, t_pages(4) + 7, 'w');
  killed = killed_at(&victim, act, site, nth);
  if (killed) {
    T_OK(S_SYNC(survivor));
    before[t_pages(4) + 7] = after[t_pages(4) + 7] = 'w';
    T_EQ(pread(fd, memory, size, 0), size);
    count(which_state(memory));
    T_EQ(S_LOAD(survivor, t_pages(1) + 10), memory[t_pages(1) + 10]);
    T_EQ(S_LOAD(survivor, t_pages(7) + 10), memory[t_pages(7) + 10]);
    store(&survivor, t_pages(1) + 11, 'x');
    T_OK(S_UNMAP(survivor));
    memory[t_pages(1) + 11] = 'x';
    file_is(memory);
    T_EQ(journals(path), 0);
  } else {
    T_DISMISS(victim);
  }
  T_DISMISS(survivor);
  (void)close(fd);
  return killed;
}

/* ---- Everywhere ------------------------------------------------------------------------------ */

/* make check takes every fourth call, of each site another first one; the two flushes and what lies
 * between them are few. */
static void
kill_everywhere(intmax_t act, bool (*one)(intmax_t, intmax_t, intmax_t)) {
  intmax_t stride = engine_scale(4, 1, 1);

  t_limit_this_process(600);
  for (intmax_t site = 0; site < HOST_CALL_COUNT; site++)
    for (intmax_t nth = 1 + site % stride; nth < 2 * CALLS_MAX; nth += stride) {
      if (!one(act, site, (nth + 1) / 2 | (nth % 2 != 0 ? 0 : KILL_AFTER)))
        break;
      tally.killed++;
      T_NOTHING_LEFT();
    }
  t_note("killed %u times: %u before, %u after", tally.killed, tally.before, tally.after);
  T_CHECK(tally.killed >= 12 && tally.before >= 3 && tally.after >= 3);
}

static void
sync_recovered(void) {
  kill_everywhere(0, one_kill);
}

static void
leave_recovered(void) {
  kill_everywhere(1, one_kill);
}

static void
sync_survived(void) {
  kill_everywhere(0, one_kill_survived);
}

static void
leave_survived(void) {
  kill_everywhere(1, one_kill_survived);
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(sync_recovered),
  T_CASE_MAPS_NOTHING(leave_recovered),
  T_CASE_MAPS_NOTHING(sync_survived),
  T_CASE_MAPS_NOTHING(leave_survived),
};
T_MAIN(cases)
