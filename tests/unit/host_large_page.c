/* Pages larger than the kernel's, as a test asks for: everything behaves as on a kernel that has
 * such pages. */
#include "host_test.h"

#include <sys/uio.h>

#define LARGE 65536U
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define READ_WRITE (PROT_READ | PROT_WRITE)

static bool
is_aligned(const void *addr) {
  return (uintptr_t)addr % LARGE == 0;
}

static int
page_shift_with(void *value) {
  setenv("SOFTMAP_TEST_PAGE_SIZE", (const char *)value, 1);
  return host_start() == 0 && host_config.page_size == (size_t)1 << host_config.page_shift
             ? (int)host_config.page_shift
             : 255;
}

/* Before this process starts its host: each row is a child's start. */
static void
only_sensible_sizes_are_taken(void **state) {
  const int kernel = __builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
  const struct {
    const char *value;
    int shift; /* 0: the kernel's */
  } rows[] = {
    { "65536", 16 },
    { "1048576", 20 },
    { "2097152", 0 },
    { "65535", 0 },
    { "98304", 0 },
    { "512", 0 },
    { "", 0 },
    { "0", 0 },
    { "many", 0 },
    { "-65536", 0 },
    { "65536000000000000000000", 0 },
  };
  (void)state;
  assert_int_equal(host_config.page_size, 0);
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int want = rows[i].shift != 0 ? rows[i].shift : kernel;
    int shift = in_child(page_shift_with, (void *)(uintptr_t)rows[i].value);
    if (shift != want)
      fail_msg("'%s': page shift %d, want %d", rows[i].value, shift, want);
  }
}

static void
start_with_large_pages(void **state) {
  (void)state;
  setenv("SOFTMAP_TEST_PAGE_SIZE", "65536", 1);
  EXPECT(host_start(), 0);
  assert_int_equal(host_config.page_size, LARGE);
  assert_int_equal(host_config.page_shift, 16);
}

static void
mappings_are_aligned(void **state) {
  void *out[64];
  (void)state;
  for (size_t i = 0; i < COUNT_OF(out); i++) {
    EXPECT(host_map(&out[i], NULL, LARGE * (1 + i % 3), READ_WRITE, PRIVATE, -1, 0), 0);
    assert_true(is_aligned(out[i]));
    memset(out[i], (int)i, LARGE * (1 + i % 3));
  }
  for (size_t i = 0; i < COUNT_OF(out); i++) {
    assert_int_equal(((unsigned char *)out[i])[LARGE - 1], i);
    EXPECT(host_unmap(out[i], LARGE * (1 + i % 3)), 0);
  }
}

/* Whether something is mapped at addr: mincore says ENOMEM if not. */
static bool
is_mapped(const char *addr) {
  unsigned char vec;
  return mincore((void *)(uintptr_t)addr, 1, &vec) == 0;
}

/* Bytes mapped in this process. */
static size_t
address_space(void) {
  char text[64] = "";
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  assert_true(read(fd, text, sizeof text - 1) > 0);
  close(fd);
  return strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static void
slack_is_given_back(void **state) {
  void *out = NULL;
  size_t kernel = (size_t)sysconf(_SC_PAGESIZE);
  (void)state;
  EXPECT(host_map(&out, NULL, 3 * LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  EXPECT(host_unmap(out, 3 * LARGE), 0);
  for (char *at = (char *)out; at < (char *)out + 3 * LARGE; at += kernel)
    assert_false(is_mapped(at));
  /* Many at once, with small mappings between, so that the kernel's places are of all kinds. */
  void *large[300];
  void *small[300];
  size_t before = address_space();
  for (size_t i = 0; i < COUNT_OF(large); i++) {
    small[i] = mmap(NULL, kernel * (1 + i % 7), PROT_NONE, PRIVATE, -1, 0);
    EXPECT(host_map(&large[i], NULL, LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  }
  for (size_t i = 0; i < COUNT_OF(large); i++) {
    assert_int_equal(munmap(small[i], kernel * (1 + i % 7)), 0);
    EXPECT(host_unmap(large[i], LARGE), 0);
  }
  assert_in_range(address_space(), 0, before + 16 * LARGE);
}

static void
lengths_are_rounded_up(void **state) {
  char *start;
  void *out = NULL;
  (void)state;
  EXPECT(host_map(&out, NULL, 1, READ_WRITE, PRIVATE, -1, 0), 0);
  start = (char *)out;
  start[LARGE - 1] = 1;
  EXPECT(host_protect(start, 1, PROT_READ), 0);
  EXPECT(host_protect(start, 1, READ_WRITE), 0);
  start[LARGE - 1] = 2;
  EXPECT(host_unmap(start, 1), 0);
  assert_false(is_mapped(start + LARGE - 1));
}

static void
hint_is_honoured_if_aligned_and_free(void **state) {
  void *first = NULL;
  void *again = NULL;
  char *hint;
  (void)state;
  EXPECT(host_map(&first, NULL, 2 * LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  EXPECT(host_unmap(first, 2 * LARGE), 0);
  EXPECT(host_map(&again, first, 2 * LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  assert_ptr_equal(again, first);
  hint = (char *)first + 4096; /* taken, and not aligned */
  EXPECT(host_map(&again, hint, LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  assert_ptr_not_equal(again, hint);
  assert_true(is_aligned(again));
  EXPECT(host_unmap(again, LARGE), 0);
  EXPECT(host_unmap(first, 2 * LARGE), 0);
}

static int file;

static int
map_at_small_page(void) {
  void *out = NULL;
  return host_map(&out, (void *)(uintptr_t)(LARGE * 4096 + 4096), LARGE, PROT_READ,
                  PRIVATE | MAP_FIXED, -1, 0);
}
static int
map_file_at(off_t offset) {
  void *out = NULL;
  int error = host_map(&out, NULL, LARGE, PROT_READ, MAP_SHARED, file, offset);
  return error != 0 ? error : host_unmap(out, LARGE);
}
static int
map_small_offset(void) {
  return map_file_at(4096);
}
static int
map_large_offset(void) {
  return map_file_at(LARGE);
}
static int
map_bad_fd(void) {
  void *out = NULL;
  return host_map(&out, NULL, LARGE, PROT_READ, MAP_SHARED, -1, 0);
}
static int
unmap_small(void) {
  return host_unmap((void *)(uintptr_t)4096, LARGE);
}
static int
protect_small(void) {
  return host_protect((void *)(uintptr_t)4096, LARGE, PROT_READ);
}
static int
advise_small(void) {
  return host_advise((void *)(uintptr_t)4096, LARGE, MADV_NORMAL);
}
static int
map_everything(void) {
  void *out = NULL;
  return host_map(&out, NULL, SIZE_MAX - LARGE, PROT_READ, PRIVATE, -1, 0);
}

static int
map_more_than_everything(void) {
  void *out = NULL;
  return host_map(&out, NULL, SIZE_MAX, PROT_READ, PRIVATE, -1, 0);
}

static char *area; /* one page, and then none */

static int
remap(char *from, size_t len, size_t new_len, int flags, char *to) {
  void *out = NULL;
  return host_remap(&out, from, len, new_len, flags, to);
}
static int
remap_same(void) {
  return remap(area, LARGE, LARGE, 0, NULL);
}
static int
remap_small(void) {
  return remap(area + 4096, LARGE, LARGE, 0, NULL);
}
static int
remap_to_small(void) {
  return remap(area, LARGE, LARGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 4096);
}
static int
remap_to_more_than_everything(void) {
  return remap(area, LARGE, SIZE_MAX, MREMAP_MAYMOVE, NULL);
}
static int
resident_one(void) {
  unsigned char vec;
  return host_resident(area, LARGE, &vec);
}
static int
resident_hole(void) {
  unsigned char vec[2];
  return host_resident(area, (size_t)2 * LARGE, vec);
}
static int
resident_into_nowhere(void) {
  return host_resident(area, LARGE, (unsigned char *)area + LARGE);
}

static void
small_pages_are_refused(void **state) {
  static const struct host_row rows[] = {
    { "map fixed at a small page", map_at_small_page, EINVAL },
    { "map a small page's offset", map_small_offset, EINVAL },
    { "map a large page's offset", map_large_offset, 0 },
    { "map a bad descriptor", map_bad_fd, EBADF },
    { "map everything", map_everything, ENOMEM },
    { "map more than everything", map_more_than_everything, ENOMEM },
    { "remap to the same size", remap_same, 0 },
    { "remap a small page", remap_small, EINVAL },
    { "remap to a small page", remap_to_small, EINVAL },
    { "remap to more than everything", remap_to_more_than_everything, ENOMEM },
    { "resident", resident_one, 0 },
    { "resident into a hole", resident_hole, ENOMEM },
    { "resident to where nothing is", resident_into_nowhere, EFAULT },
    { "unmap a small page", unmap_small, EINVAL },
    { "protect a small page", protect_small, EINVAL },
    { "advise a small page", advise_small, EINVAL },
  };
  void *out = NULL;
  (void)state;
  file = new_file("file", 0);
  assert_int_equal(ftruncate(file, 2 * LARGE), 0);
  EXPECT(host_map(&out, NULL, 2 * LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  area = (char *)out;
  EXPECT(host_unmap(area + LARGE, LARGE), 0);
  check_rows(rows, COUNT_OF(rows));
  EXPECT(host_unmap(area, LARGE), 0);
  close(file);
}

static int
remap_without_room(void *arg) {
  struct rlimit limit;
  void *out = NULL;
  (void)arg;
  CHILD_CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = address_space() + 64 * LARGE;
  CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  CHILD_CHECK(host_remap(&out, area, LARGE, 1024 * LARGE, MREMAP_MAYMOVE, NULL) == ENOMEM);
  CHILD_CHECK(host_remap(&out, area, LARGE, 2 * LARGE, MREMAP_MAYMOVE, NULL) == 0); /* the control */
  limit.rlim_cur = before;
  CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  return 0;
}

static void
remap_finds_no_room(void **state) {
  void *out = NULL;
  (void)state;
  if (is_sanitized(NULL))
    skip(); /* its run-time has mapped more than any limit */
  EXPECT(host_map(&out, NULL, LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  area = (char *)out;
  assert_int_equal(in_child(remap_without_room, NULL), 0);
  EXPECT(host_unmap(out, LARGE), 0);
}

static void
resident_counts_large_pages(void **state) {
  unsigned char vec[3] = { 9, 9, 9 };
  void *out = NULL;
  (void)state;
  EXPECT(host_map(&out, NULL, 3 * LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  EXPECT(host_advise(out, 3 * LARGE, MADV_NOHUGEPAGE), 0);
  memset((char *)out + LARGE, 1, LARGE);
  ((volatile char *)out)[0] = 1; /* one small page of the first */
  EXPECT(host_resident(out, 3 * LARGE, vec), 0);
  assert_int_equal(vec[0], 0);
  assert_int_equal(vec[1], 1);
  assert_int_equal(vec[2], 0);
  EXPECT(host_unmap(out, 3 * LARGE), 0);
}

static void
remap_stays_aligned(void **state) {
  void *out = NULL;
  void *wall = NULL;
  char *start;
  (void)state;
  EXPECT(host_map(&out, NULL, 2 * LARGE, READ_WRITE, PRIVATE, -1, 0), 0);
  start = (char *)out;
  memset(start, 3, 2 * LARGE);
  EXPECT(host_remap(&out, start, 2 * LARGE, LARGE, 0, NULL), 0); /* shrinks in place */
  assert_ptr_equal(out, start);
  EXPECT(host_map(&wall, start + LARGE, LARGE, PROT_NONE, PRIVATE, -1, 0), 0);
  assert_ptr_equal(wall, start + LARGE);
  EXPECT(host_remap(&out, start, LARGE, 8 * LARGE, 0, NULL), ENOMEM); /* no room, may not move */
  for (int i = 0; i < 16; i++) {
    EXPECT(host_remap(&out, start, LARGE, (size_t)(8 + i) * LARGE, MREMAP_MAYMOVE, NULL), 0);
    assert_true(is_aligned(out));
    assert_int_equal(((char *)out)[LARGE - 1], 3);
    EXPECT(host_remap(&out, out, (size_t)(8 + i) * LARGE, LARGE, 0, NULL), 0);
    start = (char *)out;
  }
  EXPECT(host_unmap(start, LARGE), 0);
  EXPECT(host_unmap(wall, LARGE), 0);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_sensible_sizes_are_taken),
    cmocka_unit_test(start_with_large_pages),
    cmocka_unit_test(mappings_are_aligned),
    cmocka_unit_test(slack_is_given_back),
    cmocka_unit_test(lengths_are_rounded_up),
    cmocka_unit_test(hint_is_honoured_if_aligned_and_free),
    cmocka_unit_test(small_pages_are_refused),
    cmocka_unit_test(remap_finds_no_room),
    cmocka_unit_test(resident_counts_large_pages),
    cmocka_unit_test(remap_stays_aligned),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
