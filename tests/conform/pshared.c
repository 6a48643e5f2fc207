/* pshared.c - locks that live in a mapped file work between processes. */
#include "conform.h"

#include "locks.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { PROCESSES = 3, ROUNDS = 3000 };

static int fd;

static struct locks *
map_locks(bool is_robust) {
  struct locks *locks;

  fd = t_sparse_file(NULL, (off_t)t_pages(1));
  locks = (void *)T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  locks_init(locks, is_robust);
  return locks;
}

static void
sync_now_and_then(struct locks *locks, int round) {
  if (round % 500 == 0)
    T_OK(msync(locks, t_pages(1), MS_ASYNC));
}

static void
in_processes(struct locks *locks, void (*fn)(struct locks *, int)) {
  pid_t pids[PROCESSES];

  for (int i = 0; i < PROCESSES; i++) {
    pids[i] = t_fork();
    if (pids[i] == 0) {
      fn(locks, i);
      exit(0);
    }
  }
  for (int i = 0; i < PROCESSES; i++)
    T_REAP(pids[i], T_EXITED(0));
}

static void
count_under_mutex(struct locks *locks, int me) {
  (void)me;
  for (int round = 0; round < ROUNDS; round++) {
    T_EQ(pthread_mutex_lock(&locks->mutex), 0);
    locks->counter++;
    T_EQ(pthread_mutex_unlock(&locks->mutex), 0);
    sync_now_and_then(locks, round);
  }
}

static void
mutex_in_a_mapped_file_excludes(void) {
  struct locks *locks = map_locks(false);

  in_processes(locks, count_under_mutex);
  T_EQ(locks->counter, PROCESSES * ROUNDS);
  T_OK(msync(locks, t_pages(1), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)offsetof(struct locks, counter), &locks->counter, sizeof(int));
}

static void
take_turns(struct locks *locks, int me) {
  for (int round = 0; round < 200; round++) {
    T_EQ(pthread_mutex_lock(&locks->mutex), 0);
    while (locks->turn != me)
      T_EQ(pthread_cond_wait(&locks->cond, &locks->mutex), 0);
    locks->turn = (me + 1) % PROCESSES;
    locks->counter++;
    T_EQ(pthread_cond_broadcast(&locks->cond), 0);
    T_EQ(pthread_mutex_unlock(&locks->mutex), 0);
    if (round % 50 == 0)
      T_OK(msync(locks, t_pages(1), MS_SYNC));
  }
}

static void
condition_in_a_mapped_file_wakes(void) {
  struct locks *locks = map_locks(false);

  in_processes(locks, take_turns);
  T_EQ(locks->counter, PROCESSES * 200);
}

static void
post_and_wait(struct locks *locks, int me) {
  for (int round = 0; round < 200; round++) {
    if (me == 0) {
      for (int i = 1; i < PROCESSES; i++)
        T_EQ(sem_post(&locks->sem), 0);
    } else {
      while (sem_wait(&locks->sem) != 0)
        continue;
      atomic_fetch_add(&locks->atomic, 1);
    }
    sync_now_and_then(locks, round);
  }
}

static void
semaphore_in_a_mapped_file_counts(void) {
  struct locks *locks = map_locks(false);
  int left = -1;

  in_processes(locks, post_and_wait);
  T_EQ(atomic_load(&locks->atomic), 200 * (PROCESSES - 1));
  T_EQ(sem_getvalue(&locks->sem, &left), 0);
  T_EQ(left, 0);
}

static void
count_atomically(struct locks *locks, int me) {
  (void)me;
  for (int round = 0; round < 10 * ROUNDS; round++) {
    atomic_fetch_add(&locks->atomic, 1);
    sync_now_and_then(locks, round);
  }
}

static void
atomics_in_a_mapped_file_are_atomic(void) {
  struct locks *locks = map_locks(false);

  in_processes(locks, count_atomically);
  T_EQ(atomic_load(&locks->atomic), PROCESSES * 10 * ROUNDS);
  T_OK(munmap(locks, t_pages(1)));
}

/* The owner dies with the lock: the host marks it, in the mapped page, and wakes who waits. */
static void
robust_mutex_tells_that_its_owner_died(void) {
#ifdef T_TSAN
  t_skip("ThreadSanitizer doesn't know of owners that died");
#endif
  struct locks *locks = map_locks(true);
  struct t_meeting locked = t_meeting();
  struct timespec limit;
  pid_t pid = t_fork();

  if (pid == 0) {
    T_EQ(pthread_mutex_lock(&locks->mutex), 0);
    T_OK(msync(locks, t_pages(1), MS_SYNC));
    t_ping(&locked);
    _exit(0);
  }
  t_wait(&locked);
  T_REAP(pid, T_EXITED(0));
  T_OK(clock_gettime(CLOCK_REALTIME, &limit));
  limit.tv_sec += 5;
  T_EQ(pthread_mutex_timedlock(&locks->mutex, &limit), EOWNERDEAD);
  T_EQ(pthread_mutex_consistent(&locks->mutex), 0);
  T_EQ(pthread_mutex_unlock(&locks->mutex), 0);
  T_EQ(pthread_mutex_lock(&locks->mutex), 0);
}

static const struct t_case cases[] = {
  T_CASE(mutex_in_a_mapped_file_excludes),
  T_CASE(condition_in_a_mapped_file_wakes),
  T_CASE(semaphore_in_a_mapped_file_counts),
  T_CASE(atomics_in_a_mapped_file_are_atomic),
  T_CASE_DIVERGES(robust_mutex_tells_that_its_owner_died,
                  "the kernel can't write into a closed page of a dead process"),
};

T_MAIN(cases)
