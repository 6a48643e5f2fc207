/* floor_fill.c - read() into fresh anonymous memory of ordinary pages: softmap's memory is shared
 * with other processes and protected by the page, so huge pages would be another thing. */
#include "floor_fill.h"

#include <sys/mman.h>
#include <unistd.h>

static void
read_whole(const struct filling *filling, char *to) {
  size_t size = filling->npages * page_size();
  for (size_t at = 0; at < size;) {
    ssize_t got = pread(filling->fd, to + at, size - at, (off_t)at);
    if (got <= 0)
      die("pread");
    at += (size_t)got;
  }
}

double
floor_fill(void *arg) {
  const struct filling *filling = arg;
  size_t size = filling->npages * page_size();
  double start = now_us();
  char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    die("mmap");
  (void)madvise(at, size, MADV_NOHUGEPAGE); /* EINVAL: the host has none */
  read_whole(filling, at);
  touch(at, filling->npages);
  double us = now_us() - start;
  munmap(at, size);
  return us;
}
