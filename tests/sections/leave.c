/* leave.c - processes leave a section while others do, or end. Whoever is stopped meanwhile, at the end
 * nothing is left, and what was stored is in the file.
 */
#include "sections.h"

enum { PAGES = 4, CALLS_MAX = 24 };

static char path[T_PATH];
static int fd;

/* Told to end: is it stopped? Otherwise it is gone. */
static bool
stops_at_its_end(const struct t_stranger *s) {
  int status;

  t_dismiss_begin(T_HERE, s);
  T_EQ(waitpid(s->pid, &status, WUNTRACED), s->pid);
  if (!WIFSTOPPED(status))
    T_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return WIFSTOPPED(status);
}

static void
goes_on_to_its_end(const struct t_stranger *s) {
  T_OK(kill(s->pid, SIGCONT));
  T_REAP(s->pid, T_EXITED(0));
}

enum how { BY_UNMAP, BY_END };

/* One ends and is stopped behind its nth call of the site; the other one leaves meanwhile. */
static bool
one_leaves_while_one_ends(enum host_call site, uint32_t nth, enum how how) {
  struct t_stranger ends, leaves;
  bool stopped;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  ends = T_STRANGER_WITH(path, PAGES, S_SHARED);
  leaves = T_STRANGER_WITH(path, PAGES, S_SHARED);
  T_OK(S_STORE(ends, 0, 'e'));
  T_OK(S_STORE(leaves, t_pages(1), 'l'));
  S_ASK(ends, stranger_arm_stop, site, nth);
  stopped = stops_at_its_end(&ends);
  if (how == BY_UNMAP)
    T_OK(S_UNMAP(leaves));
  else
    T_DISMISS(leaves);
  if (stopped)
    goes_on_to_its_end(&ends);
  T_EQ(softmap_sections(NULL, 0), 0);
  T_NOTHING_LEFT();
  T_FILE_BYTE(fd, 0, 'e');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'l');
  if (how == BY_UNMAP)
    T_DISMISS(leaves);
  (void)close(ends.fd);
  (void)close(fd);
  return stopped;
}

static void
at_each_call(enum how how) {
  static const enum host_call sites[] = { HOST_CALL_byte_unlock, HOST_CALL_byte_lock,
                                          HOST_CALL_byte_is_locked, HOST_CALL_stat_fd };
  unsigned stopped = 0;

  for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
    for (uint32_t nth = 1; nth <= CALLS_MAX && one_leaves_while_one_ends(sites[i], nth, how); nth++)
      stopped++;
  t_note("stopped at its end %u times", stopped);
  T_CHECK(stopped >= 4);
}

static void
one_unmaps_while_another_ends(void) {
  at_each_call(BY_UNMAP);
}

static void
one_ends_while_another_ends(void) {
  at_each_call(BY_END);
}

/* ---- What is done after the end -------------------------------------------------------------- */

static bool is_late, stops_late;

static intmax_t
stranger_is_late(intmax_t stops, intmax_t b, const char *text) {
  (void)b;
  (void)text;
  is_late = true;
  stops_late = stops != 0;
  return 0;
}

static void
store_late(size_t at, unsigned char value) {
  PUT(stranger_at + at, value);
  if (msync(stranger_at, stranger_len, MS_SYNC) != 0)
    _exit(3);
}

/* Later than softmap's own destructor. */
static void
late(void) {
  if (!is_late)
    return;
  store_late(1, 'a');
  if (stops_late)
    (void)raise(SIGSTOP);
  store_late(2, 'b');
}
__attribute__((section(".fini_array.00100"),
               used)) static void (*const at_the_very_end)(void) = late;

/* It syncs after softmap's end, so that it counts again: the section stays, and whoever comes joins it. */
static void
late_syncs_are_seen_by_who_comes(void) {
  struct t_stranger ends, leaves;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  ends = T_STRANGER_WITH(path, PAGES, S_SHARED);
  leaves = T_STRANGER_WITH(path, PAGES, S_SHARED);
  T_OK(S_STORE(ends, 0, 'e'));
  S_ASK(ends, stranger_is_late, 1, 0);
  T_CHECK(stops_at_its_end(&ends));
  T_FILE_BYTE(fd, 1, 'a');
  T_OK(S_UNMAP(leaves));
  T_OK(S_MAP(leaves, path, PAGES, S_SHARED));
  T_OK(S_STORE(leaves, 3, 'c'));
  goes_on_to_its_end(&ends);
  T_FILE_BYTE(fd, 2, 'b');
  T_EQ(S_LOAD(leaves, 2), 'b');
  T_OK(S_UNMAP(leaves));
  T_FILE_BYTE(fd, 0, 'e');
  T_FILE_BYTE(fd, 2, 'b');
  T_FILE_BYTE(fd, 3, 'c');
  T_DISMISS(leaves);
  T_NOTHING_LEFT();
  (void)close(ends.fd);
  (void)close(fd);
}

/* Control: alone, it has removed the section before; its stores are in the file all the same. */
static void
late_syncs_of_the_last_one_are_in_the_file(void) {
  struct t_stranger ends;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  ends = T_STRANGER_WITH(path, PAGES, S_SHARED);
  T_OK(S_STORE(ends, 0, 'e'));
  S_ASK(ends, stranger_is_late, 0, 0);
  T_DISMISS(ends);
  T_FILE_BYTE(fd, 0, 'e');
  T_FILE_BYTE(fd, 1, 'a');
  T_FILE_BYTE(fd, 2, 'b');
  T_NOTHING_LEFT();
  (void)close(fd);
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(one_unmaps_while_another_ends),
  T_CASE_MAPS_NOTHING(one_ends_while_another_ends),
  T_CASE_MAPS_NOTHING(late_syncs_are_seen_by_who_comes),
  T_CASE_MAPS_NOTHING(late_syncs_of_the_last_one_are_in_the_file),
};
T_MAIN(cases)
