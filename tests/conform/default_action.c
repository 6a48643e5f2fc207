/* default_action.c - without a handler a fault ends the process with its signal; ignoring the signal
 * doesn't help against a fault, but does against one that is sent. */
#include "conform.h"

#include <string.h>

enum access { LOAD, STORE };
enum place {
  FOREIGN_CLOSED,
  FOREIGN_VACANT,
  FOREIGN_READ_ONLY,
  MAPPED_READ_ONLY,
  MAPPED_CLOSED,
  MAPPED,
  PAST_END
};

struct row {
  const char *name;
  enum place place;
  enum access access;
  int want; /* 0: the access goes well */
};

static const struct row rows[] = {
  { "load of a closed page of others", FOREIGN_CLOSED, LOAD, SIGSEGV },
  { "store to a closed page of others", FOREIGN_CLOSED, STORE, SIGSEGV },
  { "load where nothing is mapped", FOREIGN_VACANT, LOAD, SIGSEGV },
  { "load of a read-only page of others", FOREIGN_READ_ONLY, LOAD, 0 },
  { "store to a read-only page of others", FOREIGN_READ_ONLY, STORE, SIGSEGV },
  { "load of a read-only page", MAPPED_READ_ONLY, LOAD, 0 },
  { "store to a read-only page", MAPPED_READ_ONLY, STORE, SIGSEGV },
  { "load of a closed page", MAPPED_CLOSED, LOAD, SIGSEGV },
  { "store to a closed page", MAPPED_CLOSED, STORE, SIGSEGV },
  { "load of a page", MAPPED, LOAD, 0 },
  { "store to a page", MAPPED, STORE, 0 },
  { "load past the end", PAST_END, LOAD, SIGBUS },
  { "store past the end", PAST_END, STORE, SIGBUS },
};

struct run {
  const struct row *row;
  void (*action)(int); /* SIG_DFL or SIG_IGN */
  bool after_mapping;  /* when the action is set */
};

static void
set_actions(void (*action)(int)) {
  T_CHECK(signal(SIGSEGV, action) != SIG_ERR);
  T_CHECK(signal(SIGBUS, action) != SIG_ERR);
}

static unsigned char *
place_of(enum place place, unsigned char *mapped, unsigned char *foreign) {
  switch (place) {
  case FOREIGN_CLOSED:
    T_OK(mprotect(foreign, t_pages(1), PROT_NONE));
    return foreign + 3;
  case FOREIGN_VACANT:
    T_OK(munmap(foreign, t_pages(1)));
    return foreign;
  case FOREIGN_READ_ONLY:
    T_OK(mprotect(foreign, t_pages(1), PROT_READ));
    return foreign;
  case MAPPED_READ_ONLY:
    T_OK(mprotect(mapped, t_pages(1), PROT_READ));
    return mapped;
  case MAPPED_CLOSED:
    T_OK(mprotect(mapped, t_pages(1), PROT_NONE));
    return mapped;
  case MAPPED:
    break;
  case PAST_END:
    return mapped + t_pages(1);
  }
  return mapped;
}

static void
run_row(void *arg) {
  const struct run *run = arg;
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *foreign = t_foreign(1, 'f');
  unsigned char *p;
  unsigned char *at;

  if (!run->after_mapping)
    set_actions(run->action);
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  PUT(p + 1, 'a');
  if (run->after_mapping)
    set_actions(run->action);
  /* Without the shim softmap learns of it at the next call on a mapping. */
  T_OK(mprotect(p, t_pages(1), RW));
  T_CHECK(t_mappings_served() > 0);
  at = place_of(run->row->place, p, foreign);
  if (run->row->access == LOAD)
    (void)GET(at);
  else
    PUT(at, 1);
}

static void
run_rows(void (*action)(int), bool after_mapping) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct run run = { &rows[i], action, after_mapping };
    int want = rows[i].want != 0 ? T_KILLED(rows[i].want) : T_EXITED(0);

    T_ROW_IN_CHILD(rows[i].name, run_row, &run, want);
  }
}

static void
fault_ends_the_process_with_its_signal(void) {
  run_rows(SIG_DFL, false);
}

static void
default_set_after_mapping_ends_the_process(void) {
  run_rows(SIG_DFL, true);
}

static void
ignoring_does_not_help_against_a_fault(void) {
  run_rows(SIG_IGN, false);
  run_rows(SIG_IGN, true);
}

/* ---- Signals that are sent ---- */

struct sent {
  int signo;
  void (*action)(int);
};

static void
map_and_send(void *arg) {
  const struct sent *sent = arg;
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p;

  T_CHECK(signal(sent->signo, sent->action) != SIG_ERR);
  p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  PUT(p, 'a');
  T_OK(kill(getpid(), sent->signo));
  PUT(p + 1, 'b');
  T_OK(raise(sent->signo));
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "ab", 2);
}

static void
signal_that_is_sent_ends_the_process_unless_ignored(void) {
  static const int signals[] = { SIGSEGV, SIGBUS };

  for (size_t i = 0; i < 2; i++) {
    struct sent by_default = { signals[i], SIG_DFL };
    struct sent ignored = { signals[i], SIG_IGN };

    T_IN_CHILD(map_and_send, &by_default, T_KILLED(signals[i]));
    T_IN_CHILD(map_and_send, &ignored, T_EXITED(0));
  }
}

/* ---- Blocked signals ---- */

static void
block(int signo) {
  sigset_t set;

  (void)sigemptyset(&set);
  (void)sigaddset(&set, signo);
  T_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void
fault_while_blocked(void *unused) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), PROT_READ, MAP_SHARED, fd, 0);

  (void)unused;
  block(SIGSEGV);
  PUT(p, 1);
}

static void
fault_with_its_signal_blocked_ends_the_process(void) {
  T_IN_CHILD(fault_while_blocked, NULL, T_KILLED(SIGSEGV));
}

static void
store_with_sigsegv_blocked_goes_well(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  block(SIGSEGV);
  PUT(p, 'b');
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'b');
}

static unsigned char *volatile stored_to;

static void
store_in_full_mask(int signo) {
  PUT(stored_to, signo);
}

static void
store_in_a_handler_that_blocks_everything_goes_well(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  struct sigaction action;

  stored_to = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  memset(&action, 0, sizeof action);
  action.sa_handler = store_in_full_mask;
  (void)sigfillset(&action.sa_mask);
  T_OK(sigaction(SIGUSR1, &action, NULL));
  T_OK(raise(SIGUSR1));
  T_OK(msync(stored_to, t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, 0, SIGUSR1);
}

/* The children map, and most of them are killed. */
#define T_CASE_KILLS(fn) T_CASE_WITH(fn, T_MAPS_NOTHING | T_KILLS)

static const struct t_case cases[] = {
  T_CASE_KILLS(fault_ends_the_process_with_its_signal),
  T_CASE_KILLS(default_set_after_mapping_ends_the_process),
  T_CASE_KILLS(ignoring_does_not_help_against_a_fault),
  T_CASE_KILLS(signal_that_is_sent_ends_the_process_unless_ignored),
  T_CASE_KILLS(fault_with_its_signal_blocked_ends_the_process),
  /* divergence: a store that softmap has to notice needs SIGSEGV. */
  T_CASE_SHIM_ONLY(store_with_sigsegv_blocked_goes_well, "a store needs SIGSEGV unblocked"),
  T_CASE_SHIM_ONLY(store_in_a_handler_that_blocks_everything_goes_well,
                   "a store needs SIGSEGV unblocked"),
};

T_MAIN(cases)
