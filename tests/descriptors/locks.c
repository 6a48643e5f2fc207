/* locks.c - POSIX record locks of the program survive whatever softmap does with the file.
 *
 * Closing any descriptor of a file drops all locks that the process holds on it. A process that
 * was there before the first mapping looks from outside.
 */
#include "t_engine.h"

static char path[T_PATH];
static int fd;
static int asking, answer;

/* Lives outside: for each byte read, says whether somebody locks bytes 100 to 199. */
static void
look(int in, int out) {
  char byte;

  while (read(in, &byte, 1) == 1) {
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 100 };
    int own = open(path, O_RDWR);

    byte = own < 0 || fcntl(own, F_GETLK, &lock) != 0 ? '?' : lock.l_type == F_UNLCK ? 'n' : 'y';
    (void)close(own);
    if (write(out, &byte, 1) != 1)
      break;
  }
  _exit(0);
}

static void
start_outsider(void) {
  int to[2];
  int from[2];

  T_CHECK(pipe(to) == 0 && pipe(from) == 0);
  if (t_fork() == 0) {
    (void)close(to[1]);
    look(to[0], from[1]);
  }
  (void)close(to[0]);
  asking = to[1];
  answer = from[0];
}

static void
is_locked(struct t_at at, const char *when, char want) {
  char byte = 0;

  if (write(asking, "?", 1) != 1 || read(answer, &byte, 1) != 1)
    t_fail(at, "the process outside is gone");
  if (byte != want)
    t_fail(at, "%s: locked? %c", when, byte);
}
#define LOCKED(when) is_locked(T_HERE, when, 'y')
#define UNLOCKED(when) is_locked(T_HERE, when, 'n')

static void
set_lock(short type) {
  struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = 100, .l_len = 100 };

  T_OK(fcntl(fd, F_SETLK, &lock));
}

static void
begin(size_t npages) {
  fd = t_tmpfile(path, (off_t)t_pages(npages));
  start_outsider();
  UNLOCKED("at the start");
  set_lock(F_WRLCK);
  LOCKED("after locking");
}

static void
locks_survive_mapping_syncing_and_unmapping(void) {
  unsigned char *p;

  begin(4);
  p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  LOCKED("mapped");
  PUT(p, 1);
  T_OK(msync(p, t_pages(4), MS_SYNC));
  LOCKED("synced");
  T_OK(msync(p, t_pages(4), MS_SYNC | MS_INVALIDATE));
  LOCKED("read again");
  PUT(p + t_pages(1), 1);
  T_OK(mprotect(p, t_pages(4), PROT_READ));
  LOCKED("protected");
  p = T_REMAP(p, t_pages(4), t_pages(8), MREMAP_MAYMOVE);
  LOCKED("moved");
  T_OK(munmap(p, t_pages(8)));
  LOCKED("unmapped");
  p = T_MAP(NULL, t_pages(4), PROT_READ, MAP_PRIVATE, fd, 0);
  LOCKED("mapped again");
  T_OK(munmap(p, t_pages(4)));
  LOCKED("unmapped again");
  T_OK(softmap_sync_all());
  LOCKED("all synced");
  set_lock(F_UNLCK);
  UNLOCKED("after unlocking");
}

/* The better one of two descriptors is kept: the other one is closed. */
static void
locks_survive_a_second_descriptor(void) {
  unsigned char *p;
  unsigned char *q;
  int readonly;

  fd = t_tmpfile(path, (off_t)t_pages(2));
  start_outsider();
  readonly = t_open(path, O_RDONLY);
  p = T_MAP(NULL, t_pages(2), PROT_READ, MAP_SHARED, readonly, 0);
  set_lock(F_WRLCK);
  LOCKED("after locking");
  q = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  LOCKED("mapped for writing");
  PUT(q, 'q');
  T_OK(msync(q, t_pages(2), MS_SYNC));
  LOCKED("synced");
  T_EQ(GET(p), 'q');
  T_OK(munmap(p, t_pages(2)));
  LOCKED("one unmapped");
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  T_OK(munmap(q, t_pages(2)));
  T_OK(munmap(p, t_pages(2)));
  LOCKED("both unmapped");
}

static void
locks_survive_opening_the_file_again(void) {
  unsigned char *p;

  begin(2);
  if (fcntl(fd, F_SETFL, O_DIRECT) != 0)
    t_skip("no O_DIRECT here");
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  PUT(p, 1);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  LOCKED("synced");
  T_OK(munmap(p, t_pages(2)));
  LOCKED("unmapped");
}

static void
locks_survive_fills_on_touch(void) {
  unsigned char *p;

  begin(64);
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP(NULL, t_pages(64), RW, MAP_SHARED, fd, 0);
  for (size_t i = 0; i < 64; i += 3)
    T_EQ(GET(p + t_pages(i)), t_old_byte((off_t)t_pages(i)));
  LOCKED("filled");
  T_OK(ftruncate(fd, (off_t)t_pages(80)));
  T_OK(munmap(p, t_pages(64)));
  LOCKED("unmapped");
}

static void
locks_survive_fork_and_the_childs_end(void) {
  unsigned char *p;
  pid_t pid;

  begin(2);
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  PUT(p, 1);
  pid = t_fork();
  if (pid == 0) {
    PUT(p + 1, 2);
    T_OK(munmap(p, t_pages(2)));
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  LOCKED("after a child");
  T_OK(munmap(p, t_pages(2)));
  LOCKED("unmapped");
}

/* Over it by MAP_FIXED, the host's and ours. */
static void
locks_survive_being_mapped_over(void) {
  unsigned char *p;
  int other = t_tmpfile(NULL, (off_t)t_pages(2));

  begin(2);
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  PUT(p, 1);
  p = T_MAP(p, t_pages(2), RW, MAP_SHARED | MAP_FIXED, other, 0);
  LOCKED("ours over it");
  p = T_MAP(p, t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  p = T_MAP(p, t_pages(2), RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  LOCKED("the host's over it");
}

/* Refused after the file was opened. */
static void
locks_survive_mappings_that_fail(void) {
  static const enum host_call sites[] = { HOST_CALL_map,       HOST_CALL_open,
                                          HOST_CALL_rename,      HOST_CALL_resize,
                                          HOST_CALL_byte_lock, HOST_CALL_stat_fd,
                                          HOST_CALL_identity,  HOST_CALL_unlink };
  int other;

  begin(2);
  (void)T_MAP_NEW(NULL, &other, 1);
  for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
    for (uint32_t n = 1; n < 6; n++) {
      void *p;

      engine_inject(sites[i], n, 1, EIO);
      p = mmap(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
      inject_disarm();
      if (p != MAP_FAILED)
        T_OK(munmap(p, t_pages(2)));
      is_locked(T_HERE, inject_name(sites[i]), 'y');
    }
}

static const struct t_case cases[] = {
  T_CASE(locks_survive_mapping_syncing_and_unmapping),    T_CASE(locks_survive_a_second_descriptor),
  T_CASE(locks_survive_opening_the_file_again),           T_CASE(locks_survive_fills_on_touch),
  T_CASE(locks_survive_fork_and_the_childs_end),          T_CASE(locks_survive_being_mapped_over),
  T_CASE_WITH(locks_survive_mappings_that_fail, T_KILLS), /* a failed unlink leaves a clean rest */
};
T_MAIN(cases)
