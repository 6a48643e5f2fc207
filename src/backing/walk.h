/* walk.h - bytes of an io vector, in order. */
#ifndef SOFTMAP_WALK_H
#define SOFTMAP_WALK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A walk over an io vector, from a byte of it on. */
struct walk {
  const struct iovec *iov;
  int n;
  size_t skip; /* bytes of iov[0] that lie behind us */
};

static inline void
walk_on(struct walk *walk, uint64_t bytes) {
  while (walk->n > 0 && bytes >= walk->iov->iov_len - walk->skip) {
    bytes -= walk->iov->iov_len - walk->skip;
    walk->skip = 0;
    walk->iov++;
    walk->n--;
  }
  walk->skip += walk->n > 0 ? (size_t)bytes : 0;
}

/* The next piece, at most max bytes; its length is 0 at the end. */
static inline size_t
walk_piece(struct walk *walk, uint64_t max, unsigned char **at) {
  while (walk->n > 0 && walk->skip == walk->iov->iov_len)
    walk_on(walk, 0);
  if (walk->n <= 0)
    return 0;
  *at = (unsigned char *)walk->iov->iov_base + walk->skip;
  return (size_t)(max < walk->iov->iov_len - walk->skip ? max : walk->iov->iov_len - walk->skip);
}

#endif
