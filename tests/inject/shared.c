/* shared.c - the matrix of calls on a file that another process has mapped, too, or had when it was killed:
 * joining, looking at its lane, leaving it behind.
 */
#include "matrix.h"

#include "t_strangers.h"

/* Lives as long as the scenario, and can store to every page at any moment. */
static struct t_stranger other;

static void
dismiss_other(void) {
  T_DISMISS(other);
}

/* Its mappings are atomic. */
static intmax_t
become_atomic(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  return softmap_configure("atomic", "yes");
}

static void
begin_other(bool is_atomic) {
  if (matrix.end != NULL)
    return;
  other = t_stranger();
  if (is_atomic)
    T_OK(S_ASK(other, become_atomic, 0, 0));
  T_OK(S_MAP(other, matrix.path, MATRIX_PAGES, S_SHARED));
  matrix.end = dismiss_other;
}

static void
beside_another(void) {
  begin_other(false);
  for (size_t i = 0; i < MATRIX_PAGES; i++) /* as the file has them: what we stored is older */
    T_OK(S_STORE(other, t_pages(i), matrix.model[i]));
}

static void
mapped_beside_another(void) {
  beside_another();
  matrix_map();
}

static void
stored_beside_another(void) {
  beside_another();
  matrix_stored();
}

/* A page that it alone vouches for is written with ours. */
static void
atomic_stored_beside_another(void) {
  begin_other(true);
  beside_another();
  matrix_map_with(MAP_SHARED | SOFTMAP_MAP_ATOMIC);
  matrix_store();
  matrix.model[2] = (unsigned char)(matrix.value % 250 + 2);
  T_OK(S_STORE(other, t_pages(2), matrix.model[2]));
}

/* Behind what the other had opened. */
static void
longer_file(void) {
  beside_another();
  matrix_map_growing((off_t)t_pages(2) + 100);
}

static int
run_munmap(void) {
  int result = matrix_munmap();

  return result != 0 ? result : S_SYNC(other) == 0 ? 0 : errno; /* what it couldn't write */
}

/* In use: EBUSY is right. */
static int
run_recover(void) {
  struct softmap_section section;
  ssize_t n = softmap_sections(&section, 1);
  int error = n == 1 ? matrix_result(softmap_recover(section.name, NULL)) : n < 0 ? errno : ENOENT;

  return error == EBUSY ? 0 : error;
}

static int
run_growth(void) {
  return matrix_load_page(5);
}

SCENARIO(mmap, beside_another, matrix_mmap, 60, 0)
SCENARIO(mmap_of_the_dead, matrix_stored_by_the_dead, matrix_mmap, 60, EBUSY)
SCENARIO(munmap, stored_beside_another, run_munmap, 30, 0)
SCENARIO(msync, stored_beside_another, matrix_msync, 30, 0)
SCENARIO(atomic_msync, atomic_stored_beside_another, matrix_msync, 30, EPERM)
SCENARIO(msync_invalidate, mapped_beside_another, matrix_msync_invalidate, 30, 0)
SCENARIO(pages, stored_beside_another, matrix_look_at_pages, 1, 0)
SCENARIO(section_view, mapped_beside_another, matrix_look_at_section, 30, 0)
SCENARIO(recover, mapped_beside_another, run_recover, 30, 0)
SCENARIO(growth, longer_file, run_growth, 30, EFAULT)

static const struct t_case cases[] = {
  T_CASE(try_mmap),         T_CASE_WITH(try_mmap_of_the_dead, T_KILLS),
  T_CASE(try_munmap),       T_CASE(try_msync),
  T_CASE(try_atomic_msync), T_CASE(try_msync_invalidate),
  T_CASE(try_pages),        T_CASE(try_section_view),
  T_CASE(try_recover),      T_CASE(try_growth),
};

T_MAIN(cases)
