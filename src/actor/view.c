/* view.c - what can be seen of the pages: by softmap_pages, or from the host. */
#include "actor/actor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

enum { PAGE_RATIO_MAX = 256 }; /* a script's pages are at most 1 MiB, the host's at least 4 KiB */

/* ---- The host's own mappings --------------------------------------------------------------- */

/* Protection as /proc/self/maps has it; 0xff: can't be seen. */
static uint8_t
host_protection(const char *addr) {
  char line[512];
  uint8_t prot = 0xff;
  FILE *maps = fopen("/proc/self/maps", "re");
  if (!maps)
    return prot;
  while (prot == 0xff && fgets(line, sizeof line, maps)) {
    char *at; /* START-END PERMISSIONS */
    unsigned long start = strtoul(line, &at, 16);
    unsigned long end = *at == '-' ? strtoul(at + 1, &at, 16) : 0;
    const char *letters = at + 1;
    if ((uintptr_t)addr >= start && (uintptr_t)addr < end && strlen(at) > 4)
      prot = (uint8_t)((letters[0] == 'r' ? PROT_READ : 0) | (letters[1] == 'w' ? PROT_WRITE : 0) |
                       (letters[2] == 'x' ? PROT_EXEC : 0));
  }
  (void)fclose(maps);
  return prot;
}

/* Whether the page is this process's own, no longer the file's (/proc/self/pagemap). */
static bool
host_is_copied(const char *addr) {
  const uint64_t present = (uint64_t)1 << 63, of_file = (uint64_t)1 << 61;
  uint64_t entry = 0;
  off_t at = (off_t)((uintptr_t)addr / memory_page() * sizeof entry);
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  bool ok = pread(fd, &entry, sizeof entry, at) == sizeof entry;
  (void)close(fd);
  return ok && (entry & present) && !(entry & of_file);
}

static struct actor_page
host_page(const struct region *region, uint64_t i) {
  char *addr = region->addr + i * memory_page();
  unsigned char in_memory[PAGE_RATIO_MAX] = { 0 }; /* one of the host's pages each */
  struct actor_page page = { .is_mapped = region->is_page[i], .asked = region->asked[i] };
  if (!page.is_mapped)
    return page;
  page.actual = host_protection(addr);
  (void)mincore(addr, memory_page(), in_memory);
  page.state = in_memory[0] & 1 ? HOST_PAGE_CACHED : HOST_PAGE_UNCACHED;
  if (region->is_private && host_is_copied(addr))
    page.state = HOST_PAGE_COPIED;
  return page;
}

/* ---- softmap's ----------------------------------------------------------------------------- */

/* Where the pages [i, end) of a region that are still its own end. */
static uint64_t
run_end(const struct region *region, uint64_t i) {
  while (i < region->npages && i < PAGES_MAX && region->is_page[i])
    i++;
  return i;
}

static void
look_at_run(const struct region *region, uint64_t first, uint64_t end, struct actor_page *out) {
  static struct softmap_page page[PAGES_MAX];
  size_t n = (size_t)(end - first);
  if (softmap_pages(region->addr + first * memory_page(), n * memory_page(), page, n) != (ssize_t)n)
    return;
  for (size_t i = 0; i < n; i++)
    out[first + i] = (struct actor_page){ .state = page[i].state,
                                          .asked = page[i].asked,
                                          .actual = page[i].actual,
                                          .is_mapped = 1,
                                          .is_pinned = page[i].pinned,
                                          .is_open_elsewhere = page[i].open_elsewhere };
}

void
view_pages(const struct region *region, struct actor_page *out) {
  for (uint64_t i = 0; i < region->npages && i < PAGES_MAX; i++) {
    out[i] = (struct actor_page){ 0 };
    if (memory_is_native())
      out[i] = host_page(region, i);
  }
  for (uint64_t i = 0; i < region->npages && i < PAGES_MAX && !memory_is_native(); i++) {
    uint64_t end = run_end(region, i);
    if (end > i)
      look_at_run(region, i, end, out);
    i = end;
  }
}

uint32_t
view_faults(void) {
  static uint64_t before;
  struct softmap_stats stats = { .size = sizeof stats };
  if (memory_is_native() || softmap_stats(&stats) < 0)
    return 0;
  uint64_t now = stats.faults_write + stats.faults_fill + stats.faults_past_end;
  uint64_t new = now - before;
  before = now;
  return (uint32_t) new;
}
