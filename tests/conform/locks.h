/* locks.h - the locks that programs put into a mapped file. */
#ifndef CONFORM_LOCKS_H
#define CONFORM_LOCKS_H

#include "conform.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

struct locks {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  sem_t sem;
  atomic_int atomic;
  int counter;
  int turn;
};

static inline void
locks_init(struct locks *locks, bool is_robust) {
  pthread_mutexattr_t mutex_attr;
  pthread_condattr_t cond_attr;

  T_EQ(pthread_mutexattr_init(&mutex_attr), 0);
  T_EQ(pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED), 0);
  if (is_robust)
    T_EQ(pthread_mutexattr_setrobust(&mutex_attr, PTHREAD_MUTEX_ROBUST), 0);
  T_EQ(pthread_mutex_init(&locks->mutex, &mutex_attr), 0);
  T_EQ(pthread_condattr_init(&cond_attr), 0);
  T_EQ(pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED), 0);
  T_EQ(pthread_cond_init(&locks->cond, &cond_attr), 0);
  T_EQ(sem_init(&locks->sem, 1, 0), 0);
}

#endif
