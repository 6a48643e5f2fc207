/* t_engine.h - opens the tests that look at softmap alone (no oracle): mapping that must succeed,
 * which pages are dirty, counts by scale, and injection.
 */
#ifndef T_ENGINE_H
#define T_ENGINE_H

#include "t.h"
#include "t_mman.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SOFTMAP_INJECT
#define SOFTMAP_INJECT 1 /* as the engine that these tests are linked with */
#endif
#include "host/inject.h"

#define RW (PROT_READ | PROT_WRITE)

/* An access exactly here. */
#define PUT(p, value) ((void)(*(volatile unsigned char *)(p) = (unsigned char)(value)))
#define GET(p) (*(const volatile unsigned char *)(p))

static inline unsigned char *
engine_mapped(struct t_at at, void *p) {
  char buf[32];
  int err = errno;

  if (p == MAP_FAILED)
    t_fail(at, "mapping failed with %s", t_errno_name(err, buf));
  return p;
}

/* mmap, mremap that must succeed. */
#define T_MAP(...) engine_mapped(T_HERE, mmap(__VA_ARGS__))
#define T_REMAP(...) engine_mapped(T_HERE, mremap(__VA_ARGS__))
/* mmap as a number for T_ERR and T_ROW. */
#define AS_RESULT(map_call) ((intptr_t)(map_call))

/* A shared mapping of all of a new file of n pages, open in *fd. */
static inline unsigned char *
engine_map_new(struct t_at at, char path[T_PATH], int *fd, size_t npages) {
  *fd = t_tmpfile(path, (off_t)t_pages(npages));
  return engine_mapped(at, mmap(NULL, t_pages(npages), RW, MAP_SHARED, *fd, 0));
}
#define T_MAP_NEW(path, fd, npages) engine_map_new(T_HERE, path, fd, npages)

/* Exactly these pages of [p, p + npages) are dirty; dirty[] has an entry a page. p maps the file's
 * start. */
static inline void
engine_dirty_is(struct t_at at, const unsigned char *p, size_t npages, const bool *dirty) {
  struct softmap_range *ranges = calloc(npages, sizeof *ranges);
  bool *got = calloc(npages, sizeof *got);
  ssize_t n;

  if (ranges == NULL || got == NULL)
    t_fail(at, "out of memory");
  n = softmap_dirty(p, t_pages(npages), ranges, npages);
  if (n < 0)
    t_fail(at, "softmap_dirty: errno %d", errno);
  for (ssize_t i = 0; i < n; i++)
    for (off_t o = ranges[i].offset; o < ranges[i].offset + (off_t)ranges[i].length;
         o += (off_t)t_page_size())
      got[(size_t)o / t_page_size()] = true;
  for (size_t i = 0; i < npages; i++)
    if (got[i] != dirty[i])
      t_fail(at, "page %zu is %sdirty", i, got[i] ? "" : "not ");
  free(ranges);
  free(got);
}

/* How many pages of [p, p + npages) a sync would write. */
static inline size_t
engine_ndirty(struct t_at at, const unsigned char *p, size_t npages) {
  struct softmap_range *ranges = calloc(npages, sizeof *ranges);
  ssize_t n = ranges == NULL ? -1 : softmap_dirty(p, t_pages(npages), ranges, npages);
  size_t count = 0;

  if (n < 0)
    t_fail(at, "softmap_dirty: errno %d", errno);
  for (ssize_t i = 0; i < n; i++)
    count += (ranges[i].length + t_page_size() - 1) / t_page_size();
  free(ranges);
  return count;
}
#define T_NDIRTY(p, npages, want)                                                                  \
  t_eq(T_HERE, "dirty pages", (intmax_t)engine_ndirty(T_HERE, p, npages), want)

static inline struct softmap_stats
engine_stats(struct t_at at) {
  struct softmap_stats stats = { .size = sizeof stats };

  if (softmap_stats(&stats) != 0)
    t_fail(at, "softmap_stats: errno %d", errno);
  return stats;
}
#define T_STATS() engine_stats(T_HERE)

/* The suite runs under each tracker (SOFTMAP_TRACKER).  A case that shows what only "fault" does
 * begins with this. */
#define T_ON_FAULT() T_OK(softmap_configure("tracker", "fault"))

/* Does a sync know of each page whether it was stored to, also of those that another living process
 * may be storing to? */
static inline bool
engine_is_exact(void) {
  const char *tracker = getenv("SOFTMAP_TRACKER");

  return tracker != NULL && (strcmp(tracker, "watch") == 0 || strcmp(tracker, "compare") == 0);
}

/* How often a loop runs: as make check, make check-all, make soak. */
static inline unsigned
engine_scale(unsigned ci, unsigned all, unsigned soak) {
  const char *scale = getenv("SOFTMAP_TEST_SCALE");

  if (scale != NULL && strcmp(scale, "all") == 0)
    return all;
  return scale != NULL && strcmp(scale, "soak") == 0 ? soak : ci;
}

/* Fail the nth call of a site with this errno, so many times from there. */
static inline void
engine_inject(enum host_call call, uint32_t nth, uint32_t times, int error) {
  struct inject_rule rule = { .call = call, .nth = nth, .times = times, .error = error };

  inject_arm(&rule);
}

/* What a piece of code writes to standard error goes into text; returns how many lines, without those of a
 * sanitizer's run-time ("==PID=="), which says so when it can't stop a thread. */
static inline size_t
engine_stderr_of(struct t_at at, void (*fn)(void *), void *arg, char *text, size_t size) {
  int saved = dup(STDERR_FILENO);
  FILE *file = tmpfile();
  size_t lines = 0;
  ssize_t n;

  if (saved < 0 || file == NULL || dup2(fileno(file), STDERR_FILENO) < 0)
    t_fail(at, "can't redirect standard error: errno %d", errno);
  fn(arg);
  n = pread(fileno(file), text, size - 1, 0);
  if (dup2(saved, STDERR_FILENO) < 0 || n < 0)
    t_fail(at, "can't read standard error: errno %d", errno);
  (void)close(saved);
  (void)fclose(file);
  text[n] = '\0';
  for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
    lines += strncmp(line, "==", 2) != 0;
  return lines;
}
#define T_STDERR_OF(fn, arg, text) engine_stderr_of(T_HERE, fn, arg, text, sizeof(text))

/* A generator that repeats itself from its seed. */
struct t_random {
  uint64_t state;
};

static inline uint32_t
t_random_next(struct t_random *r) {
  r->state = r->state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(r->state >> 33);
}

static inline uint32_t
t_random_below(struct t_random *r, uint32_t n) {
  return t_random_next(r) % n;
}

/* T_SEED in the environment repeats a run.  make check always takes the same: its verdict doesn't depend
 * on luck; larger scales take a fresh one each time. */
static inline struct t_random
t_random_start(void) {
  const char *given = getenv("T_SEED");
  uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 1;

  if (given == NULL && engine_scale(0, 1, 1) != 0) {
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, &seed, 4) != 4)
      seed = (uint64_t)getpid();
    if (fd >= 0)
      (void)close(fd);
    seed &= 0xffffffff;
  }
  t_note("T_SEED=%llu", (unsigned long long)seed);
  return (struct t_random){ seed };
}

#endif
