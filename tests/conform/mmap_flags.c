/* mmap_flags.c - hints, flags that change nothing a program sees, memory that isn't a regular
 * file's, and the descriptor's life after the call. */
#include "conform.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void
hint_is_taken_where_nothing_is_mapped(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *vacant = t_vacant(8);
  unsigned char *p = T_MAP(vacant + t_pages(2), t_pages(2), RW, MAP_SHARED, fd, 0);

  T_EQ((uintptr_t)p, (uintptr_t)(vacant + t_pages(2)));
  T_MEM_OLD(p, t_pages(2), 0);
}

static void
hint_does_not_replace_what_is_mapped(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *foreign = t_foreign(2, 'f');
  unsigned char *p = T_MAP(foreign, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *q = T_MAP(p, t_pages(2), RW, MAP_PRIVATE, fd, 0);

  T_CHECK(p != foreign && q != p && q != foreign);
  T_MEM_ALL(foreign, t_pages(2), 'f');
  T_MEM_OLD(p, t_pages(2), 0);
  T_MEM_OLD(q, t_pages(2), 0);
}

static void
address_is_a_multiple_of_the_page_size(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));

  for (size_t n = 0; n < 32; n++) {
    unsigned char *p = T_MAP(NULL, 1 + n * 1000, PROT_READ, MAP_SHARED, fd, 0);

    T_EQ((uintptr_t)p % t_page_size(), 0);
  }
}

/* The flags a program may add, each with the two types: contents and stores are as without. */
static void
flags_that_tune_change_no_contents(void) {
  static const struct {
    const char *name;
    int flags;
  } rows[] = {
    { "none", 0 },
    { "MAP_POPULATE", MAP_POPULATE },
    { "MAP_POPULATE|MAP_NONBLOCK", MAP_POPULATE | MAP_NONBLOCK },
    { "MAP_NORESERVE", MAP_NORESERVE },
    { "MAP_LOCKED", MAP_LOCKED },
    { "MAP_STACK", MAP_STACK },
    { "all of them", MAP_POPULATE | MAP_NORESERVE | MAP_LOCKED | MAP_STACK },
  };

  for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
    int type = i % 2 == 0 ? MAP_SHARED : MAP_PRIVATE;
    int fd = t_tmpfile(NULL, (off_t)t_pages(3));
    unsigned char *p = mmap(NULL, t_pages(3), RW, type | rows[i / 2].flags, fd, 0);

    if (p == MAP_FAILED) {
      t_row_fail(T_HERE, rows[i / 2].name, "mmap failed");
      continue;
    }
    T_MEM_OLD(p, t_pages(3), 0);
    p[t_pages(1)] = 'p';
    T_LOADS(p + t_pages(1), 'p');
    T_OK(munmap(p, t_pages(3)));
    T_FILE_BYTE(fd, (off_t)t_pages(1), type == MAP_SHARED ? 'p' : t_old_byte((off_t)t_pages(1)));
    (void)close(fd);
  }
}

static void
populate_past_the_end_of_the_file_is_no_error(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED | MAP_POPULATE, fd, 0);

  T_MEM_OLD(p, t_pages(1), 0);
  T_LOAD_FAULTS(p + t_pages(1), SIGBUS, BUS_ADRERR);
}

static void
anonymous_memory_ignores_the_descriptor(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *a = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
  unsigned char *b = T_MAP(NULL, t_pages(2), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  T_MEM_ALL(a, t_pages(2), 0);
  T_MEM_ALL(b, t_pages(2), 0);
  memset(a, 'a', t_pages(2));
  memset(b, 'b', t_pages(2));
  T_OK(msync(b, t_pages(2), MS_SYNC));
  T_OK(munmap(a, t_pages(2)));
  T_MEM_ALL(b, t_pages(2), 'b');
  T_OK(munmap(b, t_pages(2)));
  T_FILE_OLD(fd, 0, t_pages(2));
}

static void
devices_pass_through(void) {
  int zero = t_open("/dev/zero", O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, zero, 0);
  unsigned char *q = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, zero, 0);

  T_MEM_ALL(p, t_pages(2), 0);
  T_STORES(p, 'z');
  T_STORES(q, 'y');
  T_LOADS(p, 'z');
  T_LOADS(q, 'y');
  T_ERR(AS_RESULT(mmap(NULL, t_pages(1), RW, MAP_SHARED, t_open("/dev/null", O_RDWR), 0)), ENODEV);
}

static void
memory_files_can_be_mapped(void) {
#ifdef SYS_memfd_create
  int fd = (int)syscall(SYS_memfd_create, "conform", 0);
  unsigned char *p;

  if (fd < 0)
    t_skip("no memfd_create here");
  T_OK(ftruncate(fd, (off_t)t_pages(1)));
  p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  T_STORES(p, 'm');
  T_FILE_BYTE(fd, 0, 'm');
#else
  t_skip("no memfd_create here");
#endif
}

static void
mapping_outlives_its_descriptor(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *q = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, fd, (off_t)t_pages(1));

  T_OK(close(fd));
  T_MEM_OLD(p, t_pages(2), 0);
  p[1] = 'c';
  T_OK(msync(p, t_pages(2), MS_SYNC));
  p[2] = 'd';
  T_MEM_OLD(q, t_pages(1), (off_t)t_pages(1));
  T_OK(munmap(p, t_pages(2)));
  fd = t_open(path, O_RDONLY);
  T_FILE_BYTE(fd, 1, 'c');
  T_FILE_BYTE(fd, 2, 'd');
}

/* The number is given to another file while the mapping is dirty: nothing lands there. */
static void
reused_descriptor_number_is_not_written_to(void) {
  int spare = t_tmpfile(NULL, (off_t)t_pages(2));
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  int keep = dup(fd);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  p[0] = 'r';
  T_CHECK(dup2(spare, fd) == fd);
  p[t_pages(1)] = 's';
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_OLD(spare, 0, t_pages(2));
  T_FILE_BYTE(keep, 0, 'r');
  T_FILE_BYTE(keep, (off_t)t_pages(1), 's');
}

static void
unlinked_and_renamed_files_are_still_the_ones_mapped(void) {
  char path[T_PATH];
  char other_path[T_PATH];
  int other = t_tmpfile(other_path, (off_t)t_pages(1));
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  p[0] = 'u';
  T_OK(rename(other_path, path));
  T_OK(msync(p, t_pages(1), MS_SYNC));
  p[1] = 'v';
  T_OK(munmap(p, t_pages(1)));
  T_FILE_OLD(other, 0, t_pages(1));
  T_FILE_BYTE(fd, 0, 'u');
  T_FILE_BYTE(fd, 1, 'v');
}

/* What a file is written through is decided at mmap: a mode taken away later changes nothing. */
static void
rights_taken_away_after_mmap_change_nothing(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  T_OK(fchmod(fd, 0));
  T_OK(close(fd));
  p[0] = 'k';
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_OK(chmod(path, 0600));
  T_FILE_BYTE(t_open(path, O_RDONLY), 0, 'k');
}

/* Unmapping and syncing close no descriptor of the program's and drop none of its record locks. */
static void
record_locks_survive_mapping_and_unmapping(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
  unsigned char *p;
  pid_t pid;

  T_OK(fcntl(fd, F_SETLK, &lock));
  p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  p[0] = 'l';
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_OK(munmap(p, t_pages(1)));
  pid = t_fork();
  if (pid == 0) {
    struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

    _exit(fcntl(fd, F_GETLK, &probe) == 0 && probe.l_type == F_WRLCK ? 0 : 1);
  }
  T_REAP(pid, T_EXITED(0));
}

static const struct t_case cases[] = {
  T_CASE(hint_is_taken_where_nothing_is_mapped),
  T_CASE(hint_does_not_replace_what_is_mapped),
  T_CASE(address_is_a_multiple_of_the_page_size),
  T_CASE(flags_that_tune_change_no_contents),
  T_CASE(populate_past_the_end_of_the_file_is_no_error),
  T_CASE_MAPS_NOTHING(anonymous_memory_ignores_the_descriptor),
  T_CASE_MAPS_NOTHING(devices_pass_through),
  T_CASE_MAPS_NOTHING(memory_files_can_be_mapped),
  T_CASE(mapping_outlives_its_descriptor),
  T_CASE(reused_descriptor_number_is_not_written_to),
  T_CASE(unlinked_and_renamed_files_are_still_the_ones_mapped),
  T_CASE(rights_taken_away_after_mmap_change_nothing),
  T_CASE(record_locks_survive_mapping_and_unmapping),
};

T_MAIN(cases)
