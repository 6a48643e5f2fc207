/* own_tracker.c - lab 9: a tracker of your own, in its simplest form.  cc -o own_tracker own_tracker.c
 *
 * Memory is read-only until a store faults; the handler marks the page and opens it.  It has every
 * mistake that labs 2 to 8 are about: find them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NPAGES = 3 };
static char *memory;
static size_t page;
static volatile sig_atomic_t is_dirty[NPAGES], faults;

static void
on_fault(int number, siginfo_t *info, void *context) {
  char *addr = info->si_addr;
  (void)context;
  if (addr < memory || addr >= memory + NPAGES * page) {
    signal(number, SIG_DFL); /* not ours: let it happen again */
    return;
  }
  size_t i = (size_t)(addr - memory) / page;
  faults = faults + 1;
  is_dirty[i] = 1;                                               /* mark ... */
  mprotect(memory + i * page, page, PROT_READ | PROT_WRITE);     /* ... then open */
}

static void
sync_to(FILE *file) {
  for (size_t i = 0; i < NPAGES; i++)
    if (is_dirty[i]) {
      is_dirty[i] = 0;                                           /* clear, */
      mprotect(memory + i * page, page, PROT_READ);              /* close, */
      fseek(file, (long)(i * page), SEEK_SET);
      fwrite(memory + i * page, 1, page, file);                  /* and only then write */
    }
  fflush(file);
}

static void
show(const char *when) {
  printf("%-22s", when);
  for (size_t i = 0; i < NPAGES; i++)
    printf("  page %zu %s", i, is_dirty[i] ? "dirty" : "clean");
  printf("  faults %d\n", (int)faults);
}

int
main(void) {
  struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
  FILE *file = tmpfile();
  char back[8] = { 0 };
  page = (size_t)sysconf(_SC_PAGESIZE);
  memory = mmap(NULL, NPAGES * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!file || memory == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) < 0)
    return 1;
  show("mapped");
  strcpy(memory + page, "NEW");
  show("a store in page 1");
  strcpy(memory + page + 3, "ER");
  show("another one");
  sync_to(file);
  show("synced");
  fseek(file, (long)page, SEEK_SET);
  if (fread(back, 1, 5, file) != 5)
    return 1;
  printf("the file has            \"%s\"\n", back);
  strcpy(memory + 2 * page, "last");
  show("a store in page 2");
  return strcmp(back, "NEWER") != 0;
}
