/* trace_read.c - reading a trace file: it may still be written to, or be anything. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/trace.h"
#include "tool/tool.h"

const char *
trace_kind_name(unsigned kind) {
  static const char *const names[TRACE_KINDS] = {
    [TRACE_MAP] = "map shared", [TRACE_MAP_PRIVATE] = "map private",
    [TRACE_UNMAP] = "unmap",    [TRACE_FILL] = "fill",
    [TRACE_STORE] = "store",    [TRACE_SYNC] = "sync",
    [TRACE_WRITE] = "write",    [TRACE_KEPT] = "still dirty",
    [TRACE_FLUSH] = "flush",    [TRACE_SIZE] = "size",
    [TRACE_FORK] = "forked",    [TRACE_EXIT] = "exit",
  };
  return kind < TRACE_KINDS && names[kind] ? names[kind] : "unknown";
}

/* The whole file; NULL: it said why not. */
static char *
read_all(const char *path, size_t wanted) {
  char *shown = printable(path), *bytes = need(malloc(wanted));
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  size_t len = 0;
  ssize_t got = 1;
  if (fd < 0 || fstat(fd, &st) < 0)
    complain("%s: %m", shown);
  else if (!S_ISREG(st.st_mode) || (size_t)st.st_size != wanted)
    complain("%s: no trace of softmap", shown);
  else
    while (len < wanted && (got = read(fd, bytes + len, wanted - len)) > 0)
      len += (size_t)got;
  if (got < 0)
    complain("%s: %m", shown);
  if (fd >= 0)
    (void)close(fd);
  free(shown);
  if (len == wanted)
    return bytes;
  free(bytes);
  return NULL;
}

static void
take_names(const struct trace_header *header, struct trace *trace) {
  for (size_t i = 1; i < TRACE_FILES; i++)
    if (atomic_load(&header->name[i].state) == 2)
      trace->path[i] = text_of("%.*s", (int)sizeof header->name[i].path - 1, header->name[i].path);
}

static void
take_events(const char *bytes, struct trace *trace) {
  const struct trace_header *header = (const void *)bytes;
  const struct trace_event *slots = (const void *)(bytes + TRACE_EVENTS_AT);
  uint64_t next = atomic_load(&header->next);
  uint64_t first = next > TRACE_CAPACITY ? next - TRACE_CAPACITY : 0;
  trace->event = need(calloc(TRACE_CAPACITY, sizeof *trace->event));
  for (uint64_t i = first; i < next; i++) {
    const struct trace_event *event = &slots[i % TRACE_CAPACITY];
    if (atomic_load(&event->number) == i + 1 && event->kind < TRACE_KINDS &&
        event->file < TRACE_FILES)
      memcpy(&trace->event[trace->n++], event, sizeof *event);
  }
  trace->lost = next - trace->n;
}

bool
trace_read(const char *path, struct trace *trace) {
  size_t wanted = TRACE_EVENTS_AT + TRACE_CAPACITY * sizeof(struct trace_event);
  *trace = (struct trace){ 0 };
  char *bytes = read_all(path, wanted);
  if (!bytes)
    return false;
  const struct trace_header *header = (const void *)bytes;
  trace->page_size = header->page_size;
  bool ok = memcmp(header->magic, TRACE_MAGIC, sizeof header->magic) == 0 &&
            header->capacity == TRACE_CAPACITY && trace->page_size >= 512 &&
            trace->page_size <= 1u << 24;
  if (ok) {
    take_names(header, trace);
    take_events(bytes, trace);
  } else {
    char *shown = printable(path);
    complain("%s: no trace of softmap", shown);
    free(shown);
  }
  free(bytes);
  return ok;
}

void
trace_free(struct trace *trace) {
  for (size_t i = 0; i < TRACE_FILES; i++)
    free(trace->path[i]);
  free(trace->event);
  *trace = (struct trace){ 0 };
}
