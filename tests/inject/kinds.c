/* kinds.c - the matrix of mappings of the other kinds: under the trackers watch and compare, private and atomic;
 * alone, and with what a process that was killed has left.
 */
#include "matrix.h"

static int
result_of(intmax_t result) {
  return result == -1 ? errno : 0;
}

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
stored(void) {
  matrix_map();
  matrix_store();
}

static void
map_atomic(void) {
  matrix.npages = MATRIX_PAGES;
  matrix.p = T_MAP(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED | SOFTMAP_MAP_ATOMIC, matrix.fd, 0);
}

static void
left_by_the_dead(void (*prepare)(void)) {
  pid_t pid;

  T_CHECK(softmap_sections(NULL, 0) >= 0);
  pid = t_fork();
  if (pid == 0) {
    prepare();
    (void)raise(SIGKILL);
  }
  T_REAP(pid, T_KILLED(SIGKILL));
  matrix.npages = MATRIX_PAGES;
}

static int
map_it(int flags) {
  void *p = mmap(NULL, t_pages(MATRIX_PAGES), RW, MAP_SHARED | flags, matrix.fd, 0);

  if (p == MAP_FAILED)
    return errno;
  matrix.p = p;
  return 0;
}

static int
unmap_it(void) {
  int result = result_of(munmap(matrix.p, t_pages(MATRIX_PAGES)));

  if (result == 0)
    matrix.p = NULL;
  return result;
}

static int
sync_it(int flags) {
  return result_of(msync(matrix.p, t_pages(MATRIX_PAGES), flags));
}

static int
touch(size_t page) {
  struct t_fault fault = t_store(matrix.p + t_pages(page), 't');

  if (fault.signo == 0)
    matrix.model[page] = 't';
  return fault.signo == 0 ? 0 : fault.signo == SIGBUS ? EFAULT : EINVAL;
}

/* ---- watch ------------------------------------------------------------------------------------- */

static void
watched_nothing(void) {
  on_watch();
  matrix.npages = MATRIX_PAGES;
}

static void
watched_on_touch(void) {
  on_watch();
  T_OK(softmap_configure("fill", "touch"));
  matrix_map();
}

static void
watched_stored(void) {
  on_watch();
  stored();
}

static void
watched_stored_by_a_dead_process(void) {
  on_watch();
  left_by_the_dead(watched_stored);
  matrix_store();
}

static void
watched_longer_file(void) {
  on_watch();
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(2) + 100), 0);
  matrix_map();
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(MATRIX_PAGES)), 0);
  for (size_t i = 3; i < MATRIX_PAGES; i++) {
    matrix.model[i] = (unsigned char)(i + 50);
    T_EQ(pwrite(matrix.fd, &matrix.model[i], 1, (off_t)t_pages(i)), 1);
  }
}

static int
run_watch_mmap(void) {
  return map_it(0);
}

static int
run_watch_mmap_of_the_dead(void) {
  return map_it(0);
}

static int
run_watch_store(void) {
  return touch(2);
}

static int
run_watch_munmap(void) {
  return unmap_it();
}

static int
run_watch_msync(void) {
  return sync_it(MS_SYNC);
}

static int
run_watch_invalidate(void) {
  return sync_it(MS_SYNC | MS_INVALIDATE);
}

static int
run_watch_growth(void) {
  return touch(5);
}

/* ---- compare ----------------------------------------------------------------------------------- */

static void
compared_nothing(void) {
  on_compare();
  matrix.npages = MATRIX_PAGES;
}

static void
compared_on_touch(void) {
  on_compare();
  T_OK(softmap_configure("fill", "touch"));
  matrix_map();
}

static void
compared_stored(void) {
  on_compare();
  stored();
}

static int
run_compare_mmap(void) {
  return map_it(0);
}

static int
run_compare_store(void) {
  return touch(2);
}

static int
run_compare_msync(void) {
  return sync_it(MS_SYNC);
}

/* ---- Only what changed ---------------------------------------------------------------------------- */

static int
run_merge_mmap(void) {
  return map_it(SOFTMAP_MAP_MERGE);
}

/* ---- Private ------------------------------------------------------------------------------------- */

static void
private_on_touch(void) {
  T_OK(softmap_configure("fill", "touch"));
  matrix.npages = MATRIX_PAGES;
  matrix.p = T_MAP(NULL, t_pages(MATRIX_PAGES), RW, MAP_PRIVATE, matrix.fd, 0);
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
nothing(void) {
  matrix.npages = MATRIX_PAGES;
}

static void
atomic_stored(void) {
  map_atomic();
  matrix_store();
}

/* Which is given up. */
static void
atomic_stored_by_a_dead_process(void) {
  left_by_the_dead(atomic_stored);
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
  left_by_the_dead(cut_off);
  matrix_store();
}

static int
run_atomic_mmap(void) {
  return map_it(SOFTMAP_MAP_ATOMIC);
}

static int
run_atomic_mmap_of_the_dead(void) {
  return map_it(SOFTMAP_MAP_ATOMIC);
}

static int
run_atomic_mmap_cut_off(void) {
  return map_it(SOFTMAP_MAP_ATOMIC);
}

static int
run_atomic_msync(void) {
  return sync_it(MS_SYNC);
}

static int
run_atomic_munmap(void) {
  return unmap_it();
}

#define SCENARIO(call, how, least, ...)                                                            \
  static void try_##call(void) {                                                                   \
    static const struct scenario scenario = { .name = #call,                                       \
                                              .prepare = how,                                      \
                                              .run = run_##call,                                   \
                                              .least_cells = least,                                \
                                              .may = { __VA_ARGS__ } };                            \
    matrix_try(&scenario);                                                                         \
  }

SCENARIO(watch_mmap, watched_nothing, 60, 0)
SCENARIO(watch_mmap_of_the_dead, watched_stored_by_a_dead_process, 60, EBUSY)
SCENARIO(watch_store, watched_on_touch, 5, EFAULT)
SCENARIO(watch_munmap, watched_stored, 30, 0)
SCENARIO(watch_msync, watched_stored, 30, 0)
SCENARIO(watch_invalidate, watched_stored, 30, 0)
SCENARIO(watch_growth, watched_longer_file, 30, EFAULT)
SCENARIO(compare_mmap, compared_nothing, 60, 0)
SCENARIO(compare_store, compared_on_touch, 5, EFAULT)
SCENARIO(compare_msync, compared_stored, 30, 0)
SCENARIO(merge_mmap, nothing, 60, 0)
SCENARIO(atomic_mmap, nothing, 60, 0)
SCENARIO(atomic_mmap_of_the_dead, atomic_stored_by_a_dead_process, 60, EBUSY)
SCENARIO(atomic_mmap_cut_off, atomic_cut_off, 60, EBUSY)
SCENARIO(atomic_msync, atomic_stored, 60, EPERM) /* a journal that can't be opened isn't believed */
SCENARIO(atomic_munmap, atomic_stored, 60, 0)

#define OF_THE_DEAD(fn) T_CASE_WITH(fn, T_MAPS_NOTHING | T_KILLS)

static const struct t_case cases[] = {
  T_CASE(try_watch_mmap),
  OF_THE_DEAD(try_watch_mmap_of_the_dead),
  T_CASE(try_watch_store),
  T_CASE(try_watch_munmap),
  T_CASE(try_watch_msync),
  T_CASE(try_watch_invalidate),
  T_CASE(try_watch_growth),
  T_CASE(try_compare_mmap),
  T_CASE(try_compare_store),
  T_CASE(try_compare_msync),
  T_CASE(private_mapping_that_cannot_be_moved_stays),
  T_CASE(try_merge_mmap),
  T_CASE(try_atomic_mmap),
  OF_THE_DEAD(try_atomic_mmap_of_the_dead),
  OF_THE_DEAD(try_atomic_mmap_cut_off),
  T_CASE(try_atomic_msync),
  T_CASE(try_atomic_munmap),
};
T_MAIN(cases)
