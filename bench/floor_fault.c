/* floor_fault.c - the bare way to notice stores: a SIGSEGV handler that does nothing but open the
 * page.  It keeps no record and looks nothing up. */
#include "bench.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sigaction replaced;
static uintptr_t page_mask;
static size_t page_bytes;
static int begun;

static void
open_page(int sig, siginfo_t *info, void *context) {
  (void)sig;
  (void)context;
  uintptr_t page = (uintptr_t)info->si_addr & page_mask;
  if (mprotect((void *)page, page_bytes, PROT_READ | PROT_WRITE) != 0)
    _exit(1);
}

void
bare_begin(void) {
  if (begun++ > 0)
    return;
  page_bytes = page_size();
  page_mask = ~(uintptr_t)(page_bytes - 1);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = open_page;
  sigfillset(&action.sa_mask);
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  if (sigaction(SIGSEGV, &action, &replaced) != 0)
    die("sigaction");
}

void
bare_end(void) {
  if (--begun == 0 && sigaction(SIGSEGV, &replaced, NULL) != 0)
    die("sigaction");
}

void
protect(char *at, size_t npages, int prot) {
  if (mprotect(at, npages * page_size(), prot) != 0)
    die("mprotect");
}
