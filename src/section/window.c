/* window.c - views of a section's data apart from the program's mappings: those may be inaccessible,
 * or unmapped and replaced meanwhile.  One to read, for write-back; one for the kernel to write.
 * Not inherited by fork: a child opens its own. */
#include <errno.h>
#include <sys/mman.h>

#include "section/window.h"

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
  int error = host_map_own(&addr, len, PROT_READ, MAP_SHARED | MAP_NORESERVE, section->data_fd,
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
    int error =
        window_open(section, start, npages < first - start + n ? first - start + n : npages);
    if (error)
      return error;
  }
  *out = section->window.addr + ((size_t)(first - section->window.first) << host_config.page_shift);
  return 0;
}

/* ---- The inlet ------------------------------------------------------------------------------ */

/* It is never moved, since threads may be using it: so it takes address space for a large file at once. */
#define INLET_SIZE ((size_t)(sizeof(void *) > 4 ? (uint64_t)1 << 30 : 0))

int
inlet_ready(struct section *section) {
  unsigned char *none = NULL;
  void *addr;
  if (atomic_load(&section->inlet) || INLET_SIZE == 0)
    return 0;
  int error = host_map_own(&addr, INLET_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                           section->data_fd, 0);
  if (error)
    return error;
  error = host_advise(addr, INLET_SIZE, MADV_DONTFORK);
  if (!error && atomic_compare_exchange_strong(&section->inlet, &none, addr))
    return 0;
  int unmap_error = host_unmap(addr, INLET_SIZE); /* another keeper was faster */
  return error ? error : unmap_error;
}

/* The byte before goes into the fence, and so first: if that was revoked nothing is read. */
bool
inlet_read(struct section *section, const unsigned char *fence, int fd, size_t len,
           uint64_t offset) {
  unsigned char *inlet = atomic_load(&section->inlet);
  if (!inlet || offset == 0 || offset > INLET_SIZE || len > INLET_SIZE - offset)
    return false;
  struct iovec vec[2] = { { .iov_base = fence_scratch(fence), .iov_len = 1 },
                          { .iov_base = inlet + offset, .iov_len = len } };
  size_t got;
  return !host_read_vectors(fd, vec, 2, offset - 1, &got) && got == len + 1;
}

void
inlet_close(struct section *section) {
  unsigned char *inlet = atomic_exchange(&section->inlet, NULL);
  if (inlet && host_unmap(inlet, INLET_SIZE))
    return; /* stays, and is used by nobody */
}
