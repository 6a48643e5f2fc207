/* matrix.c - the scenarios of the matrix: each public call, in a situation where it has to do something.
 *
 * Each is tried in all its cells (matrix_cells.c).
 */
#include "matrix.h"

static void
stored_in_two_mappings(void) {
  matrix_stored();
  matrix.other = T_MAP(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED, matrix.fd, 0);
}

static void
stored_with_a_place(void) {
  matrix_stored();
  matrix.place = t_vacant(MATRIX_PAGES);
}

static void
half_stored(void) {
  matrix_stored();
  T_OK(munmap(matrix.p + t_pages(8), t_pages(MATRIX_PAGES - 8)));
  matrix.npages = 8;
}

/* ---- mmap and its family ----------------------------------------------------------------------- */

static int
run_mmap_private(void) {
  return matrix_mmap_with(MAP_PRIVATE);
}

static int
run_mmap_fixed(void) {
  return matrix_result(
      AS_RESULT(mmap(matrix.p, t_pages(MATRIX_PAGES), RW, MAP_SHARED | MAP_FIXED, matrix.fd, 0)));
}

static int
run_second_mmap(void) {
  void *p = mmap(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED, matrix.fd, 0);

  if (p == MAP_FAILED)
    return errno;
  matrix.other = p;
  return 0;
}

static int
run_munmap_part(void) {
  int result = matrix_result(munmap(matrix.p + t_pages(4), t_pages(MATRIX_PAGES - 4)));

  if (result == 0)
    matrix.npages = 4;
  return result;
}

/* Of both sides something stays. */
static int
run_munmap_middle(void) {
  return matrix_result(munmap(matrix.other + t_pages(4), t_pages(2)));
}

static int
run_mprotect(void) {
  int result = matrix_result(mprotect(matrix.p + t_pages(2), t_pages(5), PROT_READ));

  return result != 0 ? result : matrix_result(mprotect(matrix.p, t_pages(MATRIX_PAGES), RW));
}

static int
run_mremap(void) {
  void *p = mremap(matrix.p, t_pages(MATRIX_PAGES), t_pages(MATRIX_PAGES),
                   MREMAP_MAYMOVE | MREMAP_FIXED, matrix.place);

  if (p == MAP_FAILED)
    return errno;
  matrix.p = p;
  return 0;
}

static int
run_mremap_longer(void) {
  void *p = mremap(matrix.p, t_pages(matrix.npages), t_pages(MATRIX_PAGES), MREMAP_MAYMOVE);

  if (p == MAP_FAILED)
    return errno;
  matrix.p = p;
  matrix.npages = MATRIX_PAGES;
  return 0;
}

static int
run_mremap_shorter(void) {
  void *p = mremap(matrix.p, t_pages(matrix.npages), t_pages(5), 0);

  if (p == MAP_FAILED && errno == EFAULT) /* after a failure it may be two mappings, side by side */
    p = munmap(matrix.p + t_pages(5), t_pages(MATRIX_PAGES - 5)) == 0 ? matrix.p : MAP_FAILED;
  if (p == MAP_FAILED)
    return errno;
  matrix.npages = 5;
  return 0;
}

static int
run_msync_async(void) {
  return matrix_msync_with(MS_ASYNC);
}

static int
run_madvise(void) {
  int result = matrix_result(madvise(matrix.p, t_pages(MATRIX_PAGES), MADV_DONTNEED));

  return result != 0 ? result
                     : matrix_result(madvise(matrix.p, t_pages(MATRIX_PAGES), MADV_WILLNEED));
}

static int
run_posix_madvise(void) {
  return posix_madvise(matrix.p, t_pages(MATRIX_PAGES), POSIX_MADV_WILLNEED);
}

static int
run_mincore(void) {
  unsigned char vec[MATRIX_PAGES];

  return matrix_result(mincore(matrix.p, t_pages(MATRIX_PAGES), vec));
}

static int
run_mlock(void) {
  int result = matrix_result(mlock(matrix.p, t_pages(MATRIX_PAGES)));

  return result != 0 ? result : matrix_result(munlock(matrix.p, t_pages(MATRIX_PAGES)));
}

/* ---- The calls of softmap.h -------------------------------------------------------------------- */

static int
run_sync_all(void) {
  return matrix_result(softmap_sync_all());
}

static int
run_pin(void) {
  int result = matrix_result(softmap_pin(matrix.p, t_pages(3), RW));

  return result != 0 ? result : matrix_result(softmap_unpin(matrix.p, t_pages(3)));
}

static int
run_dirty(void) {
  struct softmap_range ranges[MATRIX_PAGES];

  return matrix_result(softmap_dirty(matrix.p, t_pages(MATRIX_PAGES), ranges, MATRIX_PAGES));
}

static int
run_sections(void) {
  struct softmap_section sections[4];

  return matrix_result(softmap_sections(sections, 4));
}

static int
run_recover(void) {
  return matrix_recover(NULL);
}

/* ---- Loads and stores --------------------------------------------------------------------------- */

static int
run_load(void) {
  return matrix_load_page(2);
}

static int
run_store(void) {
  return matrix_store_page(2, 'x');
}

/* The section is longer in part when it fails: what is stored there isn't lost, and isn't taken. */
static int
run_growth_store(void) {
  return matrix_store_page(5, 'x');
}

/* Stores in order, which open pages ahead: as far as they go. */
static int
run_store_run(void) {
  int result = 0;

  for (size_t i = 1; i < MATRIX_PAGES - 1 && result == 0; i++)
    result = matrix_store_page(i, (unsigned char)('A' + i));
  return result;
}

static void
stored_in_order(void) {
  matrix_map();
  T_EQ(run_store_run(), 0);
}

/* With a twin a page, which a sync brings up to date. */
static void
merged(void) {
  matrix_map_with(MAP_SHARED | SOFTMAP_MAP_MERGE);
  T_EQ(run_store_run(), 0);
}

static void
longer_file(void) {
  matrix_map_growing((off_t)t_pages(2));
}

/* The child has the mapping, or one of SIGBUS and a line; the parent is as before. */
static int
run_fork(void) {
  pid_t pid = t_fork();
  int status = 0;

  if (pid == 0) {
    unsigned char byte = 0;

    inject_disarm();
    _exit(t_load(matrix.p, &byte).signo == 0 && byte != matrix.model[0] ? 1 : 0);
  }
  while (waitpid(pid, &status, 0) < 0)
    T_EQ(errno, EINTR);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINVAL;
}

/* ---- All of them -------------------------------------------------------------------------------- */

SCENARIO(mmap, NULL, matrix_mmap, 175, 0)
SCENARIO(mmap_private, NULL, run_mmap_private, 171, 0)

static void
try_mmap_fixed(void) {
  static const struct scenario scenario = { .name = "mmap_fixed",
                                            .prepare = matrix_stored,
                                            .run = run_mmap_fixed,
                                            .least_cells = 86,
                                            .leaves_hole = true };
  matrix_try(&scenario);
}

SCENARIO(second_mmap, matrix_stored, run_second_mmap, 44, 0)
SCENARIO(munmap, matrix_stored, matrix_munmap, 88, 0)
SCENARIO(munmap_part, stored_in_two_mappings, run_munmap_part, 44, 0)
SCENARIO(munmap_middle, stored_in_two_mappings, run_munmap_middle, 10, 0)
SCENARIO(mprotect, matrix_stored, run_mprotect, 8, 0)
SCENARIO(mremap, stored_with_a_place, run_mremap, 11, 0)
SCENARIO(mremap_longer, half_stored, run_mremap_longer, 10, 0)
SCENARIO(mremap_shorter, matrix_stored, run_mremap_shorter, 40, 0)
SCENARIO(msync, matrix_stored, matrix_msync, 59, 0)
SCENARIO(msync_async, matrix_stored, run_msync_async, 50, 0)
SCENARIO(msync_invalidate, matrix_stored, matrix_msync_invalidate, 65, 0)
SCENARIO(madvise, matrix_stored, run_madvise, 3, 0)
SCENARIO(posix_madvise, matrix_stored, run_posix_madvise, 0, 0)
SCENARIO(mincore, matrix_stored, run_mincore, 6, 0)
SCENARIO(mlock, matrix_stored, run_mlock, 6, 0)
SCENARIO(sync_all, matrix_stored, run_sync_all, 57, 0)
SCENARIO(pin, matrix_map, run_pin, 8, 0)
SCENARIO(dirty, matrix_stored, run_dirty, 0, 0)
SCENARIO(pages, matrix_stored, matrix_look_at_pages, 0, 0)
SCENARIO(sections, matrix_stored, run_sections, 62, 0)
SCENARIO(section_view, matrix_stored, matrix_look_at_section, 70, 0)
SCENARIO(recover, matrix_stored_by_the_dead, run_recover, 185, ECANCELED)
SCENARIO(load, matrix_on_touch, run_load, 11, EFAULT)
SCENARIO(store, matrix_on_touch, run_store, 13, EFAULT)
SCENARIO(store_run, matrix_map, run_store_run, 8, EFAULT)
SCENARIO(msync_ahead, stored_in_order, matrix_msync, 45, 0)
SCENARIO(msync_merge, merged, matrix_msync, 68, 0)
SCENARIO(growth, longer_file, run_load, 32, EFAULT)
SCENARIO(growth_store, longer_file, run_growth_store, 32, EFAULT)
SCENARIO(fork, matrix_stored, run_fork, 23, 0)

static const struct t_case cases[] = {
  T_CASE(try_mmap),           T_CASE(try_mmap_private),
  T_CASE(try_mmap_fixed),     T_CASE(try_second_mmap),
  T_CASE(try_munmap),         T_CASE(try_munmap_part),
  T_CASE(try_munmap_middle),  T_CASE(try_mprotect),
  T_CASE(try_mremap),         T_CASE(try_mremap_longer),
  T_CASE(try_mremap_shorter), T_CASE(try_msync),
  T_CASE(try_msync_async),    T_CASE(try_msync_invalidate),
  T_CASE(try_madvise),        T_CASE(try_posix_madvise),
  T_CASE(try_mincore),        T_CASE(try_mlock),
  T_CASE(try_sync_all),       T_CASE(try_pin),
  T_CASE(try_dirty),          T_CASE(try_pages),
  T_CASE(try_sections),       T_CASE(try_section_view),
  OF_THE_DEAD(try_recover),   T_CASE(try_load),
  T_CASE(try_store),          T_CASE(try_store_run),
  T_CASE(try_msync_ahead),    T_CASE(try_msync_merge),
  T_CASE(try_growth),         T_CASE(try_growth_store),
  T_CASE(try_fork),
};
T_MAIN(cases)
