/* host_linux_robust.c - which robust mutexes the threads of this process hold.
 *
 * Each thread has told the kernel where its list of them begins (set_robust_list(2)); the list's
 * layout is the kernel's (linux/futex.h).  It belongs to running threads and may change under our
 * eyes, so it is read by system calls, which fail where a load would fault.
 */
#include "host/host_linux.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/uio.h>

#include "host/host.h"
#include "host/inject.h"

#define FOLLOW_MAX 2048 /* the kernel's ROBUST_LIST_LIMIT */

struct search {
  uintptr_t *out;
  size_t count, max;
};

/* Memory of our own that may not be there. */
static bool
peek(uintptr_t addr, void *out, size_t len) {
  struct iovec to = { .iov_base = out, .iov_len = len };
  struct iovec from = { .iov_base = (void *)addr, .iov_len = len };
  return raw6(SYS_process_vm_readv, raw0(SYS_getpid), &to, 1, &from, 1, 0) == (long)len;
}

/* The lowest bit of an entry says "priority inheritance". */
static uintptr_t
entry_of(const void *pointer) {
  return (uintptr_t)pointer & ~(uintptr_t)1;
}

static void
add(struct search *search, uintptr_t entry, long offset) {
  if (entry != 0 && search->count < search->max)
    search->out[search->count++] = entry + (uintptr_t)offset;
}

static void
follow(struct search *search, uintptr_t at) {
  struct robust_list_head head = { .futex_offset = 0 };
  struct robust_list entry = { NULL };
  if (at == 0 || !peek(at, &head, sizeof head))
    return;
  add(search, entry_of(head.list_op_pending), head.futex_offset);
  uintptr_t next = entry_of(head.list.next);
  for (unsigned i = 0; i < FOLLOW_MAX && next != 0 && next != at; i++) {
    add(search, next, head.futex_offset);
    if (!peek(next, &entry, sizeof entry))
      return;
    next = entry_of(entry.next);
  }
}

static int
search_thread(const char *name, void *arg) {
  uintptr_t head = 0;
  size_t size = 0;
  long tid = 0;
  for (; *name >= '0' && *name <= '9'; name++)
    tid = tid * 10 + (*name - '0');
  if (tid != 0 && raw3(SYS_get_robust_list, tid, &head, &size) == 0)
    follow(arg, head);
  return 0;
}

int
host_robust_locks(uintptr_t *out, size_t max, size_t *n) {
  struct search search = { .out = out, .max = max };
  int error = inject_before(HOST_CALL_robust_locks);
  if (error != 0)
    return error;
  error = host_each_name("/proc/self/task", search_thread, &search);
  if (error == 0)
    *n = search.count;
  inject_after(HOST_CALL_robust_locks);
  return error;
}
