/* protection.c - what the processor enforces, told by the kernel: with the fault tracker a page is
 * really read-only until it is stored to, and its neighbours stay so.
 */
#include "t.h"
#include "t_mman.h"

#include <stdio.h>
#include <string.h>

enum { NPAGES = 8 };

/* The protections of the pages of p as /proc/self/maps tells them: a letter a page, r for
 * readable only, w for writable as well, - for inaccessible, ? for anything else. */
static const char *
protections(const unsigned char *p) {
  static char letters[NPAGES + 1];
  char line[512], perms[5];
  unsigned long start, end;
  FILE *maps = fopen("/proc/self/maps", "r");

  T_CHECK(maps != NULL);
  memset(letters, '?', NPAGES);
  while (fgets(line, sizeof line, maps)) {
    T_EQ(sscanf(line, "%lx-%lx %4s", &start, &end, perms), 3);
    for (size_t i = 0; i < NPAGES; i++) {
      uintptr_t page = (uintptr_t)p + t_pages(i);
      if (start <= page && page + t_pages(1) <= end)
        letters[i] = !strncmp(perms, "r--", 3)   ? 'r'
                     : !strncmp(perms, "rw-", 3) ? 'w'
                     : !strncmp(perms, "---", 3) ? '-'
                                                 : '?';
    }
  }
  fclose(maps);
  return letters;
}

static void
protections_are(struct t_at at, const unsigned char *p, const char *want) {
  const char *got = protections(p);

  if (strcmp(got, want) != 0)
    t_fail(at, "protections %s, wanted %s", got, want);
}

#define PROTECTIONS(p, want) protections_are(T_HERE, p, want)

static unsigned char *
map(int prot, int type) {
  T_OK(softmap_configure("tracker", "fault"));
  T_OK(softmap_configure("ahead", "0"));
  unsigned char *p =
      mmap(NULL, t_pages(NPAGES), prot, type, t_tmpfile(NULL, (off_t)t_pages(NPAGES)), 0);
  T_CHECK(p != MAP_FAILED);
  T_MEM_OLD(p, t_pages(NPAGES), 0);
  return p;
}

static void
store_opens_its_page_and_no_neighbour(void) {
  unsigned char *p = map(PROT_READ | PROT_WRITE, MAP_SHARED);

  PROTECTIONS(p, "rrrrrrrr");
  T_STORES(p + t_pages(3) + 17, 'x');
  PROTECTIONS(p, "rrrwrrrr");
  T_STORES(p + t_pages(4) - 1, 'y'); /* the same page once more */
  PROTECTIONS(p, "rrrwrrrr");
  T_STORES(p + t_pages(NPAGES) - 1, 'z');
  T_STORES(p, 'a');
  PROTECTIONS(p, "wrrwrrrw");
}

static void
sync_closes_what_it_writes(void) {
  unsigned char *p = map(PROT_READ | PROT_WRITE, MAP_SHARED);

  T_STORES(p + t_pages(2), 'x');
  T_STORES(p + t_pages(5), 'y');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  PROTECTIONS(p, "rrrrrwrr");
  T_OK(msync(p, t_pages(NPAGES), MS_SYNC));
  PROTECTIONS(p, "rrrrrrrr");
  T_STORES(p + t_pages(2), 'z');
  PROTECTIONS(p, "rrwrrrrr");
}

static void
store_opens_its_page_in_one_mapping_only(void) {
  T_OK(softmap_configure("tracker", "fault"));
  int fd = t_tmpfile(NULL, (off_t)t_pages(NPAGES));
  unsigned char *p = mmap(NULL, t_pages(NPAGES), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unsigned char *q = mmap(NULL, t_pages(NPAGES), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  T_CHECK(p != MAP_FAILED && q != MAP_FAILED);
  T_STORES(p + t_pages(3), 'x');
  PROTECTIONS(p, "rrrwrrrr");
  PROTECTIONS(q, "rrrrrrrr");
  T_LOADS(q + t_pages(3), 'x');
}

static void
asked_protection_is_enforced(void) {
  unsigned char *p = map(PROT_READ | PROT_WRITE, MAP_SHARED);

  T_STORES(p + t_pages(1), 'x');
  T_STORES(p + t_pages(2), 'y');
  T_OK(mprotect(p + t_pages(1), t_pages(1), PROT_READ));
  T_OK(mprotect(p + t_pages(6), t_pages(1), PROT_NONE));
  PROTECTIONS(p, "rrwrrr-r");
  T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
  PROTECTIONS(p, "rrwrrr-r");
}

/* Unfilled pages are inaccessible; a load fills, but doesn't open. */
static void
load_of_an_unfilled_page_does_not_open(void) {
  T_OK(softmap_configure("tracker", "fault"));
  T_OK(softmap_configure("fill", "touch"));
  unsigned char *p = mmap(NULL, t_pages(NPAGES), PROT_READ | PROT_WRITE, MAP_SHARED,
                          t_tmpfile(NULL, (off_t)t_pages(NPAGES)), 0);

  T_CHECK(p != MAP_FAILED);
  PROTECTIONS(p, "--------");
  T_LOADS(p + t_pages(3), t_old_byte((off_t)t_pages(3)));
  T_CHECK(protections(p)[3] == 'r');
  T_CHECK(strchr(protections(p), 'w') == NULL);
  T_STORES(p + t_pages(3), 'x');
  T_CHECK(protections(p)[3] == 'w');
  T_CHECK(protections(p)[2] != 'w' && protections(p)[4] != 'w');
}

/* The control: the same look at a mapping where nothing needs noticing. */
static void
private_pages_are_writable_at_once(void) {
  unsigned char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

  PROTECTIONS(p, "wwwwwwww");
}

static const struct t_case cases[] = {
  T_CASE(store_opens_its_page_and_no_neighbour),    T_CASE(sync_closes_what_it_writes),
  T_CASE(store_opens_its_page_in_one_mapping_only), T_CASE(asked_protection_is_enforced),
  T_CASE(load_of_an_unfilled_page_does_not_open),   T_CASE(private_pages_are_writable_at_once),
};

T_MAIN(cases)
