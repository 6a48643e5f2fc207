/* around.h - what surrounds a call that reads or writes a file. */
#ifndef PRELOAD_AROUND_H
#define PRELOAD_AROUND_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "api/shim.h"

enum { AT_POSITION = -1 }; /* for an offset: where the descriptor stands */

struct around {
  struct shim_op op;
  int fd;
  const struct iovec *iov; /* NULL: the kernel takes the bytes from elsewhere */
  int n;
  off_t offset; /* AT_POSITION; or as asked for */
  uint64_t at;  /* where it goes, as far as is known before */
  bool is_busy; /* the file has a section: the end has something to do */
  bool appends;
  int cancel_state;
};

void around_read(struct around *around, int fd, const struct iovec *iov, int n, off_t offset);
ssize_t around_read_end(struct around *around, ssize_t got);
void around_write(struct around *around, int fd, const struct iovec *iov, int n, off_t offset,
                  int flags /* RWF_* */);
ssize_t around_write_end(struct around *around, ssize_t put);
/* A range of a file that the kernel changes by itself.  offset is none of AT_POSITION.  len 0: only
 * the size changes. */
void around_change(struct around *around, int fd, off_t offset, uint64_t len);

#endif
