/* device.c - a device whose writes or flushes really fail: nbdkit behind nbdfuse, a file system of one
 * file in user space.
 *
 * What can't be written, or was written and can't be flushed, stays dirty, is said, and is written when
 * the device works again.
 */
#include "t_engine.h"

#include <sys/prctl.h>
#include <sys/stat.h>

enum { PAGES = 64 };

static char disk[T_PATH];    /* the file that the device shows */
static char trouble[T_PATH]; /* while this file is there, calls fail */
static unsigned char *p;
static int fd;

static _Noreturn void
become_device(const char *script, int ready) {
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (dup2(ready, 9) == 9) /* the shell knows no numbers of two digits */
    (void)execl("/bin/sh", "sh", "-c", script, (char *)NULL);
  _exit(127);
}

/* The rest of the command of nbdkit is given; $D is the directory of the case.  Ends with the case. */
static void
start_device(const char *nbdkit) {
  const char *dir = getenv("T_DIR");
  char script[1024];
  char text[16];
  int ready[2];

  (void)snprintf(disk, sizeof disk, "%s/mount/disk", dir);
  (void)snprintf(trouble, sizeof trouble, "%s/trouble", dir);
  (void)snprintf(script, sizeof script,
                 "D='%s' && export D && cd $D && mkdir mount && truncate -s 1M image &&"
                 " exec nbdfuse -P /dev/fd/9 mount/disk --command nbdkit -s --exit-with-parent %s",
                 dir, nbdkit);
  T_OK(pipe(ready));
  if (fork() == 0)
    become_device(script, ready[1]);
  (void)close(ready[1]);
  if (read(ready[0], text, sizeof text) <= 0) /* its process id, once it is mounted */
    t_skip("no nbdkit, no nbdfuse, or no FUSE");
  (void)close(ready[0]);
  fd = t_open(disk, O_RDWR);
  T_FILE_SIZE(fd, 1 << 20);
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
}

static void
set_trouble(bool on) {
  int file = on ? open(trouble, O_CREAT | O_CLOEXEC | O_WRONLY, 0600) : -1;

  T_EQ(on ? close(file) : unlink(trouble), 0);
}

static void
store_all(unsigned char value) {
  for (size_t i = 0; i < PAGES; i++)
    PUT(p + t_pages(i) + i, value);
}

static void
check_image(unsigned char value) {
  char path[T_PATH];
  int image;

  (void)snprintf(path, sizeof path, "%s/image", getenv("T_DIR"));
  image = t_open(path, O_RDONLY);
  for (size_t i = 0; i < PAGES; i++)
    T_FILE_BYTE(image, (off_t)(t_pages(i) + i), value);
  T_OK(close(image));
}

static void
fails_and_recovers(int want) {
  store_all('1');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_NDIRTY(p, PAGES, 0);
  check_image('1');
  set_trouble(true);
  store_all('2');
  T_ERR(msync(p, t_pages(PAGES), MS_SYNC), want);
  T_CHECK(engine_ndirty(T_HERE, p, PAGES) == PAGES);
  T_ERR(msync(p, t_pages(PAGES), MS_SYNC), want); /* not called clean because it was said once */
  T_EQ(GET(p), '2');
  set_trouble(false);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_NDIRTY(p, PAGES, 0);
  check_image('2');
  T_OK(munmap(p, t_pages(PAGES)));
}

static void
device_that_refuses_writes(void) {
  start_device("--filter=error file image error=EIO error-pwrite-rate=100% error-file=$D/trouble");
  fails_and_recovers(EIO);
}

static void
device_that_is_full(void) {
  start_device(
      "--filter=error file image error=ENOSPC error-pwrite-rate=100% error-file=$D/trouble");
  fails_and_recovers(ENOSPC);
}

/* Every write goes well, and the flush fails. */
static void
device_that_refuses_to_flush(void) {
  start_device("eval get_size='echo 1M'"
               " pread='dd if=$D/image iflag=count_bytes,skip_bytes skip=$4 count=$3 status=none'"
               " pwrite='dd of=$D/image oflag=seek_bytes conv=notrunc seek=$4 status=none'"
               " flush='[ ! -e $D/trouble ] || { echo EIO device >&2; exit 1; }'");
  fails_and_recovers(EIO);
}

/* Another program writes the device's file: what is to go into the middle of a log would be appended.  Said,
 * where the file can't be opened otherwise, and not done. */
static void
device_s_log_is_not_appended_to(void) {
  int log;

  start_device("file image");
  T_OK(munmap(p, t_pages(PAGES)));
  T_OK(close(fd));
  log = t_open(disk, O_RDWR | O_APPEND);
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, log, 0);
  store_all('1');
  engine_inject(HOST_CALL_reopen, 1, UINT32_MAX, EACCES);
  T_ERR(msync(p, t_pages(PAGES), MS_SYNC), EOPNOTSUPP);
  inject_disarm();
  T_NDIRTY(p, PAGES, PAGES);
  T_FILE_SIZE(log, 1 << 20);
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_NDIRTY(p, PAGES, 0);
  check_image('1');
  T_OK(munmap(p, t_pages(PAGES)));
}

static const struct t_case cases[] = {
  T_CASE(device_that_refuses_writes),
  T_CASE(device_that_is_full),
  T_CASE(device_that_refuses_to_flush),
  T_CASE(device_s_log_is_not_appended_to),
};
T_MAIN(cases)
