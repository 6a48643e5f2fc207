/* shown.c - what the system shows of a process that maps with softmap. */
#include "t_engine.h"

#include <inttypes.h>

/* The line of /proc/self/maps that has the address. */
static void
line_of(const unsigned char *at, char line[T_PATH + 128]) {
  FILE *maps = fopen("/proc/self/maps", "re");
  bool found = false;

  T_CHECK(maps != NULL);
  while (!found && fgets(line, T_PATH + 128, maps) != NULL) {
    uintptr_t from = 0;
    uintptr_t to = 0;

    found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 &&
            from <= (uintptr_t)at && // NOLINT(cert-err34-c)
            (uintptr_t)at < to;
  }
  (void)fclose(maps);
  T_CHECK(found);
}

static void
maps_has_the_sections_files_and_protections(void) {
  struct softmap_page page;
  char line[T_PATH + 128];
  char path[T_PATH];
  int fd;
  unsigned char *p;

  T_ON_FAULT();
  p = T_MAP_NEW(path, &fd, 2);
  line_of(p, line);
  T_CHECK(strstr(line, getenv("SOFTMAP_DIR")) != NULL && strstr(line, "/data") != NULL);
  T_CHECK(strstr(line, path) == NULL);
  T_CHECK(strstr(line, " r--s ") != NULL);
  T_EQ(softmap_pages(p, 1, &page, 1), 1);
  T_EQ(page.asked, RW);
  T_EQ(page.actual, PROT_READ);
  PUT(p, 'x');
  line_of(p, line);
  T_CHECK(strstr(line, " rw-s ") != NULL);
  line_of(p + t_page_size(), line);
  T_CHECK(strstr(line, " r--s ") != NULL);
}

static const struct t_case cases[] = {
  T_CASE(maps_has_the_sections_files_and_protections),
};
T_MAIN(cases)
