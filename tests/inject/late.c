/* late.c - a write to the file that comes too late: its process was stopped before it, others wrote the page,
 * and one of them opened it ahead. What is written then must not be what the page's twin doesn't know.
 */
#include "held.h"

enum { PAGES = 40, PAGE = 30 };

static unsigned char *p;
static int fd;

/* What is written late has its first byte from the fence, as it was; the next one as it is now. */
static void
store(unsigned char value) {
  PUT(p + t_pages(PAGE), value);
  PUT(p + t_pages(PAGE) + 1, value);
}

/* In a child, which is stopped when its thread of softmap is about to write the page. */
static void
sync_late(void *arg) {
  struct inject_rule rule = { .call = HOST_CALL_write, .nth = 1, .times = 1, .hold = 1 };

  (void)arg;
  PUT(p + t_pages(1), 'v'); /* so that there is a fence */
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  store('w');
  held_begin(&rule);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  held_end();
}

static void
late_write_does_not_pass_by_a_twin(void) {
  pid_t pid;

  T_ON_FAULT();
  p = T_MAP_NEW(NULL, &fd, PAGES);
  for (size_t i = 0; i < PAGES; i++)
    (void)GET(p + t_pages(i)); /* filled */
  pid = T_HELD_CHILD(sync_late, NULL);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC)); /* takes over */
  T_FILE_ALL(fd, (off_t)t_pages(PAGE), 2, 'w');
  for (size_t i = 10; i < PAGE; i++)
    PUT(p + t_pages(i), 'r'); /* and opens it ahead */
  store('s');
  T_HELD_CHILD_GOES_ON(pid);
  store('w');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_ALL(fd, (off_t)t_pages(PAGE), 2, 'w');
  T_OK(munmap(p, t_pages(PAGES)));
}

static const struct t_case cases[] = {
  T_CASE(late_write_does_not_pass_by_a_twin),
};
T_MAIN(cases)
