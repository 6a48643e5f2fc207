/* madvise.c - advice never loses what a shared mapping holds; what is refused is refused. */
#include "conform.h"

#include <string.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif
#define UNKNOWN_ADVICE 5000

static void
madvise_refuses_bad_arguments(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  unsigned char *vacant = t_vacant(1);
  size_t page = t_page_size();
  const struct {
    const char *name;
    unsigned char *addr;
    size_t len;
    int advice;
    int want;
  } rows[] = {
    { "one byte off", p + 1, page, MADV_NORMAL, EINVAL },
    { "half a page off", p + page / 2, page, MADV_DONTNEED, EINVAL },
    { "an unknown advice", p, page, UNKNOWN_ADVICE, EINVAL },
    { "an unknown advice, length 0", p, 0, UNKNOWN_ADVICE, EINVAL },
    { "a negative advice", p, page, -1, EINVAL },
    { "length 0", p, 0, MADV_DONTNEED, 0 },
    { "length 0, nothing mapped", vacant, 0, MADV_DONTNEED, 0 },
    { "length 1", p, 1, MADV_NORMAL, 0 },
    { "a range that wraps", p, SIZE_MAX - 2 * page + 1, MADV_NORMAL, EINVAL },
    { "nothing mapped", vacant, page, MADV_NORMAL, ENOMEM },
    { "nothing mapped, to forget", vacant, page, MADV_DONTNEED, ENOMEM },
    { "MADV_NORMAL", p, 4 * page, MADV_NORMAL, 0 },
    { "MADV_RANDOM", p, 4 * page, MADV_RANDOM, 0 },
    { "MADV_SEQUENTIAL", p, 4 * page, MADV_SEQUENTIAL, 0 },
    { "MADV_WILLNEED", p, 4 * page, MADV_WILLNEED, 0 },
    { "MADV_DONTNEED", p, 4 * page, MADV_DONTNEED, 0 },
    { "MADV_DONTDUMP", p, 4 * page, MADV_DONTDUMP, 0 },
    { "MADV_DODUMP", p, 4 * page, MADV_DODUMP, 0 },
    { "MADV_DONTFORK", p, 4 * page, MADV_DONTFORK, 0 },
    { "MADV_DOFORK", p, 4 * page, MADV_DOFORK, 0 },
    { "MADV_COLD", p, 4 * page, MADV_COLD, 0 },
    { "MADV_WIPEONFORK", p, 4 * page, MADV_WIPEONFORK, EINVAL },
    { "MADV_KEEPONFORK", p, 4 * page, MADV_KEEPONFORK, 0 },
    { "MADV_FREE", p, 4 * page, MADV_FREE, EINVAL },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, madvise(rows[i].addr, rows[i].len, rows[i].advice), rows[i].want);
  T_MEM_OLD(p, t_pages(4), 0);
}

/* What is refused on a mapping of a file is allowed on private anonymous memory. */
static void
madvise_refuses_on_files_what_is_for_anonymous_memory(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *foreign = t_foreign(1, 'f');
  unsigned char *shared = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  unsigned char *private = T_MAP(NULL, t_pages(1), RW, MAP_PRIVATE, fd, 0);
  static const int advices[] = { MADV_WIPEONFORK, MADV_FREE };

  for (size_t i = 0; i < 2; i++) {
    T_ERR(madvise(shared, t_pages(1), advices[i]), EINVAL);
    T_ERR(madvise(private, t_pages(1), advices[i]), EINVAL);
    T_OK(madvise(foreign, t_pages(1), advices[i]));
  }
}

static void
holes_are_reported_after_advising_the_rest(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_PRIVATE, fd, 0);

  memset(p, 'p', t_pages(3));
  T_OK(munmap(p + t_pages(1), t_pages(1)));
  T_ERR(madvise(p, t_pages(3), MADV_DONTNEED), ENOMEM);
  T_MEM_OLD(p, t_pages(1), 0);
  T_MEM_OLD(p + t_pages(2), t_pages(1), (off_t)t_pages(2));
  T_OK(madvise(p, t_pages(1), MADV_DONTNEED));
}

static void
dontneed_keeps_shared_pages(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  p[0] = 'd';
  p[t_pages(2)] = 'e';
  T_OK(msync(p, t_pages(1), MS_SYNC));
  p[1] = 'f';
  T_OK(madvise(p, t_pages(3), MADV_DONTNEED));
  T_LOADS(p, 'd');
  T_LOADS(p + 1, 'f');
  T_MEM_OLD(p + t_pages(1), t_pages(1), (off_t)t_pages(1));
  T_LOADS(p + t_pages(2), 'e');
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "df", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'e');
  p[2] = 'g';
  T_OK(madvise(p, t_pages(3), MADV_DONTNEED));
  T_OK(munmap(p, t_pages(3)));
  T_FILE_EQUALS(fd, 0, "dfg", 3);
}

static void
dontneed_drops_private_copies(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *shared = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_PRIVATE, fd, 0);

  memset(p, 'p', t_pages(3));
  shared[t_pages(1)] = 's';
  T_OK(madvise(p, t_pages(2), MADV_DONTNEED));
  T_MEM_OLD(p, t_pages(1), 0);
  T_LOADS(p + t_pages(1), 's');
  T_MEM_ALL(p + t_pages(2), t_pages(1), 'p');
  T_STORES(p, 'q');
  T_LOADS(p, 'q');
  T_FILE_OLD(fd, 0, t_pages(1));
}

static void
dontneed_of_foreign_memory_zeroes_it_beside_a_mapping(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *area = t_foreign(3, 'f');

  T_MAP(area + t_pages(1), t_pages(1), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  area[t_pages(1)] = 'm';
  T_OK(madvise(area, t_pages(3), MADV_DONTNEED));
  T_MEM_ALL(area, t_pages(1), 0);
  T_LOADS(area + t_pages(1), 'm');
  T_MEM_OLD(area + t_pages(1) + 1, t_pages(1) - 1, 1);
  T_MEM_ALL(area + t_pages(2), t_pages(1), 0);
  T_OK(msync(area, t_pages(3), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'm');
}

static void
dontneed_is_refused_on_locked_pages(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  t_lock_or_skip(p, t_pages(1));
  T_ERR(madvise(p, t_pages(2), MADV_DONTNEED), EINVAL);
  T_OK(munlock(p, t_pages(1)));
  T_OK(madvise(p, t_pages(2), MADV_DONTNEED));
}

/* ---- fork ---- */

static unsigned char *child_sees;

static void
look_at_it(void *unused) {
  (void)unused;
  T_LOAD_FAULTS(child_sees, SIGSEGV, SEGV_MAPERR);
  T_LOADS(child_sees + t_pages(1), 'b');
  T_STORES(child_sees + t_pages(1) + 1, 'c');
}

static void
look_at_all_of_it(void *unused) {
  (void)unused;
  T_LOADS(child_sees, 'a');
  T_LOADS(child_sees + t_pages(1), 'b');
}

static void
dontfork_keeps_a_mapping_from_children(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP_APART(2, RW, MAP_SHARED, fd, 0);

  p[0] = 'a';
  p[t_pages(1)] = 'b';
  child_sees = p;
  T_OK(madvise(p, t_pages(1), MADV_DONTFORK));
  T_IN_CHILD(look_at_it, NULL, T_EXITED(0));
  T_LOADS(p, 'a');
  T_STORES(p + 1, 'd');
  T_OK(madvise(p, t_pages(1), MADV_DOFORK));
  T_IN_CHILD(look_at_all_of_it, NULL, T_EXITED(0));
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "ad", 2);
  T_FILE_EQUALS(fd, (off_t)t_pages(1), "bc", 2);
}

/* ---- populate, since Linux 5.14 ---- */

static void
populate_reads_and_writes_as_a_program_would(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  unsigned char *read_only = T_MAP(NULL, t_pages(2), PROT_READ, MAP_SHARED, fd, 0);

  if (madvise(t_foreign(1, 'f'), t_pages(1), MADV_POPULATE_READ) != 0)
    t_skip("the host has no MADV_POPULATE_READ");
  T_OK(madvise(p, t_pages(2), MADV_POPULATE_READ));
  T_OK(madvise(p, t_pages(2), MADV_POPULATE_WRITE));
  T_ERR(madvise(p, t_pages(3), MADV_POPULATE_READ), EFAULT);
  T_ERR(madvise(p, t_pages(3), MADV_POPULATE_WRITE), EFAULT);
  T_OK(madvise(read_only, t_pages(2), MADV_POPULATE_READ));
  T_ERR(madvise(read_only, t_pages(2), MADV_POPULATE_WRITE), EINVAL);
  T_MEM_OLD(p, t_pages(2), 0);
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_OLD(fd, 0, t_pages(2));
  T_OK(munmap(p + t_pages(1), t_pages(1)));
  T_ERR(madvise(p, t_pages(2), MADV_POPULATE_READ), ENOMEM);
}

/* ---- MADV_REMOVE punches a hole into the file ---- */

static void
remove_punches_a_hole_into_the_file(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);

  p[0] = 'd';
  if (madvise(p + t_pages(1), t_pages(1), MADV_REMOVE) != 0)
    t_skip("the file system punches no holes");
  T_LOADS(p, 'd');
  T_MEM_ALL(p + t_pages(1), t_pages(1), 0);
  T_FILE_ALL(fd, (off_t)t_pages(1), t_pages(1), 0);
  T_MEM_OLD(p + t_pages(2), t_pages(1), (off_t)t_pages(2));
}

/* ---- posix_madvise ---- */

static void
posix_madvise_returns_the_error_number(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *vacant = t_vacant(1);
  size_t page = t_page_size();
  const struct {
    const char *name;
    unsigned char *addr;
    size_t len;
    int advice;
    int want;
  } rows[] = {
    { "POSIX_MADV_NORMAL", p, 2 * page, POSIX_MADV_NORMAL, 0 },
    { "POSIX_MADV_RANDOM", p, 2 * page, POSIX_MADV_RANDOM, 0 },
    { "POSIX_MADV_SEQUENTIAL", p, 2 * page, POSIX_MADV_SEQUENTIAL, 0 },
    { "POSIX_MADV_WILLNEED", p, 2 * page, POSIX_MADV_WILLNEED, 0 },
    { "POSIX_MADV_DONTNEED", p, 2 * page, POSIX_MADV_DONTNEED, 0 },
    { "one byte off", p + 1, page, POSIX_MADV_RANDOM, EINVAL },
    { "an unknown advice", p, page, UNKNOWN_ADVICE, EINVAL },
    { "nothing mapped", vacant, page, POSIX_MADV_RANDOM, ENOMEM },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char buf[32];
    int got;

    errno = T_ERRNO_UNTOUCHED;
    got = posix_madvise(rows[i].addr, rows[i].len, rows[i].advice);
    if (got != rows[i].want)
      t_row_fail(T_HERE, rows[i].name, "returned %s", t_errno_name(got, buf));
    if (got == 0 && errno != T_ERRNO_UNTOUCHED)
      t_row_fail(T_HERE, rows[i].name, "errno was set");
  }
}

static void
posix_dontneed_drops_nothing(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_PRIVATE, fd, 0);

  p[0] = 'p';
  T_EQ(posix_madvise(p, t_pages(1), POSIX_MADV_DONTNEED), 0);
  T_LOADS(p, 'p');
  T_OK(madvise(p, t_pages(1), MADV_DONTNEED));
  T_LOADS(p, t_old_byte(0));
}

static const struct t_case cases[] = {
  T_CASE(madvise_refuses_bad_arguments),
  T_CASE(madvise_refuses_on_files_what_is_for_anonymous_memory),
  T_CASE(holes_are_reported_after_advising_the_rest),
  T_CASE(dontneed_keeps_shared_pages),
  T_CASE(dontneed_drops_private_copies),
  T_CASE(dontneed_of_foreign_memory_zeroes_it_beside_a_mapping),
  T_CASE(dontneed_is_refused_on_locked_pages),
  T_CASE(dontfork_keeps_a_mapping_from_children),
  T_CASE(populate_reads_and_writes_as_a_program_would),
  /* divergence: EOPNOTSUPP, says the contract. */
  T_CASE_DIVERGES(remove_punches_a_hole_into_the_file, "MADV_REMOVE is refused on mappings"),
  T_CASE(posix_madvise_returns_the_error_number),
  T_CASE(posix_dontneed_drops_nothing),
};

T_MAIN(cases)
