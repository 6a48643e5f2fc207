/* stores.c - our faults in every place: on small and absent alternate stacks, in signal handlers, in
 * children of vfork, in many threads at once; and fills that fail.
 */
#include "t_engine.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

static unsigned char *p;
static int fd;

static void
check_ours_works(void) {
  static unsigned char value;

  PUT(p, ++value);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 0, value);
}

static void
errno_is_kept_by_a_fault(void) {
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 4);
  errno = 4242;
  (void)GET(p + t_pages(2)); /* fill */
  PUT(p + t_pages(2), 1);    /* open */
  T_EQ(errno, 4242);
  PUT(p, 1); /* both at once */
  T_EQ(errno, 4242);
}

/* ---- Alternate stacks ------------------------------------------------------------------------ */

/* Memory between two pages that can't be touched. */
static unsigned char *
guarded(size_t bytes, size_t *rounded) {
  size_t npages = (bytes + t_page_size() - 1) / t_page_size();
  unsigned char *room = t_reserve(npages + 2);

  *rounded = t_pages(npages);
  t_foreign_at(room + t_page_size(), npages, 0xa5);
  return room + t_page_size();
}

/* As small as programs of old choose it (SIGSTKSZ was 8192): ours may use what the kernel leaves. */
static void
on_a_small_alternate_stack(void) {
  size_t size;
  unsigned char *stack = guarded(8192, &size);
  stack_t alternate = { .ss_sp = stack, .ss_size = 8192 };
  size_t untouched = 0;

  if (sysconf(_SC_MINSIGSTKSZ) > 4096)
    t_skip("the kernel's own frame needs most of 8192 bytes here");
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 64);
  T_OK(sigaltstack(&alternate, NULL));
  for (size_t i = 0; i < 64; i += 2)
    PUT(p + t_pages(i), 1);
  for (size_t i = 1; i < 64; i += 2)
    T_EQ(GET(p + t_pages(i)), t_old_byte((off_t)t_pages(i)));
  T_OK(ftruncate(fd, (off_t)t_pages(32)));
  T_OK(msync(p, t_pages(64), MS_ASYNC)); /* which notices */
  T_STORE_FAULTS(p + t_pages(40), SIGBUS, BUS_ADRERR);
  T_OK(ftruncate(fd, (off_t)t_pages(64)));
  T_STORES(p + t_pages(40), 1);
  while (untouched < 8192 && stack[untouched] == 0xa5)
    untouched++;
  t_note("%zu of 8192 bytes used", (size_t)8192 - untouched);
  T_CHECK(untouched > 256);
}

static void *
store_on_an_own_stack(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;
  size_t size;
  stack_t alternate = { .ss_sp = guarded(16384, &size), .ss_size = 16384 };
  stack_t off = { .ss_flags = SS_DISABLE };

  if (id % 2 == 0)
    T_OK(sigaltstack(&alternate, NULL));
  for (size_t i = 0; i < 64; i++)
    PUT(p + t_pages(i) + id, id);
  T_OK(sigaltstack(&off, NULL));
  return NULL;
}

static void
with_and_without_alternate_stacks(void) {
  pthread_t thread[4];

  p = T_MAP_NEW(NULL, &fd, 64);
  for (size_t i = 0; i < 4; i++)
    T_EQ(pthread_create(&thread[i], NULL, store_on_an_own_stack, (void *)(i + 1)), 0);
  for (size_t i = 0; i < 4; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  T_OK(msync(p, t_pages(64), MS_SYNC));
  for (size_t i = 0; i < 64; i++)
    for (size_t id = 1; id <= 4; id++)
      T_FILE_BYTE(fd, (off_t)(t_pages(i) + id), (unsigned char)id);
}

static volatile sig_atomic_t overflowed;
static sigjmp_buf *volatile back;

static void
overflow_handler(int signo, siginfo_t *info, void *context) {
  (void)signo;
  (void)info;
  (void)context;
  overflowed = 1;
  siglongjmp(*back, 1);
}

/* Until the stack ends, which is before a million blocks. */
static int
eat_stack(int depth) {
  volatile char block[4096];

  block[0] = (char)depth;
  return depth < 1000000 ? eat_stack(depth + 1) + block[0] : 0;
}

/* The program's handler for an overflow of the stack still gets it, on its alternate stack. */
static void
overflow_of_the_stack_reaches_the_programs_handler(void) {
  size_t size;
  unsigned char *stack = guarded(65536, &size);
  stack_t alternate = { .ss_sp = stack, .ss_size = size };
  struct sigaction action;
  struct rlimit limit = { 1 << 20, 1 << 20 };
  sigjmp_buf buf;

  T_OK(setrlimit(RLIMIT_STACK, &limit));
  memset(&action, 0, sizeof action);
  action.sa_sigaction = overflow_handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  T_OK(sigaltstack(&alternate, NULL));
  T_OK(sigaction(SIGSEGV, &action, NULL));
  p = T_MAP_NEW(NULL, &fd, 4);
  back = &buf;
  if (sigsetjmp(buf, 1) == 0)
    (void)eat_stack(0);
  T_EQ(overflowed, 1);
  check_ours_works();
}

/* ---- In signal handlers ---------------------------------------------------------------------- */

static atomic_uint ticks;

static void
store_on_tick(int signo) {
  unsigned n = atomic_fetch_add(&ticks, 1);

  (void)signo;
  PUT(p + t_pages(n % 64) + 8, n);
}

/* The program's timer interrupts anything: its own malloc, our calls, our handler's end. */
static void
stores_in_signal_handlers(void) {
  struct sigaction action;
  unsigned want = engine_scale(2000, 20000, 200000);
  unsigned rounds = 0;
  timer_t timer;
  struct itimerspec every = { { 0, 200000 }, { 0, 200000 } };
  struct sigevent event;

  p = T_MAP_NEW(NULL, &fd, 64);
  memset(&action, 0, sizeof action);
  action.sa_handler = store_on_tick;
  action.sa_flags = SA_RESTART;
  T_OK(sigaction(SIGUSR1, &action, NULL));
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  T_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  T_OK(timer_settime(timer, 0, &every, NULL));
  while (atomic_load(&ticks) < want) {
    void *memory = malloc(100 + rounds % 5000);
    unsigned char *q;

    T_CHECK(memory != NULL);
    PUT(p + t_pages(rounds % 64), rounds);
    if (rounds % 8 == 0)
      T_OK(msync(p, t_pages(64), MS_ASYNC));
    if (rounds % 32 == 0) {
      q = T_MAP(NULL, t_pages(64), RW, MAP_SHARED, fd, 0);
      PUT(q, 1);
      T_OK(munmap(q, t_pages(64)));
    }
    free(memory);
    rounds++;
  }
  T_OK(timer_delete(timer));
  T_OK(msync(p, t_pages(64), MS_SYNC));
  T_NDIRTY(p, 64, 0);
}

static pthread_t busy;
static atomic_bool enough;

static void *
send_ticks(void *arg) {
  (void)arg;
  while (!atomic_load(&enough)) {
    (void)pthread_kill(busy, SIGUSR1);
    (void)sched_yield();
  }
  return NULL;
}

/* Signals on an alternate stack of their own, whose handlers fault again. */
static void
nested_on_one_alternate_stack(void) {
  size_t size;
  unsigned char *stack = guarded(65536, &size);
  stack_t alternate = { .ss_sp = stack, .ss_size = size };
  struct sigaction action;
  unsigned want = engine_scale(1000, 10000, 100000);
  pthread_t sender;

  p = T_MAP_NEW(NULL, &fd, 64);
  T_OK(sigaltstack(&alternate, NULL));
  memset(&action, 0, sizeof action);
  action.sa_handler = store_on_tick;
  action.sa_flags = SA_ONSTACK | SA_RESTART;
  T_OK(sigaction(SIGUSR1, &action, NULL));
  busy = pthread_self();
  T_EQ(pthread_create(&sender, NULL, send_ticks, NULL), 0);
  for (unsigned i = 0; atomic_load(&ticks) < want; i++) {
    PUT(p + t_pages(i % 64), 1);
    if (i % 64 == 0)
      T_OK(msync(p, t_pages(64), MS_ASYNC));
  }
  atomic_store(&enough, true);
  T_EQ(pthread_join(sender, NULL), 0);
  T_OK(msync(p, t_pages(64), MS_SYNC));
}

/* ---- vfork ----------------------------------------------------------------------------------- */

static void
child_of_vfork_stores(void) {
  pid_t pid;

  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 4);
  pid = vfork();
  if (pid == 0) {
    *(volatile unsigned char *)(p + t_pages(1)) = 'v';
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_EQ(GET(p + t_pages(1)), 'v');
  T_NDIRTY(p, 4, 1);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'v');
  check_ours_works();
}

static void
child_of_vfork_execs(void) {
  char *const argv[] = { (char *)(uintptr_t) "true", NULL };
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  for (int i = 0; i < 20; i++) {
    pid = vfork();
    if (pid == 0) {
      *(volatile unsigned char *)p = (unsigned char)i;
      (void)execv("/bin/true", argv);
      _exit(9);
    }
    T_REAP(pid, T_EXITED(0));
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_BYTE(fd, 0, (unsigned char)i);
  }
  check_ours_works();
}

/* ---- While others sync ----------------------------------------------------------------------- */

static atomic_bool stop;

static void *
sync_all_the_time(void *arg) {
  (void)arg;
  while (!atomic_load(&stop))
    T_OK(msync(p, t_pages(64), MS_ASYNC));
  return NULL;
}

static void *
store_for_a_while(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;
  unsigned rounds = engine_scale(20000, 200000, 2000000);

  for (unsigned i = 0; i < rounds; i++) {
    volatile uint32_t *at = (volatile uint32_t *)(uintptr_t)(p + t_pages(i % 64) + id * 8);

    *at = i;
    T_EQ(*at, i);
  }
  return NULL;
}

/* Two threads that meet the same closed page: one opens it, the other one's fault is spurious. */
static void
spurious_faults_are_harmless(void) {
  pthread_t thread[3];
  pthread_t syncer;

  p = T_MAP_NEW(NULL, &fd, 64);
  T_EQ(pthread_create(&syncer, NULL, sync_all_the_time, NULL), 0);
  for (size_t i = 0; i < 3; i++)
    T_EQ(pthread_create(&thread[i], NULL, store_for_a_while, (void *)(i + 1)), 0);
  for (size_t i = 0; i < 3; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  atomic_store(&stop, true);
  T_EQ(pthread_join(syncer, NULL), 0);
  T_OK(msync(p, t_pages(64), MS_SYNC));
  for (size_t i = 0; i < 64; i++) {
    unsigned char want[32];

    memcpy(want, p + t_pages(i), sizeof want);
    T_FILE_EQUALS(fd, (off_t)t_pages(i), want, sizeof want);
  }
  T_EQ(T_STATS().faults_foreign, 0);
}

/* ---- Fills that fail ------------------------------------------------------------------------- */

static void
read_error_while_filling_raises_sigbus(void) {
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 8);
  T_EQ(GET(p), t_old_byte(0)); /* control */
  engine_inject(HOST_CALL_read, 1, UINT32_MAX, EIO);
  T_LOAD_FAULTS(p + t_pages(4), SIGBUS, BUS_ADRERR);
  T_STORE_FAULTS(p + t_pages(5), SIGBUS, BUS_ADRERR);
  T_CHECK(inject_fired() >= 2);
  T_ERR(madvise(p + t_pages(4), t_pages(1), MADV_WILLNEED), EIO);
  inject_disarm();
  T_NDIRTY(p, 8, 0);
  T_LOADS(p + t_pages(4), t_old_byte((off_t)t_pages(4)));
  T_STORES(p + t_pages(5), 'x');
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(5), 'x');
  T_FILE_OLD(fd, (off_t)t_pages(5) + 1, t_pages(2));
}

static void
read_error_ends_a_process_with_sigbus(void *arg) {
  (void)arg;
  (void)signal(SIGBUS, SIG_DFL);
  (void)signal(SIGSEGV, SIG_DFL);
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 8);
  engine_inject(HOST_CALL_read, 1, UINT32_MAX, EIO);
  (void)GET(p);
}

static void
read_error_by_default(void) {
  T_IN_CHILD(read_error_ends_a_process_with_sigbus, NULL, T_KILLED(SIGBUS));
}

/* No room in the section directory, first at a fill. */
static void
no_room_while_filling_raises_sigbus(void) {
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 8);
  engine_inject(HOST_CALL_write, 1, UINT32_MAX, ENOSPC);
  T_LOAD_FAULTS(p + t_pages(4), SIGBUS, BUS_ADRERR);
  inject_disarm();
  T_LOADS(p + t_pages(4), t_old_byte((off_t)t_pages(4)));
}

/* The host has no memory area left: pages are closed, and the store goes on. */
static void
protect_that_fails_once(void) {
  p = T_MAP_NEW(NULL, &fd, 8);
  for (size_t i = 0; i < 8; i++) {
    engine_inject(HOST_CALL_protect, 1, 1, ENOMEM);
    T_STORES(p + t_pages(i), (unsigned char)i);
    inject_disarm();
  }
  T_OK(msync(p, t_pages(8), MS_SYNC));
  for (size_t i = 0; i < 8; i++)
    T_FILE_BYTE(fd, (off_t)t_pages(i), (unsigned char)i);
}

static void
protect_that_always_fails_raises_sigbus(void) {
  T_ON_FAULT();
  p = T_MAP_NEW(NULL, &fd, 8);
  PUT(p, 1);
  engine_inject(HOST_CALL_protect, 1, UINT32_MAX, ENOMEM);
  T_STORE_FAULTS(p + t_pages(3), SIGBUS, BUS_ADRERR);
  inject_disarm();
  T_STORES(p + t_pages(3), 'x');
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'x');
  T_FILE_BYTE(fd, 0, 1);
}

/* A close that the host refuses: the page stays open, so it stays dirty, and nothing is lost. */
static void
close_that_fails_loses_nothing(void) {
  static const bool first[8] = { true, false, false, false, false, false, false, false };

  T_ON_FAULT();
  p = T_MAP_NEW(NULL, &fd, 8);
  PUT(p, 1);
  engine_inject(HOST_CALL_protect, 1, UINT32_MAX, ENOMEM);
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_BYTE(fd, 0, 1);
  engine_dirty_is(T_HERE, p, 8, first);
  PUT(p, 2); /* no fault: it is open */
  inject_disarm();
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_BYTE(fd, 0, 2);
  T_NDIRTY(p, 8, 0);
}

static const struct t_case cases[] = {
  T_CASE(errno_is_kept_by_a_fault),
  T_CASE(on_a_small_alternate_stack),
  T_CASE(with_and_without_alternate_stacks),
  T_CASE(overflow_of_the_stack_reaches_the_programs_handler),
  T_CASE(stores_in_signal_handlers),
  T_CASE(nested_on_one_alternate_stack),
  T_CASE(child_of_vfork_stores),
  T_CASE(child_of_vfork_execs),
  T_CASE(spurious_faults_are_harmless),
  T_CASE(read_error_while_filling_raises_sigbus),
  T_CASE_WITH(read_error_by_default, T_MAPS_NOTHING | T_KILLS),
  T_CASE(no_room_while_filling_raises_sigbus),
  T_CASE(protect_that_fails_once),
  T_CASE(protect_that_always_fails_raises_sigbus),
  T_CASE(close_that_fails_loses_nothing),
};
T_MAIN(cases)
