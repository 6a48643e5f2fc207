/* stream.h - what surrounds a call of stdio. */
#ifndef PRELOAD_STREAM_H
#define PRELOAD_STREAM_H

#include <stdbool.h>
#include <stdio.h>

#include "preload/around.h"

struct stream_op {
  struct around around;
  FILE *file;
  bool is_busy, is_append;
  uint64_t start, end; /* of what the stream still has to write, in the file */
};

/* Can n bytes be had, or put, without a system call? */
bool stream_has(FILE *file, size_t n);
bool stream_has_room(FILE *file, size_t n);

/* Before a call that may read the file. */
void stream_read(FILE *file);
/* Around one that may write to it, at most `len` bytes more than it has waiting; and one that writes
 * only these, and may move its position or close it. */
void stream_write(struct stream_op *op, FILE *file, size_t len);
void stream_write_end(struct stream_op *op);
void stream_flush(struct stream_op *op, FILE *file);
void stream_flush_end(struct stream_op *op);

/* Streams that may have something waiting when all are flushed. */
void stream_add(FILE *file);
void stream_remove(FILE *file);
void stream_each(int (*fn)(FILE *file));

#endif
