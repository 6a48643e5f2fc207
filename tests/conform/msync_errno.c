/* msync_errno.c - what msync refuses, and how much it had written by then. */
#include "conform.h"

#define UNKNOWN_FLAG 0x40

static void
msync_refuses_bad_arguments(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *vacant = t_vacant(2);
  size_t page = t_page_size();
  const struct {
    const char *name;
    unsigned char *addr;
    size_t len;
    int flags;
    int want;
  } rows[] = {
    { "MS_SYNC", p, page, MS_SYNC, 0 },
    { "MS_ASYNC", p, page, MS_ASYNC, 0 },
    { "no flag", p, page, 0, 0 },
    { "MS_INVALIDATE", p, page, MS_INVALIDATE, 0 },
    { "MS_SYNC|MS_INVALIDATE", p, page, MS_SYNC | MS_INVALIDATE, 0 },
    { "MS_ASYNC|MS_INVALIDATE", p, page, MS_ASYNC | MS_INVALIDATE, 0 },
    { "MS_SYNC|MS_ASYNC", p, page, MS_SYNC | MS_ASYNC, EINVAL },
    { "all three", p, page, MS_SYNC | MS_ASYNC | MS_INVALIDATE, EINVAL },
    { "an unknown flag", p, page, UNKNOWN_FLAG, EINVAL },
    { "an unknown flag with MS_SYNC", p, page, MS_SYNC | UNKNOWN_FLAG, EINVAL },
    { "all flags", p, page, -1, EINVAL },
    { "one byte off", p + 1, page, MS_SYNC, EINVAL },
    { "half a page off", p + page / 2, page, MS_SYNC, EINVAL },
    { "the second page", p + page, page, MS_SYNC, 0 },
    { "length 1", p, 1, MS_SYNC, 0 },
    { "length 0", p, 0, MS_SYNC, 0 },
    { "length 0, one byte off", p + 1, 0, MS_SYNC, EINVAL },
    { "length 0, both flags", p, 0, MS_SYNC | MS_ASYNC, EINVAL },
    { "length 0, nothing mapped", vacant, 0, MS_SYNC, 0 },
    { "nothing mapped", vacant, page, MS_SYNC, ENOMEM },
    { "nothing mapped, MS_ASYNC", vacant, page, MS_ASYNC, ENOMEM },
    { "nothing mapped, no flag", vacant, page, 0, ENOMEM },
    { "a range that wraps", p, SIZE_MAX - 2 * page + 1, MS_SYNC, ENOMEM },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, msync(rows[i].addr, rows[i].len, rows[i].flags), rows[i].want);
  T_FILE_OLD(fd, 0, t_pages(2));
}

static void
msync_reports_hole_after_writing_the_mapped_parts(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(6));
  unsigned char *p = T_MAP(NULL, t_pages(6), RW, MAP_SHARED, fd, 0);

  T_OK(munmap(p + t_pages(2), t_pages(1)));
  p[t_pages(1)] = 'b';
  p[t_pages(3)] = 'd';
  p[t_pages(5)] = 'f';
  T_ERR(msync(p, t_pages(6), MS_SYNC), ENOMEM);
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'b');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'd');
  T_FILE_BYTE(fd, (off_t)t_pages(5), 'f');
  T_OK(msync(p + t_pages(3), t_pages(3), MS_SYNC));
  T_OK(msync(p, t_pages(2), MS_SYNC));
}

/* Where the hole lies makes no difference to MS_SYNC, and none to what is written. */
static void
msync_reports_hole_at_either_end(void) {
  static const int flags[] = { MS_SYNC, MS_SYNC | MS_INVALIDATE };

  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(2));
    unsigned char *area = t_vacant(4);
    unsigned char *p = T_MAP(area + t_pages(1), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);

    p[0] = 'a';
    T_ERR(msync(area, t_pages(2), flags[i]), ENOMEM);
    T_FILE_BYTE(fd, 0, 'a');
    p[t_pages(1)] = 'b';
    T_ERR(msync(p + t_pages(1), t_pages(2), flags[i]), ENOMEM);
    T_FILE_BYTE(fd, (off_t)t_pages(1), 'b');
    p[1] = 'c';
    T_OK(msync(p, t_pages(2), flags[i]));
    T_FILE_BYTE(fd, 1, 'c');
  }
}

static void
msync_without_waiting_reports_holes_too(void) {
  static const int flags[] = { MS_ASYNC, MS_INVALIDATE, MS_ASYNC | MS_INVALIDATE, 0 };
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  T_OK(munmap(p + t_pages(1), t_pages(1)));
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    T_ERR(msync(p, t_pages(3), flags[i]), ENOMEM);
    T_ERR(msync(p + t_pages(1), t_pages(1), flags[i]), ENOMEM);
    T_OK(msync(p, t_pages(1), flags[i]));
    T_OK(msync(p + t_pages(2), t_pages(1), flags[i]));
  }
}

static void
msync_refuses_to_invalidate_locked_pages(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  const struct {
    const char *name;
    size_t first;
    size_t npages;
    int flags;
    int want;
  } rows[] = {
    { "the locked page, MS_INVALIDATE", 1, 1, MS_INVALIDATE, EBUSY },
    { "the locked page, MS_SYNC|MS_INVALIDATE", 1, 1, MS_SYNC | MS_INVALIDATE, EBUSY },
    { "the locked page, MS_ASYNC|MS_INVALIDATE", 1, 1, MS_ASYNC | MS_INVALIDATE, EBUSY },
    { "a range with the locked page", 0, 4, MS_SYNC | MS_INVALIDATE, EBUSY },
    { "the locked page, MS_SYNC", 1, 1, MS_SYNC, 0 },
    { "the locked page, MS_ASYNC", 1, 1, MS_ASYNC, 0 },
    { "the page before", 0, 1, MS_SYNC | MS_INVALIDATE, 0 },
    { "the pages after", 2, 2, MS_SYNC | MS_INVALIDATE, 0 },
  };

  t_lock_or_skip(p + t_pages(1), t_pages(1));
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, msync(p + t_pages(rows[i].first), t_pages(rows[i].npages), rows[i].flags),
          rows[i].want);
  T_OK(munlock(p + t_pages(1), t_pages(1)));
  T_OK(msync(p, t_pages(4), MS_SYNC | MS_INVALIDATE));
}

static void
pages_locked_by_mmap_are_locked_for_msync(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  t_lock_or_skip(p, t_pages(2));
  T_OK(munmap(p, t_pages(2)));
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED | MAP_LOCKED, fd, 0);
  p[0] = 'l';
  T_ERR(msync(p, t_pages(2), MS_SYNC | MS_INVALIDATE), EBUSY);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'l');
  T_OK(munlock(p, t_pages(2)));
  T_OK(msync(p, t_pages(2), MS_SYNC | MS_INVALIDATE));
}

/* A refused call writes nothing and loses nothing. */
static void
refused_msync_keeps_the_dirt(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  p[0] = 'k';
  T_ERR(msync(p, t_pages(1), MS_SYNC | MS_ASYNC), EINVAL);
  T_ERR(msync(p + 1, t_pages(1), MS_SYNC), EINVAL);
  T_LOADS(p, 'k');
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'k');
}

static const struct t_case cases[] = {
  T_CASE(msync_refuses_bad_arguments),
  T_CASE(msync_reports_hole_after_writing_the_mapped_parts),
  T_CASE(msync_reports_hole_at_either_end),
  T_CASE(msync_without_waiting_reports_holes_too),
  T_CASE(msync_refuses_to_invalidate_locked_pages),
  T_CASE(pages_locked_by_mmap_are_locked_for_msync),
  T_CASE(refused_msync_keeps_the_dirt),
};

T_MAIN(cases)
