/* ahead.c - opening ahead: stores in every order, calls in the middle of a run, and failures: what a
 * sync writes then is what was stored to.
 */
#include "ahead.h"

/* ---- Orders ---------------------------------------------------------------------------------- */

static void
in_order(const char *name, int stride, size_t start) {
  struct model model = model_of(MANY);
  size_t faults, width = (size_t)(stride < 0 ? -stride : stride);

  for (unsigned round = 0; round < 3; round++) {
    faults = T_STATS().faults_write;
    for (size_t i = 0; start + i * width < MANY; i++)
      store(&model, stride < 0 ? MANY - 1 - start - i * width : start + i * width);
    faults = T_STATS().faults_write - faults;
    if (width <= 4 && faults > model.count / 4)
      t_fail(T_HERE, "%s: %zu faults for %zu stores", name, faults, model.count);
    sync_exactly(&model);
  }
  free(model.stored);
}

static void
stores_in_order(void) {
  static const struct {
    const char *name;
    int stride;
  } rows[] = { { "ascending", 1 },          { "descending", -1 }, { "every other page", 2 },
               { "down every other", -2 },  { "every third", 3 }, { "every fourth", 4 },
               { "down every fourth", -4 }, { "every fifth", 5 }, { "every 31st", 31 } };

  p = T_MAP_NEW(NULL, &fd, MANY);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t start = 0; start < 3; start++)
      in_order(rows[i].name, rows[i].stride, start);
}

static void
stores_in_random_order(void) {
  struct t_random random = t_random_start();
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  for (unsigned round = 0; round < engine_scale(20, 200, 2000); round++) {
    size_t runs = 1 + t_random_below(&random, 40);

    for (size_t i = 0; i < runs; i++) { /* runs of any direction, that jump and leave pages out */
      size_t at = t_random_below(&random, MANY);
      int step = (int)t_random_below(&random, 11) - 5;

      for (unsigned n = 1 + t_random_below(&random, 30); n > 0 && at < MANY; n--) {
        if (t_random_below(&random, 8) != 0)
          store(&model, at);
        at += (size_t)step;
      }
    }
    sync_exactly(&model);
  }
  free(model.stored);
}

/* A part of a run is synced while it goes on. */
static void
syncs_of_parts(void) {
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  for (size_t i = 0; i < MANY - 100; i++) {
    store(&model, i);
    if (i % 37 == 36) {
      size_t first = i - 36;
      uint64_t before = T_STATS().pages_written;

      T_OK(msync(p + t_pages(first), t_pages(60), i % 2 ? MS_SYNC : MS_ASYNC));
      T_EQ(T_STATS().pages_written - before, 37);
      for (size_t k = first; k <= i; k++)
        model.stored[k] = false;
      model.count -= 37;
    }
  }
  sync_exactly(&model);
  free(model.stored);
}

/* Eight times as many pages as there can be twins. */
static void
more_pages_than_twins(void) {
  enum { TWINS = 128, PAGES = TWINS * 8 };
  struct model model = model_of(PAGES);

  T_OK(softmap_configure("ahead", "128"));
  p = T_MAP_NEW(NULL, &fd, PAGES);
  for (unsigned round = 0; round < 2; round++) {
    size_t faults = T_STATS().faults_write;

    for (size_t i = 0; i < PAGES; i++)
      store(&model, i);
    T_CHECK(T_STATS().faults_write - faults < PAGES / 8);
    sync_exactly(&model);
  }
  free(model.stored);
}

/* Runs that end give their twins back when others begin, without a sync: more runs than have room. */
static void
runs_that_end(void) {
  enum { RUN = 64, STRIDE = 512, RUNS = 60 };
  struct model model = model_of((size_t)STRIDE * RUNS);

  T_OK(softmap_configure("ahead", "1024"));
  p = T_MAP_NEW(NULL, &fd, model.npages);
  for (unsigned round = 0; round < 3; round++) {
    size_t faults = T_STATS().faults_write;

    for (size_t run = 0; run < RUNS; run++)
      for (size_t i = 0; i < RUN; i++)
        store(&model, run * STRIDE + i);
    faults = T_STATS().faults_write - faults;
    if (faults > (size_t)RUNS * 12)
      t_fail(T_HERE, "%zu faults for %u runs of %u stores", faults, RUNS, RUN);
    sync_exactly(&model);
  }
  free(model.stored);
}

static void
none_if_switched_off(void) {
  T_OK(softmap_configure("tracker", "fault"));
  T_OK(softmap_configure("ahead", "0"));
  T_ERR(softmap_configure("ahead", "-1"), EINVAL);
  T_ERR(softmap_configure("ahead", "9999999999"), EINVAL);
  p = T_MAP_NEW(NULL, &fd, 64);
  for (size_t i = 0; i < 64; i++)
    PUT(p + t_pages(i), 'x');
  T_EQ(T_STATS().faults_write, 64);
  T_OK(msync(p, t_pages(64), MS_SYNC));
}

/* The run's last pages are open, and weren't stored to: shown as such. */
static void
viewers_are_told(void) {
  struct softmap_page pages[64];
  size_t ahead = 0;

  T_OK(softmap_configure("tracker", "fault"));
  p = T_MAP_NEW(NULL, &fd, 64);
  for (size_t i = 0; i < 10; i++)
    PUT(p + t_pages(i), 'x');
  T_EQ(softmap_pages(p, t_pages(64), pages, 64), 64);
  for (size_t i = 0; i < 64; i++) {
    bool is_open = pages[i].actual & PROT_WRITE;

    ahead += pages[i].state == SOFTMAP_PAGE_OPENED_AHEAD;
    T_EQ(pages[i].state, i < 10    ? SOFTMAP_PAGE_DIRTY
                         : is_open ? SOFTMAP_PAGE_OPENED_AHEAD
                                   : SOFTMAP_PAGE_CLEAN);
  }
  T_CHECK(ahead > 0);
  PUT(p + t_pages(10), GET(p + t_pages(10))); /* leaves it as it was: no store */
  T_NDIRTY(p, 64, 10);
  PUT(p + t_pages(10), GET(p + t_pages(10)) + 1);
  T_NDIRTY(p, 64, 11);
}

/* ---- Calls in the middle of a run ------------------------------------------------------------ */

static void
protection_in_a_run(void) {
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  begin_run(&model);
  T_OK(mprotect(p, t_pages(MANY), PROT_READ));
  engine_dirty_is(T_HERE, p, MANY, model.stored);
  T_STORE_FAULTS(p + t_pages(21), SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(p, t_pages(MANY), RW));
  for (size_t i = 20; i < 60; i++)
    store(&model, i);
  T_OK(mprotect(p + t_pages(70), t_pages(3), PROT_READ)); /* an island that no window may open */
  for (size_t i = 60; i < 70; i++)
    store(&model, i);
  T_STORE_FAULTS(p + t_pages(70), SIGSEGV, SEGV_ACCERR);
  for (size_t i = 73; i < 90; i++)
    store(&model, i);
  sync_exactly(&model);
  free(model.stored);
}

static void
fork_in_a_run(void) {
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  for (size_t i = 0; i < 300; i++) {
    store(&model, i);
    if (i % 50 == 49) {
      pid_t pid = t_fork();

      if (pid == 0) {
        engine_dirty_is(T_HERE, p, MANY, model.stored);
        _exit(0);
      }
      T_REAP(pid, T_EXITED(0));
    }
  }
  sync_exactly(&model);
  free(model.stored);
}

static void
moving_and_unmapping_in_a_run(void) {
  struct model model = model_of(MANY);
  uint64_t before = T_STATS().pages_written;

  p = T_MAP_NEW(NULL, &fd, MANY);
  begin_run(&model);
  p = T_REMAP(p, t_pages(MANY), t_pages(MANY), MREMAP_MAYMOVE | MREMAP_FIXED, t_reserve(MANY));
  engine_dirty_is(T_HERE, p, MANY, model.stored);
  for (size_t i = 20; i < 40; i++)
    store(&model, i);
  T_OK(munmap(p + t_pages(30), t_pages(MANY - 30)));
  T_EQ(T_STATS().pages_written - before, 10);
  T_OK(munmap(p, t_pages(30)));
  T_EQ(T_STATS().pages_written - before, 40);
  free(model.stored);
}

static void
pins_in_a_run(void) {
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  begin_run(&model);
  T_OK(softmap_pin(p + t_pages(21), t_pages(2), PROT_WRITE));
  T_NDIRTY(p, MANY, 22);
  T_OK(msync(p, t_pages(MANY), MS_SYNC));
  T_NDIRTY(p, MANY, 2);
  PUT(p + t_pages(22), 'x');
  T_OK(msync(p, t_pages(MANY), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(22), 'x');
  T_OK(softmap_unpin(p + t_pages(21), t_pages(2)));
  T_OK(msync(p, t_pages(MANY), MS_SYNC));
  T_NDIRTY(p, MANY, 0);
  free(model.stored);
}

/* A page opened ahead loses its tail and gets another one. */
static void
resizing_in_a_run(void) {
  enum { PAGE = 23 };
  struct model model = model_of(64);
  size_t half = t_page_size() / 2;

  p = T_MAP_NEW(NULL, &fd, 64);
  for (unsigned round = 0; round < 3; round++) {
    begin_run(&model);
    T_OK(ftruncate(fd, (off_t)(t_pages(PAGE) + half)));
    T_OK(msync(p, t_pages(1), MS_SYNC)); /* notices */
    T_PWRITE(fd, (off_t)(t_pages(PAGE) + half), half, 'n');
    T_OK(ftruncate(fd, (off_t)t_pages(64)));
    T_OK(msync(p, t_pages(1), MS_SYNC));
    T_MEM_ALL(p + t_pages(PAGE) + half, half, 'n');
    memset(p + t_pages(PAGE) + half, 0, half);
    T_OK(msync(p, t_pages(64), MS_SYNC));
    T_FILE_ALL(fd, (off_t)(t_pages(PAGE) + half), half, 0);
    T_NDIRTY(p, 64, 0);
  }
  free(model.stored);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void
copying_that_fails(void) {
  static const struct {
    uint32_t nth, times;
    int error;
  } rows[] = { { 1, UINT32_MAX, EOPNOTSUPP }, { 2, 1, EOPNOTSUPP }, { 3, 5, ENOMEM } };
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
    engine_inject(HOST_CALL_copy_memory, rows[row].nth, rows[row].times, rows[row].error);
    for (size_t i = 0; i < 200; i++)
      store(&model, i);
    for (size_t i = 300; i < 500; i += 2)
      store(&model, i);
    T_CHECK(inject_fired() > 0);
    inject_disarm();
    sync_exactly(&model);
  }
  free(model.stored);
}

static void
opening_that_fails(void) {
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  for (uint32_t nth = 1; nth < 12; nth++) {
    engine_inject(HOST_CALL_protect, nth, 1, ENOMEM);
    for (size_t i = 0; i < 200; i++)
      store(&model, i);
    for (size_t i = 300; i < 500; i += 3)
      store(&model, i);
    inject_disarm();
    sync_exactly(&model);
  }
  free(model.stored);
}

/* The error is told once; what wasn't stored to isn't written for it. */
static void
flush_that_fails(void) {
  struct model model = model_of(MANY);

  p = T_MAP_NEW(NULL, &fd, MANY);
  begin_run(&model);
  T_OK(msync(p, t_pages(MANY), MS_ASYNC)); /* written, not flushed */
  for (size_t i = 2; i < 9; i++)           /* opened ahead from there */
    PUT(p + t_pages(i), GET(p + t_pages(i)) + 1);
  engine_inject(HOST_CALL_flush, 1, 1, EIO);
  T_ERR(msync(p, t_pages(9), MS_SYNC), EIO);
  inject_disarm();
  T_NDIRTY(p, MANY, 20);
  sync_exactly(&model);
  free(model.stored);
}

static const struct t_case cases[] = {
  T_CASE(stores_in_order),
  T_CASE(stores_in_random_order),
  T_CASE(syncs_of_parts),
  T_CASE(more_pages_than_twins),
  T_CASE(runs_that_end),
  T_CASE(none_if_switched_off),
  T_CASE(viewers_are_told),
  T_CASE(protection_in_a_run),
  T_CASE(fork_in_a_run),
  T_CASE(moving_and_unmapping_in_a_run),
  T_CASE(pins_in_a_run),
  T_CASE(resizing_in_a_run),
  T_CASE(copying_that_fails),
  T_CASE(opening_that_fails),
  T_CASE(flush_that_fails),
};
T_MAIN(cases)
