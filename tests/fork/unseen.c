/* unseen.c - children that no hook of ours saw, made by a raw clone or _Fork: they can do little, and do no
 * harm.
 */
#include "t_engine.h"

#include <sys/syscall.h>
#include <sys/wait.h>

static unsigned char *p;
static int fd;

static void
in_unseen_child(void) {
  struct t_fault fault;

  fault = t_store(p + t_pages(1), 'u');
  if (fault.signo != SIGBUS)
    _exit(2);
  if (t_load(p, &(unsigned char){ 0 }).signo != 0) /* filled and shown: a load needs nothing */
    _exit(3);
  if (msync(p, t_pages(4), MS_SYNC) != -1)
    _exit(4);
  _exit(0);
}

static void
check_parent_is_well(void) {
  PUT(p + t_pages(1), 'w');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'w');
  T_NDIRTY(p, 4, 0);
}

static void
child_of_raw_clone(void) {
  pid_t pid;

  T_ON_FAULT(); /* what a tracker leaves open, stays open there: divergence D16 */
  p = T_MAP_NEW(NULL, &fd, 4);
  pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  T_CHECK(pid >= 0);
  if (pid == 0) {
    (void)alarm(20);
    in_unseen_child();
  }
  T_REAP(pid, T_EXITED(0));
  check_parent_is_well();
}

#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
#define HAS_BARE_FORK 1
#endif
#endif

static void
child_of_bare_fork(void) {
#ifdef HAS_BARE_FORK
  pid_t pid;

  T_ON_FAULT();
  p = T_MAP_NEW(NULL, &fd, 4);
  pid = _Fork();
  T_CHECK(pid >= 0);
  if (pid == 0) {
    (void)alarm(20);
    in_unseen_child();
  }
  T_REAP(pid, T_EXITED(0));
  check_parent_is_well();
#else
  t_skip("no _Fork");
#endif
}

/* It ends by exit: nothing may be written or removed on the parent's behalf. */
static void
unseen_child_that_exits(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  PUT(p, 'p');
  pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  T_CHECK(pid >= 0);
  if (pid == 0) {
    (void)alarm(20);
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_NDIRTY(p, 4, 1);
  T_FILE_OLD(fd, 0, t_pages(4));
  check_parent_is_well();
  T_FILE_BYTE(fd, 0, 'p');
}

/* What was open at that moment is open there, and nobody is told of its stores: here the parent has
 * marked the page itself. */
static void
unseen_child_stores_where_its_parent_did(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  PUT(p + t_pages(1), 'p');
  pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  T_CHECK(pid >= 0);
  if (pid == 0) {
    (void)alarm(20);
    if (t_store(p + t_pages(1) + 7, 'u').signo != 0)
      _exit(2);
    if (msync(p, t_pages(4), MS_SYNC) != -1 || errno != EIO)
      _exit(3);
    _exit(munmap(p, t_pages(4)) == 0 ? 0 : 4);
  }
  T_REAP(pid, T_EXITED(0));
  T_EQ(GET(p + t_pages(1) + 7), 'u');
  check_parent_is_well();
  T_FILE_BYTE(fd, (off_t)t_pages(1) + 7, 'u');
}

/* Every call that would have to know the process says EIO; the host's own work is done. */
static void
calls_of_an_unseen_child(void) {
  struct softmap_range range;
  struct softmap_page page;
  struct softmap_section section;
  unsigned char vec[4];
  unsigned char *foreign = t_foreign(1, 'f');
  size_t len = t_pages(4);

#define EIO_OF(call) T_ROW(#call, call, EIO)
  EIO_OF(softmap_dirty(p, len, &range, 1));
  EIO_OF(softmap_pages(p, len, &page, 1));
  EIO_OF(softmap_pin(p, 1, PROT_READ));
  EIO_OF(softmap_unpin(p, 1));
  EIO_OF(softmap_sync_all());
  EIO_OF(softmap_sections(&section, 1));
  EIO_OF(softmap_section_view("none", 0, &page, 1));
  EIO_OF(softmap_recover("none", NULL));
  EIO_OF(AS_RESULT(mmap(NULL, len, RW, MAP_SHARED, fd, 0)));
  EIO_OF(AS_RESULT(mremap(p, len, t_pages(2), 0)));
  EIO_OF(mprotect(p, len, PROT_READ));
  EIO_OF(mincore(p, len, vec));
  EIO_OF(mlock(p, len));
  EIO_OF(madvise(p, len, MADV_WILLNEED));
  EIO_OF(msync(p, len, MS_SYNC));
#undef EIO_OF
  T_ROW("control: foreign memory", mprotect(foreign, t_pages(1), PROT_READ), 0);
  T_ROW("control: its own addresses", munmap(p, len), 0);
}

static void
unseen_child_is_told_so(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(softmap_pin(p, 1, PROT_READ));
  pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  T_CHECK(pid >= 0);
  if (pid == 0) {
    (void)alarm(20);
    calls_of_an_unseen_child();
    _exit(t_rows_failed() != 0 ? 1 : 0);
  }
  T_REAP(pid, T_EXITED(0));
  T_OK(softmap_unpin(p, 1));
  check_parent_is_well();
}

static const struct t_case cases[] = {
  T_CASE(child_of_raw_clone),
  T_CASE(child_of_bare_fork),
  T_CASE(unseen_child_that_exits),
  T_CASE(unseen_child_stores_where_its_parent_did),
  T_CASE(unseen_child_is_told_so),
};
T_MAIN(cases)
