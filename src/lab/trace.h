/* trace.h - a trace file, read: its events in order, and which processes and files there are. */
#ifndef LAB_TRACE_H
#define LAB_TRACE_H

#define SOFTMAP_TRACE_READER
#include "lab/world.h"
#include "trace/ring.h"

struct trace {
  struct trace_event *event; /* in order; those that could be read whole */
  size_t n;
  uint64_t lost; /* overwritten, or being written */
  uint32_t page_size;
  char *path[TRACE_FILES]; /* NULL: no such file */
};

/* False: it said why not. */
bool trace_read(const char *path, struct trace *trace);
void trace_free(struct trace *trace);

/* "store", "write back", ... */
const char *trace_kind_name(unsigned kind);

/* A recording of it, for the pictures: at most so many frames, several events in one if there are more. */
void trace_record(const struct trace *trace, struct script *script, struct recording *recording,
                  size_t frames_max);

#endif
