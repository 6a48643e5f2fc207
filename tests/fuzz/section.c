/* section.c - a fuzz target: what is found in the section directory is changed as the input says, and
 * then looked at, mapped, stored to, synced and recovered. Nothing may crash or hang, whatever it is.
 *
 * The input is a list of changes to the rest that a killed process left of a file of four pages:
 *
 *     PLACE OFFSET OFFSET LENGTH BYTES...
 *
 * OFFSET is little-endian and counts from the start of the place; what isn't there is cut off.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <softmap/softmap.h>

#ifndef SOFTMAP_INJECT
#define SOFTMAP_INJECT 1 /* as the engine that this is linked with */
#endif
#include "section/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGES = 4, DIRTY_PAGES = 2, HEAD = 4096, NAME_MAX_LENGTH = 64 };

enum place {
  PLACE_HEADER,
  PLACE_RECORDS,
  PLACE_STATES,
  PLACE_SUMMARY,
  PLACE_LANE,
  PLACE_NEXT_LANE,
  PLACE_CONTROL_SIZE, /* the first four bytes, times 64, are the new size */
  PLACE_DATA_SIZE,
  PLACE_FILE_SIZE,
  PLACE_COUNT
};

static char top[256]; /* of the section directory and of the file */
static char file_path[300];
static char dir[300];
static char name[NAME_MAX_LENGTH];
static int file = -1;
static size_t page_size;
static unsigned char head[PLACE_CONTROL_SIZE][HEAD]; /* what the places hold */

static void
need(int ok, const char *what) {
  if (ok)
    return;
  perror(what);
  abort();
}

static uint64_t
offset_of(enum place place) {
  switch (place) {
  case PLACE_RECORDS:
    return CONTROL_RECORDS;
  case PLACE_STATES:
    return control_extent_offset(0);
  case PLACE_SUMMARY:
    return control_extent_offset(0) + extent_pages(0);
  case PLACE_LANE:
    return control_lane_offset(0, 0);
  case PLACE_NEXT_LANE:
    return control_lane_offset(0, 1);
  case PLACE_HEADER:
  case PLACE_CONTROL_SIZE:
  case PLACE_DATA_SIZE:
  case PLACE_FILE_SIZE:
  case PLACE_COUNT:
  default:
    return 0;
  }
}

/* ---- The rest -------------------------------------------------------------------------------- */

static void
remove_all(void) {
  char command[400];

  (void)snprintf(command, sizeof command, "rm -rf '%s'", top);
  if (system(command) != 0) /* NOLINT(concurrency-mt-unsafe): at exit */
    perror(command);
}

static void
reset_file(void) {
  static const unsigned char old[PAGES] = "abcd";

  need(ftruncate(file, (off_t)(PAGES * page_size)) == 0, "ftruncate");
  for (size_t i = 0; i < PAGES; i++)
    need(pwrite(file, &old[i], 1, (off_t)(i * page_size)) == 1, "pwrite");
}

static _Noreturn void
leave_a_rest(void) {
  char *p;

  p = softmap_mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (p == MAP_FAILED)
    _exit(1);
  for (size_t i = 0; i < DIRTY_PAGES; i++)
    p[i * page_size] = 'x';
  _exit(0);
}

static void
read_rest(void) {
  char control[400];
  struct softmap_section section;
  int fd;

  need(softmap_sections(&section, 1) == 1, "softmap_sections");
  memcpy(name, section.name, sizeof name);
  (void)snprintf(dir, sizeof dir, "%.200s/sections/%s", top, name);
  (void)snprintf(control, sizeof control, "%s/control", dir);
  fd = open(control, O_RDONLY | O_CLOEXEC);
  need(fd >= 0, control);
  for (int i = 0; i < PLACE_CONTROL_SIZE; i++)
    need(pread(fd, head[i], HEAD, (off_t)offset_of((enum place)i)) >= 0, "pread");
  (void)close(fd);
}

static void
begin(void) {
  int status = 1;
  pid_t pid;

  page_size = (size_t)softmap_page_size();
  (void)snprintf(top, sizeof top, "/dev/shm/softmap-fuzz-XXXXXX");
  need(mkdtemp(top) != NULL, "mkdtemp");
  need(atexit(remove_all) == 0, "atexit");
  (void)snprintf(dir, sizeof dir, "%.200s/sections", top);
  need(mkdir(dir, 0700) == 0, dir);
  need(softmap_configure("dir", dir) == 0, "softmap_configure");
  (void)snprintf(file_path, sizeof file_path, "%.200s/file", top);
  file = open(file_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  need(file >= 0, file_path);
  reset_file();
  pid = fork();
  if (pid == 0)
    leave_a_rest();
  need(waitpid(pid, &status, 0) == pid && status == 0, "a child that leaves a section");
  read_rest();
}

/* ---- One input --------------------------------------------------------------------------------- */

static int
new_entry(const char *entry) {
  char path[400];
  int fd;

  (void)snprintf(path, sizeof path, "%s/%s", dir, entry);
  fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  need(fd >= 0, path);
  return fd;
}

static void
change(int control, int data, enum place place, uint16_t offset, const uint8_t *bytes,
       size_t length) {
  uint32_t number = 0;
  uint64_t size;

  memcpy(&number, bytes, length < sizeof number ? length : sizeof number);
  size = (uint64_t)(number % (1 << 20)) * 64;
  switch (place) {
  case PLACE_CONTROL_SIZE:
    need(ftruncate(control, (off_t)size) == 0, "ftruncate");
    break;
  case PLACE_DATA_SIZE:
    need(ftruncate(data, (off_t)size) == 0, "ftruncate");
    break;
  case PLACE_FILE_SIZE:
    need(ftruncate(file, (off_t)size) == 0, "ftruncate");
    break;
  case PLACE_HEADER:
  case PLACE_RECORDS:
  case PLACE_STATES:
  case PLACE_SUMMARY:
  case PLACE_LANE:
  case PLACE_NEXT_LANE:
  case PLACE_COUNT:
  default:
    if (offset >= HEAD)
      break;
    if (length > (size_t)HEAD - offset)
      length = (size_t)HEAD - offset;
    need(pwrite(control, bytes, length, (off_t)(offset_of(place) + offset)) >= 0, "pwrite");
    break;
  }
}

static void
plant(const uint8_t *bytes, size_t size) {
  struct control *header = (struct control *)(void *)head[PLACE_HEADER];
  struct stat st;
  int control;
  int data;

  need(mkdir(dir, 0700) == 0, dir);
  control = new_entry("control");
  data = new_entry("data");
  reset_file();
  need(fstat(file, &st) == 0, "fstat");
  atomic_store(&header->mtime_ns,
               (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec);
  need(ftruncate(data, (off_t)(PAGES * page_size)) == 0, "ftruncate");
  need(ftruncate(control, (off_t)control_lane_offset(0, 2)) == 0, "ftruncate");
  for (int i = 0; i < PLACE_CONTROL_SIZE; i++)
    need(pwrite(control, head[i], HEAD, (off_t)offset_of((enum place)i)) == HEAD, "pwrite");
  while (size >= 4) {
    size_t length = bytes[3] < size - 4 ? bytes[3] : size - 4;

    change(control, data, (enum place)(bytes[0] % PLACE_COUNT),
           (uint16_t)(bytes[1] | bytes[2] << 8), bytes + 4, length);
    bytes += 4 + length;
    size -= 4 + length;
  }
  (void)close(control);
  (void)close(data);
}

/* As a pin fills and opens pages, no access can fault. */
static void
use_pages(char *p) {
  static char sum;

  for (size_t i = 0; i < PAGES; i++) {
    if (softmap_pin(p + i * page_size, 1, PROT_READ | PROT_WRITE) != 0)
      continue;
    sum = (char)(sum + p[i * page_size]);
    p[i * page_size] = sum;
    (void)softmap_unpin(p + i * page_size, 1);
  }
}

static void
use(void) {
  struct softmap_section sections[2];
  struct softmap_page pages[PAGES];
  struct softmap_recover_options options = { .size = sizeof options,
                                             .flags = SOFTMAP_RECOVER_DRY_RUN };
  char *p;

  (void)softmap_sections(sections, 2);
  (void)softmap_section_view(name, 0, pages, PAGES);
  (void)softmap_recover(name, &options);
  p = softmap_mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (p != MAP_FAILED) {
    use_pages(p);
    (void)softmap_pages(p, PAGES * page_size, pages, PAGES);
    (void)softmap_msync(p, PAGES * page_size, MS_SYNC);
    need(ftruncate(file, (off_t)(2 * page_size)) == 0, "ftruncate");
    (void)softmap_msync(p, PAGES * page_size, MS_ASYNC | MS_INVALIDATE);
    (void)softmap_munmap(p, PAGES * page_size);
  }
  (void)softmap_recover(name, NULL);
  options.flags = SOFTMAP_RECOVER_DISCARD;
  (void)softmap_recover(name, &options);
}

/* Whatever stays in the section directory. */
static void
clear(void) {
  static const char *const entries[] = { "control", "data",    "fence-0", "fence-1",
                                         "fence-2", "stamps", "twins" };
  char path[400];

  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    (void)snprintf(path, sizeof path, "%s/%s", dir, entries[i]);
    (void)unlink(path);
  }
  (void)rmdir(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (file < 0)
    begin();
  clear();
  plant(data, size);
  use();
  clear();
  return 0;
}
