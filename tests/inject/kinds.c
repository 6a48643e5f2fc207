/* kinds.c - the matrix of mappings of the other kinds: under the trackers watch and compare, private and atomic;
 * alone, and with what a process that was killed has left.
 */
#include "matrix.h"

static void
on_watch(void) {
  if (softmap_configure("tracker", "watch") != 0)
    t_skip("this kernel has no write watch");
}

static void
on_compare(void) {
  if (softmap_configure("tracker", "compare") != 0)
    t_skip("no process_vm_readv");
}

static void
map_atomic(void) {
  matrix_map_with(MAP_SHARED | SOFTMAP_MAP_ATOMIC);
}

static int
run_store(void) {
  return matrix_store_page(2, 't');
}

static int
run_growth(void) {
  return matrix_store_page(5, 't');
}

/* ---- watch ------------------------------------------------------------------------------------- */

static void
watched_on_touch(void) {
  on_watch();
  matrix_on_touch();
}

static void
watched_stored(void) {
  on_watch();
  matrix_stored();
}

static void
watched_stored_by_a_dead_process(void) {
  on_watch();
  matrix_killed(watched_stored);
  matrix_store();
}

/* What is dirty is counted, or an error comes out. */
static int
run_watched_view(void) {
  struct softmap_section section;
  ssize_t n = softmap_sections(&section, 1);
  unsigned differ = 0;

  if (n != 1)
    return n < 0 ? errno : ENOENT;
  for (size_t i = 0; i < MATRIX_PAGES; i++)
    differ += matrix.model[i] != matrix_file_byte(i);
  if (!(section.flags & SOFTMAP_SECTION_DAMAGED))
    T_EQ(section.dirty_pages, differ);
  return matrix_look_at_section();
}

static void
watched_longer_file(void) {
  on_watch();
  matrix_map_growing((off_t)t_pages(2) + 100);
}

/* ---- compare ----------------------------------------------------------------------------------- */

static void
compared_on_touch(void) {
  on_compare();
  matrix_on_touch();
}

static void
compared_stored(void) {
  on_compare();
  matrix_stored();
}

/* ---- Only what changed ---------------------------------------------------------------------------- */

static int
run_merge_mmap(void) {
  return matrix_mmap_with(MAP_SHARED | SOFTMAP_MAP_MERGE);
}

/* ---- Private ------------------------------------------------------------------------------------- */

static void
private_on_touch(void) {
  T_OK(softmap_configure("fill", "touch"));
  matrix_map_with(MAP_PRIVATE);
  matrix.place = t_vacant(MATRIX_PAGES);
}

/* What isn't filled yet is filled when it is touched, there as before. */
static void
private_mapping_that_cannot_be_moved_stays(void) {
  matrix.fd = t_tmpfile(matrix.path, (off_t)t_pages(MATRIX_PAGES));
  private_on_touch();
  PUT(matrix.p, 'p');
  engine_inject(HOST_CALL_remap, 1, UINT32_MAX, ENOMEM);
  T_ERR(AS_RESULT(mremap(matrix.p, t_pages(MATRIX_PAGES), t_pages(MATRIX_PAGES),
                         MREMAP_MAYMOVE | MREMAP_FIXED, matrix.place)),
        ENOMEM);
  inject_disarm();
  T_EQ(GET(matrix.p), 'p');
  T_MEM_OLD(matrix.p + t_pages(1), t_pages(MATRIX_PAGES - 1), (off_t)t_pages(1));
  T_STORES(matrix.p + t_pages(1), 's');
  T_OK(munmap(matrix.p, t_pages(MATRIX_PAGES)));
}

/* ---- Atomic ------------------------------------------------------------------------------------ */

static void
atomic_stored(void) {
  map_atomic();
  matrix_store();
}

/* Which is given up. */
static void
atomic_stored_by_a_dead_process(void) {
  matrix_killed(atomic_stored);
}

/* Killed in a sync, with a journal that counts. */
static void
cut_off(void) {
  struct inject_rule rule = { .call = HOST_CALL_flush, .nth = 2, .times = 1, .kill = 1 };

  map_atomic();
  matrix_store();
  inject_arm(&rule);
  (void)msync(matrix.p, t_pages(MATRIX_PAGES), MS_SYNC);
}

static void
atomic_cut_off(void) {
  matrix_killed(cut_off);
  matrix_store();
}

static int
run_atomic_mmap(void) {
  return matrix_mmap_with(MAP_SHARED | SOFTMAP_MAP_ATOMIC);
}

SCENARIO(watch_mmap, on_watch, matrix_mmap, 60, 0)
SCENARIO(watch_mmap_of_the_dead, watched_stored_by_a_dead_process, matrix_mmap, 60, EBUSY)
SCENARIO(watch_store, watched_on_touch, run_store, 5, EFAULT)
SCENARIO(watch_munmap, watched_stored, matrix_munmap, 30, 0)
SCENARIO(watch_msync, watched_stored, matrix_msync, 30, 0)
SCENARIO(watch_invalidate, watched_stored, matrix_msync_invalidate, 30, 0)
SCENARIO(watch_growth, watched_longer_file, run_growth, 30, EFAULT)
SCENARIO_AT(open, watch_view_opens, watched_stored, run_watched_view, 10, 0)
SCENARIO_AT(read, watch_view_reads, watched_stored, run_watched_view, 10, 0)
SCENARIO(compare_mmap, on_compare, matrix_mmap, 60, 0)
SCENARIO(compare_store, compared_on_touch, run_store, 5, EFAULT)
SCENARIO(compare_msync, compared_stored, matrix_msync, 30, 0)
SCENARIO(merge_mmap, NULL, run_merge_mmap, 60, 0)
SCENARIO_AT(open, merge_mmap_opens, NULL, run_merge_mmap, 10, 0)
SCENARIO(atomic_mmap, NULL, run_atomic_mmap, 60, 0)
SCENARIO(atomic_mmap_of_the_dead, atomic_stored_by_a_dead_process, run_atomic_mmap, 60, EBUSY)
SCENARIO(atomic_mmap_cut_off, atomic_cut_off, run_atomic_mmap, 60, EBUSY)
/* EPERM: a journal that can't be opened isn't believed. */
SCENARIO(atomic_msync, atomic_stored, matrix_msync, 60, EPERM)
SCENARIO(atomic_munmap, atomic_stored, matrix_munmap, 60, 0)

static const struct t_case cases[] = {
  T_CASE(try_watch_mmap),
  T_CASE_WITH(try_watch_mmap_of_the_dead, T_KILLS),
  T_CASE(try_watch_store),
  T_CASE(try_watch_munmap),
  T_CASE(try_watch_msync),
  T_CASE(try_watch_invalidate),
  T_CASE(try_watch_growth),
  T_CASE(try_watch_view_opens),
  T_CASE(try_watch_view_reads),
  T_CASE(try_compare_mmap),
  T_CASE(try_compare_store),
  T_CASE(try_compare_msync),
  T_CASE(private_mapping_that_cannot_be_moved_stays),
  T_CASE(try_merge_mmap),
  T_CASE(try_merge_mmap_opens),
  T_CASE(try_atomic_mmap),
  T_CASE_WITH(try_atomic_mmap_of_the_dead, T_KILLS),
  T_CASE_WITH(try_atomic_mmap_cut_off, T_KILLS),
  T_CASE(try_atomic_msync),
  T_CASE(try_atomic_munmap),
};
T_MAIN(cases)
