/* watch.h - what tests of the tracker "watch" share: having it, or skipping. */
#ifndef WATCH_H
#define WATCH_H

#include "t_engine.h"

/* Mappings from here on are watched. */
static inline void
use_watch(void) {
  if (softmap_configure("tracker", "watch") == 0)
    return;
  T_EQ(errno, EOPNOTSUPP);
  t_skip("this kernel, or its settings, refuse its write watch");
}

/* Pages of [p, p + npages) written by a sync of all of them. */
static inline uint64_t
pages_synced(const unsigned char *p, size_t npages) {
  uint64_t before = T_STATS().pages_written;

  T_OK(msync((void *)(uintptr_t)p, t_pages(npages), MS_SYNC));
  return T_STATS().pages_written - before;
}

#endif
