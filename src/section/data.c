/* data.c - the data file: the memory image itself, exactly as long as the file rounded up to a
 * page.  Read and written by system calls, never through a mapping: another process may cut it
 * off at any moment. */
#include <errno.h>
#include <fcntl.h>

#include "section/section.h"

static int
write_fenced(struct section *section, int fd, const unsigned char *fence,
             const unsigned char *from, size_t len, uint64_t offset, size_t *done) {
  while (len > 0) {
    struct iovec vec[2] = {
      { .iov_base = (void *)(uintptr_t)(fence + *from), .iov_len = 1 },
      { .iov_base = (void *)(uintptr_t)(from + 1), .iov_len = len - 1 },
    };
    size_t put;
    int error = host_write(fd, vec, 2, offset, &put);
    if (error == EFAULT)
      return fence_was_revoked(section, fence);
    if (error)
      return error;
    if (put == 0)
      return EIO;
    from += put;
    len -= put;
    offset += put;
    *done += put;
  }
  return 0;
}

int
data_write(struct section *section, const unsigned char *fence, const unsigned char *from,
           size_t len, uint64_t offset) {
  size_t done = 0;
  return write_fenced(section, section->data_fd, fence, from, len, offset, &done);
}

int
data_write_file(struct section *section, const unsigned char *fence, const unsigned char *from,
                size_t len, uint64_t offset, size_t *done) {
  *done = 0;
  return write_fenced(section, section->file_fd, fence, from, len, offset, done);
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

/* Below this it is cheaper to read a hole than to look for it. */
#define SEEK_MIN ((uint64_t)1 << 20)

static int
open_own(struct section *section, int *out) {
  *out = atomic_load(&section->own_fd);
  if (*out >= 0)
    return 0;
  int error = host_reopen(out, section->file_fd, O_RDONLY | O_CLOEXEC);
  int none = -1;
  if (error || atomic_compare_exchange_strong(&section->own_fd, &none, *out))
    return error;
  error = host_close(*out); /* another keeper was faster */
  *out = none;
  return error;
}

int
data_of_file(struct section *section, uint64_t offset, uint64_t limit, uint64_t *start,
             uint64_t *end) {
  *start = offset;
  *end = limit;
  if (limit - offset < SEEK_MIN)
    return 0;
  /* Looking for data moves a descriptor's position, and file_fd shares the program's. */
  int fd;
  return open_own(section, &fd) ? 0 : host_next_data(fd, offset, limit, start, end);
}

int
data_read_file(struct section *section, unsigned char *to, size_t len, uint64_t offset,
               size_t *got) {
  int fd;
  int error = host_read(section->file_fd, to, len, offset, got);
  if (error == EINVAL && !open_own(section, &fd)) /* O_DIRECT wants whole blocks */
    error = host_read(fd, to, len, offset, got);
  return error;
}

int
data_change_file(struct section *section, int fd) {
  for (size_t i = 0; i < sizeof section->old_fd / sizeof *section->old_fd; i++)
    if (section->old_fd[i] < 0) {
      section->old_fd[i] = section->file_fd;
      section->file_fd = fd;
      return 0;
    }
  return EMFILE;
}
