/* 04_pin.c - let read(2) fill mapped memory: pin it first.
 *
 * Stores of the program are noticed because they fault. A store by the kernel does not fault: a
 * system call that meets a closed page fails with EFAULT. softmap_pin opens the pages until
 * softmap_unpin.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

static const char message[] = "from a pipe";

int
main(void) {
  size_t len = (size_t)softmap_page_size();
  FILE *file = tmpfile();
  int ends[2];
  if (!file || ftruncate(fileno(file), (off_t)len) < 0 || pipe(ends) < 0)
    return perror("tmpfile, pipe"), 1;
  char *memory = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  if (memory == MAP_FAILED)
    return perror("softmap_mmap"), 1;
  for (int i = 0; i < 2; i++) /* for two reads, should the first one succeed after all */
    if (write(ends[1], message, sizeof message) != sizeof message)
      return perror("write"), 1;

  ssize_t unpinned = read(ends[0], memory, sizeof message);
  printf("not pinned: read returns %zd, %s\n", unpinned,
         unpinned < 0 ? strerror(errno) : "no error");

  if (softmap_pin(memory, sizeof message, PROT_WRITE) < 0)
    return perror("softmap_pin"), 1;
  ssize_t pinned = read(ends[0], memory, sizeof message);
  softmap_unpin(memory, sizeof message);
  printf("pinned: read returns %zd, \"%s\"\n", pinned, memory);

  /* What read(2) stored is dirty like any other store. */
  char in_file[sizeof message] = "";
  if (softmap_msync(memory, len, MS_SYNC) < 0 ||
      pread(fileno(file), in_file, sizeof in_file, 0) != sizeof in_file)
    return perror("msync, pread"), 1;
  printf("in the file: \"%s\"\n", in_file);
  return strcmp(in_file, message) != 0;
}
