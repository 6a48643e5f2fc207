/* The rules of the calls on a range that is mapped already, and the protection of a page.  Rows as
 * in core_rules.c: each has a second request that differs in one member.
 */
#include "core/rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const size_t page_sizes[] = { 4096, 16384, 65536 };

#define WRAPS (SIZE_MAX - p + 2)  /* rounds up to 0 */
#define TOP (UINTPTR_MAX - p + 1) /* the last page */

/* ---- munmap, mprotect, msync, madvise, mincore ---------------------------------------------- */

enum call { UNMAP, PROTECT, SYNC, ADVISE, RESIDENT };

struct range {
  uintptr_t addr;
  size_t len;
  int arg; /* prot or flags */
};

struct range_row {
  const char *name;
  int want, want_other;
  struct range asked;
  struct range other; /* differs in one member */
};

static int
ask(enum call call, const struct range *range, size_t page_size, uintptr_t *end) {
  switch (call) {
  case UNMAP:
    return rules_unmap(range->addr, range->len, page_size, end);
  case PROTECT:
    return rules_protect(range->addr, range->len, range->arg, page_size, end);
  case SYNC:
    return rules_sync(range->addr, range->len, range->arg, page_size, end);
  case ADVISE:
    return rules_advise(range->addr, range->len, page_size, end);
  case RESIDENT:
  default:
    return rules_resident(range->addr, range->len, page_size, end);
  }
}

static void
play_range(const char *name, enum call call, const struct range *range, int want,
           size_t page_size) {
  static const uintptr_t untouched = 0x5a5a;
  uintptr_t end = untouched;
  int got = ask(call, range, page_size, &end);
  if (got != want)
    fail_msg("%s: %d, wanted %d", name, got, want);
  uintptr_t want_end = range->addr + (range->len + page_size - 1) / page_size * page_size;
  if (range->len > SIZE_MAX - page_size + 1) /* only msync: 0 */
    want_end = range->addr;
  if (end != (want == 0 ? want_end : untouched))
    fail_msg("%s: wrong end", name);
}

static void
play_range_rows(enum call call, const struct range_row *row, size_t n, size_t page_size) {
  for (; n-- > 0; row++) {
    const struct range *a = &row->asked;
    const struct range *b = &row->other;
    if ((a->addr != b->addr) + (a->len != b->len) + (a->arg != b->arg) != 1)
      fail_msg("%s: the rows differ in more than one member", row->name);
    play_range(row->name, call, a, row->want, page_size);
    play_range(row->name, call, b, row->want_other, page_size);
  }
}

static void
unmap_refuses(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct range_row rows[] = {
      { "length 0", EINVAL, 0, { p, 0, 0 }, { p, 1, 0 } },
      { "not aligned", EINVAL, 0, { p + 1, p, 0 }, { p, p, 0 } },
      { "wraps", EINVAL, 0, { p, SIZE_MAX - 2 * p + 2, 0 }, { p, p + 1, 0 } },
      { "rounds to 0", EINVAL, 0, { p, WRAPS, 0 }, { p, 2 * p, 0 } },
      { "ends at 0", EINVAL, 0, { TOP, p, 0 }, { TOP - p, p, 0 } },
    };
    play_range_rows(UNMAP, rows, COUNT(rows), p);
  }
}

static void
protect_refuses(void **unused) {
  enum { R = PROT_READ, DOWN = PROT_GROWSDOWN, UP = PROT_GROWSUP, BAD = 0x10, SEM = 0x8 };
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct range_row rows[] = {
      { "not aligned", EINVAL, 0, { p + 1, p, R }, { p, p, R } },
      { "not aligned, length 0", EINVAL, 0, { p + 1, 0, R }, { p, 0, R } },
      { "wraps", ENOMEM, 0, { p, SIZE_MAX - 2 * p + 2, R }, { p, p + 1, R } },
      { "rounds to 0", ENOMEM, 0, { p, WRAPS, R }, { p, p, R } },
      { "ends at 0", ENOMEM, 0, { TOP, p, R }, { TOP - p, p, R } },
      { "unknown bit", EINVAL, 0, { p, p, R | BAD }, { p, p, R } },
      { "unknown bit, length 0", EINVAL, 0, { p, p, BAD }, { p, 0, BAD } },
      { "known bit without a meaning", EINVAL, 0, { p, p, R | BAD }, { p, p, R | SEM } },
      { "all that there are", EINVAL, 0, { p, p, 0x1f }, { p, p, 0xf } },
      { "both ways", EINVAL, 0, { p, p, R | DOWN | UP }, { p, p, R | DOWN } },
      { "both ways, length 0", EINVAL, 0, { p, 0, DOWN | UP }, { p, 0, UP } },
      { "one way, unknown bit", EINVAL, 0, { p, p, UP | BAD }, { p, p, UP } },
      { "not aligned, rounds to 0", EINVAL, ENOMEM, { p + 1, WRAPS, R }, { p, WRAPS, R } },
      { "rounds to 0, unknown bit", ENOMEM, EINVAL, { p, WRAPS, BAD }, { p, p, BAD } },
      { "both ways, rounds to 0", EINVAL, ENOMEM, { p, WRAPS, DOWN | UP }, { p, WRAPS, UP } },
    };
    play_range_rows(PROTECT, rows, COUNT(rows), p);
  }
}

static void
sync_refuses(void **unused) {
  enum { S = MS_SYNC, A = MS_ASYNC, I = MS_INVALIDATE, BAD = 8 };
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    const struct range_row rows[] = {
      { "not aligned", EINVAL, 0, { p + 1, p, S }, { p, p, S } },
      { "not aligned, length 0", EINVAL, 0, { p + 1, 0, S }, { p, 0, S } },
      { "both", EINVAL, 0, { p, p, S | A }, { p, p, S } },
      { "both, invalidate", EINVAL, 0, { p, p, S | A | I }, { p, p, S | I } },
      { "both, length 0", EINVAL, 0, { p, 0, S | A }, { p, 0, A | I } },
      { "unknown flag", EINVAL, 0, { p, p, S | BAD }, { p, p, A } },
      { "no flag is right", EINVAL, 0, { p, p, BAD }, { p, p, 0 } },
      { "only invalidate is right", EINVAL, 0, { p, p, BAD | I }, { p, p, I } },
      { "wraps", ENOMEM, 0, { p, SIZE_MAX - 2 * p + 2, S }, { p, p + 1, S } },
      { "rounding to 0 is nothing", ENOMEM, 0, { p, SIZE_MAX - p + 1, S }, { p, WRAPS, S } },
      { "ends at 0", ENOMEM, 0, { TOP, p, S }, { TOP - p, p, S } },
      { "unknown flag, wraps",
        EINVAL,
        ENOMEM,
        { p, SIZE_MAX - p + 1, BAD },
        { p, SIZE_MAX - p + 1, A } },
      { "not aligned, wraps",
        EINVAL,
        ENOMEM,
        { p + 1, SIZE_MAX - p + 1, S },
        { p, SIZE_MAX - p + 1, S } },
    };
    play_range_rows(SYNC, rows, COUNT(rows), p);
  }
}

/* The two differ in what a range that wraps is. */
static void
advise_and_resident_refuse(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i];
    for (int k = 0; k < 2; k++) {
      int wraps = k == 0 ? EINVAL : ENOMEM;
      const struct range_row rows[] = {
        { "not aligned", EINVAL, 0, { p + 1, p, 0 }, { p, p, 0 } },
        { "not aligned, length 0", EINVAL, 0, { p + 1, 0, 0 }, { p, 0, 0 } },
        { "wraps", wraps, 0, { p, SIZE_MAX - 2 * p + 2, 0 }, { p, p + 1, 0 } },
        { "rounds to 0", wraps, 0, { p, WRAPS, 0 }, { p, 1, 0 } },
        { "ends at 0", wraps, 0, { TOP, p, 0 }, { TOP - p, p, 0 } },
        { "not aligned, rounds to 0", EINVAL, wraps, { p + 1, WRAPS, 0 }, { p, WRAPS, 0 } },
      };
      play_range_rows(k == 0 ? ADVISE : RESIDENT, rows, COUNT(rows), p);
    }
  }
}

/* ---- mremap -------------------------------------------------------------------------------- */

#define REMAP(old_addr, old_len, new_len, flags, new_addr)                                         \
  { old_addr, new_addr, old_len, new_len, flags, p }

struct remap_row {
  const char *name;
  struct rules_remap wrong, right; /* differ in one member */
};

static void
play_remap_rows(const struct remap_row *row, size_t n) {
  for (; n-- > 0; row++) {
    const struct rules_remap *a = &row->wrong;
    const struct rules_remap *b = &row->right;
    if ((a->old_addr != b->old_addr) + (a->old_len != b->old_len) + (a->new_len != b->new_len) +
            (a->flags != b->flags) + (a->new_addr != b->new_addr) !=
        1)
      fail_msg("%s: the rows differ in more than one member", row->name);
    if (rules_remap(a) != EINVAL)
      fail_msg("%s: %d", row->name, rules_remap(a));
    if (rules_remap(b) != 0)
      fail_msg("%s, the right one: %d", row->name, rules_remap(b));
  }
}

enum { MAY = MREMAP_MAYMOVE, TO = MREMAP_MAYMOVE | MREMAP_FIXED, KEEP = MREMAP_DONTUNMAP };

static void
remap_refuses(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i], at = 16 * p;
    const struct remap_row rows[] = {
      { "unknown flag", REMAP(at, p, p, 8, 0), REMAP(at, p, p, 0, 0) },
      { "not aligned", REMAP(at + 1, p, p, 0, 0), REMAP(at, p, p, 0, 0) },
      { "new length 0", REMAP(at, p, 0, MAY, 0), REMAP(at, p, 1, MAY, 0) },
      { "new length rounds to 0", REMAP(at, p, WRAPS, MAY, 0), REMAP(at, p, 2 * p, MAY, 0) },
      { "old range wraps", REMAP(at, SIZE_MAX - 2 * p + 2, p, 0, 0), REMAP(at, p, p, 0, 0) },
      { "old range ends at 0", REMAP(TOP, p, p, 0, 0), REMAP(TOP - p, p, p, 0, 0) },
    };
    play_remap_rows(rows, COUNT(rows));
  }
}

static void
remap_refuses_a_bad_new_place(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i], at = 16 * p, far = 32 * p;
    const struct remap_row rows[] = {
      { "may not move", REMAP(at, p, p, MREMAP_FIXED, far), REMAP(at, p, p, TO, far) },
      { "not aligned", REMAP(at, p, p, TO, far + 1), REMAP(at, p, p, TO, far) },
      { "not aligned, not wanted", REMAP(at, p, p, TO, far + 1), REMAP(at, p, p, MAY, far + 1) },
      { "wraps", REMAP(at, p, 2 * p, TO, TOP), REMAP(at, p, 2 * p, TO, TOP - 2 * p) },
      { "itself", REMAP(at, p, p, TO, at), REMAP(at, p, p, MAY, at) },
      { "overlaps above", REMAP(at, 4 * p, 4 * p, TO, at + 3 * p),
        REMAP(at, 4 * p, 4 * p, TO, at + 4 * p) },
      { "overlaps below", REMAP(at, 4 * p, 4 * p, TO, at - 3 * p),
        REMAP(at, 4 * p, 4 * p, TO, at - 4 * p) },
      { "overlaps what is cut off", REMAP(at, 4 * p, p, TO, at + 3 * p),
        REMAP(at, 3 * p, p, TO, at + 3 * p) },
      { "grows into itself", REMAP(at, p, 4 * p + 1, TO, at - 4 * p),
        REMAP(at, p, 4 * p, TO, at - 4 * p) },
      { "of nothing, over it", REMAP(at, 0, 2 * p, TO, at - p), REMAP(at, 0, p, TO, at - p) },
      { "of nothing, at it", REMAP(at, p, p, TO, at), REMAP(at, 0, p, TO, at) },
      { "old length rounds to nothing", REMAP(at, p, p, TO, at), REMAP(at, WRAPS, p, TO, at) },
    };
    play_remap_rows(rows, COUNT(rows));
  }
}

static void
remap_that_keeps_the_old_range(void **unused) {
  (void)unused;
  for (size_t i = 0; i < COUNT(page_sizes); i++) {
    size_t p = page_sizes[i], at = 16 * p, far = 32 * p;
    const struct remap_row rows[] = {
      { "may not move", REMAP(at, p, p, KEEP, 0), REMAP(at, p, p, KEEP | MAY, 0) },
      { "other length", REMAP(at, p, p + 1, KEEP | MAY, 0), REMAP(at, p, p - 1, KEEP | MAY, 0) },
      { "of nothing", REMAP(at, 0, p, KEEP | MAY, 0), REMAP(at, 0, p, MAY, 0) },
      { "a hint not aligned", REMAP(at, p, p, KEEP | MAY, far + 1),
        REMAP(at, p, p, KEEP | MAY, far) },
      { "a hint that overlaps", REMAP(at, p, p, KEEP | MAY, at), REMAP(at, p, p, KEEP | MAY, 0) },
      { "and a place", REMAP(at, p, p, KEEP | TO, at), REMAP(at, p, p, KEEP | TO, far) },
    };
    play_remap_rows(rows, COUNT(rows));
  }
}

/* ---- The protection of a page --------------------------------------------------------------- */

static void
actual_protection_of_each_kind(void **unused) {
  enum { R = PROT_READ, W = PROT_WRITE, X = PROT_EXEC };
  static const struct {
    const char *name;
    int asked;
    bool is_shared, is_shown, is_open;
    int want;
  } rows[] = {
    { "private", R | W, false, true, false, R | W },
    { "private, not shown", R | W, false, false, false, PROT_NONE },
    { "private, write only", W, false, true, false, W },
    { "shared, closed", R | W, true, true, false, R },
    { "shared, open", R | W, true, true, true, R | W },
    { "shared, open but not shown", R | W, true, false, true, PROT_NONE },
    { "shared, open, write taken away", R, true, true, true, R },
    { "write only, closed", W, true, true, false, R },
    { "write only, open", W, true, true, true, W },
    { "written and executed, closed", W | X, true, true, false, R | X },
    { "executed only", X, true, true, false, X },
    { "nothing, closed", PROT_NONE, true, true, false, PROT_NONE },
    { "nothing, open", PROT_NONE, true, true, true, PROT_NONE },
  };
  (void)unused;
  for (size_t i = 0; i < COUNT(rows); i++) {
    int got = rules_actual(rows[i].asked, rows[i].is_shared, rows[i].is_shown, rows[i].is_open);
    if (got != rows[i].want)
      fail_msg("%s: %d, wanted %d", rows[i].name, got, rows[i].want);
  }
}

/* A closed page lets no store through, a page not shown nothing; and none more than was asked. */
static void
actual_protection_never_too_much(void **unused) {
  (void)unused;
  for (int i = 0; i < 8 * 8; i++) {
    int asked = i % 8;
    bool is_shared = i & 8, is_shown = i & 16, is_open = i & 32;
    int got = rules_actual(asked, is_shared, is_shown, is_open);
    int most = asked & PROT_WRITE ? asked | PROT_READ : asked;
    if ((got & ~most) != 0 || (!is_shown && got != PROT_NONE) ||
        (is_shared && !is_open && (got & PROT_WRITE)))
      fail_msg("asked %d, shared %d, shown %d, open %d: %d", asked, is_shared, is_shown, is_open,
               got);
  }
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(unmap_refuses),
    cmocka_unit_test(protect_refuses),
    cmocka_unit_test(sync_refuses),
    cmocka_unit_test(advise_and_resident_refuse),
    cmocka_unit_test(remap_refuses),
    cmocka_unit_test(remap_refuses_a_bad_new_place),
    cmocka_unit_test(remap_that_keeps_the_old_range),
    cmocka_unit_test(actual_protection_of_each_kind),
    cmocka_unit_test(actual_protection_never_too_much),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
