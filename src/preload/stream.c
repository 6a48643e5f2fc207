/* stream.c - before and after a call of stdio on a file that has a section.
 *
 * libc's own reads and writes pass us by.  So before a call that may read, what is dirty is written to
 * the file; and around one that may write, the range that it writes is told from where the stream
 * stands and what it has waiting.  A call that its buffer serves costs a comparison.
 */
#include "preload/real.h"

#include "preload/stream.h"

#include <stdatomic.h>
#include <stdio_ext.h>

#include "preload/policy.h"

/* glibc's stream; its fields are part of its ABI, since getc and putc were macros. */
bool
stream_has(FILE *file, size_t n) {
  return (size_t)(file->_IO_read_end - file->_IO_read_ptr) >= n;
}

bool
stream_has_room(FILE *file, size_t n) {
  return !__flbf(file) && file->_IO_write_base < file->_IO_write_end &&
         (size_t)(file->_IO_write_end - file->_IO_write_ptr) > n;
}

static bool
has_section(FILE *file, int *fd) {
  *fd = fileno_unlocked(file);
  return *fd >= 0 && policy_is_coherent() && shim_has_section(*fd);
}

void
stream_read(FILE *file) {
  int saved = errno, fd;
  if (has_section(file, &fd) && shim_write_dirty(fd, 0, UINT64_MAX))
    errno = saved; /* what the file has is the best we have */
  errno = saved;
}

static uint64_t
size_of(FILE *file) {
  struct stat stat;
  return fstat(fileno_unlocked(file), &stat) == 0 ? (uint64_t)stat.st_size : 0;
}

/* Where the next byte goes. */
static uint64_t
place_of(FILE *file) {
  off_t at = ftello(file);
  return at < 0 ? 0 : (uint64_t)at;
}

void
stream_write(struct stream_op *op, FILE *file, size_t len) {
  int saved = errno, fd;
  op->is_busy = has_section(file, &fd);
  if (op->is_busy) {
    flockfile(file);
    size_t waiting = __fpending(file);
    op->file = file;
    op->is_append = fcntl(fd, F_GETFL) & O_APPEND;
    op->end = op->is_append ? size_of(file) + waiting : place_of(file);
    op->start = op->end - waiting;
    around_change(&op->around, fd, (off_t)op->start, waiting + len);
  }
  errno = saved;
}

static void
end(struct stream_op *op, uint64_t until) {
  op->around.at = op->start;
  (void)around_write_end(&op->around, until > op->start ? (ssize_t)(until - op->start) : 0);
}

void
stream_write_end(struct stream_op *op) {
  if (!op->is_busy)
    return;
  int saved = errno;
  end(op, op->is_append ? size_of(op->file) : place_of(op->file) - __fpending(op->file));
  funlockfile(op->file);
  errno = saved;
}

void
stream_flush(struct stream_op *op, FILE *file) {
  stream_write(op, file, 0);
  if (op->is_busy)
    funlockfile(file); /* it may be gone afterwards */
}

void
stream_flush_end(struct stream_op *op) {
  int saved = errno;
  if (op->is_busy)
    end(op, op->end);
  errno = saved;
}

/* ---- All streams --------------------------------------------------------------------------- */

/* More than that at once are written behind our back when all are flushed. */
enum { STREAMS_MAX = 1024 };
static FILE *_Atomic streams[STREAMS_MAX];

void
stream_add(FILE *file) {
  for (int i = 0; file && i < STREAMS_MAX; i++) {
    FILE *none = NULL;
    if (!atomic_load_explicit(&streams[i], memory_order_relaxed) &&
        atomic_compare_exchange_strong(&streams[i], &none, file))
      return;
  }
}

void
stream_remove(FILE *file) {
  for (int i = 0; i < STREAMS_MAX; i++) {
    FILE *it = file;
    if (atomic_load_explicit(&streams[i], memory_order_relaxed) == file &&
        atomic_compare_exchange_strong(&streams[i], &it, NULL))
      return;
  }
}

void
stream_each(int (*fn)(FILE *file)) {
  for (int i = 0; i < STREAMS_MAX; i++) {
    FILE *file = atomic_load(&streams[i]);
    if (file && fn(file))
      return;
  }
}
