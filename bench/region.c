/* region.c - ways to get stores into a file. */
#include "region.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#define CHUNK 512 /* pages written at a time */

static const struct {
  const char *name, *tracker;
} ways[WAYS] = {
  [BY_FAULT] = { "fault", "fault" },
  [BY_WATCH] = { "watch", "watch" },
  [BY_COMPARE] = { "compare", "compare" },
  [BY_KERNEL] = { "the kernel's own mmap", NULL },
  [BY_HAND] = { "pwrite by who knows the pages", NULL },
  [BY_CLOSING] = { "bare loop that closes", NULL },
  [BY_BARE] = { "bare SIGSEGV + mprotect", NULL },
  [BY_RAW] = { "bare WP_ASYNC", NULL },
  [BY_WHOLE] = { "write everything each time", NULL },
};

/* ---- Mapping ------------------------------------------------------------------------------- */

const char *
way_name(enum way way) {
  return ways[way].name;
}

bool
way_choose(enum way way) {
  const char *tracker = ways[way].tracker;
  if (softmap_configure("tracker", tracker ? tracker : "fault") == 0)
    return true;
  if (way != BY_WATCH)
    die("softmap_configure");
  return false;
}

char *
way_map(enum way way, int fd, size_t bytes) {
  int prot = PROT_READ | PROT_WRITE;
  char *at = ways[way].tracker ? softmap_mmap(NULL, bytes, prot, MAP_SHARED, fd, 0)
                               : mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    die("mapping a file");
  return at;
}

void
way_unmap(enum way way, char *at, size_t bytes) {
  if ((ways[way].tracker ? softmap_munmap(at, bytes) : munmap(at, bytes)) != 0)
    die("unmapping a file");
}

void
way_check(enum way way, uint64_t before, size_t stores) {
  uint64_t faults = write_faults() - before;
  if (way == BY_FAULT ? faults == 0 || faults > stores : ways[way].tracker && faults > 0)
    die("stores were noticed in another way");
}

static bool
is_mapped(enum way way) {
  return ways[way].tracker || way == BY_KERNEL;
}

bool
region_open(struct region *region, enum way way, const char *dir, size_t npages) {
  if (!way_choose(way))
    return false;
  *region = (struct region){ .way = way, .npages = npages, .fd = file_of(dir, npages) };
  if (is_mapped(way)) {
    region->at = way_map(way, region->fd, npages * page_size());
    touch(region->at, npages);
  } else {
    region->at = shared_memory(npages); /* the same bytes as the file's */
  }
  bool has = way != BY_RAW || raw_watch_begin(region->at, npages);
  if (!has)
    region_close(region);
  return way_choose(BY_FAULT) && has;
}

size_t
regions_open(struct region *regions, const enum way *all, size_t nways, const char *dir,
             size_t npages) {
  size_t n = 0;
  for (size_t i = 0; i < nways; i++)
    n += region_open(&regions[n], all[i], dir, npages);
  return n;
}

static void
look_at_file(const struct region *region) {
  static char bytes[1 << 16];
  size_t size = region->npages * page_size();
  for (size_t at = 0; at < size; at += sizeof bytes) {
    size_t n = size - at < sizeof bytes ? size - at : sizeof bytes;
    if (pread(region->fd, bytes, n, (off_t)at) != (ssize_t)n ||
        memcmp(bytes, region->at + at, n) != 0)
      die("a file doesn't hold what was stored");
  }
}

void
region_close(struct region *region) {
  size_t size = region->npages * page_size();
  look_at_file(region);
  way_unmap(region->way, region->at, size);
  close(region->fd);
}

/* ---- Stores and syncs ---------------------------------------------------------------------- */

/* As faults would have left them: closed, but for the runs. */
static void
open_runs(const struct region *region, const struct pattern *pattern) {
  protect(region->at, region->npages, PROT_READ);
  for (size_t i = 0; i < pattern->nruns; i++)
    protect(region->at + pattern->runs[i].first * page_size(), pattern->runs[i].count,
            PROT_READ | PROT_WRITE);
}

void
region_prepare(const struct region *region, const struct pattern *pattern) {
  if (region->way == BY_CLOSING)
    open_runs(region, pattern);
  if (region->way == BY_RAW)
    raw_watch_collect(region->at, region->npages);
  /* As in a mapping just made: a store to a page that it maps already costs the kernel nothing in memory. */
  if (region->way == BY_KERNEL &&
      madvise(region->at, region->npages * page_size(), MADV_DONTNEED) != 0)
    die("madvise");
  if (region->way == BY_BARE) {
    protect(region->at, region->npages, PROT_READ);
    bare_begin();
  }
}

void
region_stored(const struct region *region) {
  if (region->way == BY_BARE)
    bare_end();
}

static void
write_pages(const struct region *region, size_t first, size_t count) {
  for (size_t end = first + count; first < end; first += CHUNK) {
    size_t skip = first * page_size();
    size_t size = (end - first < CHUNK ? end - first : CHUNK) * page_size();
    if (pwrite(region->fd, region->at + skip, size, (off_t)skip) != (ssize_t)size)
      die("pwrite");
  }
}

static void
write_by_hand(const struct region *region, const struct pattern *pattern, int flags) {
  if (region->way == BY_WHOLE)
    write_pages(region, 0, region->npages);
  for (size_t i = 0; region->way != BY_WHOLE && i < pattern->nruns; i++) {
    const struct page_run *run = &pattern->runs[i];
    if (region->way == BY_CLOSING)
      protect(region->at + run->first * page_size(), run->count, PROT_READ);
    write_pages(region, run->first, run->count);
  }
  if (flags & MS_SYNC && fdatasync(region->fd) != 0)
    die("fdatasync");
}

void
region_sync(const struct region *region, const struct pattern *pattern, int flags) {
  size_t size = region->npages * page_size();
  if (!is_mapped(region->way)) {
    write_by_hand(region, pattern, flags);
    return;
  }
  if (region->way == BY_KERNEL) {
    if (msync(region->at, size, flags) != 0)
      die("msync");
    return;
  }
  uint64_t before = pages_written();
  if (softmap_msync(region->at, size, flags) != 0)
    die("softmap_msync");
  if (pages_written() - before != pattern->count)
    die("msync wrote other pages than those stored to");
}

/* ---- Trials -------------------------------------------------------------------------------- */

static double
store(const struct trial *trial) {
  region_prepare(trial->region, trial->pattern);
  uint64_t before = write_faults();
  double start = now_us();
  pattern_store(trial->pattern, trial->region->at);
  double us = now_us() - start;
  way_check(trial->region->way, before, trial->pattern->count);
  region_stored(trial->region);
  return us;
}

static double
sync_stores(const struct trial *trial) {
  double start = now_us();
  region_sync(trial->region, trial->pattern, trial->flags);
  return now_us() - start;
}

double
trial_stores(void *arg) {
  double us = store(arg);
  sync_stores(arg);
  return us;
}

double
trial_sync(void *arg) {
  store(arg);
  return sync_stores(arg);
}

double
trial_both(void *arg) {
  double us = store(arg);
  return us + sync_stores(arg);
}
