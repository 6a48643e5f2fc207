/* doubt.c - a process that dies after a write to the file and before it noted the file's new mtime:
 * nobody takes its hand for a stranger's, whoever has its lane by then; and a stranger's is told.
 */
#include "sections.h"

#include <sys/stat.h>

enum { PAGES = 4, CALLS_MAX = 12 };

static char path[T_PATH];
static int fd;

/* The file's next mtime is another one: the kernel's clock has gone on. */
static void
clock_goes_on(void) {
  char other[T_PATH];
  int scratch = t_tmpfile(other, 0);
  struct stat now, then;

  T_OK(fstat(fd, &then));
  do {
    T_EQ(pwrite(scratch, "", 1, 0), 1);
    T_OK(fstat(scratch, &now));
  } while (now.st_mtim.tv_sec == then.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == then.st_mtim.tv_nsec);
  (void)close(scratch);
}

/* Killed at the nth call of its sync, or behind it (KILL_AFTER); false: it had none. */
static bool
dies_in_a_sync(const struct t_stranger *s, enum host_call site, uint32_t nth) {
  intmax_t got;
  int status;

  clock_goes_on();
  S_ASK(*s, stranger_arm_kill, site, nth);
  t_ask_begin(T_HERE, s, stranger_sync, 0, 0, NULL);
  if (t_answered(s, &got)) {
    T_EQ(got, 0);
    return false;
  }
  T_EQ(waitpid(s->pid, &status, 0), s->pid);
  T_EQ(WTERMSIG(status), SIGKILL);
  (void)close(s->fd);
  return true;
}

/* In its section all that was stored last time is written. */
static struct t_stranger
writer(void) {
  struct t_stranger s = T_STRANGER_WITH(path, PAGES, S_SHARED);

  T_OK(S_STORE(s, 0, 'v'));
  T_OK(S_SYNC(s));
  T_OK(S_STORE(s, 0, 'w'));
  T_OK(S_STORE(s, t_pages(2), 'W'));
  return s;
}

/* ---- Joining --------------------------------------------------------------------------------- */

/* One joins and is stopped behind some call: it may have the dead one's lane by then, or not yet.
 * Another one joins meanwhile. */
static bool
two_join(enum host_call site, uint32_t nth, intmax_t want) {
  struct t_stranger first = t_stranger(), second = t_stranger();
  bool stopped = T_MAPS_AND_STOPS(first, path, PAGES, site, nth);

  T_EQ(S_MAP(second, path, PAGES, S_SHARED), want);
  if (stopped)
    T_OK(kill(first.pid, SIGCONT));
  T_EQ(t_answer(T_HERE, &first), want);
  if (want == 0) {
    T_EQ(S_LOAD(first, 0), 'w');
    T_EQ(S_LOAD(second, (intmax_t)t_pages(2)), 'W');
    T_OK(S_UNMAP(first));
    T_OK(S_UNMAP(second));
    T_FILE_BYTE(fd, 0, 'w');
    T_FILE_BYTE(fd, (off_t)t_pages(2), 'W');
  } else {
    T_OK(recover_with(T_THE_SECTION().name, SOFTMAP_RECOVER_DISCARD, NULL, NULL));
  }
  T_DISMISS(first);
  T_DISMISS(second);
  T_NOTHING_LEFT();
  return stopped;
}

/* Pages of it are in its hand. */
static void
two_join_after_one_died_writing(void) {
  unsigned died = 0, stopped = 0;

  for (uint32_t call = 1; call < CALLS_MAX; call++)
    for (uint32_t nth = 1; nth <= 2; nth++) {
      struct t_stranger s;

      fd = t_tmpfile(path, (off_t)t_pages(PAGES));
      s = writer();
      if (dies_in_a_sync(&s, HOST_CALL_write, nth | KILL_AFTER)) {
        died++;
        stopped += two_join(HOST_CALL_map, call, 0);
      } else {
        T_KILL_STRANGER(s);
      }
      (void)close(fd);
    }
  t_note("died %u times, joined half %u times", died, stopped);
  T_CHECK(died >= CALLS_MAX - 1 && stopped > 2);
}

/* No page of it is, but another one that died has left some. */
static void
two_join_after_one_died_before_it_looked(void) {
  unsigned died = 0, stopped = 0;

  for (uint32_t call = 1; call < CALLS_MAX; call++)
    for (uint32_t nth = 1; nth <= 6; nth++) {
      struct t_stranger s, other;

      fd = t_tmpfile(path, (off_t)t_pages(PAGES));
      s = writer();
      other = T_STRANGER_WITH(path, PAGES, S_SHARED);
      if (dies_in_a_sync(&s, HOST_CALL_stat_fd, nth)) {
        died++;
        T_OK(S_STORE(other, t_pages(3), 'o'));
        T_KILL_STRANGER(other);
        stopped += two_join(HOST_CALL_byte_lock, call, 0);
        T_FILE_BYTE(fd, (off_t)t_pages(3), 'o');
      } else {
        T_KILL_STRANGER(s); /* its rule is still there */
        T_DISMISS(other);
      }
      (void)close(fd);
    }
  t_note("died %u times, joined half %u times", died, stopped);
  T_CHECK(died >= CALLS_MAX - 1 && stopped > 2);
}

/* Differs in one thing: it is somebody else who writes. */
static void
two_join_after_another_wrote(void) {
  unsigned stopped = 0;

  for (uint32_t call = 1; call < CALLS_MAX; call++) {
    struct t_stranger s;

    fd = t_tmpfile(path, (off_t)t_pages(PAGES));
    s = writer();
    T_KILL_STRANGER(s);
    clock_goes_on();
    T_EQ(pwrite(fd, "o", 1, 1), 1);
    stopped += two_join(HOST_CALL_byte_lock, call, -1);
    (void)close(fd);
  }
  T_CHECK(stopped >= 1);
}

/* ---- Looking at the file ------------------------------------------------------------------- */

/* One that syncs is stopped behind its nth look at the file; another one dies writing, and somebody
 * takes its lane but gets no further than his nth lock; then that look is noted.  All die, and what
 * is left is still theirs. */
static bool
looks_too_early(uint32_t look, uint32_t lock, unsigned *joined_half) {
  struct t_stranger syncs, dies, comes = t_stranger(), next = t_stranger();
  bool stopped;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  dies = writer();
  syncs = T_STRANGER_WITH(path, PAGES, S_SHARED);
  T_OK(S_STORE(syncs, t_pages(1), 's'));
  S_ASK(syncs, stranger_arm_stop, HOST_CALL_stat_fd, look);
  t_ask_begin(T_HERE, &syncs, stranger_sync, 0, 0, NULL);
  stopped = T_HAS_STOPPED(syncs);
  T_OK(S_STORE(dies, 0, 'd'));
  T_OK(S_STORE(dies, t_pages(2), 'D'));
  T_CHECK(dies_in_a_sync(&dies, HOST_CALL_write, 1 | KILL_AFTER));
  *joined_half += T_MAPS_AND_STOPS(comes, path, PAGES, HOST_CALL_byte_lock, lock);
  if (stopped)
    T_OK(kill(syncs.pid, SIGCONT));
  T_EQ(t_answer(T_HERE, &syncs), 0);
  T_KILL_STRANGER(syncs);
  T_KILL_STRANGER(comes);
  T_OK(S_MAP(next, path, PAGES, S_SHARED));
  T_EQ(S_LOAD(next, 0), 'd');
  T_EQ(S_LOAD(next, (intmax_t)t_pages(2)), 'D');
  T_OK(S_UNMAP(next));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 's');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'D');
  T_DISMISS(next);
  T_NOTHING_LEFT();
  (void)close(fd);
  return stopped;
}

static void
look_before_a_write_does_not_vouch_for_it(void) {
  unsigned looked = 0, joined_half = 0;

  for (uint32_t lock = 1; lock <= 4; lock++)
    for (uint32_t look = 1; look < CALLS_MAX && looks_too_early(look, lock, &joined_half); look++)
      looked++;
  t_note("stopped %u times, joined half %u times", looked, joined_half);
  T_CHECK(looked > 8 && joined_half > 4);
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(two_join_after_one_died_writing),
  T_CASE_MAPS_NOTHING(two_join_after_one_died_before_it_looked),
  T_CASE_MAPS_NOTHING(two_join_after_another_wrote),
  T_CASE_MAPS_NOTHING(look_before_a_write_does_not_vouch_for_it),
};
T_MAIN(cases)
