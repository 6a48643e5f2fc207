/* The rules of the arguments.  Each row names what is wrong, and carries a second request that
 * differs in one member: it passes, or, where two things are wrong, fails for the other reason.
 * All rows are played with several page sizes.
 */
#include "core/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <softmap/softmap.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const size_t page_sizes[] = { 4096, 16384, 65536 };

enum {
  NONE = PROT_NONE,
  R = PROT_READ,
  W = PROT_WRITE,
  RW = PROT_READ | PROT_WRITE,
  SHARED = MAP_SHARED,
  PRIVATE = MAP_PRIVATE,
  VALIDATE = MAP_SHARED_VALIDATE,
  FIXED = MAP_FIXED,
  ANY = SOFTMAP_MAP_ANY_OFFSET,
  UNKNOWN_FLAG = 0x200000,
};

/* ---- mmap ---------------------------------------------------------------------------------- */

#define ASK(addr, len, prot, flags, offset, open_flags)                                            \
  { addr, len, prot, flags, offset, p, open_flags, false }
#define ASK_DIRECTORY(len, prot, flags)                                                            \
  { 0, len, prot, flags, 0, p, O_RDONLY | O_DIRECTORY, true }

struct map_row {
  const char *name;
  int want, want_other;
  struct rules_map asked;
  struct rules_map other; /* differs in one member */
};

static int
count_differences(const struct rules_map *a, const struct rules_map *b) {
  return (a->addr != b->addr) + (a->len != b->len) + (a->prot != b->prot) + (a->flags != b->flags) +
         (a->offset != b->offset) + (a->page_size != b->page_size) +
         (a->open_flags != b->open_flags) + (a->is_directory != b->is_directory);
}

static void
play_map_rows(const struct map_row *row, size_t n) {
  for (; n-- > 0; row++) {
    if (count_differences(&row->asked, &row->other) != 1)
      fail_msg("%s: the rows differ in more than one member", row->name);
    int got = rules_map(&row->asked);
    if (got != row->want)
      fail_msg("%s: %d, wanted %d", row->name, got, row->want);
    got = rules_map(&row->other);
    if (got != row->want_other)
      fail_msg("%s, the other one: %d, wanted %d", row->name, got, row->want_other);
  }
}

/* The greatest offset and the lengths at which things wrap. */
#define LAST ((uint64_t)INT64_MAX - p + 1) /* page that ends where off_t does */
#define WRAPS (SIZE_MAX - p + 2)           /* rounds up to 0 */
#define TOP (UINTPTR_MAX - p + 1)          /* the last page */

static void
map_refuses_bad_places(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct map_row rows[] = {
      { "length 0", EINVAL, 0, ASK(0, 0, R, SHARED, 0, O_RDWR), ASK(0, 1, R, SHARED, 0, O_RDWR) },
      { "offset not aligned", EINVAL, 0, ASK(0, p, R, SHARED, 1, O_RDWR),
        ASK(0, p, R, SHARED, p, O_RDWR) },
      { "offset aligned to less", EINVAL, 0, ASK(0, p, R, SHARED, p / 2, O_RDWR),
        ASK(0, p, R, SHARED, 2 * p, O_RDWR) },
      { "length rounds to 0", ENOMEM, 0, ASK(0, WRAPS, R, SHARED, 0, O_RDWR),
        ASK(0, p, R, SHARED, 0, O_RDWR) },
      { "longest length", ENOMEM, 0, ASK(0, SIZE_MAX, R, SHARED, 0, O_RDWR),
        ASK(0, p, R, SHARED, 0, O_RDWR) },
      { "length that needs no rounding", ENOMEM, 0, ASK(0, SIZE_MAX - p + 1, R, SHARED, 0, O_RDWR),
        ASK(0, p, R, SHARED, 0, O_RDWR) },
      { "fixed, not aligned", EINVAL, 0, ASK(p + 1, p, R, SHARED | FIXED, 0, O_RDWR),
        ASK(p, p, R, SHARED | FIXED, 0, O_RDWR) },
      { "fixed and not in use, not aligned", EINVAL, 0,
        ASK(p + 1, p, R, SHARED | MAP_FIXED_NOREPLACE, 0, O_RDWR),
        ASK(p, p, R, SHARED | MAP_FIXED_NOREPLACE, 0, O_RDWR) },
      { "only a hint, not aligned", EINVAL, 0, ASK(p + 1, p, R, SHARED | FIXED, 0, O_RDWR),
        ASK(p + 1, p, R, SHARED, 0, O_RDWR) },
      { "fixed range wraps", ENOMEM, 0, ASK(TOP, 2 * p, R, SHARED | FIXED, 0, O_RDWR),
        ASK(TOP - 2 * p, 2 * p, R, SHARED | FIXED, 0, O_RDWR) },
      { "fixed range ends at 0", ENOMEM, 0, ASK(TOP, p, R, SHARED | FIXED, 0, O_RDWR),
        ASK(TOP - p, p, R, SHARED | FIXED, 0, O_RDWR) },
      { "a hint may wrap", ENOMEM, 0, ASK(TOP, 2 * p, R, SHARED | FIXED, 0, O_RDWR),
        ASK(TOP, 2 * p, R, SHARED, 0, O_RDWR) },
      { "end behind off_t", EOVERFLOW, 0, ASK(0, p, R, SHARED, LAST, O_RDWR),
        ASK(0, p, R, SHARED, LAST - p, O_RDWR) },
      { "two pages, end behind off_t", EOVERFLOW, 0, ASK(0, p + 1, R, SHARED, LAST - p, O_RDWR),
        ASK(0, p, R, SHARED, LAST - p, O_RDWR) },
      { "negative offset", EOVERFLOW, 0, ASK(0, p, R, SHARED, 0 - (uint64_t)p, O_RDWR),
        ASK(0, p, R, SHARED, p, O_RDWR) },
    };
    play_map_rows(rows, COUNT(rows));
  }
}

static void
map_refuses_bad_flags(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct map_row rows[] = {
      { "no type", EINVAL, 0, ASK(0, p, R, 0, 0, O_RDWR), ASK(0, p, R, SHARED, 0, O_RDWR) },
      { "type 4", EINVAL, 0, ASK(0, p, R, 4, 0, O_RDWR), ASK(0, p, R, PRIVATE, 0, O_RDWR) },
      { "type 8", EINVAL, 0, ASK(0, p, R, 8, 0, O_RDWR), ASK(0, p, R, VALIDATE, 0, O_RDWR) },
      { "two types", EINVAL, 0, ASK(0, p, R, SHARED | 4, 0, O_RDWR),
        ASK(0, p, R, SHARED, 0, O_RDWR) },
      { "huge pages", EINVAL, 0, ASK(0, p, R, SHARED | MAP_HUGETLB, 0, O_RDWR),
        ASK(0, p, R, SHARED, 0, O_RDWR) },
      { "grows down", EINVAL, 0, ASK(0, p, R, PRIVATE | MAP_GROWSDOWN, 0, O_RDWR),
        ASK(0, p, R, PRIVATE, 0, O_RDWR) },
      { "validated, unknown", EOPNOTSUPP, 0, ASK(0, p, R, VALIDATE | UNKNOWN_FLAG, 0, O_RDWR),
        ASK(0, p, R, SHARED | UNKNOWN_FLAG, 0, O_RDWR) },
      { "unknown when private", EOPNOTSUPP, 0, ASK(0, p, R, VALIDATE | UNKNOWN_FLAG, 0, O_RDWR),
        ASK(0, p, R, PRIVATE | UNKNOWN_FLAG, 0, O_RDWR) },
      { "validated, highest bit", EOPNOTSUPP, 0, ASK(0, p, R, VALIDATE | INT_MIN, 0, O_RDWR),
        ASK(0, p, R, VALIDATE, 0, O_RDWR) },
      { "validated, MAP_SYNC", EOPNOTSUPP, 0, ASK(0, p, R, VALIDATE | MAP_SYNC, 0, O_RDWR),
        ASK(0, p, R, SHARED | MAP_SYNC, 0, O_RDWR) },
      { "validated, MAP_FIXED_NOREPLACE", EOPNOTSUPP, 0,
        ASK(p, p, R, VALIDATE | MAP_FIXED_NOREPLACE, 0, O_RDWR),
        ASK(p, p, R, VALIDATE | FIXED, 0, O_RDWR) },
      { "atomic and merge", EINVAL, 0,
        ASK(0, p, R, SHARED | SOFTMAP_MAP_ATOMIC | SOFTMAP_MAP_MERGE, 0, O_RDWR),
        ASK(0, p, R, SHARED | SOFTMAP_MAP_ATOMIC, 0, O_RDWR) },
      { "atomic", 0, 0, ASK(0, p, R, PRIVATE | SOFTMAP_MAP_ATOMIC, 0, O_RDWR),
        ASK(0, p, R, PRIVATE, 0, O_RDWR) },
    };
    play_map_rows(rows, COUNT(rows));
  }
}

static void
map_refuses_what_the_file_forbids(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct map_row rows[] = {
      { "O_PATH", EBADF, 0, ASK(0, p, R, SHARED, 0, O_PATH), ASK(0, p, R, SHARED, 0, O_RDONLY) },
      { "write only, read", EACCES, 0, ASK(0, p, R, SHARED, 0, O_WRONLY),
        ASK(0, p, R, SHARED, 0, O_RDWR) },
      { "write only, nothing", EACCES, 0, ASK(0, p, NONE, SHARED, 0, O_WRONLY),
        ASK(0, p, NONE, SHARED, 0, O_RDONLY) },
      { "write only, write", EACCES, 0, ASK(0, p, W, SHARED, 0, O_WRONLY),
        ASK(0, p, W, SHARED, 0, O_RDWR) },
      { "write only, private", EACCES, 0, ASK(0, p, NONE, PRIVATE, 0, O_WRONLY),
        ASK(0, p, NONE, PRIVATE, 0, O_RDONLY | O_APPEND) },
      { "neither", EACCES, 0, ASK(0, p, NONE, PRIVATE, 0, O_ACCMODE),
        ASK(0, p, NONE, PRIVATE, 0, O_RDWR) },
      { "read only, shared and written", EACCES, 0, ASK(0, p, RW, SHARED, 0, O_RDONLY),
        ASK(0, p, RW, PRIVATE, 0, O_RDONLY) },
      { "read only, shared and write only", EACCES, 0, ASK(0, p, W, SHARED, 0, O_RDONLY),
        ASK(0, p, R, SHARED, 0, O_RDONLY) },
      { "read only, validated and written", EACCES, 0, ASK(0, p, RW, VALIDATE, 0, O_RDONLY),
        ASK(0, p, RW, VALIDATE, 0, O_RDWR | O_APPEND) },
      { "directory",
        ENODEV,
        0,
        ASK_DIRECTORY(p, R, SHARED),
        { 0, p, R, SHARED, 0, p, O_RDONLY | O_DIRECTORY, false } },
    };
    play_map_rows(rows, COUNT(rows));
  }
}

/* Two things wrong; without the first, the second is told. */
static void
map_tells_what_linux_finds_first(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct map_row rows[] = {
      { "offset, O_PATH", EINVAL, EBADF, ASK(0, p, R, SHARED, 1, O_PATH),
        ASK(0, p, R, SHARED, 0, O_PATH) },
      { "O_PATH, length 0", EBADF, EINVAL, ASK(0, 0, R, SHARED, 0, O_PATH),
        ASK(0, 0, R, SHARED, 0, O_RDWR) },
      { "O_PATH, huge pages", EBADF, EINVAL, ASK(0, p, R, SHARED | MAP_HUGETLB, 0, O_PATH),
        ASK(0, p, R, SHARED | MAP_HUGETLB, 0, O_RDWR) },
      { "huge pages, length wraps", EINVAL, ENOMEM,
        ASK(0, WRAPS, R, SHARED | MAP_HUGETLB, 0, O_RDWR), ASK(0, WRAPS, R, SHARED, 0, O_RDWR) },
      { "length wraps, no type", ENOMEM, EINVAL, ASK(0, WRAPS, R, 0, 0, O_RDWR),
        ASK(0, p, R, 0, 0, O_RDWR) },
      { "length wraps, fixed unaligned", ENOMEM, EINVAL,
        ASK(1, WRAPS, R, SHARED | FIXED, 0, O_RDWR), ASK(1, p, R, SHARED | FIXED, 0, O_RDWR) },
      { "length wraps, overflow", ENOMEM, EOVERFLOW, ASK(0, WRAPS, R, SHARED, LAST, O_RDWR),
        ASK(0, p, R, SHARED, LAST, O_RDWR) },
      { "fixed unaligned, overflow", EINVAL, EOVERFLOW, ASK(1, p, R, SHARED | FIXED, LAST, O_RDWR),
        ASK(p, p, R, SHARED | FIXED, LAST, O_RDWR) },
      { "fixed unaligned, write only", EINVAL, EACCES, ASK(1, p, R, SHARED | FIXED, 0, O_WRONLY),
        ASK(p, p, R, SHARED | FIXED, 0, O_WRONLY) },
      { "overflow, no type", EOVERFLOW, EINVAL, ASK(0, p, R, 0, LAST, O_RDWR),
        ASK(0, p, R, 0, 0, O_RDWR) },
      { "overflow, write only", EOVERFLOW, EACCES, ASK(0, p, R, SHARED, LAST, O_WRONLY),
        ASK(0, p, R, SHARED, 0, O_WRONLY) },
      { "no type, write only", EINVAL, EACCES, ASK(0, p, R, 0, 0, O_WRONLY),
        ASK(0, p, R, PRIVATE, 0, O_WRONLY) },
      { "unknown flag, write only", EOPNOTSUPP, EACCES,
        ASK(0, p, R, VALIDATE | UNKNOWN_FLAG, 0, O_WRONLY), ASK(0, p, R, VALIDATE, 0, O_WRONLY) },
      { "write only, grows down", EACCES, EINVAL, ASK(0, p, R, SHARED | MAP_GROWSDOWN, 0, O_WRONLY),
        ASK(0, p, R, SHARED | MAP_GROWSDOWN, 0, O_RDWR) },
      { "directory, written", EACCES, ENODEV, ASK_DIRECTORY(p, RW, SHARED),
        ASK_DIRECTORY(p, R, SHARED) },
      { "directory, written but private", EACCES, ENODEV, ASK_DIRECTORY(p, RW, SHARED),
        ASK_DIRECTORY(p, RW, PRIVATE) },
      { "a directory has no end",
        EOVERFLOW,
        ENODEV,
        { 0, p, R, SHARED, LAST, p, O_RDONLY | O_DIRECTORY, false },
        { 0, p, R, SHARED, LAST, p, O_RDONLY | O_DIRECTORY, true } },
      { "directory, length 0", EINVAL, ENODEV, ASK_DIRECTORY(0, R, SHARED),
        ASK_DIRECTORY(p, R, SHARED) },
    };
    play_map_rows(rows, COUNT(rows));
  }
}

static void
map_takes_any_offset_if_asked(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct map_row rows[] = {
      { "any offset", EINVAL, 0, ASK(0, p, R, SHARED, 7, O_RDWR),
        ASK(0, p, R, SHARED | ANY, 7, O_RDWR) },
      { "fixed, not congruent", EINVAL, 0, ASK(p, p, R, SHARED | FIXED | ANY, 7, O_RDWR),
        ASK(p + 7, p, R, SHARED | FIXED | ANY, 7, O_RDWR) },
      { "fixed, offset aligned", EINVAL, 0, ASK(p + 7, p, R, SHARED | FIXED | ANY, 0, O_RDWR),
        ASK(p + 7, p, R, SHARED | FIXED | ANY, 7, O_RDWR) },
      { "skew makes the length wrap", ENOMEM, 0, ASK(0, SIZE_MAX, R, PRIVATE | ANY, 7, O_RDWR),
        ASK(0, p, R, PRIVATE | ANY, 7, O_RDWR) },
      { "skew needs a page more", EOVERFLOW, 0, ASK(0, p, R, SHARED | ANY, LAST - p + 1, O_RDWR),
        ASK(0, p - 1, R, SHARED | ANY, LAST - p + 1, O_RDWR) },
      { "fixed, skewed range wraps", ENOMEM, 0,
        ASK(TOP - p + 7, p, R, SHARED | FIXED | ANY, 7, O_RDWR),
        ASK(TOP - p + 7, p - 7, R, SHARED | FIXED | ANY, 7, O_RDWR) },
      { "length 0 has no page, whatever the skew", EINVAL, 0, ASK(0, 0, R, SHARED | ANY, 7, O_RDWR),
        ASK(0, 1, R, SHARED | ANY, 7, O_RDWR) },
      { "it is a huge page's size with MAP_HUGETLB", EINVAL, EBADF,
        ASK(0, p, R, SHARED | ANY | MAP_HUGETLB, 7, O_PATH),
        ASK(0, p, R, SHARED | ANY, 7, O_PATH) },
    };
    play_map_rows(rows, COUNT(rows));
  }
}

/* Every bit alone: what MAP_SHARED_VALIDATE knows, Linux 6.18 on x86-64. */
static void
map_validates_the_bits_that_linux_does(void **unused) {
  (void)unused;
  const unsigned unknown = 0x83f80600u;
  for (unsigned bit = 0x10; bit != 0; bit <<= 1) {
    if (bit == MAP_HUGETLB || bit == MAP_GROWSDOWN || bit == (unsigned)SOFTMAP_MAP_MERGE ||
        bit == (unsigned)SOFTMAP_MAP_ATOMIC)
      continue;
    struct rules_map asked = { 0, 1, R, (int)(VALIDATE | bit), 0, 4096, O_RDWR, false };
    int want = unknown & bit ? EOPNOTSUPP : 0;
    if (rules_map(&asked) != want)
      fail_msg("validated, bit %#x: not %d", bit, want);
    asked.flags = (int)(SHARED | bit);
    if (rules_map(&asked) != 0)
      fail_msg("shared, bit %#x", bit);
  }
}

static void
map_ignores_unknown_protection(void **unused) {
  (void)unused;
  struct rules_map asked = { 0, 1, ~PROT_WRITE, SHARED, 0, 4096, O_RDONLY, false };
  assert_int_equal(rules_map(&asked), 0);
  asked.prot = -1;
  assert_int_equal(rules_map(&asked), EACCES);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(map_refuses_bad_places),
    cmocka_unit_test(map_refuses_bad_flags),
    cmocka_unit_test(map_refuses_what_the_file_forbids),
    cmocka_unit_test(map_tells_what_linux_finds_first),
    cmocka_unit_test(map_takes_any_offset_if_asked),
    cmocka_unit_test(map_validates_the_bits_that_linux_does),
    cmocka_unit_test(map_ignores_unknown_protection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
