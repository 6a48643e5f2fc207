/* fork_races.c - processes that store and sync at once, and fork while they do. */
#include "conform.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#ifdef T_TSAN
enum { ROUNDS = 300 };
#else
enum { ROUNDS = 2000 };
#endif

/* Every process stores into its own bytes of the same pages, and finds them after its own sync. */
static void
store_and_sync_in_process(unsigned char *p, int fd, size_t me) {
  for (unsigned round = 1; round <= ROUNDS; round++) {
    size_t at = (round % 2) * t_page_size() + me * 8;

    PUT(p + at, round);
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)at, (unsigned char)round);
  }
}

static void
store_is_in_the_file_after_the_own_msync_of_each_process(void) {
  enum { PROCESSES = 4 };
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  pid_t pids[PROCESSES];

  for (size_t i = 0; i < PROCESSES; i++) {
    pids[i] = t_fork();
    if (pids[i] == 0) {
      store_and_sync_in_process(p, fd, i);
      exit(0);
    }
  }
  for (size_t i = 0; i < PROCESSES; i++)
    T_REAP(pids[i], T_EXITED(0));
}

/* ---- fork from a thread while others store and sync ---- */

enum { STORERS = 2, FORKS = 25 };

static unsigned char *busy;
static int busy_fd;
static atomic_int stop;

static void *
store_and_sync(void *arg) {
  size_t me = *(const size_t *)arg;
  unsigned char round = 0;

  while (!atomic_load(&stop)) {
    round++;
    PUT(busy + t_pages(me) + 1, round);
    PUT(busy + t_pages(STORERS) + me, round);
    T_OK(msync(busy, t_pages(STORERS + 1), MS_SYNC));
    T_FILE_BYTE(busy_fd, (off_t)t_pages(me) + 1, round);
    T_FILE_BYTE(busy_fd, (off_t)(t_pages(STORERS) + me), round);
  }
  return NULL;
}

static void
child_of_a_thread(unsigned char number) {
  PUT(busy + t_pages(STORERS) + 100 + number, number);
  PUT(busy + t_pages(STORERS + 1), number);
  T_OK(msync(busy, t_pages(STORERS + 2), MS_SYNC));
  T_FILE_BYTE(busy_fd, (off_t)t_pages(STORERS) + 100 + number, number);
  T_FILE_BYTE(busy_fd, (off_t)t_pages(STORERS + 1), number);
  _exit(0);
}

static void *
fork_again_and_again(void *unused) {
  for (unsigned char number = 1; number <= FORKS; number++) {
    pid_t pid = t_fork();

    if (pid == 0)
      child_of_a_thread(number);
    T_REAP(pid, T_EXITED(0));
  }
  return unused;
}

static void
fork_from_a_thread_while_others_store_and_sync(void) {
  pthread_t storers[STORERS];
  pthread_t forker;
  size_t ids[STORERS];

  busy_fd = t_tmpfile(NULL, (off_t)t_pages(STORERS + 2));
  busy = T_MAP(NULL, t_pages(STORERS + 2), RW, MAP_SHARED, busy_fd, 0);
  for (size_t i = 0; i < STORERS; i++) {
    ids[i] = i;
    T_EQ(pthread_create(&storers[i], NULL, store_and_sync, &ids[i]), 0);
  }
  T_EQ(pthread_create(&forker, NULL, fork_again_and_again, NULL), 0);
  T_EQ(pthread_join(forker, NULL), 0);
  atomic_store(&stop, 1);
  for (size_t i = 0; i < STORERS; i++)
    T_EQ(pthread_join(storers[i], NULL), 0);
  for (unsigned char number = 1; number <= FORKS; number++)
    T_FILE_BYTE(busy_fd, (off_t)t_pages(STORERS) + 100 + number, number);
}

static const struct t_case cases[] = {
  T_CASE(store_is_in_the_file_after_the_own_msync_of_each_process),
  T_CASE(fork_from_a_thread_while_others_store_and_sync),
};

T_MAIN(cases)
