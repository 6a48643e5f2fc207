/* ring.h - the event ring: what happened to which pages, in a file that outlives the process.
 *
 * The file is mapped shared by every process that traces into it.  An event takes a number, fills the
 * slot that the number falls into and writes the number last: who reads the file, at any time, takes
 * slots whose number is the one expected, and the others were overwritten or are being written.
 * Widths are fixed; this header is also what softmap trace reads.
 */
#ifndef SOFTMAP_RING_H
#define SOFTMAP_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define TRACE_MAGIC "smtrace\1"
#define TRACE_EVENTS_AT ((uint64_t)1 << 16) /* offset; before it is the header */
#define TRACE_CAPACITY 32768u
#define TRACE_FILES 64 /* that have a name; file 0 has none */

enum trace_kind {
  TRACE_MAP = 1, /* pages of a file were mapped, shared */
  TRACE_MAP_PRIVATE,
  TRACE_UNMAP,
  TRACE_FILL,  /* read from the file */
  TRACE_STORE, /* first store to a closed page: a fault; the page is open */
  TRACE_SYNC,  /* a write-back of these pages begins */
  TRACE_WRITE, /* written, closed, and clean */
  TRACE_KEPT,  /* written, but dirty still */
  TRACE_FLUSH, /* the file was flushed to storage */
  TRACE_SIZE,  /* npages: how many the file has now */
  TRACE_FORK,  /* first: process id of the parent */
  TRACE_EXIT,
  TRACE_KINDS
};

struct trace_event {
  _Atomic uint64_t number; /* from 1; 0: never used */
  uint64_t when_ns;        /* monotonic */
  uint32_t pid;
  uint16_t kind, file;
  uint64_t first, npages;
};

struct trace_name {
  _Atomic uint32_t state; /* 0: free, 1: being written, 2: there */
  char path[252];
};

struct trace_header {
  char magic[8];
  uint32_t page_size, capacity;
  _Atomic uint64_t next; /* events so far */
  struct trace_name name[TRACE_FILES];
};

#ifndef SOFTMAP_TRACE_READER
#include "host/host.h"

extern struct trace_header *_Atomic trace_ring; /* NULL: nobody traces */

/* Remembers the file, absolute; trace_start opens it.  0 or EINVAL. */
int trace_choose(const char *path);
/* Opens what was chosen; says so if that fails, and traces nothing. */
void trace_start(void);
/* In a forked child. */
void trace_forked(void);
/* The number of a file of this path; 0 if it has none. */
uint16_t trace_file(const char *path);
void trace_put(enum trace_kind kind, uint16_t file, uint64_t first,
               uint64_t npages) SOFTMAP_SIGSAFE;

static inline void
trace_note(enum trace_kind kind, uint16_t file, uint64_t first, uint64_t npages) {
  if (atomic_load_explicit(&trace_ring, memory_order_relaxed))
    trace_put(kind, file, first, npages);
}
#endif

#endif
