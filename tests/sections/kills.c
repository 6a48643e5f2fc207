/* kills.c - a process killed at every call of the host during sync, fill, growth, join and leave, with
 * a survivor and without. Afterwards, when the survivor has synced, or what was left was recovered,
 * the file is what the section was, stores that nobody had synced included.
 *
 * The same with a stop in place of the kill: the other one goes on meanwhile, syncs and leaves; then
 * the stopped one goes on, and nothing is lost.
 */
#include "sections.h"

enum { PAGES = 8, MORE_PAGES = 12, CALLS_MAX = 60 };

static char path[T_PATH];
static int fd;
static unsigned char *want; /* what the file must hold in the end */
static size_t want_size;
static unsigned char value; /* of this round */

static void
want_byte(size_t offset, unsigned char byte) {
  want[offset] = byte;
}

/* ---- What the victim is killed in -------------------------------------------------------------- */

static intmax_t
act_sync(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  return msync(stranger_at, t_pages(PAGES), MS_SYNC);
}

static intmax_t
act_fill(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  for (size_t page = 0; page < PAGES; page++)
    (void)GET(stranger_at + t_pages(page));
  return 0;
}

static intmax_t
act_grow(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  return GET(stranger_at + t_pages(PAGES + 2));
}

static intmax_t
act_shrink(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  return msync(stranger_at, t_pages(1), MS_ASYNC);
}

static intmax_t
act_leave(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  return munmap(stranger_at, stranger_len);
}

static intmax_t
act_join(intmax_t a, intmax_t b, const char *name) {
  (void)a;
  (void)b;
  return stranger_map(MORE_PAGES, S_SHARED, name);
}

static const struct act {
  const char *name;
  t_service *run;
  const char *fill;
} act_sync_row = { "sync", act_sync, "fill=whole" },
  act_fill_row = { "fill", act_fill, "fill=touch" },
  act_grow_row = { "grow", act_grow, "fill=whole" },
  act_shrink_row = { "shrink", act_shrink, "fill=whole" },
  act_leave_row = { "leave", act_leave, "fill=whole" },
  act_join_row = { "join", act_join, "fill=whole" };

/* The armed part: the rule holds for this call alone. */
static t_service *const acts[] = { act_sync, act_fill, act_grow, act_shrink, act_leave, act_join };

enum { STOP = 1 << 17 };

static intmax_t
act_armed(intmax_t site_and_act, intmax_t nth, const char *text) {
  intmax_t result;

  if ((nth & STOP) != 0)
    (void)stranger_arm_stop(site_and_act & 0xff, nth & ~STOP, NULL);
  else
    (void)stranger_arm_kill(site_and_act & 0xff, nth, NULL);
  result = acts[site_and_act >> 8](0, 0, text);
  inject_disarm();
  return result;
}

static intmax_t
act_number(const struct act *act) {
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
    if (acts[i] == act->run)
      return (intmax_t)i;
  return -1;
}

/* ---- One kill -------------------------------------------------------------------------------- */

static void
new_file(void) {
  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  want_size = t_pages(PAGES);
  T_EQ(pread(fd, want, want_size, 0), want_size);
  value++;
}

/* A store that stays in memory until somebody syncs. */
static void
stores(const struct t_stranger *s, size_t offset, unsigned char byte) {
  T_OK(t_ask(T_HERE, s, stranger_store, (intmax_t)offset, byte, NULL));
  want_byte(offset, byte);
}

static void
grow_file(void) {
  T_OK(ftruncate(fd, (off_t)t_pages(MORE_PAGES)));
  memset(want + want_size, 0, t_pages(MORE_PAGES) - want_size);
  want_size = t_pages(MORE_PAGES);
}

/* By its last page, which is dirty, and a part of the one before. */
static void
shrink_file(void) {
  want_size = t_pages(PAGES - 1) - 100;
  T_OK(ftruncate(fd, (off_t)want_size));
}

static void
resize_file(const struct act *act) {
  if (act->run == act_grow)
    grow_file();
  else if (act->run == act_shrink)
    shrink_file();
}

/* Was it killed? */
static bool
act_and_die(struct t_stranger *victim, const struct act *act, intmax_t site, intmax_t nth) {
  intmax_t result;

  t_ask_begin(T_HERE, victim, act_armed, site | act_number(act) << 8, nth, path);
  if (t_answered(victim, &result)) {
    T_CHECK(result >= 0);
    return false;
  }
  T_REAP(victim->pid, T_KILLED(SIGKILL));
  (void)close(victim->fd);
  return true;
}

static void
file_is_as_wanted(void) {
  T_FILE_SIZE(fd, want_size);
  T_FILE_EQUALS(fd, 0, want, want_size);
}

static void
memory_is_as_wanted(const struct t_stranger *s) {
  for (size_t page = 0; page < PAGES && t_pages(page) < want_size; page++)
    T_EQ(S_LOAD(*s, t_pages(page) + 10), want[t_pages(page) + 10]);
}

/* What was cut off comes back as zeros. */
static void
file_grows_again(const struct t_stranger *s) {
  grow_file();
  T_OK(S_SYNC(*s));
  T_EQ(S_LOAD(*s, t_pages(PAGES - 1) + 10), 0);
  T_EQ(S_LOAD(*s, t_pages(PAGES - 1) - 1), 0);
  stores(s, t_pages(PAGES - 1) + 9, value);
}

/* Somebody else is in the section all the time. */
static void
survivor_goes_on(const struct act *act, const struct t_stranger *survivor) {
  if (act->run != act_shrink) /* of which it doesn't know yet */
    memory_is_as_wanted(survivor);
  stores(survivor, t_pages(5) + 20, value);
  T_OK(S_SYNC(*survivor));
  file_is_as_wanted();
  memory_is_as_wanted(survivor);
  if (act->run == act_shrink)
    file_grows_again(survivor);
  stores(survivor, t_pages(6) + 21, value);
  T_OK(S_UNMAP(*survivor));
  file_is_as_wanted();
}

/* Nobody is. A file that had changed behind softmap's back is only written to if somebody says so;
 * what was cut off unnoticed then comes back. */
static void
rest_is_recovered(const struct act *act, const struct t_stranger *next) {
  struct softmap_section section;
  ssize_t n = softmap_sections(&section, 1);

  T_CHECK(n == 0 || n == 1);
  if (n == 1 && softmap_recover(section.name, NULL) != 0) {
    T_EQ(errno, ECANCELED);
    T_CHECK((act->run == act_grow || act->run == act_shrink) &&
            (section.flags & SOFTMAP_SECTION_CHANGED) != 0);
    if (act->run == act_shrink && section.size > want_size)
      want_size = (size_t)section.size;
    T_OK(recover_with(section.name, 0, NULL, path));
  }
  file_is_as_wanted();
  /* What a maker left half-made isn't a section: who maps next sweeps it away. */
  T_OK(S_MAP(*next, path, MORE_PAGES, S_SHARED));
  T_OK(S_UNMAP(*next));
  file_is_as_wanted();
}

/* False: the act made fewer calls of this site. */
static bool
one_kill(const struct act *act, bool with_survivor, intmax_t site, intmax_t nth,
         const struct t_stranger *survivor) {
  struct t_stranger victim = t_stranger();
  bool killed;

  new_file();
  T_OK(S_CONFIGURE(victim, act->fill));
  if (with_survivor) {
    T_OK(S_MAP(*survivor, path, MORE_PAGES, S_SHARED));
    stores(survivor, t_pages(1) + 10, value);
  }
  if (act->run != act_join) {
    T_OK(S_MAP(victim, path, MORE_PAGES, S_SHARED));
    for (size_t page = 0; page < PAGES; page += act->run == act_fill ? PAGES : 2)
      stores(&victim, t_pages(page) + 10, value);
    stores(&victim, t_pages(1) + 11, value);
    stores(&victim, t_pages(PAGES - 1) + 11, value);
  }
  resize_file(act); /* which softmap is to find out */
  killed = act_and_die(&victim, act, site, nth);
  if (!killed)
    T_DISMISS(victim);
  if (with_survivor)
    survivor_goes_on(act, survivor);
  else
    rest_is_recovered(act, survivor);
  (void)close(fd);
  return killed;
}

static bool
kill_with_survivor(const struct act *act, intmax_t site, intmax_t nth,
                   const struct t_stranger *survivor) {
  return one_kill(act, true, site, nth, survivor);
}

static bool
kill_alone(const struct act *act, intmax_t site, intmax_t nth, const struct t_stranger *next) {
  return one_kill(act, false, site, nth, next);
}

/* ---- Stops ----------------------------------------------------------------------------------- */

/* Was it stopped? Otherwise it has answered. */
static bool
act_and_stop(const struct t_stranger *victim, const struct act *act, intmax_t site, intmax_t nth) {
  t_ask_begin(T_HERE, victim, act_armed, site | act_number(act) << 8, nth | STOP, path);
  return T_HAS_STOPPED(*victim);
}

static bool
one_stop(const struct act *act, intmax_t site, intmax_t nth, const struct t_stranger *survivor) {
  struct t_stranger victim = t_stranger();
  bool stopped;

  new_file();
  T_OK(S_CONFIGURE(victim, act->fill));
  T_OK(S_MAP(*survivor, path, MORE_PAGES, S_SHARED));
  stores(survivor, t_pages(1) + 10, value);
  if (act->run != act_join) {
    T_OK(S_MAP(victim, path, MORE_PAGES, S_SHARED));
    for (size_t page = 0; page < PAGES; page += act->run == act_fill ? PAGES : 2)
      stores(&victim, t_pages(page) + 10, value);
  }
  stopped = act_and_stop(&victim, act, site, nth);
  survivor_goes_on(act, survivor);
  if (stopped)
    T_OK(kill(victim.pid, SIGCONT));
  T_CHECK(t_answer(T_HERE, &victim) >= 0);
  file_is_as_wanted();
  if (act->run != act_leave) {
    memory_is_as_wanted(&victim);
    stores(&victim, t_pages(3) + 22, value);
    T_OK(S_UNMAP(victim));
  }
  file_is_as_wanted();
  T_DISMISS(victim);
  (void)close(fd);
  return stopped;
}

/* ---- Everywhere ------------------------------------------------------------------------------ */

typedef bool t_meet(const struct act *act, intmax_t site, intmax_t nth,
                    const struct t_stranger *survivor);

/* make check takes every third call, of each site another first one. */
static intmax_t
stride(void) {
  return engine_scale(3, 1, 1);
}

/* `one` at every call of every site, before the call and, if `twice`, after it.  How often it
 * happened. */
static unsigned
everywhere(const struct act *act, t_meet *one, bool twice) {
  struct t_stranger survivor = t_stranger();
  unsigned rounds = 0;
  unsigned count = 0;

  t_limit_this_process(600);
  want = malloc(t_pages(MORE_PAGES));
  T_CHECK(want != NULL);
  for (intmax_t site = 0; site < HOST_CALL_COUNT; site++)
    for (intmax_t i = 1 + site % stride(); i < (twice ? 2 : 1) * CALLS_MAX; i += stride()) {
      intmax_t nth = twice ? (i + 1) / 2 | (i % 2 != 0 ? 0 : KILL_AFTER) : i;

      if (++rounds % 64 == 0) { /* a new one before its time is up */
        T_DISMISS(survivor);
        survivor = t_stranger();
      }
      if (!one(act, site, nth, &survivor))
        break;
      count++;
      T_NOTHING_LEFT();
    }
  T_DISMISS(survivor);
  return count;
}

static void
kill_everywhere(const struct act *act, bool with_survivor) {
  unsigned killed = everywhere(act, with_survivor ? kill_with_survivor : kill_alone, true);

  t_note("%s: killed %u times", act->name, killed);
  T_CHECK(killed >= 3);
}

static void
stop_everywhere(const struct act *act) {
  unsigned stopped = everywhere(act, one_stop, false);

  t_note("%s: stopped %u times", act->name, stopped);
  T_CHECK(stopped >= 1);
}

#define STOPPED(act)                                                                               \
  static void act##_stopped(void) {                                                                \
    stop_everywhere(&act_##act##_row);                                                             \
  }
STOPPED(sync)
STOPPED(fill)
STOPPED(leave)
STOPPED(join)

#define BOTH(act)                                                                                  \
  static void act##_survived(void) {                                                               \
    kill_everywhere(&act_##act##_row, true);                                                       \
  }                                                                                                \
  static void act##_recovered(void) {                                                              \
    kill_everywhere(&act_##act##_row, false);                                                      \
  }
BOTH(sync)
BOTH(fill)
BOTH(grow)
BOTH(shrink)
BOTH(leave)
BOTH(join)

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(sync_survived),   T_CASE_MAPS_NOTHING(sync_recovered),
  T_CASE_MAPS_NOTHING(fill_survived),   T_CASE_MAPS_NOTHING(fill_recovered),
  T_CASE_MAPS_NOTHING(grow_survived),   T_CASE_MAPS_NOTHING(grow_recovered),
  T_CASE_MAPS_NOTHING(shrink_survived), T_CASE_MAPS_NOTHING(shrink_recovered),
  T_CASE_MAPS_NOTHING(leave_survived),  T_CASE_MAPS_NOTHING(leave_recovered),
  T_CASE_MAPS_NOTHING(join_survived),   T_CASE_MAPS_NOTHING(join_recovered),
  T_CASE_MAPS_NOTHING(sync_stopped),    T_CASE_MAPS_NOTHING(fill_stopped),
  T_CASE_MAPS_NOTHING(leave_stopped),   T_CASE_MAPS_NOTHING(join_stopped),
};
T_MAIN(cases)
