/* protocol.c - the page protocol with the real code: each storer owns a slot of one page, stores,
 * syncs, and finds its store in the file; while the page is opened and closed in every way.
 */
#include "t_engine.h"

#include <pthread.h>
#include <stdatomic.h>

enum { STORERS = 4, SLOT = 64 };

static unsigned char *maps[STORERS]; /* where each storer sees the page */
static int fd;
static atomic_bool stop;
static unsigned rounds;

static void
store_and_find(const unsigned char *map, size_t slot, uint32_t value, int how) {
  uint32_t got = 0;

  /* One aligned store of four bytes, here and now. */
  *(volatile uint32_t *)(uintptr_t)(map + slot * SLOT) = value;
  T_OK(msync((void *)(uintptr_t)map, t_page_size(), how));
  if (pread(fd, &got, sizeof got, (off_t)(slot * SLOT)) != (ssize_t)sizeof got || got != value)
    t_fail(T_HERE, "slot %zu: the file holds %u after msync, wanted %u", slot, got, value);
}

static void *
storer(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (unsigned i = 1; i <= rounds; i++)
    store_and_find(maps[id], id, i, i % 16 == 0 ? MS_SYNC : MS_ASYNC);
  return NULL;
}

/* Four threads store while `meddle` runs in a fifth one, until they are done. */
static void
run(unsigned total, void *(*meddle)(void *)) {
  pthread_t thread[STORERS];
  pthread_t meddler;

  rounds = total / STORERS;
  for (size_t i = 0; i < STORERS; i++)
    T_EQ(pthread_create(&thread[i], NULL, storer, (void *)i), 0);
  if (meddle != NULL)
    T_EQ(pthread_create(&meddler, NULL, meddle, NULL), 0);
  for (size_t i = 0; i < STORERS; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  atomic_store(&stop, true);
  if (meddle != NULL)
    T_EQ(pthread_join(meddler, NULL), 0);
  for (size_t i = 0; i < STORERS; i++)
    T_EQ(*(uint32_t *)(uintptr_t)(maps[i] + i * SLOT), rounds);
}

static unsigned char *
map_page(void) {
  return T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
}

static void
all_on_one_mapping(void) {
  fd = t_tmpfile(NULL, (off_t)t_pages(2));
  maps[0] = maps[1] = maps[2] = maps[3] = map_page();
}

static void
threads_on_one_mapping(void) {
  all_on_one_mapping();
  run(engine_scale(8000, 80000, 800000), NULL);
}

static void
threads_on_two_mappings(void) {
  fd = t_tmpfile(NULL, (off_t)t_pages(2));
  maps[0] = maps[2] = map_page();
  maps[1] = maps[3] = map_page();
  run(engine_scale(4000, 40000, 400000), NULL);
}

static void *
map_and_unmap(void *arg) {
  (void)arg;
  for (uint32_t i = 1; !atomic_load(&stop); i++) {
    unsigned char *p = map_page();

    store_and_find(p, STORERS, i, MS_ASYNC);
    *(volatile uint32_t *)(uintptr_t)(p + (STORERS + 1) * SLOT) = i;
    T_OK(munmap(p, t_pages(2)));
    p = NULL;
    (void)pread(fd, &(uint32_t){ 0 }, 4, 0);
    T_FILE_BYTE(fd, (off_t)(STORERS + 1) * SLOT, (unsigned char)i);
  }
  return NULL;
}

static void
threads_while_another_mapping_comes_and_goes(void) {
  all_on_one_mapping();
  run(engine_scale(2500, 25000, 250000), map_and_unmap);
}

/* A second mapping is closed and opened by its protection. */
static void *
protect(void *arg) {
  unsigned char *p = map_page();

  (void)arg;
  for (uint32_t i = 1; !atomic_load(&stop); i++) {
    T_OK(mprotect(p, t_pages(2), RW));
    *(volatile uint32_t *)(uintptr_t)(p + STORERS * SLOT) = i;
    T_OK(mprotect(p, t_pages(2), i % 2 == 0 ? PROT_READ : PROT_NONE));
    T_OK(msync(p, t_pages(2), MS_ASYNC));
    T_FILE_BYTE(fd, (off_t)STORERS * SLOT, (unsigned char)i);
  }
  return NULL;
}

static void
threads_while_another_mapping_is_protected(void) {
  all_on_one_mapping();
  run(engine_scale(2500, 25000, 250000), protect);
}

/* The mapping that is stored to: its stores are refused now and then, but never lost. A storer whose
 * store is refused waits for the protection to come back, by the fault itself. */
static void *
protect_in_place(void *arg) {
  (void)arg;
  while (!atomic_load(&stop)) {
    T_OK(mprotect(maps[0] + t_pages(1), t_pages(1), PROT_READ));
    T_OK(mprotect(maps[0], t_pages(2), RW));
  }
  return NULL;
}

static void
threads_while_the_mapping_is_protected(void) {
  all_on_one_mapping();
  run(engine_scale(2500, 25000, 250000), protect_in_place);
}

static void *
fork_and_store(void *arg) {
  (void)arg;
  for (uint32_t i = 1; !atomic_load(&stop); i++) {
    pid_t pid = fork();

    T_CHECK(pid >= 0);
    if (pid == 0) {
      t_limit_this_process(20);
      store_and_find(maps[0], STORERS, i, MS_ASYNC);
      _exit(0);
    }
    T_REAP(pid, T_EXITED(0));
    T_EQ(*(volatile uint32_t *)(uintptr_t)(maps[0] + STORERS * SLOT), i);
  }
  return NULL;
}

static void
threads_while_the_process_forks(void) {
  all_on_one_mapping();
  run(engine_scale(2000, 20000, 200000), fork_and_store);
}

/* MS_INVALIDATE and sync_all at any moment lose nothing. */
static void *
sync_in_every_way(void *arg) {
  (void)arg;
  for (unsigned i = 0; !atomic_load(&stop); i++)
    T_OK(i % 2 == 0 ? softmap_sync_all() : msync(maps[0], t_pages(2), MS_ASYNC | MS_INVALIDATE));
  return NULL;
}

static void
threads_while_all_is_synced(void) {
  all_on_one_mapping();
  run(engine_scale(2500, 25000, 250000), sync_in_every_way);
}

/* Moved between two places of which the storers know only one: by a second mapping. */
static void *
move(void *arg) {
  unsigned char *p = map_page();

  (void)arg;
  for (uint32_t i = 1; !atomic_load(&stop); i++) {
    *(volatile uint32_t *)(uintptr_t)(p + STORERS * SLOT) = i;
    p = T_REMAP(p, t_pages(2), t_pages(2), MREMAP_MAYMOVE | MREMAP_FIXED, t_reserve(2));
    T_EQ(*(volatile uint32_t *)(uintptr_t)(p + STORERS * SLOT), i);
    T_OK(msync(p, t_pages(1), MS_ASYNC));
    T_FILE_BYTE(fd, (off_t)STORERS * SLOT, (unsigned char)i);
  }
  T_OK(munmap(p, t_pages(2)));
  return NULL;
}

static void
threads_while_another_mapping_moves(void) {
  all_on_one_mapping();
  run(engine_scale(2500, 25000, 250000), move);
}

/* ---- Two processes --------------------------------------------------------------------------- */

static void
two_processes(void) {
  unsigned each = engine_scale(1500, 15000, 150000);
  pid_t pid[2];

  all_on_one_mapping();
  for (size_t id = 0; id < 2; id++) {
    pid[id] = t_fork();
    if (pid[id] == 0) {
      for (uint32_t i = 1; i <= each; i++)
        store_and_find(maps[0], id, i, i % 16 == 0 ? MS_SYNC : MS_ASYNC);
      _exit(0);
    }
  }
  for (uint32_t i = 1; i <= each; i++)
    store_and_find(maps[0], 2, i, i % 16 == 0 ? MS_SYNC : MS_ASYNC);
  for (size_t id = 0; id < 2; id++)
    T_REAP(pid[id], T_EXITED(0));
  T_OK(msync(maps[0], t_pages(2), MS_SYNC));
  T_NDIRTY(maps[0], 2, 0);
}

/* One syncs all of the file, the other its page only: what the first one has claimed, but not yet
 * written when the second one asks, must be waited for. Many pages that stay open in the second one
 * keep the first one busy writing.
 */
static void
two_processes_of_which_one_syncs_all(void) {
  enum { NPAGES = 128 };
  unsigned each = engine_scale(4000, 40000, 400000);
  unsigned char *p;
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, NPAGES);
  for (size_t k = 0; k < NPAGES; k++)
    PUT(p + t_pages(k), 1);
  pid = t_fork();
  if (pid == 0)
    for (;;)
      T_OK(msync(p, t_pages(NPAGES), MS_ASYNC));
  for (size_t k = 0; k < NPAGES; k++)
    PUT(p + t_pages(k), 2);
  for (uint32_t i = 1; i <= each; i++) {
    size_t page = NPAGES - 1 - i % 4;

    PUT(p + t_pages(page), i);
    T_OK(msync(p + t_pages(page), t_pages(1), MS_ASYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(page), (unsigned char)i);
  }
  T_OK(kill(pid, SIGKILL));
  T_REAP(pid, T_KILLED(SIGKILL));
}

/* Others do nothing but sync the page: they take its writing from under the storer's own sync, which
 * must wait for them. */
static void
processes_that_only_sync(void) {
  unsigned rounds_here = engine_scale(6000, 60000, 600000);
  pid_t pid[3];

  all_on_one_mapping();
  for (size_t i = 0; i < 3; i++) {
    pid[i] = t_fork();
    if (pid[i] == 0)
      for (;;)
        T_OK(msync(maps[0], t_page_size(), MS_ASYNC));
  }
  for (uint32_t i = 1; i <= rounds_here; i++)
    store_and_find(maps[0], 0, i, MS_ASYNC);
  for (size_t i = 0; i < 3; i++) {
    T_OK(kill(pid[i], SIGKILL));
    T_REAP(pid[i], T_KILLED(SIGKILL));
  }
}

static const struct t_case cases[] = {
  T_CASE(threads_on_one_mapping),
  T_CASE(threads_on_two_mappings),
  T_CASE(threads_while_another_mapping_comes_and_goes),
  T_CASE(threads_while_another_mapping_is_protected),
  T_CASE(threads_while_the_mapping_is_protected),
  T_CASE_NOT_TSAN(threads_while_the_process_forks,
                  "its own locks stay taken in a child forked beside threads, which hangs when it starts its own"),
  T_CASE(threads_while_all_is_synced),
  T_CASE(threads_while_another_mapping_moves),
  T_CASE(two_processes),
  T_CASE_WITH(two_processes_of_which_one_syncs_all, T_KILLS),
  T_CASE_WITH(processes_that_only_sync, T_KILLS),
};
T_MAIN(cases)
