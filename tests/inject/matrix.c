/* matrix.c - the scenarios of the matrix: each public call, in a situation where it has to do something.
 *
 * Each is tried in all its cells (matrix_cells.c).
 */
#include "matrix.h"

static void
nothing(void) {
  matrix.npages = MATRIX_PAGES;
}

static void
stored(void) {
  matrix_map();
  matrix_store();
}

static void
stored_in_two_mappings(void) {
  stored();
  matrix.other = T_MAP(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED, matrix.fd, 0);
}

static void
stored_with_a_place(void) {
  stored();
  matrix.place = t_vacant(MATRIX_PAGES);
}

static void
half_stored(void) {
  stored();
  T_OK(munmap(matrix.p + t_pages(8), t_pages(MATRIX_PAGES - 8)));
  matrix.npages = 8;
}

static int
result_of(intptr_t result) {
  return result == -1 ? errno : 0;
}

/* ---- mmap and its family ----------------------------------------------------------------------- */

static int
run_mmap(void) {
  void *p = mmap(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED, matrix.fd, 0);

  if (p == MAP_FAILED)
    return errno;
  matrix.p = p;
  return 0;
}

static int
run_mmap_private(void) {
  void *p = mmap(NULL, t_pages(MATRIX_PAGES), RW, MAP_PRIVATE, matrix.fd, 0);

  if (p == MAP_FAILED)
    return errno;
  matrix.p = p;
  return 0;
}

static int
run_mmap_fixed(void) {
  return result_of(
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
run_munmap(void) {
  int result = result_of(munmap(matrix.p, t_pages(MATRIX_PAGES)));

  if (result == 0)
    matrix.p = NULL;
  return result;
}

static int
run_munmap_part(void) {
  int result = result_of(munmap(matrix.p + t_pages(4), t_pages(MATRIX_PAGES - 4)));

  if (result == 0)
    matrix.npages = 4;
  return result;
}

/* Of both sides something stays. */
static int
run_munmap_middle(void) {
  return result_of(munmap(matrix.other + t_pages(4), t_pages(2)));
}

static int
run_mprotect(void) {
  int result = result_of(mprotect(matrix.p + t_pages(2), t_pages(5), PROT_READ));

  return result != 0 ? result : result_of(mprotect(matrix.p, t_pages(MATRIX_PAGES), RW));
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
run_msync(void) {
  return result_of(msync(matrix.p, t_pages(MATRIX_PAGES), MS_SYNC));
}

static int
run_msync_async(void) {
  return result_of(msync(matrix.p, t_pages(MATRIX_PAGES), MS_ASYNC));
}

static int
run_msync_invalidate(void) {
  return result_of(msync(matrix.p, t_pages(MATRIX_PAGES), MS_SYNC | MS_INVALIDATE));
}

static int
run_madvise(void) {
  int result = result_of(madvise(matrix.p, t_pages(MATRIX_PAGES), MADV_DONTNEED));

  return result != 0 ? result : result_of(madvise(matrix.p, t_pages(MATRIX_PAGES), MADV_WILLNEED));
}

static int
run_posix_madvise(void) {
  return posix_madvise(matrix.p, t_pages(MATRIX_PAGES), POSIX_MADV_WILLNEED);
}

static int
run_mincore(void) {
  unsigned char vec[MATRIX_PAGES];

  return result_of(mincore(matrix.p, t_pages(MATRIX_PAGES), vec));
}

static int
run_mlock(void) {
  int result = result_of(mlock(matrix.p, t_pages(MATRIX_PAGES)));

  return result != 0 ? result : result_of(munlock(matrix.p, t_pages(MATRIX_PAGES)));
}

/* ---- The calls of softmap.h -------------------------------------------------------------------- */

static int
run_sync_all(void) {
  return result_of(softmap_sync_all());
}

static int
run_pin(void) {
  int result = result_of(softmap_pin(matrix.p, t_pages(3), RW));

  return result != 0 ? result : result_of(softmap_unpin(matrix.p, t_pages(3)));
}

static int
run_dirty(void) {
  struct softmap_range ranges[MATRIX_PAGES];

  return result_of(softmap_dirty(matrix.p, t_pages(MATRIX_PAGES), ranges, MATRIX_PAGES));
}

static int
run_pages(void) {
  struct softmap_page pages[MATRIX_PAGES];

  return result_of(softmap_pages(matrix.p, t_pages(MATRIX_PAGES), pages, MATRIX_PAGES));
}

static int
run_sections(void) {
  struct softmap_section sections[4];

  return result_of(softmap_sections(sections, 4));
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

/* A process that was killed has left stores. */
static void
stored_by_a_dead_process(void) {
  pid_t pid = t_fork();

  if (pid == 0) {
    stored();
    (void)raise(SIGKILL);
  }
  T_REAP(pid, T_KILLED(SIGKILL));
  matrix_store();
}

/* What is recovered already isn't there any more. */
static int
run_recover(void) {
  struct softmap_section section;
  ssize_t n = softmap_sections(&section, 1);

  if (n <= 0)
    return n < 0 ? errno : 0;
  return result_of(softmap_recover(section.name, NULL));
}

/* ---- Loads and stores --------------------------------------------------------------------------- */

static void
on_touch(void) {
  T_OK(softmap_configure("fill", "touch"));
  matrix_map();
}

/* A signal says what an errno can't: the fault was ours, and could not be served. */
static int
run_load(void) {
  unsigned char byte;
  struct t_fault fault = t_load(matrix.p + t_pages(2), &byte);

  return fault.signo == 0 ? 0 : fault.signo == SIGBUS ? EFAULT : EINVAL;
}

static int
run_store(void) {
  struct t_fault fault = t_store(matrix.p + t_pages(2), 'x');

  if (fault.signo == 0)
    matrix.model[2] = 'x';
  return fault.signo == 0 ? 0 : fault.signo == SIGBUS ? EFAULT : EINVAL;
}

/* Stores in order, which open pages ahead: as far as they go. */
static int
run_store_run(void) {
  for (size_t i = 1; i < MATRIX_PAGES - 1; i++) {
    struct t_fault fault = t_store(matrix.p + t_pages(i), (unsigned char)('A' + i));

    if (fault.signo != 0)
      return fault.signo == SIGBUS ? EFAULT : EINVAL;
    matrix.model[i] = (unsigned char)('A' + i);
  }
  return 0;
}

static void
stored_in_order(void) {
  matrix_map();
  T_EQ(run_store_run(), 0);
}

/* With a twin a page, which a sync brings up to date. */
static void
merged(void) {
  matrix.npages = MATRIX_PAGES;
  matrix.p = T_MAP(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED | SOFTMAP_MAP_MERGE, matrix.fd, 0);
  T_EQ(run_store_run(), 0);
}

#define run_msync_ahead run_msync
#define run_msync_merge run_msync

static void
longer_file(void) {
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(2)), 0);
  matrix_map();
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(MATRIX_PAGES)), 0);
  for (size_t i = 2; i < MATRIX_PAGES; i++) {
    matrix.model[i] = (unsigned char)(i + 50);
    T_EQ(pwrite(matrix.fd, &matrix.model[i], 1, (off_t)t_pages(i)), 1);
  }
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

#define SCENARIO(call, how, least, ...)                                                            \
  static void try_##call(void) {                                                                   \
    static const struct scenario scenario = { .name = #call,                                       \
                                              .prepare = how,                                      \
                                              .run = run_##call,                                   \
                                              .least_cells = least,                                \
                                              .may = { __VA_ARGS__ } };                            \
    matrix_try(&scenario);                                                                         \
  }

SCENARIO(mmap, nothing, 178, 0)
SCENARIO(mmap_private, nothing, 174, 0)

static void
try_mmap_fixed(void) {
  static const struct scenario scenario = { .name = "mmap_fixed",
                                            .prepare = stored,
                                            .run = run_mmap_fixed,
                                            .least_cells = 86,
                                            .leaves_hole = true };
  matrix_try(&scenario);
}

SCENARIO(second_mmap, stored, 44, 0)
SCENARIO(munmap, stored, 88, 0)
SCENARIO(munmap_part, stored_in_two_mappings, 44, 0)
SCENARIO(munmap_middle, stored_in_two_mappings, 10, 0)
SCENARIO(mprotect, stored, 8, 0)
SCENARIO(mremap, stored_with_a_place, 11, 0)
SCENARIO(mremap_longer, half_stored, 10, 0)
SCENARIO(mremap_shorter, stored, 40, 0)
SCENARIO(msync, stored, 59, 0)
SCENARIO(msync_async, stored, 50, 0)
SCENARIO(msync_invalidate, stored, 65, 0)
SCENARIO(madvise, stored, 3, 0)
SCENARIO(posix_madvise, stored, 0, 0)
SCENARIO(mincore, stored, 6, 0)
SCENARIO(mlock, stored, 6, 0)
SCENARIO(sync_all, stored, 57, 0)
SCENARIO(pin, matrix_map, 8, 0)
SCENARIO(dirty, stored, 0, 0)
SCENARIO(pages, stored, 0, 0)
SCENARIO(sections, stored, 62, 0)
SCENARIO(section_view, stored, 70, 0)
SCENARIO(recover, stored_by_a_dead_process, 185, ECANCELED)
SCENARIO(load, on_touch, 11, EFAULT)
SCENARIO(store, on_touch, 13, EFAULT)
SCENARIO(store_run, matrix_map, 8, EFAULT)
SCENARIO(msync_ahead, stored_in_order, 45, 0)
SCENARIO(msync_merge, merged, 68, 0)

static void
try_growth(void) {
  static const struct scenario scenario = { .name = "growth",
                                            .prepare = longer_file,
                                            .run = run_load,
                                            .least_cells = 32,
                                            .may = { EFAULT } };
  matrix_try(&scenario);
}

/* The section is longer in part when it fails: what is stored there isn't lost, and isn't taken. */
static int
run_growth_store(void) {
  struct t_fault fault = t_store(matrix.p + t_pages(5), 'x');

  if (fault.signo == 0)
    matrix.model[5] = 'x';
  return fault.signo == 0 ? 0 : fault.signo == SIGBUS ? EFAULT : EINVAL;
}
SCENARIO(growth_store, longer_file, 32, EFAULT)
SCENARIO(fork, stored, 23, 0)

static const struct t_case cases[] = {
  T_CASE(try_mmap),
  T_CASE(try_mmap_private),
  T_CASE(try_mmap_fixed),
  T_CASE(try_second_mmap),
  T_CASE(try_munmap),
  T_CASE(try_munmap_part),
  T_CASE(try_munmap_middle),
  T_CASE(try_mprotect),
  T_CASE(try_mremap),
  T_CASE(try_mremap_longer),
  T_CASE(try_mremap_shorter),
  T_CASE(try_msync),
  T_CASE(try_msync_async),
  T_CASE(try_msync_invalidate),
  T_CASE(try_madvise),
  T_CASE(try_posix_madvise),
  T_CASE(try_mincore),
  T_CASE(try_mlock),
  T_CASE(try_sync_all),
  T_CASE(try_pin),
  T_CASE(try_dirty),
  T_CASE(try_pages),
  T_CASE(try_sections),
  T_CASE(try_section_view),
  T_CASE_WITH(try_recover, T_MAPS_NOTHING | T_KILLS),
  T_CASE(try_load),
  T_CASE(try_store),
  T_CASE(try_store_run),
  T_CASE(try_msync_ahead),
  T_CASE(try_msync_merge),
  T_CASE(try_growth),
  T_CASE(try_growth_store),
  T_CASE(try_fork),
};
T_MAIN(cases)
