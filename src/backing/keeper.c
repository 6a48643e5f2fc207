/* keeper.c - a mailbox of requests and the threads that serve it.
 *
 * The mailbox is an array of slots, because a post comes from the fault handler too: claiming a
 * slot is one compare-and-swap, waiting is a futex.  Two threads, so that a fill doesn't queue
 * behind one slow flush; both are started before the first mapping exists, since creating a
 * thread allocates, and a thread of the program that waits here for a fill may hold malloc's lock.
 * A third, the waiter, stays in the program's descriptor table and does nothing until the end.
 */
#include "backing/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "host/lock.h"

#define KEEPER_SLOTS 64
/* How often the first thread looks whether the program's own threads have all ended. */
#define KEEPER_LOOK_NS 2000000000
/* How long to look before sleeping: about as long as a switch to another thread takes.  When the
 * other side runs on another processor, that saves both a switch; when it has to share ours, it
 * can't go on before we sleep, and what we look longer is lost. */
#define KEEPER_SPIN_NS 4000

struct request {
  int (*job)(void *arg);
  void *arg;
  int result;
  _Atomic uint32_t done;
};

static struct {
  _Atomic(struct request *) slot[KEEPER_SLOTS];
  _Atomic uint32_t posted; /* counts posts; what idle threads sleep on */
  _Atomic uint32_t asleep;
  _Atomic uint32_t ready; /* 1: the first thread runs; 2: it could not start */
  _Atomic uint32_t next_buffer;
  _Atomic uint32_t is_alone; /* none of the program's threads is left */
  int start_error;
  bool running, has_waiter;
  int inbox; /* number in the keepers' table */
  struct host_inbox_address address;
  uint64_t tickets;
  unsigned char *buffers; /* KEEPER_THREADS of them */
} keeper;

static _Thread_local void *own_buffer __attribute__((tls_model("initial-exec")));

bool
keeper_is_running(void) {
  return keeper.running;
}

void *
keeper_buffer(void) {
  return own_buffer;
}

unsigned
keeper_number(void) {
  return (unsigned)(((unsigned char *)own_buffer - keeper.buffers) / (ptrdiff_t)KEEPER_BUFFER);
}

static void
pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* Look at *word for a short while; true if it left the value. */
static bool
spin_while(_Atomic uint32_t *word, uint32_t value) {
  if (host_config.ncpus < 2)
    return false;
  uint64_t until = host_now_ns() + KEEPER_SPIN_NS;
  do {
    for (int i = 0; i < 64; i++) {
      if (atomic_load_explicit(word, memory_order_acquire) != value)
        return true;
      pause_cpu();
    }
  } while (host_now_ns() < until);
  return false;
}

/* ---- The serving side ---------------------------------------------------------------------- */

static struct request *
next_request(void) {
  for (int i = 0; i < KEEPER_SLOTS; i++)
    if (atomic_load_explicit(&keeper.slot[i], memory_order_relaxed)) {
      struct request *request = atomic_exchange(&keeper.slot[i], NULL);
      if (request)
        return request;
    }
  return NULL;
}

static void
serve(struct request *request) {
  request->result = request->job(request->arg);
  _Atomic uint32_t *done = &request->done;
  atomic_store(done, 1);
  /* The request may be gone by now: a wake of an address that is no futex is harmless. */
  host_wake(done, 1);
}

/* A program's process ends when its last thread does, as if that had called exit(0).  We are
 * threads too, so the last of them doesn't know: the waiter does it for it, in the program's own
 * descriptor table, whose output may still have to be written. */
static void
end_if_alone(void) {
  unsigned count;
  if (host_thread_count(&count) || count != KEEPER_THREADS + 1)
    return;
  atomic_store(&keeper.is_alone, 1);
  host_wake(&keeper.is_alone, 1);
}

static void *
waiter(void *arg) {
  (void)arg;
  while (!atomic_load(&keeper.is_alone))
    host_wait(&keeper.is_alone, 0, 0);
  exit(0); /* NOLINT(concurrency-mt-unsafe): no other thread of the program is left */
}

static void
sleep_until_posted(uint32_t posted, bool is_first) {
  atomic_fetch_add(&keeper.asleep, 1);
  host_wait(&keeper.posted, posted, is_first ? KEEPER_LOOK_NS : 0);
  atomic_fetch_sub(&keeper.asleep, 1);
  if (is_first && atomic_load(&keeper.posted) == posted)
    end_if_alone();
}

static void
serve_for_ever(bool is_first) {
  own_buffer = keeper.buffers + KEEPER_BUFFER * atomic_fetch_add(&keeper.next_buffer, 1);
  for (;;) {
    uint32_t posted = atomic_load(&keeper.posted);
    struct request *request = next_request();
    if (request) {
      serve(request);
    } else if (!spin_while(&keeper.posted, posted)) {
      sleep_until_posted(posted, is_first);
    }
  }
}

static void *
other_thread(void *arg) {
  (void)arg;
  serve_for_ever(false);
  return NULL;
}

static int
first_thread_start(void) {
  int error = host_table_leave();
  for (int fd = 0; fd <= 2 && !error; fd++) { /* what means standard output elsewhere is no file */
    int opened;
    error = host_open(&opened, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  }
  if (error)
    return error;
  error = host_inbox(&keeper.inbox, &keeper.address);
  if (error)
    return error;
  for (int i = 1; i < KEEPER_THREADS && !error; i++)
    error = host_thread_start(other_thread, NULL, "softmap"); /* shares this thread's table */
  return error;
}

static void *
first_thread(void *arg) {
  (void)arg;
  int error = first_thread_start();
  keeper.start_error = error;
  atomic_store(&keeper.ready, error ? 2 : 1);
  host_wake(&keeper.ready, INT_MAX); /* from here on it may be another start's */
  if (error)
    return NULL;
  serve_for_ever(true);
  return NULL;
}

/* ---- The asking side ----------------------------------------------------------------------- */

int
keeper_start(void) {
  if (keeper.running)
    return 0;
  if (!keeper.buffers) {
    void *buffers;
    int error = host_map_own(&buffers, KEEPER_BUFFER * KEEPER_THREADS, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (error)
      return error;
    keeper.buffers = buffers;
  }
  atomic_store(&keeper.ready, 0);
  atomic_store(&keeper.next_buffer, 0);
  int error = keeper.has_waiter ? 0 : host_thread_start(waiter, NULL, "softmap-waiter");
  keeper.has_waiter = !error;
  if (!error)
    error = host_thread_start(first_thread, NULL, "softmap");
  if (error)
    return error;
  while (!atomic_load(&keeper.ready))
    host_wait(&keeper.ready, 0, 0);
  if (keeper.start_error)
    return keeper.start_error;
  keeper.running = true;
  return 0;
}

int
keeper_restart(void) {
  for (int i = 0; i < KEEPER_SLOTS; i++)
    atomic_store(&keeper.slot[i], NULL);
  atomic_store(&keeper.asleep, 0);
  keeper.running = keeper.has_waiter = false;
  return keeper_start();
}

static void
post(struct request *request) {
  for (;;) {
    for (int i = 0; i < KEEPER_SLOTS; i++) {
      struct request *none = NULL;
      if (atomic_compare_exchange_strong(&keeper.slot[i], &none, request)) {
        atomic_fetch_add(&keeper.posted, 1);
        if (atomic_load(&keeper.asleep))
          host_wake(&keeper.posted, 1);
        return;
      }
    }
    host_yield(); /* more askers than slots */
  }
}

int
keeper_run(int (*job)(void *arg), void *arg) {
  if (own_buffer)
    return job(arg);
  if (!host_lineage_same() || !keeper.running)
    return EIO; /* a child of a fork that nobody watched, or that couldn't start threads */
  struct request request = { .job = job, .arg = arg };
  post(&request);
  if (!spin_while(&request.done, 0))
    while (!atomic_load(&request.done))
      host_wait(&request.done, 0, 0);
  return request.result;
}

int
keeper_post(int fd, uint64_t *ticket) {
  *ticket = ++keeper.tickets;
  return host_inbox_post(&keeper.address, *ticket, fd);
}

int
keeper_take(uint64_t ticket, int *fd) {
  uint64_t got;
  int error;
  while (!(error = host_inbox_take(keeper.inbox, &got, fd))) {
    if (got == ticket)
      return 0;
    error = host_close(*fd); /* of a hand-over that was given up */
    if (error)
      return error;
  }
  return error;
}
