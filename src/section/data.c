/* data.c - the data file: the memory image itself, exactly as long as the file rounded up to a
 * page.  Read and written by system calls, never through a mapping: another process may cut it
 * off at any moment. */
#include <errno.h>

#include "section/section.h"

int
data_write(struct section *section, const unsigned char *from, size_t len, uint64_t offset) {
  while (len > 0) {
    struct iovec vec = { .iov_base = (void *)(uintptr_t)from, .iov_len = len };
    size_t put;
    int error = host_write(section->data_fd, &vec, 1, offset, &put);
    if (error)
      return error;
    if (put == 0)
      return EIO;
    from += put;
    len -= put;
    offset += put;
  }
  return 0;
}

int
data_read(struct section *section, unsigned char *to, size_t len, uint64_t offset, size_t *got) {
  return host_read(section->data_fd, to, len, offset, got);
}

int
data_map(struct section *section, uint64_t first, uint64_t npages, void *addr, int prot, int flags,
         void **out) {
  return host_map(out, addr, (size_t)(npages << host_config.page_shift), prot, flags,
                  section->data_fd, (off_t)(first << host_config.page_shift));
}
