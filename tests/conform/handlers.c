/* handlers.c - the program's own handlers of SIGSEGV and SIGBUS get the faults that are theirs, as
 * the host delivers them.
 *
 * Without the shim softmap learns of a handler that was installed after a mapping at the next call
 * on a mapping: settle() makes one.
 */
#include "conform.h"

#include <setjmp.h>
#include <string.h>

static sigjmp_buf back;
static volatile sig_atomic_t calls;
static volatile sig_atomic_t last_signo;
static volatile sig_atomic_t last_code;
static void *volatile last_addr;
static unsigned char *volatile to_open;

static unsigned char *
map_file(int *fd, size_t npages) {
  *fd = t_tmpfile(NULL, (off_t)t_pages(npages));
  return T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, *fd, 0);
}

static void
settle(unsigned char *mapped) {
  T_OK(mprotect(mapped, t_pages(1), RW));
}

static void
install(int signo, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  T_OK(sigaction(signo, &action, NULL));
}

static void
note_and_jump(int signo, siginfo_t *info, void *context) {
  calls++;
  last_signo = signo;
  last_code = info->si_code;
  last_addr = info->si_addr;
  siglongjmp(back, context != NULL ? 1 : 2);
}

static void
jump_plainly(int signo) {
  calls++;
  last_signo = signo;
  siglongjmp(back, 1);
}

/* Loads or stores at p; the handler must have been called once, and have come back here. */
static void
expect_call(struct t_at at, volatile unsigned char *p, bool stores, int signo, int code) {
  int before = calls;

  switch (sigsetjmp(back, 1)) {
  case 0:
    if (stores)
      *p = 1;
    else
      (void)*p;
    t_fail(at, "the access didn't fault");
  case 1:
    break;
  default:
    t_fail(at, "the handler got no context");
  }
  t_eq(at, "calls of the handler", calls, before + 1);
  t_eq(at, "signo", last_signo, signo);
  if (code == 0)
    return;
  t_eq(at, "si_code", last_code, code);
  t_eq(at, "si_addr", (intptr_t)last_addr, (intptr_t)t_fault_address(p));
}
#define EXPECT_CALL(p, stores, signo, code) expect_call(T_HERE, p, stores, signo, code)

/* Faults of memory that isn't softmap's, and of mappings whose protection forbids the access. */
static void
expect_foreign_faults(unsigned char *mapped, size_t npages) {
  unsigned char *closed = t_reserve(1);
  unsigned char *vacant = t_vacant(1);

  EXPECT_CALL(closed + 5, false, SIGSEGV, SEGV_ACCERR);
  EXPECT_CALL(closed + 6, true, SIGSEGV, SEGV_ACCERR);
  EXPECT_CALL(vacant + 7, false, SIGSEGV, SEGV_MAPERR);
  EXPECT_CALL(vacant, true, SIGSEGV, SEGV_MAPERR);
  EXPECT_CALL((unsigned char *)8, true, SIGSEGV, SEGV_MAPERR);
  T_OK(mprotect(mapped, t_pages(npages), PROT_READ));
  EXPECT_CALL(mapped + 9, true, SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(mapped, t_pages(npages), PROT_NONE));
  EXPECT_CALL(mapped + 10, false, SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(mapped, t_pages(npages), RW));
}

static void
handler_installed_before_the_first_mapping_gets_its_faults(void) {
  unsigned char *p;
  int fd;

  install(SIGSEGV, note_and_jump, 0);
  p = map_file(&fd, 2);
  PUT(p, 'a');
  expect_foreign_faults(p, 2);
  PUT(p + 1, 'b');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "ab", 2);
}

static void
handler_installed_after_the_first_mapping_gets_its_faults(void) {
  int fd;
  unsigned char *p = map_file(&fd, 2);

  PUT(p, 'a');
  install(SIGSEGV, note_and_jump, 0);
  settle(p);
  expect_foreign_faults(p, 2);
  PUT(p + 1, 'b');
  PUT(p + t_pages(1), 'c');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "ab", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'c');
}

static void
stores_go_on_right_after_a_handler_was_installed(void) {
  int fd;
  unsigned char *p = map_file(&fd, 2);

  install(SIGSEGV, note_and_jump, 0);
  PUT(p, 'a');
  T_EQ(calls, 0);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'a');
}

static void
handler_of_sigbus_gets_the_accesses_past_the_end(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p;

  install(SIGBUS, note_and_jump, 0);
  p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  for (int i = 0; i < 50; i++) {
    EXPECT_CALL(p + t_pages(1) + i, i % 2 == 0, SIGBUS, BUS_ADRERR);
    PUT(p + i, 'b');
  }
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_ALL(fd, 0, 50, 'b');
  T_FILE_SIZE(fd, t_pages(1));
}

static void
plain_handlers_are_called_plainly(void) {
  unsigned char *closed = t_reserve(1);
  unsigned char *p;
  int fd;

  T_CHECK(signal(SIGSEGV, jump_plainly) != SIG_ERR);
  T_CHECK(signal(SIGBUS, jump_plainly) != SIG_ERR);
  p = map_file(&fd, 1);
  T_OK(ftruncate(fd, 0));
  T_OK(msync(p, t_pages(1), MS_SYNC));
  EXPECT_CALL(closed, false, SIGSEGV, 0);
  EXPECT_CALL(p, false, SIGBUS, 0);
  T_OK(ftruncate(fd, (off_t)t_pages(1)));
  PUT(p, 'p');
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'p');
}

static void
handler_may_jump_away_again_and_again(void) {
  unsigned char *closed = t_reserve(1);
  unsigned char *p;
  int fd;

  install(SIGSEGV, note_and_jump, 0);
  p = map_file(&fd, 4);
  for (int i = 0; i < 3000; i++) {
    EXPECT_CALL(closed, true, SIGSEGV, SEGV_ACCERR);
    PUT(p + t_pages((size_t)i % 4), i);
    if (i % 500 == 0)
      T_OK(msync(p, t_pages(4), MS_SYNC));
  }
  T_OK(munmap(p, t_pages(4)));
  T_FILE_BYTE(fd, (off_t)t_pages(3), (unsigned char)2999);
}

/* ---- Handlers that make the access possible and return ---- */

static void
open_and_return(int signo, siginfo_t *info, void *context) {
  (void)context;
  calls++;
  last_signo = signo;
  last_addr = info->si_addr;
  if (mprotect(to_open, t_page_size(), RW) != 0)
    _exit(3);
}

static void
handler_may_allow_the_access_and_return(void) {
  unsigned char *foreign = t_reserve(1);
  unsigned char *p;
  int fd;

  install(SIGSEGV, open_and_return, 0);
  p = map_file(&fd, 3);
  T_OK(mprotect(p, t_pages(3), PROT_NONE));
  to_open = p + t_pages(1);
  PUT(p + t_pages(1) + 3, 'h');
  T_EQ(calls, 1);
  T_EQ((intptr_t)last_addr, (intptr_t)t_fault_address(p + t_pages(1) + 3));
  to_open = foreign;
  PUT(foreign, 'f');
  T_EQ(calls, 2);
  T_OK(mprotect(p, t_pages(3), PROT_READ));
  to_open = p;
  PUT(p, 'i');
  T_EQ(calls, 3);
  T_OK(munmap(p, t_pages(3)));
  T_FILE_BYTE(fd, (off_t)t_pages(1) + 3, 'h');
  T_FILE_BYTE(fd, 0, 'i');
  T_LOADS(foreign, 'f');
}

/* ---- Stores leave no trace in the program's state ---- */

static void
store_changes_neither_errno_nor_the_signal_mask(void) {
  sigset_t before;
  sigset_t after;
  int fd;
  unsigned char *p = map_file(&fd, 2);

  T_EQ(sigprocmask(SIG_SETMASK, NULL, &before), 0);
  errno = 1234;
  PUT(p, 'a');
  T_EQ(GET(p + t_pages(1)), t_old_byte((off_t)t_pages(1)));
  T_EQ(errno, 1234);
  T_EQ(sigprocmask(SIG_SETMASK, NULL, &after), 0);
  for (int signo = 1; signo < 32; signo++)
    T_EQ(sigismember(&before, signo), sigismember(&after, signo));
  T_EQ(calls, 0);
}

/* A handler of another signal stores to pages that are clean. */
static unsigned char *volatile stored_to;

static void
store_in_handler(int signo) {
  calls++;
  PUT(stored_to + calls, signo);
}

static void
handler_of_another_signal_may_store(void) {
  int fd;
  unsigned char *p = map_file(&fd, 1);

  stored_to = p;
  T_CHECK(signal(SIGUSR1, store_in_handler) != SIG_ERR);
  for (int i = 1; i < 20; i++) {
    T_OK(raise(SIGUSR1));
    T_EQ(calls, i);
    T_OK(msync(p, t_pages(1), MS_SYNC));
    T_FILE_BYTE(fd, i, SIGUSR1);
  }
}

static const struct t_case cases[] = {
  T_CASE(handler_installed_before_the_first_mapping_gets_its_faults),
  T_CASE(handler_installed_after_the_first_mapping_gets_its_faults),
  /* divergence: the library alone isn't asked when a handler is installed. */
  T_CASE_SHIM_ONLY(stores_go_on_right_after_a_handler_was_installed,
                   "the next call on a mapping puts softmap in front again"),
  T_CASE(handler_of_sigbus_gets_the_accesses_past_the_end),
  T_CASE(plain_handlers_are_called_plainly),
  T_CASE(handler_may_jump_away_again_and_again),
  T_CASE(handler_may_allow_the_access_and_return),
  T_CASE(store_changes_neither_errno_nor_the_signal_mask),
  T_CASE_NOT_TSAN(handler_of_another_signal_may_store, "handlers run with all signals blocked"),
};

T_MAIN(cases)
