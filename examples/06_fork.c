/* 06_fork.c - fork: shared mappings are shared with the child, private ones are copied. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <softmap/softmap.h>

int
main(void) {
  size_t len = (size_t)softmap_page_size();
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), (off_t)len) < 0)
    return perror("tmpfile"), 1;
  int fd = fileno(file);
  char *shared = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *mine = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (shared == MAP_FAILED || mine == MAP_FAILED)
    return perror("softmap_mmap"), 1;
  shared[0] = mine[0] = 'p';

  pid_t child = fork();
  if (child < 0)
    return perror("fork"), 1;
  if (child == 0) {
    shared[0] = mine[0] = 'c';
    return 0; /* at exit, too, dirty pages are written */
  }
  if (waitpid(child, NULL, 0) != child)
    return perror("waitpid"), 1;

  char in_file = '?';
  if (pread(fd, &in_file, 1, 0) != 1)
    return perror("pread"), 1;
  printf("the child stored c: shared %c, private %c, in the file %c\n", shared[0], mine[0],
         in_file);
  return !(shared[0] == 'c' && mine[0] == 'p' && in_file == 'c');
}
