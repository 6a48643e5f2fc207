/* floor_sync.c - write-back by hand: whoever knows which runs are dirty needs no more than this. */
#include "floor_sync.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

size_t
dirt_pages(const struct dirt *dirt) {
  return dirt->npages / dirt->stride * dirt->run;
}

void
dirt_store(const struct dirt *dirt) {
  for (size_t first = 0; first < dirt->npages; first += dirt->stride)
    for (size_t i = 0; i < dirt->run; i++)
      ++*(volatile char *)(dirt->at + (first + i) * page_size());
}

static void
write_run(const struct dirt *dirt, size_t first) {
  size_t skip = first * page_size();
  struct iovec vec = { dirt->at + skip, dirt->run * page_size() };
  if (pwritev(dirt->fd, &vec, 1, (off_t)skip) != (ssize_t)vec.iov_len)
    die("pwritev");
}

double
floor_sync(void *arg) {
  const struct dirt *dirt = arg;
  dirt_store(dirt);
  double start = now_us();
  for (size_t first = 0; first < dirt->npages; first += dirt->stride)
    write_run(dirt, first);
  if (fdatasync(dirt->fd) != 0)
    die("fdatasync");
  return now_us() - start;
}

/* As faults would leave them: closed, but for the runs. */
static void
open_runs(const struct dirt *dirt) {
  protect(dirt->at, dirt->npages, PROT_READ);
  for (size_t first = 0; first < dirt->npages; first += dirt->stride)
    protect(dirt->at + first * page_size(), dirt->run, PROT_READ | PROT_WRITE);
}

double
floor_sync_closing(void *arg) {
  const struct dirt *dirt = arg;
  open_runs(dirt);
  dirt_store(dirt);
  double start = now_us();
  for (size_t first = 0; first < dirt->npages; first += dirt->stride) {
    protect(dirt->at + first * page_size(), dirt->run, PROT_READ);
    write_run(dirt, first);
  }
  if (fdatasync(dirt->fd) != 0)
    die("fdatasync");
  return now_us() - start;
}
