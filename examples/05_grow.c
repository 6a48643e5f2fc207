/* 05_grow.c - a file that grows as it is stored to: map more than it has, and let a handler of
 * SIGBUS make it longer. Past its end softmap delivers the signal as the kernel would, and retries
 * the store when the handler returns.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <softmap/softmap.h>

enum { NPAGES = 6 };

static int fd;
static char *memory;
static size_t page;
static volatile sig_atomic_t times;

/* Makes the file just long enough for the page that was touched. */
static void
grow(int signo, siginfo_t *info, void *context) {
  (void)signo;
  (void)context;
  size_t wanted = (size_t)((char *)info->si_addr - memory) / page + 1;
  if (wanted > NPAGES || ftruncate(fd, (off_t)(wanted * page)) < 0)
    _exit(1);
  times++;
}

int
main(void) {
  /* Before the first mapping: softmap's handler goes in front and hands on what isn't its own. */
  struct sigaction action = { .sa_sigaction = grow, .sa_flags = SA_SIGINFO };
  if (sigaction(SIGBUS, &action, NULL) < 0)
    return perror("sigaction"), 1;

  FILE *file = tmpfile();
  if (!file)
    return perror("tmpfile"), 1;
  fd = fileno(file);
  page = (size_t)softmap_page_size();
  memory = softmap_mmap(NULL, NPAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED)
    return perror("softmap_mmap"), 1;

  for (size_t i = 0; i < NPAGES; i++)
    memory[i * page] = 'x'; /* the file is empty at first */

  struct stat now;
  if (softmap_msync(memory, NPAGES * page, MS_SYNC) < 0 || fstat(fd, &now) < 0)
    return perror("msync, fstat"), 1;
  printf("the file grew %d times, to %lld bytes\n", (int)times, (long long)now.st_size);
  return !(times == NPAGES && now.st_size == (off_t)(NPAGES * page));
}
