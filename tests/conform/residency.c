/* residency.c - mincore, mlock, munlock: what they tell, and what they refuse. */
#include "conform.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifdef __linux__
#include <linux/capability.h>
#endif

/* mincore of the range with a vector that is large enough. */
static int
ask(void *addr, size_t len) {
  static unsigned char vec[1 << 16];

  return mincore(addr, len, vec);
}

static void
mincore_refuses_bad_arguments(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  unsigned char *vacant = t_vacant(1);
  size_t page = t_page_size();
  const struct {
    const char *name;
    unsigned char *addr;
    size_t len;
    int want;
  } rows[] = {
    { "a page", p, page, 0 },
    { "four pages", p, 4 * page, 0 },
    { "length 1", p, 1, 0 },
    { "length 0", p, 0, 0 },
    { "one byte off", p + 1, page, EINVAL },
    { "half a page off", p + page / 2, page, EINVAL },
    { "nothing mapped", vacant, page, ENOMEM },
    { "a range that wraps", p, SIZE_MAX - 2 * page + 1, ENOMEM },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, ask(rows[i].addr, rows[i].len), rows[i].want);
  T_OK(munmap(p + page, page));
  T_ERR(ask(p, 4 * page), ENOMEM);
  T_OK(ask(p + 2 * page, 2 * page));
}

static void
mincore_refuses_a_vector_that_can_not_be_written(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *vec = t_reserve(1);

  T_ERR(mincore(p, t_pages(2), vec), EFAULT);
  T_OK(mprotect(vec, t_pages(1), RW));
  T_OK(mincore(p, t_pages(2), vec));
}

static void
mincore_tells_of_pages_that_were_touched(void) {
  unsigned char vec[16];
  int fd = t_tmpfile(NULL, (off_t)t_pages(16));
  unsigned char *p = T_MAP(NULL, t_pages(16), RW, MAP_SHARED, fd, 0);
  unsigned char *q = T_MAP(NULL, t_pages(16), RW, MAP_PRIVATE, fd, 0);

  for (size_t page = 0; page < 16; page += 3) {
    PUT(p + t_pages(page), 'a');
    PUT(q + t_pages(page), 'b');
  }
  memset(vec, 0, sizeof vec);
  T_OK(mincore(p, t_pages(16), vec));
  for (size_t page = 0; page < 16; page += 3)
    T_EQ(vec[page] & 1, 1);
  memset(vec, 0, sizeof vec);
  T_OK(mincore(q, t_pages(16), vec));
  for (size_t page = 0; page < 16; page += 3)
    T_EQ(vec[page] & 1, 1);
}

/* One byte a page, for as many pages as the range touches, and no byte more. */
static void
mincore_writes_a_byte_a_page(void) {
  unsigned char vec[8];
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  T_MEM_OLD(p, t_pages(4), 0);
  memset(vec, 0xee, sizeof vec);
  T_OK(mincore(p, t_pages(2) + 1, vec));
  T_EQ(vec[0] & 1, 1);
  T_EQ(vec[2] & 1, 1);
  T_EQ(vec[3], 0xee);
}

static void
lock_rules_are_kept(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  unsigned char *vacant = t_vacant(1);
  size_t page = t_page_size();
  const struct {
    const char *name;
    unsigned char *addr;
    size_t len;
    int want;
  } rows[] = {
    { "a page", p, page, 0 },
    { "an unaligned address", p + 1, 1, 0 },
    { "across two pages", p + page - 1, 2, 0 },
    { "length 0", p, 0, 0 },
    { "length 0, nothing mapped", vacant, 0, 0 },
    { "nothing mapped", vacant, page, ENOMEM },
    { "a range that wraps", p, SIZE_MAX - 2 * page + 1, EINVAL },
    { "all of it", p, 4 * page, 0 },
  };

  t_lock_or_skip(p, 1);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, mlock(rows[i].addr, rows[i].len), rows[i].want);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, munlock(rows[i].addr, rows[i].len), rows[i].want);
  T_OK(munmap(p + page, page));
  T_ERR(mlock(p, 4 * page), ENOMEM);
  T_ERR(munlock(p, 4 * page), ENOMEM);
  T_OK(mlock(p + 2 * page, 2 * page));
  T_OK(munlock(p + 2 * page, 2 * page));
}

static void
locking_needs_pages_that_can_be_read(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  t_lock_or_skip(p, t_pages(1));
  T_ERR(mlock(p + t_pages(1), t_pages(1)), ENOMEM);
  T_OK(munlock(p, t_pages(2)));
  T_OK(mprotect(p, t_pages(1), PROT_NONE));
  T_ERR(mlock(p, t_pages(1)), ENOMEM);
  T_OK(mprotect(p, t_pages(1), PROT_READ));
  T_OK(mlock(p, t_pages(1)));
}

static void
locked_pages_are_stored_to_and_written_like_others(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  p[0] = 'a';
  t_lock_or_skip(p, t_pages(3));
  p[1] = 'b';
  p[t_pages(2)] = 'c';
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "ab", 2);
  p[2] = 'd';
  T_OK(munlock(p, t_pages(3)));
  p[3] = 'e';
  T_OK(munmap(p, t_pages(3)));
  T_FILE_EQUALS(fd, 0, "abde", 4);
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'c');
}

/* A process with the right to lock anything has no limit: give the right up. */
static void
limit_locked_memory(rlim_t bytes) {
  struct rlimit limit = { bytes, bytes };
#if defined(_LINUX_CAPABILITY_VERSION_3) && defined(SYS_capset)
  struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct data[2];

  memset(data, 0, sizeof data);
  if (syscall(SYS_capget, &head, data) == 0) {
    data[0].effective &= ~(1U << CAP_IPC_LOCK);
    (void)syscall(SYS_capset, &head, data);
  }
#endif
  T_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
}

static void
with_a_limit_of_two_pages(void *path) {
  int fd = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  limit_locked_memory((rlim_t)t_pages(2));
  T_ERR(mlock(p, t_pages(3)), ENOMEM);
  T_OK(mlock(p, t_pages(2)));
  T_ERR(mlock(p + t_pages(2), t_pages(1)), ENOMEM);
  T_ERR(AS_RESULT(mmap(NULL, t_pages(1), RW, MAP_SHARED | MAP_LOCKED, fd, 0)), EAGAIN);
  T_OK(munlock(p, t_pages(2)));
  T_MAP(NULL, t_pages(1), RW, MAP_SHARED | MAP_LOCKED, fd, 0);
  T_OK(mlock(p + t_pages(2), t_pages(1)));
}

static void
without_any_right(void *path) {
  int fd = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  T_OK(mlock(p, t_pages(1)));
  limit_locked_memory(0);
  T_ERR(mlock(p + t_pages(1), t_pages(1)), EPERM);
  T_ERR(AS_RESULT(mmap(NULL, t_pages(1), RW, MAP_SHARED | MAP_LOCKED, fd, 0)), EPERM);
  T_OK(munlock(p, t_pages(1)));
}

static void
limits_of_locked_memory_are_kept(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  t_lock_or_skip(p, t_pages(1));
  T_OK(munmap(p, t_pages(4)));
  T_IN_CHILD(with_a_limit_of_two_pages, path, T_EXITED(0));
  T_IN_CHILD(without_any_right, path, T_EXITED(0));
}

static const struct t_case cases[] = {
  T_CASE(mincore_refuses_bad_arguments),
  T_CASE(mincore_refuses_a_vector_that_can_not_be_written),
  T_CASE(mincore_tells_of_pages_that_were_touched),
  T_CASE(mincore_writes_a_byte_a_page),
  T_CASE(lock_rules_are_kept),
  T_CASE(locking_needs_pages_that_can_be_read),
  T_CASE(locked_pages_are_stored_to_and_written_like_others),
  T_CASE(limits_of_locked_memory_are_kept),
};

T_MAIN(cases)
