/* map.c - the look-up: mappings come and go under threads that fault. */
#include "t_engine.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PAGES = 8, THREADS = 3 };

static unsigned char *place;
static int fds[2];
static atomic_bool stop;
static atomic_uint faults;

static void *
store_all_over(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (unsigned i = 0; !atomic_load(&stop); i++) {
    PUT(place + t_pages(i % PAGES) + id * 8, i);
    atomic_fetch_add(&faults, 1);
  }
  return NULL;
}

static void
start(pthread_t thread[THREADS], void *(*fn)(void *)) {
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_create(&thread[i], NULL, fn, (void *)(i + 1)), 0);
}

static void
finish(pthread_t thread[THREADS]) {
  atomic_store(&stop, true);
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  T_CHECK(atomic_load(&faults) > 0);
}

/* On the kernel's mmap MAP_FIXED is one step to other threads: a store hits the old mapping or the
 * new one. */
static void
map_fixed_over_never_kills(void) {
  pthread_t thread[THREADS];
  unsigned rounds = engine_scale(1500, 15000, 150000);

  for (int i = 0; i < 2; i++)
    fds[i] = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  place = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fds[0], 0);
  start(thread, store_all_over);
  for (unsigned i = 0; i < rounds; i++) {
    size_t from = i % 3;

    (void)T_MAP(place + t_pages(from), t_pages(PAGES - from), RW, MAP_SHARED | MAP_FIXED,
                fds[i % 2], (off_t)t_pages(from));
  }
  finish(thread);
}

/* The host's anonymous memory over ours and back. */
static void
anonymous_memory_over_never_kills(void) {
  pthread_t thread[THREADS];
  unsigned rounds = engine_scale(1500, 15000, 150000);

  fds[0] = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  place = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fds[0], 0);
  start(thread, store_all_over);
  for (unsigned i = 0; i < rounds; i++)
    if (i % 2 == 0)
      (void)T_MAP(place, t_pages(PAGES), RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    else
      (void)T_MAP(place, t_pages(PAGES), RW, MAP_SHARED | MAP_FIXED, fds[0], 0);
  finish(thread);
}

/* Others are mapped and unmapped around those that fault; what is written lands in its own file. */
static void *
map_store_unmap(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));

  for (unsigned i = 1; !atomic_load(&stop); i++) {
    unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

    PUT(p + id, i);
    PUT(p + t_pages(1), i);
    T_OK(munmap(p, t_pages(2)));
    T_FILE_BYTE(fd, (off_t)id, (unsigned char)i);
    T_FILE_BYTE(fd, (off_t)t_pages(1), (unsigned char)i);
    atomic_fetch_add(&faults, 1);
  }
  return NULL;
}

static void
neighbours_come_and_go(void) {
  pthread_t thread[THREADS];
  unsigned rounds = engine_scale(4000, 40000, 400000);

  place = T_MAP_NEW(NULL, &fds[0], PAGES);
  start(thread, map_store_unmap);
  for (unsigned i = 0; i < rounds; i++) {
    PUT(place + t_pages(i % PAGES), i);
    if (i % 16 == 0)
      T_OK(msync(place, t_pages(PAGES), MS_ASYNC));
  }
  finish(thread);
}

/* Pages are filled by several threads at once; each sees the file's bytes, and a store made after
 * the fill is never overwritten by another one's copy (pitfall 10). */
static void *
touch_all(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (size_t i = 0; i < 512; i++) {
    size_t page = id % 2 == 0 ? i : 511 - i;

    PUT(place + t_pages(page) + 8 * id, 100 + id);
    T_EQ(GET(place + t_pages(page) + 8 * id), 100 + id);
    T_EQ(GET(place + t_pages(page) + 100), t_old_byte((off_t)t_pages(page) + 100));
  }
  atomic_fetch_add(&faults, 1);
  return NULL;
}

static void
filled_by_several_threads(void) {
  T_OK(softmap_configure("fill", "touch"));
  for (unsigned round = 0; round < engine_scale(4, 40, 400); round++) {
    pthread_t thread[THREADS];

    place = T_MAP_NEW(NULL, &fds[0], 512);
    start(thread, touch_all);
    finish(thread);
    for (size_t page = 0; page < 512; page++)
      for (size_t id = 1; id <= THREADS; id++)
        T_EQ(GET(place + t_pages(page) + 8 * id), 100 + id);
    T_OK(munmap(place, t_pages(512)));
    for (size_t page = 0; page < 512; page++)
      T_FILE_BYTE(fds[0], (off_t)(t_pages(page) + 8), 101);
    (void)close(fds[0]);
  }
}

/* The same by processes. */
static void
filled_by_several_processes(void) {
  pid_t pid[THREADS];

  T_OK(softmap_configure("fill", "touch"));
  place = T_MAP_NEW(NULL, &fds[0], 512);
  for (size_t i = 0; i < THREADS; i++) {
    pid[i] = t_fork();
    if (pid[i] == 0) {
      touch_all((void *)(i + 1));
      _exit(0);
    }
  }
  for (size_t i = 0; i < THREADS; i++)
    T_REAP(pid[i], T_EXITED(0));
  for (size_t page = 0; page < 512; page++)
    for (size_t id = 1; id <= THREADS; id++)
      T_EQ(GET(place + t_pages(page) + 8 * id), 100 + id);
}

/* The file grows and shrinks under threads that store to what stays. */
static void
size_changes_under_stores(void) {
  pthread_t thread[THREADS];
  unsigned rounds = engine_scale(400, 4000, 40000);

  fds[0] = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  place = T_MAP(NULL, t_pages(4 * PAGES), RW, MAP_SHARED, fds[0], 0);
  start(thread, store_all_over);
  for (unsigned i = 1; i < rounds; i++) {
    size_t last = 2 * PAGES + i % PAGES;

    T_OK(ftruncate(fds[0], (off_t)t_pages(last + 1)));
    T_STORES(place + t_pages(last), (unsigned char)i); /* as soon as it exists */
    T_OK(msync(place, t_pages(4 * PAGES), MS_ASYNC));
    T_FILE_BYTE(fds[0], (off_t)t_pages(last), (unsigned char)i);
    T_OK(ftruncate(fds[0], (off_t)t_pages(PAGES)));
    T_OK(msync(place, t_pages(4 * PAGES), MS_ASYNC));
    T_FILE_SIZE(fds[0], (off_t)t_pages(PAGES));
  }
  finish(thread);
}

static const struct t_case cases[] = {
  T_CASE(map_fixed_over_never_kills),  T_CASE(anonymous_memory_over_never_kills),
  T_CASE(neighbours_come_and_go),      T_CASE(filled_by_several_threads),
  T_CASE(filled_by_several_processes), T_CASE(size_changes_under_stores),
};
T_MAIN(cases)
