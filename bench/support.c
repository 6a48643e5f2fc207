/* support.c - files, memory, failing. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

void
die(const char *what) {
  fprintf(stderr, "bench: %s: %s\n", what, errno ? strerror(errno) : "unexpected result");
  exit(1);
}

size_t
page_size(void) {
  static size_t size;
  if (size == 0)
    size = (size_t)softmap_page_size();
  return size;
}

static void
write_pages(int fd, size_t npages) {
  size_t chunk = 256 * page_size();
  size_t size = npages * page_size();
  char *data = malloc(chunk);
  if (!data)
    die("malloc");
  memset(data, 7, chunk);
  for (size_t at = 0; at < size;) {
    ssize_t put = pwrite(fd, data, size - at < chunk ? size - at : chunk, (off_t)at);
    if (put <= 0)
      die("writing a file");
    at += (size_t)put;
  }
  free(data);
  if (fsync(fd) != 0)
    die("fsync");
}

static int
new_file(const char *dir) {
  char path[4096];
  snprintf(path, sizeof path, "%s/softmap-bench-XXXXXX", dir);
  int fd = mkostemp(path, O_CLOEXEC);
  if (fd < 0 || unlink(path) != 0)
    die(path);
  return fd;
}

int
file_of(const char *dir, size_t npages) {
  int fd = new_file(dir);
  write_pages(fd, npages);
  return fd;
}

int
sparse_file(size_t bytes) {
  int fd = new_file(options.memory);
  if (ftruncate(fd, (off_t)bytes) != 0)
    die("ftruncate");
  return fd;
}

char *
map_file(int fd, size_t npages) {
  char *at = softmap_mmap(NULL, npages * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    die("softmap_mmap");
  touch(at, npages);
  return at;
}

char *
shared_memory(size_t npages) {
  int fd = file_of(options.memory, npages);
  char *at = mmap(NULL, npages * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED || close(fd) != 0)
    die("mmap");
  for (size_t i = 0; i < npages; i++)
    at[i * page_size()] = 7;
  return at;
}

void
touch(const char *at, size_t npages) {
  for (size_t i = 0; i < npages; i++)
    (void)*(const volatile char *)(at + i * page_size());
}

static struct softmap_stats
stats_now(void) {
  struct softmap_stats stats = { .size = sizeof stats };
  if (softmap_stats(&stats) != 0)
    die("softmap_stats");
  return stats;
}

uint64_t
pages_written(void) {
  return stats_now().pages_written;
}

uint64_t
write_faults(void) {
  return stats_now().faults_write;
}
