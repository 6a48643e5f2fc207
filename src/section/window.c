/* window.c - a read-only view of a section's data for write-back, apart from the program's
 * mappings: those may be inaccessible, or unmapped and replaced while we write.
 * Not inherited by fork: a child opens its own. */
#include <errno.h>
#include <sys/mman.h>

#include "section/section.h"

/* Pages a window covers: large enough to be moved seldom, small enough for 32 bits. */
#define WINDOW_PAGES ((uint64_t)(sizeof(void *) > 4 ? 1 << 18 : 1 << 14))

void
window_close(struct section *section) {
  if (section->window.addr &&
      host_unmap(section->window.addr, (size_t)section->window.npages << host_config.page_shift))
    return; /* try again next time */
  section->window.addr = NULL;
  section->window.npages = 0;
}

static int
window_open(struct section *section, uint64_t first, uint64_t npages) {
  void *addr;
  size_t len = (size_t)npages << host_config.page_shift;
  int error = host_map(&addr, NULL, len, PROT_READ, MAP_SHARED | MAP_NORESERVE, section->data_fd,
                       (off_t)(first << host_config.page_shift));
  if (error)
    return error;
  section->window.addr = addr;
  section->window.first = first;
  section->window.npages = npages;
  return host_advise(addr, len, MADV_DONTFORK);
}

int
window_cover(struct section *section, uint64_t first, uint64_t n, unsigned char **out) {
  if (!section->window.addr || first < section->window.first ||
      first + n > section->window.first + section->window.npages) {
    window_close(section);
    if (section->window.addr)
      return ENOMEM;
    uint64_t start = first / WINDOW_RUN * WINDOW_RUN;
    uint64_t end = section_npages(section);
    uint64_t npages = end > start && end - start < WINDOW_PAGES ? end - start : WINDOW_PAGES;
    int error = window_open(section, start, npages < first - start + n ? first - start + n : npages);
    if (error)
      return error;
  }
  *out = section->window.addr + ((size_t)(first - section->window.first) << host_config.page_shift);
  return 0;
}
