/* shared.c - the matrix of calls on a file that another process has mapped, too, or had when it was killed:
 * joining, looking at its lane, leaving it behind.
 */
#include "matrix.h"

#include "t_strangers.h"

/* Lives as long as the scenario, and can store to every page at any moment. */
static struct t_stranger other;
static bool has_other;

static void
beside_another(void) {
  if (!has_other) {
    other = t_stranger();
    T_OK(S_MAP(other, matrix.path, MATRIX_PAGES, S_SHARED));
    has_other = true;
  }
  for (size_t i = 0; i < MATRIX_PAGES; i++) /* as the file has them: what we stored is older */
    T_OK(S_STORE(other, t_pages(i), matrix.model[i]));
  matrix.npages = MATRIX_PAGES;
}

static void
mapped_beside_another(void) {
  beside_another();
  matrix_map();
}

static void
stored_beside_another(void) {
  beside_another();
  matrix_map();
  matrix_store();
}

static void
stored_by_a_dead_process(void) {
  pid_t pid = t_fork();

  if (pid == 0) {
    matrix_map();
    matrix_store();
    (void)raise(SIGKILL);
  }
  T_REAP(pid, T_KILLED(SIGKILL));
  matrix_store();
  matrix.npages = MATRIX_PAGES;
}

static int
result_of(intmax_t result) {
  return result == -1 ? errno : 0;
}

static int
run_mmap(void) {
  void *p = mmap(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED, matrix.fd, 0);

  if (p == MAP_FAILED)
    return errno;
  matrix.p = p;
  return 0;
}

static int
run_mmap_of_the_dead(void) {
  return run_mmap();
}

static int
run_munmap(void) {
  int result = result_of(munmap(matrix.p, t_pages(MATRIX_PAGES)));

  if (result == 0)
    matrix.p = NULL;
  return result != 0 ? result : S_SYNC(other) == 0 ? 0 : errno; /* what it couldn't write */
}

static int
run_msync(void) {
  return result_of(msync(matrix.p, t_pages(MATRIX_PAGES), MS_SYNC));
}

static int
run_msync_invalidate(void) {
  return result_of(msync(matrix.p, t_pages(MATRIX_PAGES), MS_SYNC | MS_INVALIDATE));
}

static int
run_pages(void) {
  struct softmap_page pages[MATRIX_PAGES];

  return result_of(softmap_pages(matrix.p, t_pages(MATRIX_PAGES), pages, MATRIX_PAGES));
}

static int
run_section_view(void) {
  struct softmap_section section;
  struct softmap_page pages[MATRIX_PAGES];
  ssize_t n = softmap_sections(&section, 1);

  if (n != 1)
    return n < 0 ? errno : ENOENT;
  return result_of(softmap_section_view(section.name, 0, pages, MATRIX_PAGES));
}

/* In use: EBUSY is right. */
static int
run_recover(void) {
  struct softmap_section section;
  ssize_t n = softmap_sections(&section, 1);
  int error = n == 1 ? result_of(softmap_recover(section.name, NULL)) : n < 0 ? errno : ENOENT;

  return error == EBUSY ? 0 : error;
}

/* Behind what the other had opened. */
static void
longer_file(void) {
  beside_another();
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(2) + 100), 0);
  matrix_map();
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(MATRIX_PAGES)), 0);
  for (size_t i = 2; i < MATRIX_PAGES; i++) {
    matrix.model[i] = i == 2 ? matrix.model[2] : (unsigned char)(i + 50);
    T_EQ(pwrite(matrix.fd, &matrix.model[i], 1, (off_t)t_pages(i)), 1);
  }
}

static int
run_growth(void) {
  unsigned char byte;
  struct t_fault fault = t_load(matrix.p + t_pages(5), &byte);

  return fault.signo == 0 ? 0 : fault.signo == SIGBUS ? EFAULT : EINVAL;
}

#define SCENARIO(call, how, least, ...)                                                            \
  static void try_##call(void) {                                                                   \
    static const struct scenario scenario = { .name = #call,                                       \
                                              .prepare = how,                                      \
                                              .run = run_##call,                                   \
                                              .least_cells = least,                                \
                                              .may = { __VA_ARGS__ } };                            \
    matrix_try(&scenario);                                                                         \
    if (has_other)                                                                                 \
      T_DISMISS(other);                                                                            \
  }

SCENARIO(mmap, beside_another, 60, 0)
SCENARIO(mmap_of_the_dead, stored_by_a_dead_process, 60, EBUSY)
SCENARIO(munmap, stored_beside_another, 30, 0)
SCENARIO(msync, stored_beside_another, 30, 0)
SCENARIO(msync_invalidate, mapped_beside_another, 30, 0)
SCENARIO(pages, stored_beside_another, 1, 0)
SCENARIO(section_view, mapped_beside_another, 30, 0)
SCENARIO(recover, mapped_beside_another, 30, 0)
SCENARIO(growth, longer_file, 30, EFAULT)

static const struct t_case cases[] = {
  T_CASE(try_mmap),
  T_CASE_WITH(try_mmap_of_the_dead, T_KILLS),
  T_CASE(try_munmap),
  T_CASE(try_msync),
  T_CASE(try_msync_invalidate),
  T_CASE(try_pages),
  T_CASE(try_section_view),
  T_CASE(try_recover),
  T_CASE(try_growth),
};

T_MAIN(cases)
