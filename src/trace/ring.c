/* ring.c - the event ring.  Putting an event is async-signal-safe and takes no lock. */
#include "trace/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

struct trace_header *_Atomic trace_ring;

static char chosen[1024];
static _Atomic uint32_t own_pid;

#define FILE_SIZE (TRACE_EVENTS_AT + TRACE_CAPACITY * sizeof(struct trace_event))

_Static_assert(sizeof(struct trace_header) <= TRACE_EVENTS_AT, "the header has its room");
_Static_assert(sizeof(struct trace_event) == 40, "as on every machine");

int
trace_choose(const char *path) {
  size_t len = strlen(path);
  if (path[0] != '/' || len >= sizeof chosen)
    return EINVAL;
  memcpy(chosen, path, len + 1);
  return 0;
}

/* ---- The file ------------------------------------------------------------------------------ */

/* Zeros, written: where a hole found no room later, a store would raise SIGBUS. */
static int
lengthen(int fd) {
  static const unsigned char zeros[1 << 14];
  uint64_t at = 0;
  int error = 0;
  while (at < FILE_SIZE && !error) {
    struct iovec vec = { (void *)(uintptr_t)zeros, sizeof zeros };
    size_t put = 0;
    if (FILE_SIZE - at < sizeof zeros)
      vec.iov_len = (size_t)(FILE_SIZE - at);
    error = host_write(fd, &vec, 1, at, &put);
    if (!error && put == 0)
      error = EIO;
    at += put;
  }
  return error;
}

static int
map_file(int fd, struct trace_header **out) {
  void *addr;
  int error = host_map_own(&addr, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (!error)
    *out = addr;
  return error;
}

static int
make(int fd, struct trace_header **out) {
  int error = lengthen(fd);
  if (!error)
    error = map_file(fd, out);
  if (error)
    return error;
  (*out)->page_size = (uint32_t)host_config.page_size;
  (*out)->capacity = TRACE_CAPACITY;
  atomic_thread_fence(memory_order_release);
  memcpy((*out)->magic, TRACE_MAGIC, sizeof(*out)->magic);
  return 0;
}

/* One that others trace into, or are just making. */
static int
join(int fd, struct trace_header **out) {
  struct host_stat stat;
  for (unsigned tries = 0; tries < 200; tries++) {
    int error = host_stat_fd(fd, &stat);
    if (!error && stat.size == FILE_SIZE && (error = map_file(fd, out)) == 0) {
      if (memcmp((*out)->magic, TRACE_MAGIC, sizeof(*out)->magic) == 0)
        return 0;
      error = host_unmap(*out, FILE_SIZE);
    }
    if (error || stat.size > FILE_SIZE)
      return EEXIST;
    host_nap(1000000);
  }
  return EEXIST;
}

static int
open_ring(void) {
  struct trace_header *header = NULL;
  int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC, fd;
  int error = host_open(&fd, AT_FDCWD, chosen, flags | O_CREAT | O_EXCL, 0600);
  bool is_new = !error;
  if (error == EEXIST)
    error = host_open(&fd, AT_FDCWD, chosen, flags, 0);
  if (error)
    return error;
  error = is_new ? make(fd, &header) : join(fd, &header);
  int close_error = host_close(fd);
  if (!error)
    atomic_store(&trace_ring, header);
  return error ? error : close_error;
}

void
trace_forked(void) {
  struct host_identity identity;
  uint32_t parent = atomic_load(&own_pid);
  if (!atomic_load(&trace_ring) || host_identity(&identity))
    return;
  atomic_store(&own_pid, (uint32_t)identity.pid);
  trace_note(TRACE_FORK, 0, parent, 0);
}

void
trace_start(void) {
  static const char complaint[] = "softmap: the trace file can't be used; nothing is traced\n";
  struct host_identity identity;
  if (!chosen[0] || atomic_load(&trace_ring))
    return;
  if (host_identity(&identity) || open_ring()) {
    host_message(complaint, sizeof complaint - 1);
    return;
  }
  atomic_store(&own_pid, (uint32_t)identity.pid);
}

/* ---- Files and events ---------------------------------------------------------------------- */

uint16_t
trace_file(const char *path) {
  struct trace_header *header = atomic_load(&trace_ring);
  for (uint16_t i = 1; header && i < TRACE_FILES; i++) {
    struct trace_name *name = &header->name[i];
    uint32_t expected = 0;
    if (atomic_compare_exchange_strong(&name->state, &expected, 1)) {
      strncpy(name->path, path, sizeof name->path - 1);
      atomic_store(&name->state, 2);
      return i;
    }
    if (expected == 2 && strncmp(name->path, path, sizeof name->path - 1) == 0)
      return i;
  }
  return 0;
}

void
trace_put(enum trace_kind kind, uint16_t file, uint64_t first, uint64_t npages) {
  struct trace_header *header = atomic_load(&trace_ring);
  uint64_t number = atomic_fetch_add(&header->next, 1) + 1;
  struct trace_event *events = (struct trace_event *)((char *)header + TRACE_EVENTS_AT);
  struct trace_event *event = &events[(number - 1) % TRACE_CAPACITY];
  atomic_store(&event->number, 0);
  event->when_ns = host_now_ns();
  event->pid = atomic_load(&own_pid);
  event->kind = (uint16_t)kind;
  event->file = file;
  event->first = first;
  event->npages = npages;
  atomic_store(&event->number, number);
}
