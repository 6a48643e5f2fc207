/* demo_pages.c - what softmap does to the pages of a file, printed as a table: before and after
 * stores, and after a sync. The first half of "make demo".
 *
 * Exits with 1 if anything it prints turned out not to be so.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

enum { NPAGES = 12, LAST_BYTES = 100, TEXT = 16 };

static const char name[] = "demo.txt";
static size_t page, len; /* bytes a page; bytes of the file */
static char *memory;     /* the mapping */
static char *before;     /* the file's bytes at first */
static char *expected;   /* the bytes that the file must have after the sync */
static bool is_colourful;
static bool is_wrong;

static void
check(bool ok, const char *what) {
  if (!ok) {
    printf("  NOT AS EXPECTED: %s\n", what);
    is_wrong = true;
  }
}

static void
must(bool ok, const char *what) {
  if (!ok) {
    fflush(stdout);
    perror(what);
    unlink(name);
    exit(1);
  }
}

/* ---- The file ------------------------------------------------------------------------------- */

/* Puts a short text at the start of a page. */
static void
put(char *bytes, int number, const char *text) {
  memcpy(bytes + (size_t)number * page, text, strlen(text));
}

static int
make_file(void) {
  len = (NPAGES - 1) * page + LAST_BYTES;
  before = malloc(len);
  expected = malloc(len);
  must(before && expected, "malloc");
  memset(before, '.', len);
  for (int i = 0; i < NPAGES; i++) {
    char text[TEXT + 1];
    snprintf(text, sizeof text, "old page %d", i);
    put(before, i, text);
  }
  memcpy(expected, before, len);
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0666);
  must(fd >= 0 && write(fd, before, len) == (ssize_t)len, name);
  return fd;
}

static void
read_file(int fd, char *bytes) {
  must(pread(fd, bytes, len, 0) == (ssize_t)len, name);
}

/* ---- The table of pages --------------------------------------------------------------------- */

static const char *
state_sign(uint8_t state) {
  switch ((enum softmap_page_state)state) {
  case SOFTMAP_PAGE_CLEAN:
    return ".";
  case SOFTMAP_PAGE_DIRTY:
    return "D";
  case SOFTMAP_PAGE_UNFILLED:
  case SOFTMAP_PAGE_FILLING:
  case SOFTMAP_PAGE_OPENED_AHEAD:
  case SOFTMAP_PAGE_WRITING:
  case SOFTMAP_PAGE_PAST_END:
  default:
    return "?"; /* none of them is met here */
  }
}

static const char *
prot_sign(uint8_t prot) {
  static const char *const signs[] = { "--", "r-", "-w", "rw" };
  return signs[(prot & PROT_READ ? 1 : 0) + (prot & PROT_WRITE ? 2 : 0)];
}

static void
cell(const char *sign, const char *colour) {
  if (is_colourful && colour)
    printf(" \033[%sm%2s\033[0m", colour, sign);
  else
    printf(" %2s", sign);
}

/* What the kernel itself says of a page: /proc/self/maps. */
static uint8_t
kernel_prot(const char *addr) {
  unsigned long start, end;
  char perms[5], line[512];
  uint8_t prot = 0;
  FILE *maps = fopen("/proc/self/maps", "r");

  must(maps != NULL, "/proc/self/maps");
  while (fgets(line, sizeof line, maps))
    if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) == 3 && (uintptr_t)addr >= start &&
        (uintptr_t)addr < end)
      prot = (uint8_t)((perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0));
  fclose(maps);
  return prot;
}

/* Three rows, a column a page. is_stored tells which pages must be dirty and writable. */
static void
print_table(const bool *is_stored) {
  struct softmap_page pages[NPAGES];
  bool is_right = true, kernel_agrees = true;

  must(softmap_pages(memory, len, pages, NPAGES) == NPAGES, "softmap_pages");
  printf("\n    page   ");
  for (int i = 0; i < NPAGES; i++)
    printf(" %2d", i);
  printf("\n    state  ");
  for (int i = 0; i < NPAGES; i++)
    cell(state_sign(pages[i].state), pages[i].state == SOFTMAP_PAGE_DIRTY ? "1;31" : NULL);
  printf("\n    asked  ");
  for (int i = 0; i < NPAGES; i++)
    cell(prot_sign(pages[i].asked), NULL);
  printf("\n    actual ");
  for (int i = 0; i < NPAGES; i++)
    cell(prot_sign(pages[i].actual), pages[i].actual & PROT_WRITE ? "1;32" : NULL);
  printf("\n\n");

  for (int i = 0; i < NPAGES; i++) {
    is_right &= pages[i].state == (is_stored[i] ? SOFTMAP_PAGE_DIRTY : SOFTMAP_PAGE_CLEAN) &&
                pages[i].actual == (is_stored[i] ? PROT_READ | PROT_WRITE : PROT_READ);
    kernel_agrees &= pages[i].actual == kernel_prot(memory + (size_t)i * page);
  }
  check(is_right, "states or protections of the pages");
  check(kernel_agrees, "/proc/self/maps tells other protections");
}

/* ---- What is shown -------------------------------------------------------------------------- */

static void
heading(const char *text) {
  printf(is_colourful ? "\033[1m%s\033[0m\n" : "%s\n", text);
}

static void
show_mapping(int fd) {
  static const bool none[NPAGES];

  heading("1. A file is mapped");
  printf("  %s has %zu bytes: %d pages of %zu, and %d bytes of one more.\n\n", name, len,
         NPAGES - 1, page, LAST_BYTES);
  printf("    p = softmap_mmap(NULL, %zu, PROT_READ | PROT_WRITE,\n"
         "                     MAP_SHARED, fd, 0);\n",
         len);
  /* Each page for itself, as it is explained here: none is opened before it is stored to. */
  must(softmap_configure("ahead", "0") == 0, "softmap_configure");
  memory = softmap_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(memory != MAP_FAILED, "softmap_mmap");
  print_table(none);
  printf("    state   .  as in the file     D  dirty: stored to, not yet in the file\n"
         "    asked   the protection that the program asked for (r read, w write)\n"
         "    actual  what the processor enforces now; /proc/self/maps says the same\n\n"
         "  The program may write, but no page is writable yet. So the first store\n"
         "  to a page faults, and softmap learns of it.\n\n");
}

static void
show_stores(int fd, const bool *is_stored, char *now) {
  struct softmap_range ranges[NPAGES];

  heading("2. The program stores into pages 3, 4 and 9");
  printf("  Plain stores, memcpy(p + 3 * %zu, ...) and so on. No call tells softmap.\n", page);
  for (int i = 0; i < NPAGES; i++)
    if (is_stored[i]) {
      put(memory, i, "STORED BY US");
      put(expected, i, "STORED BY US");
    }
  print_table(is_stored);

  ssize_t n = softmap_dirty(memory, len, ranges, NPAGES);
  printf("  softmap_dirty: a sync would write now\n");
  for (ssize_t i = 0; i < n; i++)
    printf("    bytes %5lld to %5lld  (%zu page%s)\n", (long long)ranges[i].offset,
           (long long)ranges[i].offset + (long long)ranges[i].length - 1, ranges[i].length / page,
           ranges[i].length / page == 1 ? "" : "s");
  check(n == 2 && ranges[0].offset == (off_t)(3 * page) && ranges[0].length == 2 * page &&
            ranges[1].offset == (off_t)(9 * page) && ranges[1].length == page,
        "the dirty ranges");
  read_file(fd, now);
  check(memcmp(now, before, len) == 0, "the file has changed already");
  printf("  The file itself has not changed yet.\n\n");
}

/* A process that knows nothing of softmap. */
static void
show_other_writer(void) {
  char command[128];

  heading("3. Meanwhile, another process writes into page 5 of the file");
  snprintf(command, sizeof command,
           "printf 'ANOTHER PROCESS' | dd of=%s bs=1 seek=%zu conv=notrunc", name, 5 * page);
  printf("\n    $ %s\n\n", command);
  strcat(command, " 2>/dev/null");
  fflush(stdout);
  must(system(command) == 0, "dd");
  put(expected, 5, "ANOTHER PROCESS");
}

static void
show_bytes(const char *now, const bool *is_stored) {
  static const int shown[] = { 2, 3, 4, 5, 9, 10 };

  printf("    page  file before       file after        written by\n");
  for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
    size_t at = (size_t)shown[i] * page;
    printf("      %2d  %.*s  %.*s  %s\n", shown[i], TEXT, before + at, TEXT, now + at,
           is_stored[shown[i]] ? "softmap"
           : shown[i] == 5     ? "the other process"
                               : "nobody");
  }
}

static void
count(const char *what, uint64_t n, const char *remark) {
  printf("    %-15s %llu   %s\n", what, (unsigned long long)n, remark);
}

static void
show_sync(int fd, const bool *is_stored, char *now) {
  static const bool none[NPAGES];
  struct softmap_stats then = { .size = sizeof then }, after = { .size = sizeof after };

  heading("4. The program syncs");
  must(softmap_stats(&then) == 0, "softmap_stats");
  must(softmap_msync(memory, len, MS_SYNC) == 0, "softmap_msync");
  must(softmap_stats(&after) == 0, "softmap_stats");
  printf("\n    softmap_msync(p, %zu, MS_SYNC);\n", len);
  print_table(none);

  uint64_t writes = after.writes - then.writes, pages = after.pages_written - then.pages_written;
  printf("  What softmap_stats counted:\n");
  count("stores noticed", after.faults_write, "the first store to each page");
  count("pages written", pages, "those that were stored to");
  count("writes", writes, "pages 3 and 4, which are neighbours, left in one");
  count("flushes", after.flushes - then.flushes, "fdatasync(2), result checked");
  printf("\n");
  check(writes == 2 && pages == 3 && after.faults_write == 3, "the statistics");

  read_file(fd, now);
  show_bytes(now, is_stored);
  check(memcmp(now, expected, len) == 0, "the file's bytes");
  if (memcmp(now, expected, len) == 0)
    printf("\n  All %zu bytes compared: nothing else has changed. Page 5 lies beside a page\n"
           "  that was written, and kept what the other process put there: a page that\n"
           "  nobody stored to is never written.\n",
           len);
}

int
main(void) {
  static const bool is_stored[NPAGES] = { [3] = true, [4] = true, [9] = true };

  is_colourful = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
  page = (size_t)softmap_page_size();
  int fd = make_file();
  char *now = malloc(len);
  must(now != NULL, "malloc");

  show_mapping(fd);
  show_stores(fd, is_stored, now);
  show_other_writer();
  show_sync(fd, is_stored, now);
  free(now);
  free(before);
  free(expected);
  unlink(name);
  return is_wrong;
}
