/* 03_two_mappings.c - two mappings of one file are one memory; a private one keeps its stores. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

int
main(void) {
  size_t len = (size_t)softmap_page_size();
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), (off_t)len) < 0)
    return perror("tmpfile"), 1;
  int fd = fileno(file);

  char *one = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const char *two = softmap_mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
  char *mine = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (one == MAP_FAILED || two == MAP_FAILED || mine == MAP_FAILED)
    return perror("softmap_mmap"), 1;

  one[0] = 'S';  /* seen through the other mapping at once, without a sync */
  mine[0] = 'P'; /* seen here only, and never written to the file */

  char in_file = '?';
  if (softmap_msync(one, len, MS_SYNC) < 0 || pread(fd, &in_file, 1, 0) != 1)
    return perror("msync, pread"), 1;
  printf("one %c, two %c, private %c, in the file %c\n", one[0], two[0], mine[0], in_file);
  return !(two[0] == 'S' && mine[0] == 'P' && in_file == 'S');
}
