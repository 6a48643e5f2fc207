/* bounds.c - how many files, processes and pages there can be, and what the section directory must
 * allow.
 */
#include "t_engine.h"

#include "section/control.h"

#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static char text[4096];

/* ---- Files at once --------------------------------------------------------------------------- */

static void *
map_one_more(size_t *count) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  void *p = mmap(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  int err = errno;

  (void)close(fd);
  errno = err;
  *count += p != MAP_FAILED;
  return p;
}

static void
a_file_takes_four_descriptors(void) {
  enum { LIMIT = 128 };
  struct rlimit limit = { LIMIT, LIMIT };
  int fd;
  unsigned char *p;
  unsigned char *last = NULL;
  size_t files = 1;

  p = T_MAP_NEW(NULL, &fd, 2);
  T_OK(setrlimit(RLIMIT_NOFILE, &limit));
  for (void *q; (q = map_one_more(&files)) != MAP_FAILED;)
    last = q;
  T_EQ(errno, EMFILE);
  t_note("%zu files with %d descriptors", files, LIMIT);
  T_CHECK(files <= LIMIT / 4 && files >= LIMIT / 4 - 4);
  for (size_t i = 0; i < LIMIT; i++) /* of one file there are as many as one likes */
    T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  PUT(p, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'x');
  T_OK(munmap(last, t_pages(1)));
  T_CHECK(map_one_more(&files) != MAP_FAILED);
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* Takes the locks of all lanes but the first, which is somebody's. */
static void
lock_lanes(const char *control) {
  struct flock lock = {
    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = CONTROL_LOCK_LANE + 1, .l_len = LANE_MAX - 1
  };
  int control_fd = t_open(control, O_RDWR);

  T_OK(fcntl(control_fd, F_SETLK, &lock));
}

static void
a_section_has_4096_lanes(void) {
  struct t_meeting mapped = t_meeting();
  struct t_meeting go = t_meeting();
  struct softmap_section section;
  char control[T_PATH * 2];
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p;
  pid_t first;
  pid_t others;

  first = t_fork();
  if (first == 0) {
    p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
    t_ping(&mapped);
    t_wait(&go);
    T_OK(munmap(p, t_pages(2)));
    exit(0);
  }
  t_wait(&mapped);
  T_EQ(softmap_sections(&section, 1), 1);
  (void)snprintf(control, sizeof control, "%s/%s/control", getenv("SOFTMAP_DIR"), section.name);
  others = t_fork();
  if (others == 0) {
    lock_lanes(control);
    t_ping(&mapped);
    for (;;)
      pause();
  }
  t_wait(&mapped);
  T_ERR(AS_RESULT(mmap(NULL, t_pages(2), RW, MAP_SHARED, fd, 0)), EMFILE);
  T_OK(kill(others, SIGKILL));
  T_REAP(others, T_KILLED(SIGKILL));
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  PUT(p, 'x');
  T_OK(munmap(p, t_pages(2)));
  T_FILE_BYTE(fd, 0, 'x');
  t_ping(&go);
  T_REAP(first, T_EXITED(0));
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* The section directory must take files as long, as tmpfs does. */
static int
file_of_pages(uint64_t npages) {
  struct statfs fs;
  int fd = open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

  T_OK(statfs(getenv("SOFTMAP_DIR"), &fs));
  if (fs.f_type != TMPFS_MAGIC || fd < 0 ||
      ftruncate(fd, (off_t)npages * (off_t)t_page_size()) != 0)
    t_skip("files can't be so long here");
  return fd;
}

static void
a_section_has_2_to_the_36_pages(void) {
  off_t last = (off_t)(SECTION_PAGES_MAX - 2) * (off_t)t_page_size();
  int fd = file_of_pages(SECTION_PAGES_MAX - 1);
  int too_long = file_of_pages(SECTION_PAGES_MAX + 1);
  struct softmap_section section;
  unsigned char *p;

  T_EQ(SECTION_PAGES_MAX, (uint64_t)1 << 36);
  T_OK(softmap_configure("fill", "touch"));
  T_ERR(AS_RESULT(mmap(NULL, t_pages(1), RW, MAP_SHARED, too_long, 0)), EOVERFLOW);
  T_EQ(softmap_sections(NULL, 0), 0);
  p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, last);
  PUT(p, 'x');
  T_OK(munmap(p, t_pages(1)));
  T_FILE_BYTE(fd, last, 'x');
  p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, file_of_pages(SECTION_PAGES_MAX), last);
  T_EQ(softmap_sections(&section, 1), 1);
  T_EQ(section.flags & SOFTMAP_SECTION_DAMAGED, 0);
  T_OK(munmap(p, t_pages(1)));
}

/* ---- What the section directory must allow --------------------------------------------------- */

static int one_page_file;

static void
map_under_limit(void *arg) {
  T_ERR(AS_RESULT(mmap(NULL, t_pages(1), RW, MAP_SHARED, one_page_file, 0)), ENOMEM);
  (void)arg;
}

static void
set_size_limit(rlim_t bytes) {
  struct rlimit limit = { bytes, RLIM_INFINITY };

  T_OK(setrlimit(RLIMIT_FSIZE, &limit));
}

static void
a_control_file_needs_half_a_mib(void) {
  unsigned char *p;

  one_page_file = t_tmpfile(NULL, (off_t)t_pages(1));
  set_size_limit((rlim_t)448 << 10);
  T_EQ(T_STDERR_OF(map_under_limit, NULL, text), 1);
  T_CHECK(strstr(text, "RLIMIT_FSIZE") != NULL);
  set_size_limit((rlim_t)1 << 20);
  p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, one_page_file, 0);
  PUT(p, 'x');
  T_OK(munmap(p, t_pages(1)));
  T_FILE_BYTE(one_page_file, 0, 'x');
}

/* A section directory on a tmpfs of the case's own, in a mount namespace that ends with it. */
static void
sections_on(const char *name, unsigned long flags) {
  char dir[T_PATH];

  (void)snprintf(dir, sizeof dir, "%.400s/%s", getenv("T_DIR"), name);
  T_OK(mkdir(dir, 0700));
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", dir, "tmpfs", flags, "mode=0700") != 0)
    _exit(77);
  T_OK(softmap_configure("dir", dir));
}

static void
map_code(void *arg) {
  const char *fill = arg;
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p;

  sections_on(fill, MS_NOEXEC);
  T_OK(softmap_configure("fill", fill));
  T_ERR(AS_RESULT(mmap(NULL, t_pages(2), PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0)), EPERM);
  p = T_MAP(NULL, t_pages(2), PROT_READ, MAP_SHARED, fd, 0);
  if (strcmp(fill, "whole") == 0) {
    T_ERR(mprotect(p, t_pages(2), PROT_READ | PROT_EXEC), EACCES); /* as the kernel's own */
  } else {
    T_OK(mprotect(p, t_pages(2), PROT_READ | PROT_EXEC));
    T_EQ(t_load(p, &(unsigned char){ 0 }).signo, SIGBUS);
    T_OK(mprotect(p, t_pages(2), PROT_READ));
  }
  T_LOADS(p, t_old_byte(0));
  T_OK(munmap(p, t_pages(2)));
}

static void
map_code_elsewhere(void *arg) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p;

  sections_on("exec", 0);
  p = T_MAP(NULL, t_pages(2), PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  T_LOADS(p, t_old_byte(0));
  T_OK(munmap(p, t_pages(2)));
  p = T_MAP(NULL, t_pages(2), PROT_READ, MAP_SHARED, fd, 0);
  T_OK(mprotect(p, t_pages(2), PROT_READ | PROT_EXEC));
  T_LOADS(p, t_old_byte(0));
  (void)arg;
}

static void
code_needs_a_directory_that_allows_it(void) {
  int status;
  pid_t pid = t_fork();

  if (pid == 0) {
    sections_on("probe", 0);
    _exit(0);
  }
  T_EQ(waitpid(pid, &status, 0), pid);
  if (status != 0)
    t_skip("may not mount here");
  T_IN_CHILD(map_code_elsewhere, NULL, T_EXITED(0));
  T_ROW_IN_CHILD("whole", map_code, (void *)(uintptr_t) "whole", T_EXITED(0));
  T_ROW_IN_CHILD("touch", map_code, (void *)(uintptr_t) "touch", T_EXITED(0));
}

static const struct t_case cases[] = {
  T_CASE(a_file_takes_four_descriptors),
  T_CASE(a_section_has_4096_lanes),
  T_CASE(a_section_has_2_to_the_36_pages),
  T_CASE(a_control_file_needs_half_a_mib),
  T_CASE_WITH(code_needs_a_directory_that_allows_it, T_MAPS_NOTHING),
};
T_MAIN(cases)
