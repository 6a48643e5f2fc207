/* mremap_errno.c - what mremap refuses. A refused call changes nothing. */
#include "conform.h"

#include <string.h>

#define UNKNOWN_FLAG 0x100

/* p: four pages of a shared mapping, followed by a page of foreign memory. Asked in this order,
 * because the calls that go well move it. */
static void
mremap_refuses_bad_arguments(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(8));
  unsigned char *area = t_foreign(5, 'f');
  unsigned char *p = T_MAP(area, t_pages(4), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  unsigned char *vacant = t_vacant(16);
  size_t page = t_page_size();
  const struct {
    const char *name;
    unsigned char *addr;
    size_t old_len;
    size_t new_len;
    int flags;
    int want;
  } rows[] = {
    { "one byte off", p + 1, 4 * page, 4 * page, MREMAP_MAYMOVE, EINVAL },
    { "half a page off", p + page / 2, page, page, MREMAP_MAYMOVE, EINVAL },
    { "an unknown flag", p, 4 * page, 4 * page, UNKNOWN_FLAG, EINVAL },
    { "new length 0", p, 4 * page, 0, MREMAP_MAYMOVE, EINVAL },
    { "the same length", p, 4 * page, 4 * page, 0, 0 },
    { "the same length, rounded up", p, 4 * page - 1, 4 * page - 5, MREMAP_MAYMOVE, 0 },
    { "old length 0, may not move", p, 0, 4 * page, 0, ENOMEM },
    { "nothing mapped", vacant, page, 2 * page, MREMAP_MAYMOVE, EFAULT },
    { "nothing mapped, same length", vacant, page, page, 0, EFAULT },
    { "nothing mapped, shrinking", vacant, 2 * page, page, 0, EFAULT },
    { "old length past the mapping, growing", p, 5 * page, 6 * page, MREMAP_MAYMOVE, EFAULT },
    { "growing, in the way, may not move", p, 4 * page, 5 * page, 0, ENOMEM },
    { "growing a part, may not move", p, 2 * page, 3 * page, 0, ENOMEM },
    { "MREMAP_DONTUNMAP may not move", p, 4 * page, 4 * page, MREMAP_DONTUNMAP, EINVAL },
    { "MREMAP_DONTUNMAP, other length", p, 4 * page, 5 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
      EINVAL },
    { "growing, may move", p, 4 * page, 5 * page, MREMAP_MAYMOVE, 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name,
          AS_RESULT(mremap(rows[i].addr, rows[i].old_len, rows[i].new_len, rows[i].flags, NULL)),
          rows[i].want);
  T_MEM_ALL(area + 4 * page, page, 'f');
}

static void
mremap_refuses_bad_fixed_addresses(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *area = t_vacant(16);
  unsigned char *p = T_MAP(area + t_pages(4), t_pages(4), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  unsigned char *top = (unsigned char *)(UINTPTR_MAX - t_pages(4) + 1);
  size_t page = t_page_size();
  const int fixed = MREMAP_FIXED | MREMAP_MAYMOVE;
  const struct {
    const char *name;
    unsigned char *to;
    size_t new_len;
    int flags;
    int want;
  } rows[] = {
    { "MREMAP_FIXED may not move", area + 9 * page, 4 * page, MREMAP_FIXED, EINVAL },
    { "one byte off", area + 9 * page + 1, 4 * page, fixed, EINVAL },
    { "onto itself", p, 4 * page, fixed, EINVAL },
    { "over its first pages", p - 2 * page, 4 * page, fixed, EINVAL },
    { "over its last page", p + 3 * page, 4 * page, fixed, EINVAL },
    { "inside itself", p + page, page, fixed, EINVAL },
    { "at the end of all addresses", top, 8 * page, fixed, EINVAL },
    { "new length 0", area + 9 * page, 0, fixed, EINVAL },
    { "just after it", area + 8 * page, 4 * page, fixed, 0 },
  };

  p[0] = 'd';
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, AS_RESULT(mremap(p, 4 * page, rows[i].new_len, rows[i].flags, rows[i].to)),
          rows[i].want);
  T_LOADS(area + 8 * page, 'd');
  T_LOAD_FAULTS(p, SIGSEGV, SEGV_MAPERR);
}

static void
old_length_of_nothing_is_for_shared_mappings(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *shared = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *private = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, fd, 0);

  T_ERR(AS_RESULT(mremap(private, 0, t_pages(2), MREMAP_MAYMOVE)), EINVAL);
  T_REMAP(shared, 0, t_pages(2), MREMAP_MAYMOVE);
}

/* A range that reaches into the next mapping can't grow. */
static void
range_of_two_mappings_can_not_grow(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(8));
  unsigned char *area = t_vacant(8);
  unsigned char *p = T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  unsigned char *q;

  T_MAP(area + t_pages(2), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, (off_t)t_pages(4));
  T_ERR(AS_RESULT(mremap(p, t_pages(4), t_pages(5), MREMAP_MAYMOVE)), EFAULT);
  T_MEM_OLD(p, t_pages(2), 0);
  T_MEM_OLD(p + t_pages(2), t_pages(2), (off_t)t_pages(4));
  q = T_REMAP(p, t_pages(2), t_pages(3), MREMAP_MAYMOVE);
  T_MEM_OLD(q, t_pages(3), 0);
}

static void
refused_call_moves_nothing(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_foreign(3, 'f');
  unsigned char *p = T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);

  memset(p, 'd', t_pages(1));
  T_ERR(AS_RESULT(mremap(p, t_pages(2), t_pages(3), 0)), ENOMEM);
  T_ERR(AS_RESULT(
            mremap(p, t_pages(2), t_pages(2), MREMAP_MAYMOVE | MREMAP_FIXED, area + t_pages(1))),
        EINVAL);
  T_MEM_ALL(p, t_pages(1), 'd');
  T_MEM_ALL(area + t_pages(2), t_pages(1), 'f');
  T_STORES(p + t_pages(1), 'e');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_ALL(fd, 0, t_pages(1), 'd');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'e');
  T_OK(munmap(area + t_pages(2), t_pages(1)));
  T_EQ((uintptr_t)T_REMAP(p, t_pages(2), t_pages(3), 0), (uintptr_t)p);
}

static const struct t_case cases[] = {
  T_CASE(mremap_refuses_bad_arguments),
  T_CASE(mremap_refuses_bad_fixed_addresses),
  T_CASE(old_length_of_nothing_is_for_shared_mappings),
  T_CASE(range_of_two_mappings_can_not_grow),
  T_CASE(refused_call_moves_nothing),
};

T_MAIN(cases)
