/* threads.c - threads that store, sync, map and protect at once. */
#include "conform.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 150 };

static unsigned char *shared;
static int shared_fd;
static atomic_int stop;
static atomic_int ready;

struct worker {
  pthread_t thread;
  size_t id;
};

static void
start(struct worker *w, size_t id, void *(*fn)(void *)) {
  w->id = id;
  T_EQ(pthread_create(&w->thread, NULL, fn, w), 0);
}

static void
join(struct worker *w) {
  T_EQ(pthread_join(w->thread, NULL), 0);
}

static void
map_shared(size_t npages) {
  shared_fd = t_tmpfile(NULL, (off_t)t_pages(npages));
  shared = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, shared_fd, 0);
}

/* Every thread stores into its own bytes of the same pages. */
static void *
store_and_sync_own_bytes(void *arg) {
  const struct worker *me = arg;

  for (unsigned round = 1; round <= ROUNDS; round++) {
    size_t at = (round % 2) * t_page_size() + me->id * 8;

    PUT(shared + at, round);
    PUT(shared + at + 1, round >> 4);
    T_OK(msync(shared, t_pages(2), round % 3 != 0 ? MS_SYNC : MS_SYNC | MS_INVALIDATE));
    T_FILE_BYTE(shared_fd, (off_t)at, (unsigned char)round);
    T_FILE_BYTE(shared_fd, (off_t)at + 1, (unsigned char)(round >> 4));
  }
  return NULL;
}

static void
store_is_in_the_file_after_the_storers_own_msync(void) {
  struct worker w[THREADS];

  map_shared(2);
  for (size_t i = 0; i < THREADS; i++)
    start(&w[i], i, store_and_sync_own_bytes);
  for (size_t i = 0; i < THREADS; i++)
    join(&w[i]);
}

/* ---- One stores, the other syncs ---- */

static struct t_meeting to_syncer;
static struct t_meeting to_storer;

static void *
sync_for_another(void *unused) {
  for (unsigned char round = 1; round < 100; round++) {
    t_wait(&to_syncer);
    T_OK(msync(shared, t_pages(1), MS_SYNC));
    T_FILE_BYTE(shared_fd, round, round);
    t_ping(&to_storer);
  }
  return unused;
}

static void
msync_writes_store_of_other_thread(void) {
  struct worker w;

  to_syncer = t_meeting();
  to_storer = t_meeting();
  map_shared(1);
  start(&w, 0, sync_for_another);
  for (unsigned char round = 1; round < 100; round++) {
    PUT(shared + round, round);
    t_ping(&to_syncer);
    t_wait(&to_storer);
  }
  join(&w);
}

/* ---- First touch by all at once ---- */

enum { MANY = 512 };

static void *
touch_all(void *arg) {
  const struct worker *me = arg;

  atomic_fetch_add(&ready, 1);
  while (atomic_load(&ready) < THREADS)
    continue;
  for (size_t page = 0; page < MANY; page++) {
    size_t at = t_pages(page);

    T_EQ(GET(shared + at + 100), t_old_byte((off_t)at + 100));
    PUT(shared + at + me->id, me->id + 1);
    T_EQ(GET(shared + at + 101), t_old_byte((off_t)at + 101));
  }
  return NULL;
}

static void
first_touches_at_once_lose_no_store(void) {
  struct worker w[THREADS];

  map_shared(MANY);
  for (size_t i = 0; i < THREADS; i++)
    start(&w[i], i, touch_all);
  for (size_t i = 0; i < THREADS; i++)
    join(&w[i]);
  T_OK(msync(shared, t_pages(MANY), MS_SYNC));
  for (size_t page = 0; page < MANY; page++) {
    T_FILE_EQUALS(shared_fd, (off_t)t_pages(page), "\1\2\3\4", THREADS);
    T_FILE_OLD(shared_fd, (off_t)t_pages(page) + THREADS, 200);
  }
}

/* ---- Mappings come and go while others are stored to ---- */

static void *
map_and_unmap(void *arg) {
  const struct worker *me = arg;
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));

  for (unsigned round = 1; round <= ROUNDS; round++) {
    unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

    PUT(p + t_pages(round % 4), round);
    T_OK(munmap(p + t_pages(1), t_pages(1)));
    T_OK(munmap(p, t_pages(1))); /* the hole may be another thread's by now */
    T_OK(munmap(p + t_pages(2), t_pages(2)));
    T_FILE_BYTE(fd, (off_t)t_pages(round % 4), (unsigned char)round);
    if (me->id == 0)
      T_OK(msync(shared, t_pages(THREADS), MS_ASYNC));
  }
  atomic_store(&stop, 1);
  return NULL;
}

static void *
store_until_stopped(void *arg) {
  const struct worker *me = arg;
  unsigned round = 0;

  do {
    PUT(shared + t_pages(me->id), ++round);
    T_EQ(GET(shared + t_pages(me->id)), (unsigned char)round);
  } while (!atomic_load(&stop));
  T_OK(msync(shared + t_pages(me->id), t_pages(1), MS_SYNC));
  T_FILE_BYTE(shared_fd, (off_t)t_pages(me->id), (unsigned char)round);
  return NULL;
}

static void
stores_go_on_while_mappings_come_and_go(void) {
  struct worker w[THREADS];

  map_shared(THREADS);
  for (size_t i = 0; i < THREADS; i++)
    start(&w[i], i, i < 2 ? map_and_unmap : store_until_stopped);
  for (size_t i = 0; i < THREADS; i++)
    join(&w[i]);
}

/* ---- Protections change beside pages that are stored to ---- */

static void *
protect_neighbours(void *unused) {
  for (unsigned round = 0; round < 10 * ROUNDS; round++) {
    int prot = round % 3 == 0 ? PROT_NONE : round % 3 == 1 ? PROT_READ : RW;

    T_OK(mprotect(shared, t_pages(2), prot));
    T_OK(mprotect(shared + t_pages(3), t_pages(1), prot));
  }
  atomic_store(&stop, 1);
  return unused;
}

static void
stores_go_on_while_protections_change_beside_them(void) {
  struct worker protector;
  struct worker storer;

  map_shared(4);
  start(&protector, 0, protect_neighbours);
  start(&storer, 2, store_until_stopped);
  join(&protector);
  join(&storer);
}

/* ---- Small stacks ---- */

static void *
do_nothing(void *arg) {
  return arg;
}

/* The program's own frames: a sanitizer's are large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FRAMES 65536
#else
#define FRAMES 0
#endif

/* Libraries' thread-local variables come on top of the documented minimum, and how large a signal
 * frame is depends on the processor. */
static size_t
smallest_stack(void) {
  long page = sysconf(_SC_PAGESIZE);
  size_t size = (size_t)(sysconf(_SC_THREAD_STACK_MIN) + FRAMES + page - 1) / (size_t)page * (size_t)page;
  pthread_attr_t attr;
  pthread_t thread;

  for (;; size += (size_t)page) {
    T_EQ(pthread_attr_init(&attr), 0);
    T_EQ(pthread_attr_setstacksize(&attr, size), 0);
    int error = pthread_create(&thread, &attr, do_nothing, NULL);
    T_EQ(pthread_attr_destroy(&attr), 0);
    if (error == 0)
      break;
    T_EQ(error, EINVAL);
  }
  T_EQ(pthread_join(thread, NULL), 0);
#ifdef _SC_MINSIGSTKSZ
  return size + (size_t)sysconf(_SC_MINSIGSTKSZ) + 1024;
#else
  return size + (size_t)MINSIGSTKSZ + 1024;
#endif
}

static void
thread_with_the_smallest_stack_may_store(void) {
  struct worker w = { .id = 0 };
  pthread_attr_t attr;

  map_shared(1);
  atomic_store(&stop, 1);
  T_EQ(pthread_attr_init(&attr), 0);
  T_EQ(pthread_attr_setstacksize(&attr, smallest_stack()), 0);
  T_EQ(pthread_create(&w.thread, &attr, store_until_stopped, &w), 0);
  join(&w);
}

static void *
store_with_signals_blocked(void *arg) {
  sigset_t set;

  (void)sigfillset(&set);
  (void)sigdelset(&set, SIGSEGV);
  (void)sigdelset(&set, SIGBUS);
  T_EQ(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
  return store_until_stopped(arg);
}

static void
thread_with_other_signals_blocked_may_store(void) {
  struct worker w;
  sigset_t set;

  map_shared(1);
  atomic_store(&stop, 1);
  start(&w, 0, store_with_signals_blocked);
  join(&w);
  T_EQ(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
  T_EQ(sigismember(&set, SIGUSR1), 0);
}

/* ---- Cancellation ---- */

static atomic_bool came_back;

/* With cancellation off a sync is no cancellation point. */
static __attribute__((noinline)) void
cancel_myself(void) {
  int old;

  T_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
  T_EQ(pthread_cancel(pthread_self()), 0);
  T_OK(msync(shared, t_pages(1), MS_SYNC));
  T_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
}

/* No variable of its own, inlined ones included: a sanitizer would take it for alive when the thread
 * is gone. */
static void *
sync_when_cancelled(void *arg) {
  cancel_myself();
  (void)msync(shared, t_pages(1), MS_SYNC);
  atomic_store(&came_back, true);
  pthread_testcancel();
  return arg;
}

static void
msync_is_a_cancellation_point(void) {
  pthread_t thread;
  void *result;

  map_shared(1);
  T_EQ(pthread_create(&thread, NULL, sync_when_cancelled, NULL), 0);
  T_EQ(pthread_join(thread, &result), 0);
  T_CHECK(result == PTHREAD_CANCELED);
  T_CHECK(!atomic_load(&came_back));
}

static const struct t_case cases[] = {
  T_CASE(store_is_in_the_file_after_the_storers_own_msync),
  T_CASE(msync_writes_store_of_other_thread),
  T_CASE(first_touches_at_once_lose_no_store),
  T_CASE_NOT_TSAN(stores_go_on_while_mappings_come_and_go, "crashes in its own munmap"),
  T_CASE(stores_go_on_while_protections_change_beside_them),
  T_CASE(thread_with_the_smallest_stack_may_store),
  T_CASE(thread_with_other_signals_blocked_may_store),
  T_CASE_DIVERGES(msync_is_a_cancellation_point, "a sync that has begun is done"),
};

T_MAIN(cases)
