/* 02_dirty.c - which bytes of the file a sync would write now: softmap_dirty. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

enum { NPAGES = 8 };

static ssize_t
print_dirty(const char *when, const char *memory, size_t len) {
  struct softmap_range ranges[NPAGES];
  ssize_t n = softmap_dirty(memory, len, ranges, NPAGES);

  printf("%s: %zd range(s)\n", when, n);
  for (ssize_t i = 0; i < n; i++)
    printf("  offset %lld, %zu bytes\n", (long long)ranges[i].offset, ranges[i].length);
  return n;
}

int
main(void) {
  size_t page = (size_t)softmap_page_size();
  size_t len = NPAGES * page - 100; /* the last page is not full */
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), (off_t)len) < 0)
    return perror("tmpfile"), 1;
  char *memory = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  if (memory == MAP_FAILED)
    return perror("softmap_mmap"), 1;

  ssize_t at_first = print_dirty("after mapping", memory, len);
  memory[2 * page] = 'a'; /* pages 2 and 3 are neighbours: one range, one write */
  memory[3 * page + 5] = 'b';
  memory[7 * page] = 'c'; /* the range ends where the file ends */
  ssize_t after_stores = print_dirty("after three stores", memory, len);
  if (softmap_msync(memory, len, MS_SYNC) < 0)
    return perror("softmap_msync"), 1;
  ssize_t after_sync = print_dirty("after msync", memory, len);

  return !(at_first == 0 && after_stores == 2 && after_sync == 0);
}
