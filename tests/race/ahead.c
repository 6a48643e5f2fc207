/* ahead.c - opening ahead by threads, processes and the killed: what a sync writes is what was stored
 * to, and what another living process has open.
 */
#include "../fault/ahead.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 250 };

static void *
store_ascending(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (size_t i = 0; i < EACH; i++)
    if (i % 10 != id)
      PUT(p + t_pages(id * EACH + i), 'a' + id);
  return NULL;
}

/* All threads in each other's pages. */
static void *
store_between(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (size_t i = id; i < (size_t)EACH * THREADS; i += THREADS)
    if (i % 7 != 0)
      PUT(p + t_pages(i) + id, 'A' + id);
  return NULL;
}

static void *
sync_all_the_time(void *arg) {
  atomic_bool *stop = arg;

  while (!atomic_load(stop))
    T_OK(msync(p, t_pages((size_t)EACH * THREADS), MS_ASYNC));
  return NULL;
}

static void
run_threads(void *(*fn)(void *), bool is_synced) {
  pthread_t thread[THREADS], syncer;
  atomic_bool stop = false;

  if (is_synced)
    T_EQ(pthread_create(&syncer, NULL, sync_all_the_time, &stop), 0);
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_create(&thread[i], NULL, fn, (void *)i), 0);
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  atomic_store(&stop, true);
  if (is_synced)
    T_EQ(pthread_join(syncer, NULL), 0);
}

static void
threads(void) {
  struct model model = model_of((size_t)EACH * THREADS);

  p = T_MAP_NEW(NULL, &fd, model.npages);
  for (unsigned round = 0; round < engine_scale(5, 50, 500); round++) {
    memset(p, 1, t_pages(model.npages));
    T_OK(msync(p, t_pages(model.npages), MS_SYNC));
    run_threads(store_ascending, false);
    for (size_t i = 0; i < model.npages; i++)
      model.count += model.stored[i] = i % EACH % 10 != i / EACH;
    sync_exactly(&model);
    run_threads(store_between, false);
    for (size_t i = 0; i < model.npages; i++)
      model.count += model.stored[i] = i % 7 != 0;
    sync_exactly(&model);
  }
  free(model.stored);
}

static void
threads_while_all_is_synced(void) {
  size_t npages = (size_t)EACH * THREADS;

  p = T_MAP_NEW(NULL, &fd, npages);
  for (unsigned round = 0; round < engine_scale(5, 50, 500); round++) {
    memset(p, 0, t_pages(npages));
    run_threads(round % 2 ? store_ascending : store_between, true);
    T_OK(msync(p, t_pages(npages), MS_SYNC));
    T_FILE_EQUALS(fd, 0, p, t_pages(npages));
    T_NDIRTY(p, npages, 0);
  }
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* A child that has stored to pages [first, first + 20) and waits. */
static pid_t
child_in_a_run(size_t first, struct t_meeting *go, struct t_meeting *done) {
  pid_t pid;

  *go = t_meeting();
  *done = t_meeting();
  pid = t_fork();
  if (pid == 0) {
    for (size_t i = 0; i < 20; i++)
      PUT(p + t_pages(first + i), GET(p + t_pages(first + i)) + 1);
    t_ping(done);
    t_wait(go);
    PUT(p + t_pages(first + 20), 'd'); /* open already */
    T_OK(msync(p, t_pages(MANY), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(first + 20), 'd');
    t_ping(done);
    t_wait(go);
    _exit(0);
  }
  t_wait(done);
  return pid;
}

static void
two_processes_in_runs(void) {
  struct model model = model_of(MANY);
  struct t_meeting go, done;
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, MANY);
  pid = child_in_a_run(100, &go, &done);
  for (size_t i = 100; i < 120; i++)
    model.count += model.stored[i] = true;
  begin_run(&model);
  engine_dirty_is(T_HERE, p, MANY, model.stored);
  change_others(&model);
  T_OK(msync(p, t_pages(MANY), MS_SYNC));
  check_others(&model);
  t_ping(&go);
  t_wait(&done);
  model.stored[120] = true;
  check_others(&model);
  t_ping(&go);
  T_REAP(pid, T_EXITED(0));
  T_OK(msync(p, t_pages(MANY), MS_SYNC));
  T_NDIRTY(p, MANY, 0);
  check_others(&model);
  free(model.stored);
}

/* What another process has synced, and its storer takes back without a fault, is a store. */
static void
store_is_taken_back(void) {
  struct t_meeting go = t_meeting(), done = t_meeting();
  unsigned char old;
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, MANY);
  old = GET(p + t_pages(10));
  pid = t_fork();
  if (pid == 0) {
    for (size_t i = 0; i < 10; i++)
      PUT(p + t_pages(i), 'x');
    PUT(p + t_pages(10), old + 1); /* opened ahead */
    t_ping(&done);
    t_wait(&go);
    PUT(p + t_pages(10), old);
    T_OK(msync(p, t_pages(MANY), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(10), old);
    _exit(0);
  }
  t_wait(&done);
  T_OK(msync(p, t_pages(MANY), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(10), (unsigned char)(old + 1));
  t_ping(&go);
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(fd, (off_t)t_pages(10), old);
}

static void
killed_in_a_run(void) {
  struct model model = model_of(MANY);
  struct t_meeting go, done;

  p = T_MAP_NEW(NULL, &fd, MANY);
  for (size_t first = 0; first < 300; first += 50) {
    pid_t pid = child_in_a_run(first, &go, &done);

    T_OK(kill(pid, SIGKILL));
    T_REAP(pid, T_KILLED(SIGKILL));
    for (size_t i = first; i < first + 20; i++)
      model.count += model.stored[i] = true;
    sync_exactly(&model);
  }
  free(model.stored);
}

/* Killed at every call that opens a window, makes twins, or looks behind. */
static void
killed_while_opening(void) {
  static const enum host_call sites[] = { HOST_CALL_copy_memory, HOST_CALL_protect };
  unsigned killed = 0;

  T_ON_FAULT();
  p = T_MAP_NEW(NULL, &fd, 128);
  for (uint32_t nth = 1; nth < 24; nth++) {
    pid_t pid = t_fork();
    int status;

    if (pid == 0) {
      struct inject_rule rule = { .call = sites[nth % 2],
                                  .nth = nth / 2 + 1,
                                  .times = 1,
                                  .kill = nth % 4 < 2,
                                  .kill_after = nth % 4 >= 2 };

      inject_arm(&rule);
      for (size_t i = 0; i < 100; i += 1 + nth % 3)
        PUT(p + t_pages(i), nth);
      _exit(0);
    }
    T_EQ(waitpid(pid, &status, 0), pid);
    killed += WIFSIGNALED(status);
    T_CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    T_OK(msync(p, t_pages(128), MS_SYNC));
    T_FILE_EQUALS(fd, 0, p, t_pages(128));
    T_NDIRTY(p, 128, 0);
  }
  t_note("killed %u times", killed);
  T_CHECK(killed > 10);
}

static const struct t_case cases[] = {
  T_CASE(threads),
  T_CASE(threads_while_all_is_synced),
  T_CASE(two_processes_in_runs),
  T_CASE(store_is_taken_back),
  T_CASE_WITH(killed_in_a_run, T_KILLS),
  T_CASE_WITH(killed_while_opening, T_KILLS),
};
T_MAIN(cases)
