/* planted.h - the rest of a killed process in the section directory, for tests that change it. */
#ifndef PLANTED_H
#define PLANTED_H

#include "sections.h"

#include "section/control.h"

#include <stddef.h>
#include <sys/stat.h>

enum { PAGES = 4, SECONDS_A_ROW = 20 };

static char path[T_PATH];
static int fd;
static char dir[T_PATH + 80]; /* of the section */
static char control[T_PATH + 96], data[T_PATH + 96];
static char text[4096];
static unsigned char *p;

static inline void
put(const char *name, size_t offset, const void *bytes, size_t len) {
  int file = t_open(name, O_RDWR);

  T_EQ(pwrite(file, bytes, len, (off_t)offset), len);
  (void)close(file);
}

static inline void
leave_a_rest(void) {
  struct softmap_section section;

  leave_dirt(path, PAGES, 2, 'd');
  fd = t_open(path, O_RDWR);
  section = T_THE_SECTION();
  T_EQ(section.flags, 0);
  T_EQ(section.dirty_pages, 2);
  (void)snprintf(dir, sizeof dir, "%s/%s", getenv("SOFTMAP_DIR"), section.name);
  (void)snprintf(control, sizeof control, "%s/control", dir);
  (void)snprintf(data, sizeof data, "%s/data", dir);
}

static inline void
map_it(void *arg) {
  (void)arg;
  p = mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
}

static inline void
other_file_can_be_mapped(void) {
  int other;
  unsigned char *q = T_MAP_NEW(NULL, &other, 2);

  PUT(q, 'q');
  T_OK(munmap(q, t_pages(2)));
  T_FILE_BYTE(other, 0, 'q');
  (void)close(other);
}

/* The name of the section, not its full path. */
static inline const char *
base_name(void) {
  return strrchr(dir, '/') + 1;
}

#endif
