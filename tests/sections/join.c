/* join.c - what happens when unrelated processes come to one section at the same time, fill one page,
 * and end in the middle of it.
 */
#include "sections.h"

enum { MEMBERS = 4, FILL_PAGES = 64 };

static char path[T_PATH];
static unsigned char *p;
static int fd;

/* ---- Open elsewhere -------------------------------------------------------------------------- */

static void
page_open_elsewhere_is_written_and_stays_dirty(void) {
  static const bool only_one[4] = { false, true, false, false };
  struct t_stranger s;

  T_OK(setenv("SOFTMAP_TRACKER", "fault", 1)); /* "watch" tells such pages apart */
  p = T_MAP_NEW(path, &fd, 4);
  s = T_STRANGER_WITH(path, 4, S_SHARED);
  T_OK(S_STORE(s, t_pages(1), 's'));
  PUT(p + t_pages(2), 'p');
  T_CHECK(open_elsewhere(p + t_pages(1)));
  T_CHECK(!open_elsewhere(p + t_pages(2)));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 's');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'p');
  engine_dirty_is(T_HERE, p, 4, only_one);
  T_OK(S_STORE(s, t_pages(1), 't')); /* no fault: it is open */
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 't');
  engine_dirty_is(T_HERE, p, 4, only_one);
  T_OK(S_SYNC(s)); /* control: its own sync closes it */
  T_CHECK(!open_elsewhere(p + t_pages(1)));
  T_NDIRTY(p, 4, 0);
  T_DISMISS(s);
}

/* ---- Fills ----------------------------------------------------------------------------------- */

struct race {
  struct barrier barrier;
  unsigned char padding[64];
};

static struct race *race;
static int race_id;

/* Every page is touched by both at once: one loads, the other stores, by turns. */
static void
touch_all(unsigned char *at, unsigned me) {
  for (unsigned i = 0; i < FILL_PAGES; i++) {
    volatile unsigned char *own = at + t_pages(i) + 8 + me;

    barrier_wait(&race->barrier, 2);
    if (i % 2 == me || i % 3 == 0)
      *own = (unsigned char)(100 + i);
    else
      (void)*own;
    barrier_wait(&race->barrier, 2);
    for (unsigned other = 0; other < 2; other++) {
      off_t offset = (off_t)t_pages(i) + 8 + other;
      bool stored = i % 2 == other || i % 3 == 0;

      T_EQ(at[offset], stored ? (unsigned char)(100 + i) : t_old_byte(offset));
    }
  }
}

static intmax_t
stranger_touches_all(intmax_t me, intmax_t id, const char *text) {
  (void)text;
  race = t_common_of((int)id);
  touch_all(stranger_at, (unsigned)me);
  return 0;
}

static void
store_into_a_page_that_both_fill_survives(void) {
  unsigned rounds = engine_scale(6, 60, 600);
  struct t_stranger s = t_stranger();

  race = t_common(sizeof *race, &race_id);
  T_OK(softmap_configure("fill", "touch"));
  T_OK(S_CONFIGURE(s, "fill=touch"));
  for (unsigned round = 0; round < rounds; round++) {
    p = T_MAP_NEW(path, &fd, FILL_PAGES);
    T_OK(S_MAP(s, path, FILL_PAGES, S_SHARED));
    t_ask_begin(T_HERE, &s, stranger_touches_all, 1, race_id, NULL);
    touch_all(p, 0);
    T_EQ(t_answer(T_HERE, &s), 0);
    T_OK(S_UNMAP(s));
    T_OK(msync(p, t_pages(FILL_PAGES), MS_SYNC));
    T_FILE_EQUALS(fd, 0, p, t_pages(FILL_PAGES));
    T_OK(munmap(p, t_pages(FILL_PAGES)));
    (void)close(fd);
  }
  T_DISMISS(s);
}

/* Killed at a host call of the fill while we wait for the same page. */
static void
killed_in_a_fill_leaves_nobody_waiting(void) {
  static const enum host_call sites[] = { HOST_CALL_read, HOST_CALL_write };
  unsigned killed = 0;

  T_OK(softmap_configure("fill", "touch"));
  for (unsigned i = 0; i < 24; i++) {
    struct t_stranger s = t_stranger();
    size_t at;
    intmax_t got;
    int status;

    p = T_MAP_NEW(path, &fd, FILL_PAGES);
    at = t_pages(i % 3 * 20);
    T_OK(S_CONFIGURE(s, "fill=touch"));
    T_OK(S_MAP(s, path, FILL_PAGES, S_SHARED));
    S_ASK(s, stranger_arm_kill, sites[i / 2 % 2], 1 + (i % 2 ? KILL_AFTER : 0));
    t_ask_begin(T_HERE, &s, stranger_load, (intmax_t)at, 0, NULL);
    if (i < 12) /* else: both at once, and who comes first fills */
      T_CHECK(!t_answered(&s, &got));
    T_LOADS(p + at, t_old_byte((off_t)at));
    T_STORES(p + at, 'x');
    if (t_answered(&s, &got)) /* ours was first, it had nothing to fill */
      T_OK(kill(s.pid, SIGKILL));
    else
      killed++;
    T_EQ(waitpid(s.pid, &status, 0), s.pid);
    T_EQ(WTERMSIG(status), SIGKILL);
    (void)close(s.fd);
    T_LOADS(p + at + 1, t_old_byte((off_t)at + 1));
    T_OK(munmap(p, t_pages(FILL_PAGES)));
    T_FILE_BYTE(fd, (off_t)at, 'x');
    T_FILE_OLD(fd, (off_t)at + 1, t_pages(1));
    (void)close(fd);
  }
  t_note("killed %u times", killed);
  T_CHECK(killed >= 12);
  T_NOTHING_LEFT();
}

/* ---- Coming ---------------------------------------------------------------------------------- */

/* All map at once, store into their slots, look at those of the others, and go. */
static intmax_t
come_store_and_go(intmax_t me, intmax_t id, const char *name) {
  if (race == NULL)
    race = t_common_of((int)id);
  barrier_wait(&race->barrier, MEMBERS);
  if (stranger_map(3, S_SHARED, name) != 0)
    return errno;
  stranger_at[me] = (unsigned char)('a' + me);
  stranger_at[t_pages(1 + (size_t)me % 2) + (size_t)me] = (unsigned char)('A' + me);
  barrier_wait(&race->barrier, MEMBERS);
  for (size_t i = 0; i < MEMBERS; i++) {
    T_EQ(stranger_at[i], 'a' + i);
    T_EQ(stranger_at[t_pages(1 + i % 2) + i], 'A' + i);
  }
  if (me % 2 == 0)
    barrier_wait(&race->barrier, MEMBERS);
  if (munmap(stranger_at, stranger_len) != 0)
    return errno;
  if (me % 2 != 0)
    barrier_wait(&race->barrier, MEMBERS);
  return 0;
}

static void
all_come_at_once(void) {
  unsigned rounds = engine_scale(60, 600, 6000);
  struct t_stranger s[MEMBERS];

  race = t_common(sizeof *race, &race_id);
  for (int i = 0; i < MEMBERS; i++)
    s[i] = t_stranger();
  for (unsigned round = 0; round < rounds; round++) {
    fd = t_tmpfile(path, (off_t)t_pages(3));
    for (int i = 0; i < MEMBERS; i++)
      t_ask_begin(T_HERE, &s[i], come_store_and_go, i, race_id, path);
    for (int i = 0; i < MEMBERS; i++)
      T_EQ(t_answer(T_HERE, &s[i]), 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
      T_FILE_BYTE(fd, i, (unsigned char)('a' + i));
      T_FILE_BYTE(fd, (off_t)t_pages(1 + i % 2) + i, (unsigned char)('A' + i));
    }
    T_NOTHING_LEFT();
    (void)close(fd);
  }
  for (int i = 0; i < MEMBERS; i++)
    T_DISMISS(s[i]);
}

/* The same file again and again: coming meets going. */
static intmax_t
come_and_go(intmax_t me, intmax_t rounds, const char *name) {
  for (intmax_t i = 1; i <= rounds; i++) {
    if (stranger_map(1, S_SHARED, name) != 0)
      return errno;
    T_EQ(stranger_at[me], (unsigned char)(i - 1));
    stranger_at[me] = (unsigned char)i;
    if (munmap(stranger_at, stranger_len) != 0)
      return errno;
  }
  return 0;
}

static void
coming_meets_going(void) {
  unsigned rounds = engine_scale(150, 1500, 15000);
  struct t_stranger s[MEMBERS];

  fd = t_sparse_file(path, (off_t)t_pages(1));
  for (int i = 0; i < MEMBERS; i++) {
    s[i] = t_stranger();
    t_ask_begin(T_HERE, &s[i], come_and_go, i, rounds, path);
  }
  for (int i = 0; i < MEMBERS; i++)
    T_EQ(t_answer(T_HERE, &s[i]), 0);
  for (int i = 0; i < MEMBERS; i++) {
    T_FILE_BYTE(fd, i, (unsigned char)rounds);
    T_DISMISS(s[i]);
  }
  T_NOTHING_LEFT();
}

/* One that is killed at a host call of making the section, while another one comes. False: it had
 * no such call. */
static bool
maker_is_killed(enum host_call site, uint32_t nth, struct t_stranger *other) {
  struct t_stranger maker = t_stranger();
  intmax_t got;
  bool killed;
  int status;

  fd = t_tmpfile(path, (off_t)t_pages(2));
  S_ASK(maker, stranger_arm_kill, site, nth + (nth % 2 ? 0 : KILL_AFTER));
  t_ask_begin(T_HERE, &maker, stranger_map_and_disarm, 2, S_SHARED, path);
  T_OK(S_MAP(*other, path, 2, S_SHARED)); /* at the same time, or soon after */
  killed = !t_answered(&maker, &got);
  if (!killed)
    T_DISMISS(maker);
  else
    T_EQ(waitpid(maker.pid, &status, 0), maker.pid);
  if (killed)
    (void)close(maker.fd);
  T_EQ(S_LOAD(*other, 1), t_old_byte(1));
  T_OK(S_STORE(*other, t_pages(1), 'o'));
  T_OK(S_SYNC(*other));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'o');
  T_OK(S_STORE(*other, 0, 'p'));
  T_OK(S_UNMAP(*other));
  T_FILE_BYTE(fd, 0, 'p');
  (void)close(fd);
  return killed;
}

static void
maker_killed_half_way(void) {
  struct t_stranger other = t_stranger();
  unsigned killed = 0;

  for (int site = 0; site < HOST_CALL_COUNT; site++)
    for (uint32_t n = 1; n < 24; n++) {
      if (!maker_is_killed((enum host_call)site, n, &other))
        break;
      killed++;
      T_SWEEP(other);
      T_NOTHING_LEFT();
    }
  T_DISMISS(other);
  t_note("killed %u times", killed);
  T_CHECK(killed > 20);
}

static void
goes_on(const struct t_stranger *s) {
  T_OK(kill(s->pid, SIGCONT));
}

/* One that wants to make the section finds another one's half made, stops, and goes on when that one
 * has made it and gone, and a third one lives in it. */
static bool
late_maker(enum host_call site, uint32_t nth) {
  struct t_stranger maker = t_stranger(), late = t_stranger(), member = t_stranger();
  bool stopped;

  fd = t_tmpfile(path, (off_t)t_pages(2));
  T_CHECK(T_MAPS_AND_STOPS(maker, path, 2, HOST_CALL_resize, 1));
  stopped = T_MAPS_AND_STOPS(late, path, 2, site, nth);
  goes_on(&maker);
  T_OK(t_answer(T_HERE, &maker));
  T_OK(S_MAP(member, path, 2, S_SHARED));
  T_OK(S_UNMAP(maker));
  T_OK(S_STORE(member, 0, 'm'));
  if (stopped)
    goes_on(&late);
  T_OK(t_answer(T_HERE, &late));
  T_EQ(S_LOAD(late, 0), 'm');
  T_OK(S_STORE(late, 1, 'l'));
  T_EQ(S_LOAD(member, 1), 'l');
  T_OK(S_UNMAP(late));
  T_OK(S_UNMAP(member));
  T_FILE_BYTE(fd, 0, 'm');
  T_FILE_BYTE(fd, 1, 'l');
  T_SWEEP(member);
  T_NOTHING_LEFT();
  T_DISMISS(maker);
  T_DISMISS(late);
  T_DISMISS(member);
  (void)close(fd);
  return stopped;
}

static void
late_maker_leaves_others_alone(void) {
  static const enum host_call sites[] = { HOST_CALL_open, HOST_CALL_list, HOST_CALL_stat_fd,
                                          HOST_CALL_byte_lock, HOST_CALL_close };
  unsigned stopped = 0;

  for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
    for (uint32_t nth = 1; nth < 40 && late_maker(sites[i], nth); nth++)
      stopped++;
  t_note("stopped %u times", stopped);
  T_CHECK(stopped > 20);
}

static const struct t_case cases[] = {
  T_CASE(page_open_elsewhere_is_written_and_stays_dirty),
  T_CASE(store_into_a_page_that_both_fill_survives),
  T_CASE(killed_in_a_fill_leaves_nobody_waiting),
  T_CASE_MAPS_NOTHING(all_come_at_once),
  T_CASE_MAPS_NOTHING(coming_meets_going),
  T_CASE_MAPS_NOTHING(maker_killed_half_way),
  T_CASE_MAPS_NOTHING(late_maker_leaves_others_alone),
};
T_MAIN(cases)
