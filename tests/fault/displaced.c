/* displaced.c - the program installs its own handler after ours, chains to ours, or both. */
#include "handlers.h"

/* ---- Displaced ------------------------------------------------------------------------------- */

static void
next_call_puts_ours_back_in_front(void) {
  void *room;

  map();
  install(SIGSEGV, with_info, 0, 0);
  room = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  check_ours_works();
  T_EQ(calls, 0);
  touch(foreign);
  T_EQ(calls, 1);
  T_EQ(last_signo, SIGSEGV);
  T_EQ(last_code, SEGV_ACCERR);
  T_CHECK(last_addr == foreign);
  T_OK(munmap(room, t_pages(1)));
  check_ours_works();
}

static void
mprotect_puts_ours_back(void) {
  map();
  install(SIGSEGV, with_info, 0, 0);
  T_OK(mprotect(p, t_pages(1), RW));
  touch(p);
  T_EQ(calls, 0);
}

static void
mremap_puts_ours_back(void) {
  map();
  install(SIGSEGV, with_info, 0, 0);
  p = T_REMAP(p, t_pages(3), t_pages(3), MREMAP_MAYMOVE | MREMAP_FIXED, t_reserve(3));
  touch(p);
  T_EQ(calls, 0);
}

/* A sync closes pages: the next store faults for certain. */
static void
msync_puts_ours_back(void) {
  map();
  touch(p);
  install(SIGSEGV, with_info, 0, 0);
  T_OK(msync(p, t_pages(1), MS_ASYNC));
  touch(p);
  T_EQ(calls, 0);
  install(SIGSEGV, with_info, 0, 0);
  T_OK(softmap_sync_all());
  touch(p);
  T_EQ(calls, 0);
}

static void
many_handlers_one_after_the_other(void) {
  map();
  for (int i = 0; i < 100; i++) {
    install(SIGSEGV, with_info, i % 2 == 0 ? 0 : SA_NODEFER, 0);
    T_OK(mprotect(p, t_pages(1), RW));
    check_ours_works();
    touch(foreign);
    T_EQ(calls, i + 1);
  }
}

static void
sigbus_handler_displaced(void) {
  map();
  shrink(2);
  install(SIGBUS, with_info, 0, 0);
  T_OK(mprotect(p, t_pages(1), RW));
  touch(p + t_pages(2));
  T_EQ(calls, 1);
  T_EQ(last_signo, SIGBUS);
  T_EQ(last_code, BUS_ADRERR);
  T_CHECK(last_addr == p + t_pages(2));
  T_OK(ftruncate(fd, (off_t)t_pages(4)));
  touch(p + t_pages(2));
  T_EQ(calls, 1);
}

static struct sigaction before;

/* The usual way of a program that chains: look, and give to what was there. */
static void
that_chains_to_the_one_before(int signo, siginfo_t *info, void *context) {
  calls++;
  if ((before.sa_flags & SA_SIGINFO) != 0)
    before.sa_sigaction(signo, info, context);
  else if (before.sa_handler == SIG_DFL)
    (void)signal(signo, SIG_DFL);
}

static void
install_chaining(void) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_sigaction = that_chains_to_the_one_before;
  action.sa_flags = SA_SIGINFO;
  T_OK(sigaction(SIGSEGV, &action, &before));
}

/* In front of ours, without a call of ours in between: it gets the fault and hands it to us. */
static void
program_in_front_chains_to_ours(void) {
  T_ON_FAULT();
  map();
  install_chaining();
  PUT(p, 1);
  T_EQ(calls, 1);
  T_EQ(GET(p), 1);
  T_EQ(T_STATS().faults_write, 1);
}

/* Then ours goes in front, and both chain to each other: no circle. */
static void
both_in_front_of_each_other(void) {
  install(SIGSEGV, with_info, 0, 0); /* the one before both */
  map();
  install_chaining();
  T_OK(mprotect(p, t_pages(1), RW));
  check_ours_works();
  T_EQ(calls, 0);
  touch(foreign); /* ours, theirs, ours, the first one */
  T_EQ(last_signo, SIGSEGV);
  T_CHECK(last_addr == foreign);
  T_EQ(calls, 2);
  check_ours_works();
}

static void
store_to_foreign_circle(void *arg) {
  (void)arg;
  (void)signal(SIGSEGV, SIG_DFL);
  map();
  install_chaining();
  T_OK(mprotect(p, t_pages(1), RW));
  PUT(foreign, 1);
}

static void
both_in_front_of_each_other_with_default_action(void) {
  T_IN_CHILD(store_to_foreign_circle, NULL, T_KILLED(SIGSEGV));
}

static const struct t_case cases[] = {
  T_CASE(next_call_puts_ours_back_in_front),
  T_CASE(mprotect_puts_ours_back),
  T_CASE(mremap_puts_ours_back),
  T_CASE(msync_puts_ours_back),
  T_CASE(many_handlers_one_after_the_other),
  T_CASE(sigbus_handler_displaced),
  T_CASE(program_in_front_chains_to_ours),
  T_CASE(both_in_front_of_each_other),
  T_CASE_WITH(both_in_front_of_each_other_with_default_action, T_MAPS_NOTHING | T_KILLS),
};
T_MAIN(cases)
