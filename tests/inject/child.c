/* child.c - fork, failed at every call of the host that the child makes before its program goes on.
 *
 * A child that can't join a section has SIGBUS there, and one line says so; one that can is as its parent.
 * New mappings work.  The parent doesn't notice, and nothing is left behind.  Each cell is a fork.
 */
#include "host_errors.h"

#include <pthread.h>

enum { FILES = 2, PAGES = 4 };

/* Shared with the children. */
struct seen {
  uint32_t calls[HOST_CALL_COUNT];
  unsigned fired, orphaned;
};
static struct seen *seen;

static struct host_fault fault;
static int fd[FILES];
static unsigned char *p[FILES];
static unsigned char value, last; /* what the parent stores, and stored for the last child */

/* Registered before the engine's own handlers, and so called before them. */
static void
arm_in_child(void) {
  struct inject_rule rule = host_fault_rule(&fault);

  inject_arm(&rule);
}

/* All of the file, or SIGBUS for all of it. */
static void
work_on(size_t file) {
  unsigned char byte = 0;
  bool is_ours = t_load(p[file], &byte).signo == 0;

  for (size_t page = 0; page < PAGES; page++) {
    int signo = t_load(p[file] + t_pages(page), &byte).signo;

    T_EQ(signo, is_ours ? 0 : SIGBUS);
    if (is_ours)
      T_EQ(byte, page == 0 ? last : page == 1 ? value : t_old_byte((off_t)t_pages(page)));
  }
  if (is_ours) {
    T_STORES(p[file] + t_pages(2) + 1, value);
    T_OK(msync(p[file], t_pages(PAGES), MS_SYNC));
    T_FILE_BYTE(fd[file], (off_t)t_pages(2) + 1, value);
  } else {
    seen->orphaned++;
    T_STORE_FAULTS(p[file] + t_pages(2) + 1, SIGBUS, BUS_ADRERR);
    T_ERR(msync(p[file], t_pages(PAGES), MS_SYNC), EIO);
    T_ERR(softmap_pin(p[file], 1, PROT_READ), EIO);
  }
}

/* A file that the parent hasn't mapped. */
static void
map_another(void) {
  int other;
  unsigned char *q = T_MAP_NEW(NULL, &other, 1);

  PUT(q, 'n');
  T_OK(msync(q, t_pages(1), MS_SYNC));
  T_FILE_BYTE(other, 0, 'n');
  T_OK(munmap(q, t_pages(1)));
}

static void
fork_and_work(void *arg) {
  int *status = arg;
  pid_t pid = t_fork();

  if (pid == 0) {
    host_count_calls(seen->calls);
    seen->fired += inject_fired() != 0;
    inject_disarm();
    for (size_t file = 0; file < FILES; file++)
      work_on(file);
    map_another();
    exit(0);
  }
  while (waitpid(pid, status, 0) < 0)
    T_EQ(errno, EINTR);
}

static void
try_fault(const struct host_fault *next, void *arg) {
  char text[4096], row[HOST_FAULT_TEXT];
  unsigned orphaned = seen->orphaned;
  size_t lines;
  int status;

  (void)arg;
  fault = *next;
  last = value != 0 ? value : t_old_byte(0);
  value = (unsigned char)(value % 250 + 1);
  for (size_t file = 0; file < FILES; file++)
    PUT(p[file] + t_pages(1), value);
  lines = T_STDERR_OF(fork_and_work, &status, text);
  if (status != 0 || lines > 1 || (seen->orphaned != orphaned && lines != 1))
    t_fail(T_HERE, "%s: status %d, said: %s", host_fault_text(&fault, row), status, text);
  for (size_t file = 0; file < FILES; file++) {
    PUT(p[file], value);
    T_OK(msync(p[file], t_pages(PAGES), MS_SYNC));
    T_FILE_BYTE(fd[file], 0, value);
    T_FILE_BYTE(fd[file], (off_t)t_pages(1), value);
  }
}

static void
child_that_fails_at_any_call(void) {
  uint32_t counts[HOST_CALL_COUNT];
  uint32_t most = engine_scale(4, 1000, 1000);

  T_ON_FAULT(); /* where others fill and open in advance, what the child had shown differs */
  T_EQ(pthread_atfork(NULL, NULL, arm_in_child), 0);
  seen = t_common(sizeof *seen, &(int){ 0 });
  for (size_t file = 0; file < FILES; file++)
    p[file] = T_MAP_NEW(NULL, &fd[file], PAGES);
  T_OK(softmap_pin(p[0], 1, RW)); /* its parent's system calls aren't a child's */
  try_fault(&HOST_FAULT_NONE, NULL);
  T_EQ(seen->orphaned, 0);
  memcpy(counts, seen->calls, sizeof counts);
  host_faults_try(counts, most, most, try_fault, NULL);
  t_note("%u fired, %u files out of reach", seen->fired, seen->orphaned);
  T_CHECK(seen->fired >= 60 && seen->orphaned >= 30);
  T_OK(softmap_unpin(p[0], 1));
}

static const struct t_case cases[] = {
  T_CASE(child_that_fails_at_any_call),
};
T_MAIN(cases)
