/* modes.c - how a descriptor was opened. */
#include "t_engine.h"

#ifndef O_PATH
#define O_PATH 010000000
#endif

enum { TAIL = 100 };

/* ---- O_APPEND, O_DIRECT ---------------------------------------------------------------------- */

/* Stores into pages 1 and 3 of a file of three pages and a tail; looks that nothing else changed. */
static void
store_and_check(unsigned char *p, const char *path) {
  off_t size = (off_t)t_pages(3) + TAIL;
  int witness = t_open(path, O_RDONLY);

  PUT(p + t_pages(1) + 5, 'a');
  PUT(p + t_pages(3) + TAIL - 1, 'b');
  PUT(p + t_pages(3) + TAIL, 'c'); /* past the end: never written */
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_SIZE(witness, size);
  T_FILE_OLD(witness, 0, t_pages(1) + 5);
  T_FILE_BYTE(witness, (off_t)t_pages(1) + 5, 'a');
  T_FILE_OLD(witness, (off_t)t_pages(1) + 6, t_pages(2) - 6 + TAIL - 1);
  T_FILE_BYTE(witness, size - 1, 'b');
}

static unsigned char *
map_opened(char path[T_PATH], int flags, int *fd) {
  (void)close(t_tmpfile(path, (off_t)t_pages(3) + TAIL));
  *fd = open(path, O_RDWR | O_CLOEXEC | flags);
  if (*fd < 0 && (flags & O_DIRECT) && errno == EINVAL)
    t_skip("no O_DIRECT here");
  return T_MAP(NULL, t_pages(4), RW, MAP_SHARED, *fd, 0);
}

static void
append_mode(void) {
  char path[T_PATH];
  int fd;

  store_and_check(map_opened(path, O_APPEND, &fd), path);
}

static void
append_mode_set_after_mapping(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_opened(path, 0, &fd);

  T_OK(fcntl(fd, F_SETFL, O_APPEND));
  store_and_check(p, path);
}

static void
direct_mode_with_a_tail(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_opened(path, O_DIRECT, &fd);

  T_MEM_OLD(p, t_pages(3) + TAIL, 0);
  store_and_check(p, path);
  T_OK(msync(p, t_pages(4), MS_INVALIDATE));
}

static void
direct_mode_filled_on_touch(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p;

  T_OK(softmap_configure("fill", "touch"));
  p = map_opened(path, O_DIRECT, &fd);
  T_MEM_OLD(p, t_pages(3) + TAIL, 0);
  store_and_check(p, path);
}

static void
direct_mode_grown(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_opened(path, O_DIRECT, &fd);
  int plain = t_open(path, O_RDWR);

  T_PWRITE(plain, (off_t)t_pages(3) + TAIL, 50, 'g');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_EQ(GET(p + t_pages(3) + TAIL + 49), 'g');
  PUT(p + t_pages(3) + TAIL + 49, 'h');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_SIZE(plain, (off_t)t_pages(3) + TAIL + 50);
  T_FILE_BYTE(plain, (off_t)t_pages(3) + TAIL + 49, 'h');
}

static void
direct_mode_set_after_mapping(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p;

  T_OK(softmap_configure("fill", "touch"));
  p = map_opened(path, 0, &fd);
  if (fcntl(fd, F_SETFL, O_DIRECT) != 0)
    t_skip("no O_DIRECT here");
  T_MEM_OLD(p, t_pages(3) + TAIL, 0);
  store_and_check(p, path);
}

static void
direct_mode_read_only(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p;

  (void)close(t_tmpfile(path, (off_t)t_pages(3) + TAIL));
  fd = open(path, O_RDONLY | O_DIRECT);
  if (fd < 0)
    t_skip("no O_DIRECT here");
  p = T_MAP(NULL, t_pages(4), PROT_READ, MAP_SHARED, fd, 0);
  T_MEM_OLD(p, t_pages(3) + TAIL, 0);
}

/* ---- Which descriptors can be mapped --------------------------------------------------------- */

static void
errno_by_kind_of_descriptor(void) {
  char path[T_PATH];
  int ends[2];
  int write_only;
  int path_only;
  int directory;
  size_t len = t_pages(1);
  int fd = t_tmpfile(path, (off_t)len);
  int read_only = t_open(path, O_RDONLY);

  T_OK(pipe(ends));
  write_only = t_open(path, O_WRONLY);
  path_only = t_open(path, O_PATH);
  directory = t_open("/", O_RDONLY | O_DIRECTORY);
#define ROW(name, prot, type, from, want)                                                          \
  T_ROW(name, AS_RESULT(mmap(NULL, len, prot, type, from, 0)), want)
  ROW("control: O_RDWR, shared, written", RW, MAP_SHARED, fd, 0);
  ROW("control: O_RDONLY, shared, read", PROT_READ, MAP_SHARED, read_only, 0);
  ROW("control: O_RDONLY, private, written", RW, MAP_PRIVATE, read_only, 0);
  ROW("O_RDONLY, shared, written", RW, MAP_SHARED, read_only, EACCES);
  ROW("O_WRONLY, shared, written", PROT_WRITE, MAP_SHARED, write_only, EACCES);
  ROW("O_WRONLY, private", PROT_READ, MAP_PRIVATE, write_only, EACCES);
  ROW("O_PATH", PROT_READ, MAP_SHARED, path_only, EBADF);
  ROW("directory", PROT_READ, MAP_SHARED, directory, ENODEV);
  ROW("pipe", PROT_READ, MAP_SHARED, ends[0], ENODEV);
  ROW("no descriptor", PROT_READ, MAP_SHARED, -1, EBADF);
  ROW("closed", PROT_READ, MAP_SHARED, 999, EBADF);
#undef ROW
}

static const struct t_case cases[] = {
  T_CASE(append_mode),
  T_CASE(append_mode_set_after_mapping),
  T_CASE(direct_mode_with_a_tail),
  T_CASE(direct_mode_filled_on_touch),
  T_CASE(direct_mode_grown),
  T_CASE(direct_mode_set_after_mapping),
  T_CASE(direct_mode_read_only),
  T_CASE(errno_by_kind_of_descriptor),
};
T_MAIN(cases)
