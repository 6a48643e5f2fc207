/* strangers_locks.c - locks in a mapped file work between programs that are not related. */
#include "conform.h"

#include "locks.h"
#include "t_strangers.h"

#include <pthread.h>
#include <time.h>

enum { STRANGERS = 3, MANY = 8, SECONDS = 20 };

static char path[T_PATH];
static int fd;
static struct locks *locks;
static struct t_stranger s[MANY];

static void
map_locks(bool is_robust) {
  fd = t_sparse_file(path, (off_t)t_pages(2));
  locks = (void *)T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  locks_init(locks, is_robust);
}

/* So many strangers run fn(me, rounds) side by side. */
static void
in_strangers(int n, t_service *fn, int rounds) {
  for (int i = 0; i < n; i++)
    s[i] = T_STRANGER_WITH(path, 2, S_SHARED);
  for (int i = 0; i < n; i++)
    t_ask_begin(T_HERE, &s[i], fn, i, rounds, NULL);
  for (int i = 0; i < n; i++)
    T_EQ(t_answer(T_HERE, &s[i]), 0);
  for (int i = 0; i < n; i++)
    T_DISMISS(s[i]);
}

static struct locks *
theirs(void) {
  return (struct locks *)(void *)stranger_at;
}

static intmax_t
count_under_mutex(intmax_t me, intmax_t rounds, const char *text) {
  struct locks *l = theirs();

  (void)text;
  for (intmax_t round = 0; round < rounds; round++) {
    T_EQ(pthread_mutex_lock(&l->mutex), 0);
    l->counter++;
    T_EQ(pthread_mutex_unlock(&l->mutex), 0);
    if ((round + me * 100) % 1000 == 0)
      T_OK(msync(l, t_pages(1), round % 3 == 0 ? MS_SYNC : MS_ASYNC));
  }
  return 0;
}

static void
mutex_excludes_strangers(void) {
  map_locks(false);
  in_strangers(STRANGERS, count_under_mutex, 5000);
  T_EQ(locks->counter, STRANGERS * 5000);
  T_OK(msync(locks, t_pages(1), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)offsetof(struct locks, counter), &locks->counter, sizeof(int));
}

static void
eight_strangers_count_a_million(void) {
  int million = 1000000;

  map_locks(false);
  in_strangers(MANY, count_under_mutex, million / MANY);
  T_EQ(locks->counter, million);
  T_OK(munmap(locks, t_pages(2)));
  T_FILE_EQUALS(fd, (off_t)offsetof(struct locks, counter), &million, sizeof million);
}

static intmax_t
take_turns(intmax_t me, intmax_t rounds, const char *text) {
  struct locks *l = theirs();

  (void)text;
  for (intmax_t round = 0; round < rounds; round++) {
    T_EQ(pthread_mutex_lock(&l->mutex), 0);
    while (l->turn != me)
      T_EQ(pthread_cond_wait(&l->cond, &l->mutex), 0);
    l->turn = ((int)me + 1) % STRANGERS;
    l->counter++;
    T_EQ(pthread_cond_broadcast(&l->cond), 0);
    T_EQ(pthread_mutex_unlock(&l->mutex), 0);
    if (round % 50 == 0)
      T_OK(msync(l, t_pages(1), MS_SYNC));
  }
  return 0;
}

static void
condition_wakes_strangers(void) {
  map_locks(false);
  in_strangers(STRANGERS, take_turns, 300);
  T_EQ(locks->counter, STRANGERS * 300);
}

static intmax_t
post_and_wait(intmax_t me, intmax_t rounds, const char *text) {
  struct locks *l = theirs();

  (void)text;
  for (intmax_t round = 0; round < rounds; round++) {
    if (me == 0) {
      for (int i = 1; i < STRANGERS; i++)
        T_EQ(sem_post(&l->sem), 0);
    } else {
      while (sem_wait(&l->sem) != 0)
        continue;
      atomic_fetch_add(&l->atomic, 1);
    }
    if (round % 50 == 0)
      T_OK(msync(l, t_pages(1), MS_SYNC));
  }
  return 0;
}

static void
semaphore_counts_for_strangers(void) {
  int left = -1;

  map_locks(false);
  in_strangers(STRANGERS, post_and_wait, 300);
  T_EQ(atomic_load(&locks->atomic), 300 * (STRANGERS - 1));
  T_EQ(sem_getvalue(&locks->sem, &left), 0);
  T_EQ(left, 0);
}

static intmax_t
count_atomically(intmax_t me, intmax_t rounds, const char *text) {
  struct locks *l = theirs();

  (void)me;
  (void)text;
  for (intmax_t round = 0; round < rounds; round++) {
    atomic_fetch_add(&l->atomic, 1);
    if (round % 1000 == 0)
      T_OK(msync(l, t_pages(1), MS_SYNC));
  }
  return 0;
}

static void
atomics_are_atomic_for_strangers(void) {
  map_locks(false);
  in_strangers(STRANGERS, count_atomically, 30000);
  T_EQ(atomic_load(&locks->atomic), STRANGERS * 30000);
}

/* ---- Robust mutexes -------------------------------------------------------------------------- */

static intmax_t
lock_it(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  return pthread_mutex_lock(&theirs()->mutex);
}

/* In a thread that isn't the one with the lock. */
static void *
sync_thread(void *arg) {
  (void)arg;
  return msync(theirs(), t_pages(1), MS_SYNC) == 0 ? theirs() : NULL;
}

static intmax_t
sync_in_a_thread(intmax_t a, intmax_t b, const char *text) {
  pthread_t thread;
  void *result;

  (void)a;
  (void)b;
  (void)text;
  T_EQ(pthread_create(&thread, NULL, sync_thread, NULL), 0);
  T_EQ(pthread_join(thread, &result), 0);
  return result != NULL ? 0 : -1;
}

static void
next_owner_is_told(void) {
  struct timespec limit;

  T_OK(clock_gettime(CLOCK_REALTIME, &limit));
  limit.tv_sec += SECONDS;
  T_EQ(pthread_mutex_timedlock(&locks->mutex, &limit), EOWNERDEAD);
  T_EQ(pthread_mutex_consistent(&locks->mutex), 0);
  T_EQ(pthread_mutex_unlock(&locks->mutex), 0);
  T_EQ(pthread_mutex_lock(&locks->mutex), 0);
  T_EQ(pthread_mutex_unlock(&locks->mutex), 0);
}

static void
begin_robust(void) {
#ifdef T_TSAN
  t_skip("ThreadSanitizer doesn't know of owners that died");
#endif
  map_locks(true);
  s[0] = T_STRANGER_WITH(path, 2, S_SHARED);
  T_EQ(S_ASK(s[0], lock_it, 0, 0), 0);
}

static void
robust_mutex_tells_of_a_killed_stranger(void) {
  begin_robust();
  T_KILL_STRANGER(s[0]);
  next_owner_is_told();
}

static void
robust_mutex_after_another_process_synced(void) {
  begin_robust();
  T_OK(msync(locks, t_pages(1), MS_SYNC));
  s[1] = T_STRANGER_WITH(path, 2, S_SHARED);
  T_OK(S_SYNC(s[1]));
  T_KILL_STRANGER(s[0]);
  next_owner_is_told();
  T_DISMISS(s[1]);
}

static void
robust_mutex_after_another_thread_synced(void) {
  begin_robust();
  T_EQ(S_ASK(s[0], sync_in_a_thread, 0, 0), 0);
  T_KILL_STRANGER(s[0]);
  next_owner_is_told();
}

/* It exits in good order, but for the lock, and nobody else has the file mapped. */
static void
robust_mutex_tells_who_maps_next(void) {
  begin_robust();
  T_OK(munmap(locks, t_pages(2)));
  T_DISMISS(s[0]);
  locks = (void *)T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  next_owner_is_told();
}

static const struct t_case cases[] = {
  T_CASE(mutex_excludes_strangers),
  T_CASE(eight_strangers_count_a_million),
  T_CASE(condition_wakes_strangers),
  T_CASE(semaphore_counts_for_strangers),
  T_CASE(atomics_are_atomic_for_strangers),
  T_CASE(robust_mutex_tells_of_a_killed_stranger),
  T_CASE(robust_mutex_after_another_process_synced),
  T_CASE(robust_mutex_after_another_thread_synced),
  T_CASE(robust_mutex_tells_who_maps_next),
};

T_MAIN(cases)
