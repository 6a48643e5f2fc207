/* variant.c - the one file that knows whether the program was built on softmap or on the host. */
#include "t.h"

#include <stdlib.h>
#include <unistd.h>

#ifdef SOFTMAP

#include <softmap/softmap.h>

bool
t_is_softmap(void) {
  return true;
}

static long
page_size(void) {
  return softmap_page_size();
}

uint64_t
t_mappings_served(void) {
  struct softmap_stats stats = { .size = sizeof stats };

  if (softmap_stats(&stats) != 0)
    t_fail(T_HERE, "softmap_stats failed");
  return stats.mappings_made;
}

#else

bool
t_is_softmap(void) {
  return false;
}

static long
page_size(void) {
  return sysconf(_SC_PAGESIZE);
}

uint64_t
t_mappings_served(void) {
  return 1;
}

#endif

size_t
t_page_size(void) {
  long size = page_size();

  if (size <= 0)
    t_fail(T_HERE, "page size %ld", size);
  return (size_t)size;
}

size_t
t_pages(size_t n) {
  return n * t_page_size();
}
