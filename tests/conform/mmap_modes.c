/* mmap_modes.c - how a file is open decides how it can be mapped: each open mode, each protection,
 * shared and private, and what mprotect may add later. */
#include "conform.h"

enum { PROTS = 8 }; /* PROT_READ, PROT_WRITE and PROT_EXEC, each or not */

struct mode {
  const char *name;
  int flags;
  bool can_read;
  bool can_write;
};

static const struct mode modes[] = {
  { "O_RDONLY", O_RDONLY, true, false },
  { "O_WRONLY", O_WRONLY, false, true },
  { "O_RDWR", O_RDWR, true, true },
  { "O_RDWR|O_APPEND", O_RDWR | O_APPEND, true, true },
  { "O_RDONLY|O_APPEND", O_RDONLY | O_APPEND, true, false },
  { "O_WRONLY|O_APPEND", O_WRONLY | O_APPEND, false, true },
  { "O_RDWR|O_NONBLOCK", O_RDWR | O_NONBLOCK, true, true },
  { "O_RDWR|O_DSYNC", O_RDWR | O_DSYNC, true, true },
};

enum { MODES = sizeof modes / sizeof modes[0] };

/* The rule, written out: every mapping reads; a shared one for writing needs to write. */
static int
wanted(const struct mode *mode, int prot, int type) {
  if (!mode->can_read)
    return EACCES;
  if (type == MAP_SHARED && (prot & PROT_WRITE) != 0 && !mode->can_write)
    return EACCES;
  return 0;
}

static void
row_name(char buf[96], const struct mode *mode, int prot, int type) {
  const char *parts[] = { mode->name,
                          type == MAP_SHARED ? " shared" : " private",
                          (prot & PROT_READ) != 0 ? " read" : "",
                          (prot & PROT_WRITE) != 0 ? " write" : "",
                          (prot & PROT_EXEC) != 0 ? " exec" : "",
                          NULL };
  size_t used = 0;

  for (size_t i = 0; parts[i] != NULL; i++)
    for (const char *c = parts[i]; *c != '\0' && used < 95; c++)
      buf[used++] = *c;
  buf[used] = '\0';
}

/* PROT_EXEC is refused with EPERM where the file system is mounted noexec. */
static bool
can_execute(const char *path) {
  int fd = t_open(path, O_RDONLY);
  void *p = mmap(NULL, t_page_size(), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  bool ok = p != MAP_FAILED;

  if (ok)
    (void)munmap(p, t_page_size());
  (void)close(fd);
  return ok;
}

static void
mmap_allows_what_the_open_mode_allows(void) {
  char path[T_PATH];
  char name[96];
  static const int types[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE };
  int own = t_tmpfile(path, (off_t)t_pages(1));
  bool executable = can_execute(path);

  (void)close(own);
  for (size_t m = 0; m < MODES; m++)
    for (int prot = 0; prot < PROTS; prot++)
      for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        int fd = t_open(path, modes[m].flags);
        int rule = types[t] == MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;

        if ((prot & PROT_EXEC) != 0 && !executable)
          continue;
        row_name(name, &modes[m], prot, rule);
        T_ROW(name, AS_RESULT(mmap(NULL, t_page_size(), prot, types[t], fd, 0)),
              wanted(&modes[m], prot, rule));
        (void)close(fd);
      }
}

static void
mprotect_allows_what_the_open_mode_allowed(void) {
  char path[T_PATH];
  char name[96];
  static const int types[] = { MAP_SHARED, MAP_PRIVATE };
  int own = t_tmpfile(path, (off_t)t_pages(1));

  (void)close(own);
  for (size_t m = 0; m < MODES; m++)
    for (int prot = 0; prot <= RW; prot++)
      for (size_t t = 0; t < 2; t++) {
        int fd = t_open(path, modes[m].flags);
        void *p;

        if (!modes[m].can_read)
          continue;
        p = T_MAP(NULL, t_page_size(), PROT_NONE, types[t], fd, 0);
        (void)close(fd);
        row_name(name, &modes[m], prot, types[t]);
        T_ROW(name, mprotect(p, t_page_size(), prot), wanted(&modes[m], prot, types[t]));
      }
}

/* Stores really reach a file that was opened in each mode that allows them, at their offset: an
 * O_APPEND descriptor doesn't move them to the end. */
static void
stores_reach_the_file_in_every_mode_that_can_write(void) {
  char path[T_PATH];
  size_t page = t_page_size();

  for (size_t m = 0; m < MODES; m++) {
    int own = t_tmpfile(path, (off_t)t_pages(3));
    int fd = t_open(path, modes[m].flags);
    unsigned char *p;

    if (!modes[m].can_read || !modes[m].can_write)
      continue;
    p = T_MAP(NULL, 3 * page, RW, MAP_SHARED, fd, 0);
    p[page + 5] = 'm';
    T_OK(msync(p, 3 * page, MS_SYNC));
    T_FILE_BYTE(own, (off_t)page + 5, 'm');
    T_FILE_OLD(own, 0, page + 5);
    T_FILE_OLD(own, (off_t)page + 6, 2 * page - 6);
    T_FILE_SIZE(own, 3 * page);
    T_OK(munmap(p, 3 * page));
    (void)close(fd);
    (void)close(own);
  }
}

static void
private_stores_need_no_right_to_write(void) {
  char path[T_PATH];
  int own = t_tmpfile(path, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, t_open(path, O_RDONLY), 0);

  T_STORES(p, 'p');
  T_LOADS(p, 'p');
  T_MEM_OLD(p + 1, t_pages(2) - 1, 1);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_OLD(own, 0, t_pages(2));
}

/* Through a read-only descriptor another mapping's stores are seen, and none can be made. */
static void
read_only_descriptor_sees_the_stores_of_a_writer(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  unsigned char *reader = T_MAP(NULL, t_pages(1), PROT_READ, MAP_SHARED, t_open(path, O_RDONLY), 0);
  unsigned char *writer = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  writer[9] = 'w';
  T_LOADS(reader + 9, 'w');
  T_STORE_FAULTS(reader + 9, SIGSEGV, SEGV_ACCERR);
  T_ERR(mprotect(reader, t_page_size(), RW), EACCES);
  T_OK(mprotect(writer, t_page_size(), RW));
  T_OK(msync(reader, t_page_size(), MS_SYNC));
  T_OK(msync(writer, t_page_size(), MS_SYNC));
  T_FILE_BYTE(fd, 9, 'w');
}

static const struct t_case cases[] = {
  T_CASE(mmap_allows_what_the_open_mode_allows),
  T_CASE(mprotect_allows_what_the_open_mode_allowed),
  T_CASE(stores_reach_the_file_in_every_mode_that_can_write),
  T_CASE(private_stores_need_no_right_to_write),
  T_CASE(read_only_descriptor_sees_the_stores_of_a_writer),
};

T_MAIN(cases)
