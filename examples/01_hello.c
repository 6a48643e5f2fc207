/* 01_hello.c - map a file, store into memory, sync: the bytes are in the file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

int
main(void) {
  int fd = open("hello.txt", O_RDWR | O_CREAT | O_TRUNC, 0666);
  if (fd < 0 || write(fd, "Hello, WORLD!\n", 14) != 14)
    return perror("hello.txt"), 1;

  /* The arguments of mmap(2), and its errno. */
  char *text = softmap_mmap(NULL, 14, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (text == MAP_FAILED)
    return perror("softmap_mmap"), 1;

  memcpy(text + 7, "pages", 5); /* a store like any other; no call */

  if (softmap_msync(text, 14, MS_SYNC) < 0)
    return perror("softmap_msync"), 1;

  char in_file[14];
  if (pread(fd, in_file, sizeof in_file, 0) != sizeof in_file)
    return perror("pread"), 1;
  printf("in the file: %.14s", in_file);

  softmap_munmap(text, 14);
  close(fd); /* could have been closed right after softmap_mmap */
  unlink("hello.txt");
  return memcmp(in_file, "Hello, pages!\n", 14) != 0;
}
