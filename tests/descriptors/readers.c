/* readers.c - a process that may only read a file, and others' stores to it. */
#include "t_engine.h"

#include <grp.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

enum { PAGES = 3 << 12 }; /* a sync that looks for dirt looks at 4096 pages at once */

static int writer_fd, reader_fd;
static char dir[T_PATH];

/* Two descriptors of a file that nobody may open for writing any more; then root is somebody who
 * needs a right for that, too. */
static void
begin(void) {
  char path[T_PATH];

  writer_fd = t_sparse_file(path, (off_t)t_pages(PAGES));
  reader_fd = t_open(path, O_RDONLY);
  if (geteuid() == 0) {
    T_OK(fchown(writer_fd, NOBODY, NOBODY));
    T_CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
  }
  T_OK(fchmod(writer_fd, 0444));
  t_sections_of(geteuid(), dir);
  T_OK(softmap_configure("dir", dir));
}

static void
msync_of_what_others_stored(void) {
  struct t_meeting mapped, stored, tried, synced;
  unsigned char *p;
  pid_t pid;

  begin();
  mapped = t_meeting();
  stored = t_meeting();
  tried = t_meeting();
  synced = t_meeting();
  pid = t_fork();
  if (pid == 0) {
    (void)close(writer_fd);
    p = T_MAP(NULL, t_pages(PAGES), PROT_READ, MAP_SHARED, reader_fd, 0);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    t_ping(&mapped);
    t_wait(&stored);
    T_EQ(GET(p), 'w');
    T_ERR(msync(p, t_pages(PAGES), MS_SYNC), EACCES);
    T_OK(msync(p + t_pages(1 << 12), t_pages(1 << 12), MS_SYNC)); /* where there are none */
    t_ping(&tried);
    t_wait(&synced);
    T_OK(msync(p, t_pages(PAGES), MS_SYNC));
    T_OK(munmap(p, t_pages(PAGES)));
    exit(0);
  }
  t_wait(&mapped);
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, writer_fd, 0);
  PUT(p, 'w');
  t_ping(&stored);
  t_wait(&tried);
  T_FILE_BYTE(reader_fd, 0, 0);
  T_OK(munmap(p, t_pages(PAGES)));
  T_FILE_BYTE(reader_fd, 0, 'w');
  t_ping(&synced);
  T_REAP(pid, T_EXITED(0));
  T_OK(rmdir(dir));
}

static const struct t_case cases[] = {
  T_CASE(msync_of_what_others_stored),
};
T_MAIN(cases)
