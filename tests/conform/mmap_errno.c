/* mmap_errno.c - what mmap refuses, and the call beside it that it accepts. */
#include "conform.h"

#include <sys/socket.h>

#define NO_FD (-1)

/* Bits that no host gives a meaning to for MAP_SHARED, and softmap neither. */
#define UNKNOWN_FLAG 0x2000000
#define MAP_SYNC_BIT 0x80000

/* The largest offset that is a multiple of the page size. 32-bit hosts count pages of 4 KiB in 32
 * bits and find an offset past that invalid before they find it too large. */
#define OFFSET_TOO_LARGE (sizeof(long) == 8 ? EOVERFLOW : EINVAL)

static off_t
last_offset(void) {
  return (off_t)(INT64_MAX - (INT64_MAX % (off_t)t_page_size()));
}

static void
mmap_refuses_bad_lengths(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  const struct {
    const char *name;
    size_t len;
    int want;
  } rows[] = {
    { "length 0", 0, EINVAL },
    { "length 1", 1, 0 },
    { "length one page", t_pages(1), 0 },
    { "length that rounds up to nothing", SIZE_MAX, ENOMEM },
    { "length of all addresses", SIZE_MAX - 2 * t_page_size() + 1, ENOMEM },
    { "length of three quarters of the addresses", SIZE_MAX / 4 * 3 - t_page_size() + 1, ENOMEM },
    { "length past the end of the file", t_pages(16), 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    T_ROW(rows[i].name, AS_RESULT(mmap(NULL, rows[i].len, PROT_READ, MAP_SHARED, fd, 0)),
          rows[i].want);
    T_ROW(rows[i].name, AS_RESULT(mmap(NULL, rows[i].len, PROT_READ, MAP_PRIVATE, fd, 0)),
          rows[i].want);
  }
}

static void
mmap_refuses_bad_offsets(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  off_t page = (off_t)t_page_size();
  const struct {
    const char *name;
    off_t offset;
    size_t len;
    int want;
  } rows[] = {
    { "offset 1", 1, 1, EINVAL },
    { "offset half a page", page / 2, 1, EINVAL },
    { "offset one page less one", page - 1, 1, EINVAL },
    { "offset one page", page, 1, 0 },
    { "offset at the end of the file", 2 * page, 1, 0 },
    { "offset past the end of the file", 64 * page, 1, 0 },
    { "negative offset, aligned", -page, 1, OFFSET_TOO_LARGE },
    { "negative offset, not aligned", -1, 1, EINVAL },
    { "the last offset, one page", last_offset() - page, 2 * (size_t)page, OFFSET_TOO_LARGE },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name,
          AS_RESULT(mmap(NULL, rows[i].len, PROT_READ, MAP_SHARED, fd, rows[i].offset)),
          rows[i].want);
}

static void
mmap_refuses_bad_types(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  const struct {
    const char *name;
    int flags;
    int want;
  } rows[] = {
    { "no type", 0, EINVAL },
    { "no type, but MAP_NORESERVE", MAP_NORESERVE, EINVAL },
    { "MAP_SHARED", MAP_SHARED, 0 },
    { "MAP_PRIVATE", MAP_PRIVATE, 0 },
    { "both type bits are MAP_SHARED_VALIDATE", MAP_SHARED | MAP_PRIVATE, 0 },
    { "a type that doesn't exist", 0x05, EINVAL },
    { "all type bits", 0x0f, EINVAL },
    { "MAP_SHARED with an unknown flag", MAP_SHARED | UNKNOWN_FLAG, 0 },
    { "MAP_PRIVATE with an unknown flag", MAP_PRIVATE | UNKNOWN_FLAG, 0 },
    { "MAP_SHARED_VALIDATE with an unknown flag", MAP_SHARED_VALIDATE | UNKNOWN_FLAG, EOPNOTSUPP },
    { "MAP_SHARED_VALIDATE with a known flag", MAP_SHARED_VALIDATE | MAP_NORESERVE, 0 },
    { "MAP_SHARED_VALIDATE with MAP_SYNC", MAP_SHARED_VALIDATE | MAP_SYNC_BIT, EOPNOTSUPP },
    { "MAP_PRIVATE with MAP_GROWSDOWN", MAP_PRIVATE | MAP_GROWSDOWN, EINVAL },
    { "MAP_SHARED with MAP_GROWSDOWN", MAP_SHARED | MAP_GROWSDOWN, EINVAL },
    { "MAP_SHARED with MAP_HUGETLB", MAP_SHARED | MAP_HUGETLB, EINVAL },
    { "MAP_SHARED with MAP_STACK", MAP_SHARED | MAP_STACK, 0 },
    { "MAP_SHARED with MAP_DENYWRITE", MAP_SHARED | MAP_DENYWRITE, 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, AS_RESULT(mmap(NULL, t_page_size(), PROT_READ, rows[i].flags, fd, 0)),
          rows[i].want);
}

static void
mmap_refuses_unaligned_fixed_addresses(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *area = t_reserve(4);
  const struct {
    const char *name;
    unsigned char *addr;
    int flags;
    int want;
  } rows[] = {
    { "fixed, one byte off", area + 1, MAP_SHARED | MAP_FIXED, EINVAL },
    { "fixed, half a page off", area + t_page_size() / 2, MAP_PRIVATE | MAP_FIXED, EINVAL },
    { "fixed without replacing, one byte off", area + 1, MAP_SHARED | MAP_FIXED_NOREPLACE, EINVAL },
    { "fixed, aligned", area, MAP_SHARED | MAP_FIXED, 0 },
    { "fixed, aligned, private", area + t_pages(1), MAP_PRIVATE | MAP_FIXED, 0 },
    { "a hint one byte off", area + 1, MAP_SHARED, 0 },
    { "fixed at the end of all addresses", (unsigned char *)(UINTPTR_MAX - t_pages(1) + 1),
      MAP_SHARED | MAP_FIXED, ENOMEM },
    { "a hint at the end of all addresses", (unsigned char *)(UINTPTR_MAX - t_pages(1) + 1),
      MAP_SHARED, 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name,
          AS_RESULT(mmap(rows[i].addr, t_page_size(), PROT_READ, rows[i].flags, fd, 0)),
          rows[i].want);
}

static void
mmap_refuses_to_replace_when_asked_not_to(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *area = t_vacant(8);
  unsigned char *ours =
      T_MAP(area + t_pages(2), t_pages(2), PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
  const struct {
    const char *name;
    size_t first;
    size_t npages;
    int want;
  } rows[] = {
    { "over all of a mapping", 2, 2, EEXIST },
    { "over its first page", 1, 2, EEXIST },
    { "over its last page", 3, 2, EEXIST },
    { "around it", 0, 8, EEXIST },
    { "just before it", 1, 1, 0 },
    { "just after it", 4, 1, 0 },
  };

  T_EQ((uintptr_t)ours, (uintptr_t)(area + t_pages(2)));
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name,
          AS_RESULT(mmap(area + t_pages(rows[i].first), t_pages(rows[i].npages), PROT_READ,
                         MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0)),
          rows[i].want);
  T_MEM_OLD(ours, t_pages(2), 0);
}

static void
mmap_refuses_to_replace_foreign_memory_when_asked_not_to(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *foreign = t_foreign(1, 'f');

  T_ERR(AS_RESULT(mmap(foreign, t_page_size(), PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0)),
        EEXIST);
  T_MEM_ALL(foreign, t_page_size(), 'f');
  T_EQ((uintptr_t)T_MAP(foreign, t_page_size(), PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0),
       (uintptr_t)foreign);
  T_MEM_OLD(foreign, t_page_size(), 0);
}

static void
mmap_refuses_bad_descriptors(void) {
  char path[T_PATH];
  int pipe_fd[2];
  int sockets[2];
  int closed = fcntl(t_tmpfile(path, (off_t)t_pages(1)), F_DUPFD, 500);
  int dir_fd = t_open("/", O_RDONLY | O_DIRECTORY);

  T_OK(pipe(pipe_fd));
  T_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  T_OK(close(closed));
  const struct {
    const char *name;
    int fd;
    int prot;
    int flags;
    int want;
  } rows[] = {
    { "no descriptor", NO_FD, PROT_READ, MAP_SHARED, EBADF },
    { "no descriptor, private", NO_FD, PROT_READ, MAP_PRIVATE, EBADF },
    { "no descriptor, anonymous", NO_FD, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, 0 },
    { "a very negative descriptor", -1000, PROT_READ, MAP_SHARED, EBADF },
    { "a closed descriptor", closed, PROT_READ, MAP_SHARED, EBADF },
    { "the same file, open", t_open(path, O_RDONLY), PROT_READ, MAP_SHARED, 0 },
    { "O_PATH", t_open(path, O_PATH), PROT_READ, MAP_SHARED, EBADF },
    { "O_PATH, private", t_open(path, O_PATH), PROT_NONE, MAP_PRIVATE, EBADF },
    { "a directory", dir_fd, PROT_READ, MAP_SHARED, ENODEV },
    { "a directory, private", dir_fd, PROT_READ, MAP_PRIVATE, ENODEV },
    { "a directory, for writing", dir_fd, RW, MAP_SHARED, EACCES },
    { "a pipe", pipe_fd[0], PROT_READ, MAP_SHARED, ENODEV },
    { "a pipe, private", pipe_fd[0], PROT_READ, MAP_PRIVATE, ENODEV },
    { "the writing end of a pipe", pipe_fd[1], PROT_READ, MAP_SHARED, EACCES },
    { "a socket", sockets[0], PROT_READ, MAP_SHARED, ENODEV },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name,
          AS_RESULT(mmap(NULL, t_page_size(), rows[i].prot, rows[i].flags, rows[i].fd, 0)),
          rows[i].want);
}

/* Two reasons to refuse: the host's order decides which errno it is. */
static void
mmap_refuses_for_the_first_reason(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));
  int wronly = t_open(path, O_WRONLY);
  unsigned char *area = t_foreign(2, 'f');
  const struct {
    const char *name;
    void *addr;
    size_t len;
    int flags;
    int fd;
    off_t offset;
    int want;
  } rows[] = {
    { "length 0, no descriptor", NULL, 0, MAP_SHARED, NO_FD, 0, EBADF },
    { "no type, no descriptor", NULL, 1, 0, NO_FD, 0, EBADF },
    { "offset 1, no descriptor", NULL, 1, MAP_SHARED, NO_FD, 1, EINVAL },
    { "length 0, write-only", NULL, 0, MAP_SHARED, wronly, 0, EINVAL },
    { "length too large, write-only", NULL, SIZE_MAX, MAP_SHARED, wronly, 0, ENOMEM },
    { "no type, write-only", NULL, 1, 0, wronly, 0, EINVAL },
    { "fixed unaligned, write-only", area + 1, 1, MAP_SHARED | MAP_FIXED, wronly, 0, EINVAL },
    { "in the way, write-only", area, 1, MAP_SHARED | MAP_FIXED_NOREPLACE, wronly, 0, EEXIST },
    { "write-only", NULL, 1, MAP_SHARED, wronly, 0, EACCES },
    { "no reason", NULL, 1, MAP_SHARED, fd, 0, 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name,
          AS_RESULT(mmap(rows[i].addr, rows[i].len, PROT_READ, rows[i].flags, rows[i].fd,
                         rows[i].offset)),
          rows[i].want);
}

/* A refused call changes nothing, not even what MAP_FIXED would have replaced. */
static void
mmap_refused_leaves_what_was_there(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(2));
  int rdonly = t_open(path, O_RDONLY);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  p[0] = 'd';
  T_ERR(AS_RESULT(mmap(p, t_page_size(), RW, MAP_SHARED | MAP_FIXED, rdonly, 0)), EACCES);
  T_ERR(AS_RESULT(mmap(p, t_page_size(), RW, MAP_FIXED, fd, 0)), EINVAL);
  T_LOADS(p, 'd');
  T_STORES(p + t_page_size(), 'e');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'd');
  T_FILE_BYTE(fd, (off_t)t_page_size(), 'e');
  T_EQ((uintptr_t)T_MAP(p, t_page_size(), PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, 0),
       (uintptr_t)p);
  T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
}

static const struct t_case cases[] = {
  T_CASE(mmap_refuses_bad_lengths),
  T_CASE(mmap_refuses_bad_offsets),
  T_CASE(mmap_refuses_bad_types),
  T_CASE_NOT_TSAN(mmap_refuses_unaligned_fixed_addresses, "it has limits of its own"),
  T_CASE(mmap_refuses_to_replace_when_asked_not_to),
  T_CASE(mmap_refuses_to_replace_foreign_memory_when_asked_not_to),
  T_CASE(mmap_refuses_bad_descriptors),
  T_CASE(mmap_refuses_for_the_first_reason),
  T_CASE(mmap_refused_leaves_what_was_there),
};

T_MAIN(cases)
