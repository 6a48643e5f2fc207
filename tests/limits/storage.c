/* storage.c - faults that are not injected: file systems that are full, a device that can't keep what it
 * was given, address space that is used up.
 *
 * What can't be written stays dirty, is said, and is written when there is room again.
 */
#include "t_engine.h"

#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { PAGES = 64 };

static char top[T_PATH];
static unsigned char *p;
static int fd;

/* A tmpfs of the case's own, in a mount namespace that ends with it. */
static void
mount_small(size_t bytes) {
  char options[64];

  (void)snprintf(top, sizeof top, "%s/small", getenv("T_DIR"));
  T_OK(mkdir(top, 0700));
  (void)snprintf(options, sizeof options, "size=%zu,mode=0700", bytes);
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", top, "tmpfs", 0, options) != 0)
    t_skip("may not mount here");
}

static int
open_in(const char *name) {
  char path[T_PATH * 2];
  int file;

  (void)snprintf(path, sizeof path, "%s/%s", top, name);
  file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  T_CHECK(file >= 0);
  return file;
}

/* A file that takes all the room there is. */
static int
take_all_room(void) {
  static const char block[4096] = "ballast";
  int file = open_in("ballast");

  while (write(file, block, sizeof block) > 0)
    continue;
  T_EQ(errno, ENOSPC);
  return file;
}

static void
store_all(unsigned char value) {
  for (size_t i = 0; i < PAGES; i++)
    PUT(p + t_pages(i) + i, value);
}

static void
check_file(unsigned char value) {
  for (size_t i = 0; i < PAGES; i++)
    T_FILE_BYTE(fd, (off_t)(t_pages(i) + i), value);
}

static void
file_on_a_full_file_system(void) {
  int ballast;

  mount_small(t_pages(PAGES * 2));
  fd = open_in("file");
  T_OK(ftruncate(fd, (off_t)t_pages(PAGES)));
  ballast = take_all_room();
  T_OK(ftruncate(ballast, (off_t)t_pages(PAGES * 2 - 10)));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  store_all('f');
  T_ERR(msync(p, t_pages(PAGES), MS_SYNC), ENOSPC);
  T_CHECK(engine_ndirty(T_HERE, p, PAGES) > 0);
  T_EQ(GET(p + t_pages(PAGES - 1) + PAGES - 1), 'f');
  T_FILE_SIZE(fd, (off_t)t_pages(PAGES));
  T_OK(ftruncate(ballast, 0));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_NDIRTY(p, PAGES, 0);
  check_file('f');
  T_OK(munmap(p, t_pages(PAGES)));
}

/* ---- A device -------------------------------------------------------------------------------- */

static char device[64];
static int loop;

static void
run_or_skip(const char *command) {
  if (system(command) != 0) // NOLINT(cert-env33-c): a test's own command
    t_skip(command);
}

/* An ext2 in a sparse file of the small file system, on a loop device, mounted. */
static void
mount_device(void) {
  char command[T_PATH * 2];
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  struct loop_info64 gone_when_closed = { .lo_flags = LO_FLAGS_AUTOCLEAR };
  int image = open_in("image");
  int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

  T_OK(ftruncate(image, 8 << 20));
  (void)snprintf(command, sizeof command, "PATH=$PATH:/sbin:/usr/sbin mkfs.ext2 -q -F %s/image",
                 top);
  run_or_skip(command);
  (void)snprintf(device, sizeof device, "/dev/loop%d", number);
  loop = number < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
  if (loop < 0 || ioctl(loop, LOOP_SET_FD, image) != 0 ||
      ioctl(loop, LOOP_SET_STATUS64, &gone_when_closed) != 0)
    t_skip("no loop device");
  (void)snprintf(command, sizeof command, "%s/disk", top);
  T_OK(mkdir(command, 0700));
  if (mount(device, command, "ext2", 0, NULL) != 0)
    t_skip("no ext2");
  (void)close(control);
  (void)close(image);
}

/* The write goes well, the flush doesn't; and the kernel says so once. */
static void
device_that_loses_what_it_was_given(void) {
  int ballast;

  mount_small((size_t)2 << 20);
  mount_device();
  fd = open_in("disk/file");
  T_OK(ftruncate(fd, (off_t)t_pages(PAGES)));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  ballast = take_all_room();
  store_all('d');
  T_EQ(msync(p, t_pages(PAGES), MS_SYNC), -1);
  T_CHECK(errno == EIO || errno == ENOSPC);
  T_EQ(T_STATS().pages_written, PAGES); /* written, but not flushed */
  T_CHECK(engine_ndirty(T_HERE, p, PAGES) == PAGES);
  T_OK(ftruncate(ballast, 0));
  (void)msync(p, t_pages(PAGES), MS_SYNC); /* other errors of the same device */
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_NDIRTY(p, PAGES, 0);
  T_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0); /* what the device has */
  check_file('d');
  T_OK(munmap(p, t_pages(PAGES)));
}

/* ---- Address space ----------------------------------------------------------------------------- */

static void
no_address_space(void) {
  struct rlimit before;
  struct rlimit low;
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  unsigned char *more;
  int other;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  store_all('a');
  T_CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1); // NOLINT(cert-err34-c)
  (void)fclose(file);
  T_OK(getrlimit(RLIMIT_AS, &before));
  low = (struct rlimit){ (rlim_t)pages * 4096 + 65536, before.rlim_max };
  other = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  T_OK(setrlimit(RLIMIT_AS, &low));
  T_ERR(AS_RESULT(mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, other, 0)), ENOMEM);
  (void)msync(p, t_pages(PAGES), MS_SYNC); /* may have no room for its window: ENOMEM */
  T_OK(setrlimit(RLIMIT_AS, &before));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  check_file('a');
  more = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, other, 0);
  T_MEM_OLD(more, t_pages(PAGES), 0);
}

static const struct t_case cases[] = {
  T_CASE(file_on_a_full_file_system),
  T_CASE(device_that_loses_what_it_was_given),
  T_CASE(no_address_space),
};
T_MAIN(cases)
