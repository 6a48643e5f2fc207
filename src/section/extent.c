/* extent.c - mapping the parts of a control file, as far as the mappings of this process and the
 * file reach.  Extents are added, never moved: the fault handler uses their addresses. */
#include <errno.h>
#include <sys/mman.h>

#include "section/lane.h"

int
extent_map_file(int fd, uint64_t offset, size_t len, int prot, void **out) {
  int error = host_map_own(out, len, prot, MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);
  return error == EAGAIN ? ENOMEM : error;
}

int
extent_map_head(struct section *section) {
  int error = control_reserve(section->control_fd, CONTROL_HEAD_SIZE);
  if (error)
    return error;
  void *addr;
  error = extent_map_file(section->control_fd, 0, (size_t)CONTROL_HEAD_SIZE, PROT_READ | PROT_WRITE,
                          &addr);
  if (error)
    return error;
  section->control = addr;
  section->extent[0].states = (page_byte *)addr + control_extent_offset(0);
  section->extent[0].summary = section->extent[0].states + extent_pages(0);
  atomic_store(&section->nextents, 1);
  return 0;
}

static size_t
states_len(unsigned extent) {
  return (size_t)(extent_pages(extent) + extent_summary_size(extent));
}

static int
add_extent(struct section *section, unsigned extent) {
  uint64_t offset = control_extent_offset(extent);
  int error = control_reserve(section->control_fd, offset + states_len(extent));
  if (error)
    return error;
  void *addr = (void *)section->extent[extent].states;
  if (!addr)
    error = extent_map_file(section->control_fd, offset, states_len(extent), PROT_READ | PROT_WRITE,
                            &addr);
  if (error)
    return error;
  section->extent[extent].states = addr;
  section->extent[extent].summary = section->extent[extent].states + extent_pages(extent);
  error = section->extent[extent].lane ? 0 : lane_reach(section, extent);
  if (!error)
    atomic_store(&section->nextents, extent + 1);
  return error;
}

int
extent_reach(struct section *section, uint64_t npages) {
  if (npages > SECTION_PAGES_MAX)
    return EOVERFLOW;
  int error = 0;
  while (section_reach(section) < npages && !error)
    error = add_extent(section, atomic_load(&section->nextents));
  return error;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; Debian 12's headers may lack it */
#endif

/* Pages of a range whose bytes are worth having in advance: 512 KiB each of states and lane. */
#define POPULATE_MAX ((uint64_t)1 << 19)

static int
populate(page_byte *from, uint64_t n) {
  uintptr_t mask = 4096 - 1;
  uintptr_t start = (uintptr_t)from & ~mask;
  uintptr_t end = ((uintptr_t)from + (uintptr_t)n + mask) & ~mask;
  int error = host_advise((void *)start, end - start, MADV_POPULATE_WRITE);
  return error == EINVAL ? 0 : error; /* an older kernel */
}

int
extent_populate(struct section *section, uint64_t first, uint64_t npages) {
  if (npages > POPULATE_MAX)
    return 0;
  int error = 0;
  for (uint64_t page = first; page < first + npages && !error;) {
    unsigned k = extent_of(page);
    uint64_t end = extent_first(k + 1) < first + npages ? extent_first(k + 1) : first + npages;
    error = populate(section_state(section, page), end - page);
    if (!error)
      error = populate(section_lane(section, page), end - page);
    if (!error)
      error = populate(section_summary(section, page), 1);
    page = end;
  }
  return error ? ENOSPC : 0;
}

static void
unmap(page_byte **addr, size_t len) {
  if (*addr && !host_unmap((void *)*addr, len))
    *addr = NULL;
}

void
extent_unmap_all(struct section *section) {
  for (unsigned k = 0; k < EXTENT_MAX; k++) {
    struct extent *extent = &section->extent[k];
    unmap(&extent->lane, (size_t)extent_pages(k));
    unmap((page_byte **)&extent->pins, (size_t)extent_pages(k) * sizeof *extent->pins);
    unmap(&section->peers[k].lanes, (size_t)extent_pages(k) * section->peers[k].count);
    if (k > 0)
      unmap(&extent->states, states_len(k));
  }
  page_byte *head = (page_byte *)section->control;
  unmap(&head, (size_t)CONTROL_HEAD_SIZE);
}
