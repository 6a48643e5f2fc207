/* store_pages.c - maps a file, stores an 'S' into each page that the arguments name, waits for a
 * line on standard input, syncs. A helper of strace-two-writes: it says "stored" when the stores are
 * done, and its system calls are looked at.
 *
 * usage: store_pages FILE PAGE...
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <softmap/softmap.h>

int
main(int argc, char **argv) {
  struct stat st;
  char line[16];
  int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;

  if (fd < 0 || fstat(fd, &st) < 0)
    return perror("open"), 1;
  size_t len = (size_t)st.st_size;
  char *p = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return perror("softmap_mmap"), 1;
  for (int i = 2; i < argc; i++)
    p[strtoul(argv[i], NULL, 10) * (size_t)softmap_page_size()] = 'S';

  puts("stored");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin))
    return fputs("nobody said go on\n", stderr), 1;
  if (softmap_msync(p, len, MS_SYNC) < 0)
    return perror("softmap_msync"), 1;
  return 0;
}
