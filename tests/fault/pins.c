/* pins.c - system calls that are given mapped memory: refused where a page is closed or not filled,
 * and safe while it is pinned.
 */
#include "t_engine.h"

#include <sys/socket.h>

enum { LEN = 5 };

static unsigned char *p;
static int fd;
static int from, to; /* the ends of a pipe */

static void
begin(void) {
  int ends[2];

  p = T_MAP_NEW(NULL, &fd, 4);
  T_OK(pipe(ends));
  from = ends[0];
  to = ends[1];
}

/* Across the end of a page. */
static unsigned char *
across(void) {
  return p + t_pages(1) - 2;
}

static void
call_that_stores(void) {
  T_ON_FAULT();
  begin();
  T_EQ(write(to, "hello", LEN), LEN);
  T_ERR(read(from, across(), LEN), EFAULT);
  T_OK(softmap_pin(across(), LEN, PROT_WRITE));
  T_NDIRTY(p, 4, 2);
  T_EQ(read(from, across(), LEN), LEN); /* the pipe still had it */
  T_OK(softmap_unpin(across(), LEN));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_NDIRTY(p, 4, 0);
  T_FILE_EQUALS(fd, (off_t)t_pages(1) - 2, "hello", LEN);
  T_EQ(write(to, "again", LEN), LEN);
  T_ERR(read(from, across(), LEN), EFAULT);
}

static void
call_that_loads(void) {
  char got[LEN];

  T_OK(softmap_configure("fill", "touch"));
  begin();
  T_ERR(write(to, across(), LEN), EFAULT);
  T_OK(softmap_pin(across(), LEN, PROT_READ));
  T_NDIRTY(p, 4, 0);
  T_EQ(write(to, across(), LEN), LEN);
  T_OK(softmap_unpin(across(), LEN));
  T_EQ(read(from, got, LEN), LEN);
  T_FILE_EQUALS(fd, (off_t)t_pages(1) - 2, got, LEN);
  T_EQ(write(to, across(), LEN), LEN); /* filled is enough */
}

/* What can't be received is gone. */
static void
datagram(void) {
  int ends[2];

  T_ON_FAULT();
  begin();
  T_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  T_EQ(send(ends[0], "first", LEN, 0), LEN);
  T_EQ(send(ends[0], "other", LEN, 0), LEN);
  T_ERR(recv(ends[1], p, LEN, 0), EFAULT);
  T_OK(softmap_pin(p, LEN, PROT_WRITE));
  T_EQ(recv(ends[1], p, LEN, MSG_DONTWAIT), LEN);
  T_OK(softmap_unpin(p, LEN));
  T_CHECK(memcmp(p, "other", LEN) == 0);
}

static void
sync_writes_pinned_pages_and_leaves_them_open(void) {
  T_ON_FAULT();
  begin();
  T_OK(softmap_pin(p, LEN, PROT_WRITE));
  T_OK(softmap_pin(p, 1, PROT_WRITE));
  for (int i = 0; i < 3; i++) {
    unsigned char text[LEN] = { (unsigned char)i, 1, 2, 3, 4 };

    T_EQ(write(to, text, LEN), LEN);
    T_EQ(read(from, p, LEN), LEN);
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_EQUALS(fd, 0, text, LEN);
    T_NDIRTY(p, 4, 1);
    if (i == 1)
      T_OK(softmap_unpin(p, LEN)); /* it was pinned twice */
  }
  T_OK(softmap_unpin(p, 1));
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_NDIRTY(p, 4, 0);
  T_EQ(write(to, "again", LEN), LEN);
  T_ERR(read(from, p, LEN), EFAULT);
}

static void
what_cannot_be_pinned_is_refused(void) {
  unsigned char *foreign = t_foreign(1, 'f');

  begin();
  T_OK(mprotect(p + t_pages(1), t_pages(1), PROT_READ));
  T_OK(mprotect(p + t_pages(2), t_pages(1), PROT_NONE));
  T_OK(ftruncate(fd, (off_t)t_pages(3)));
  T_OK(msync(p, t_pages(1), MS_SYNC)); /* which notices it */
#define ROW(name, addr, len, prot, want) T_ROW(name, softmap_pin(addr, len, prot), want)
  ROW("control: both", p, t_pages(1), RW, 0);
  ROW("control: to read", p, t_pages(2), PROT_READ, 0);
  ROW("control: foreign memory", foreign, t_pages(1), RW, 0);
  ROW("read-only, to write", p, t_pages(1) + 1, PROT_WRITE, EFAULT);
  ROW("inaccessible, to read", p + t_pages(1), t_pages(2), PROT_READ, EFAULT);
  ROW("past the end", p + t_pages(3), 1, PROT_READ, EFAULT);
  ROW("neither", p, 1, PROT_NONE, EINVAL);
  ROW("to execute", p, 1, PROT_READ | PROT_EXEC, EINVAL);
  ROW("wraps", p, SIZE_MAX, PROT_READ, EINVAL);
#undef ROW
  T_OK(softmap_unpin(p, t_pages(1)));
  T_OK(softmap_unpin(p, t_pages(2)));
  T_ERR(softmap_unpin(p, 1), EINVAL);
  T_NDIRTY(p, 3, 1); /* the one that was pinned to write */
}

static const struct t_case cases[] = {
  T_CASE(call_that_stores),
  T_CASE(call_that_loads),
  T_CASE(datagram),
  T_CASE(sync_writes_pinned_pages_and_leaves_them_open),
  T_CASE(what_cannot_be_pinned_is_refused),
};
T_MAIN(cases)
