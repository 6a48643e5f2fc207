/* threads.c - fork from one thread while others store and sync; in the child all works on. */
#include "t_engine.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 3, PAGES = 16 };

static unsigned char *shared;
static int shared_fd;
static atomic_bool stop;
static atomic_uint rounds_done;

static void *
store_and_sync(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (unsigned round = 1; !atomic_load(&stop); round++) {
    size_t at = (round % PAGES) * t_page_size() + id * 8;

    PUT(shared + at, round);
    T_OK(msync(shared + round % PAGES * t_page_size(), t_pages(1), round % 3 ? MS_ASYNC : MS_SYNC));
    T_FILE_BYTE(shared_fd, (off_t)at, (unsigned char)round);
    atomic_fetch_add(&rounds_done, 1);
  }
  return NULL;
}

/* Maps, stores and unmaps another file meanwhile. (Of which one mapping stays: a process that has
 * left a file's section while a child of it is still in there cannot come back yet.) */
static void *
map_and_unmap(void *arg) {
  int fd = *(const int *)arg;

  while (!atomic_load(&stop)) {
    unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

    PUT(p, 1);
    T_OK(munmap(p, t_pages(2)));
    atomic_fetch_add(&rounds_done, 1);
  }
  return NULL;
}

/* Maps part of a second file for good now and then, faulting all the time. */
static void
in_child(unsigned round) {
  size_t at = (round % PAGES) * t_page_size() + 64;
  int fd;
  unsigned char *p;

  PUT(shared + at, round);
  T_OK(msync(shared, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(shared_fd, (off_t)at, (unsigned char)round);
  if (round % 8 == 0) {
    p = T_MAP_NEW(NULL, &fd, 1);
    PUT(p, 'n');
    T_OK(munmap(p, t_pages(1)));
    T_FILE_BYTE(fd, 0, 'n');
  }
  _exit(0);
}

static void
run(void *(*fn)(void *), void *const args[THREADS]) {
  pthread_t thread[THREADS];
  unsigned forks = engine_scale(300, 3000, 30000);

  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_create(&thread[i], NULL, fn, args[i]), 0);
  for (unsigned round = 0; round < forks; round++) {
    pid_t pid = fork();

    T_CHECK(pid >= 0);
    if (pid == 0) {
      t_limit_this_process(20);
      in_child(round);
    }
    T_REAP(pid, T_EXITED(0));
    T_EQ(GET(shared + (round % PAGES) * t_page_size() + 64), (unsigned char)round);
  }
  atomic_store(&stop, true);
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  T_CHECK(atomic_load(&rounds_done) > THREADS);
}

static void
fork_while_others_store_and_sync(void) {
  void *const ids[THREADS] = { (void *)1, (void *)2, (void *)3 };

  shared = T_MAP_NEW(NULL, &shared_fd, PAGES);
  run(store_and_sync, ids);
}

static void
fork_while_others_map_and_unmap(void) {
  int fds[THREADS];
  void *args[THREADS];

  shared = T_MAP_NEW(NULL, &shared_fd, PAGES);
  for (size_t i = 0; i < THREADS; i++) {
    (void)T_MAP_NEW(NULL, &fds[i], 2);
    args[i] = &fds[i];
  }
  run(map_and_unmap, args);
}

/* Two threads fork at once; a third one touches pages that aren't filled. */
static void *
fork_often(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 50; i++) {
    pid_t pid = fork();

    T_CHECK(pid >= 0);
    if (pid == 0) {
      t_limit_this_process(20);
      PUT(shared, i);
      _exit(msync(shared, t_pages(1), MS_SYNC));
    }
    T_REAP(pid, T_EXITED(0));
  }
  return NULL;
}

static void *
touch(void *arg) {
  (void)arg;
  while (!atomic_load(&stop)) {
    unsigned char *p = T_MAP(NULL, t_pages(PAGES), PROT_READ, MAP_PRIVATE, shared_fd, 0);

    for (size_t i = 1; i < PAGES; i++)
      T_EQ(GET(p + t_pages(i)), t_old_byte((off_t)t_pages(i)));
    T_OK(munmap(p, t_pages(PAGES)));
  }
  return NULL;
}

static void
two_threads_fork_at_once(void) {
  pthread_t forking[2];
  pthread_t touching;

  T_OK(softmap_configure("fill", "touch"));
  shared = T_MAP_NEW(NULL, &shared_fd, PAGES);
  T_EQ(pthread_create(&touching, NULL, touch, NULL), 0);
  for (int i = 0; i < 2; i++)
    T_EQ(pthread_create(&forking[i], NULL, fork_often, NULL), 0);
  for (int i = 0; i < 2; i++)
    T_EQ(pthread_join(forking[i], NULL), 0);
  atomic_store(&stop, true);
  T_EQ(pthread_join(touching, NULL), 0);
}

/* A thread forks all the time while the process ends by exit. */
static void *
fork_until_the_end(void *arg) {
  const struct t_meeting *first = arg;

  for (unsigned i = 0;; i++) {
    pid_t pid = fork();

    if (pid == 0) {
      t_limit_this_process(20);
      _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0)
      continue;
    if (i == 2)
      t_ping(first);
  }
  return NULL;
}

static void
store_and_exit(void *arg) {
  struct t_meeting first = t_meeting();
  pthread_t thread;

  PUT(shared, *(const unsigned *)arg);
  for (int i = 0; i < THREADS; i++)
    T_EQ(pthread_create(&thread, NULL, fork_until_the_end, &first), 0);
  for (int i = 0; i < THREADS; i++)
    t_wait(&first);
  exit(0);
}

static void
exit_while_another_thread_forks(void) {
  shared = T_MAP_NEW(NULL, &shared_fd, 2);
  for (unsigned i = 0; i < 40; i++) {
    T_IN_CHILD(store_and_exit, &i, T_EXITED(0));
    T_FILE_BYTE(shared_fd, 0, (unsigned char)i);
  }
}

static const struct t_case cases[] = {
  T_CASE(fork_while_others_store_and_sync), T_CASE(fork_while_others_map_and_unmap),
  T_CASE(two_threads_fork_at_once),
  T_CASE_WITH(exit_while_another_thread_forks, T_KILLS), /* its children */
};
T_MAIN(cases)
