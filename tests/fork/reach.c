/* reach.c - how far a process sees into a section: states that another has added, and what a child
 * that can't join must not see.
 */
#include "t_engine.h"

static unsigned char *p;
static int fd;

/* Its section may be gone: what the parent had shown isn't shown on. */
static void
child_that_cannot_join_sees_nothing(void) {
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  PUT(p, 'p');
  engine_inject(HOST_CALL_receive_fds, 1, UINT32_MAX, EMFILE);
  pid = t_fork();
  if (pid == 0) {
    for (size_t page = 0; page < 4; page++) {
      T_LOAD_FAULTS(p + t_pages(page), SIGBUS, BUS_ADRERR);
      T_STORE_FAULTS(p + t_pages(page), SIGBUS, BUS_ADRERR);
    }
    exit(0);
  }
  inject_disarm();
  T_REAP(pid, T_EXITED(0));
  PUT(p + 1, 'q');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'p');
  T_FILE_BYTE(fd, 1, 'q');
}

/* Farther than the states that the parent has mapped reach: 256 MiB. */
static void
child_makes_the_file_much_longer(void) {
  const size_t npages = ((size_t)1 << 16) + 512;
  pid_t pid;

  p = T_MAP_NEW(NULL, &fd, 4);
  pid = t_fork();
  if (pid == 0) {
    unsigned char *q;
    T_OK(ftruncate(fd, (off_t)t_pages(npages)));
    q = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, fd, 0);
    PUT(q + t_pages(npages - 1), 'c');
    T_OK(kill(getpid(), SIGKILL));
  }
  T_REAP(pid, T_KILLED(SIGKILL));
  PUT(p, 'p');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'p');
  T_OK(munmap(p, t_pages(4)));
  T_FILE_BYTE(fd, (off_t)t_pages(npages - 1), 'c');
}

static const struct t_case cases[] = {
  T_CASE(child_that_cannot_join_sees_nothing),
  T_CASE(child_makes_the_file_much_longer),
};
T_MAIN(cases)
