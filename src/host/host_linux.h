/* host_linux.h - how the host layer enters Linux: raw system calls, and constants that are newer
 * than the headers we must build with.
 *
 * Included first, by src/host/ only.  Everything that depends on the width of registers or on an
 * architecture's calling convention is in this file.
 *
 * A raw call gives its result, or the negative errno; errno itself stays as it was.  libc's
 * syscall(2) is no cancellation point, no sanitizer watches it, and nobody wraps it.
 */
#ifndef SOFTMAP_HOST_LINUX_H
#define SOFTMAP_HOST_LINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "build with -D_FILE_OFFSET_BITS=64");
_Static_assert(sizeof(long) == sizeof(void *), "a register holds a pointer");

/* ---- Constants ----------------------------------------------------------------------------- */

#ifndef RWF_NOAPPEND /* 6.9 */
#define RWF_NOAPPEND 0x00000020
#endif
#ifndef CLOSE_RANGE_UNSHARE /* 5.9 */
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef MADV_WIPEONFORK /* 4.14 */
#define MADV_WIPEONFORK 18
#endif
#ifndef MAP_FIXED_NOREPLACE /* 4.17 */
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP /* 5.7 */
#define MREMAP_DONTUNMAP 4
#endif
#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_KEEP_SIZE 1
#define FALLOC_FL_PUNCH_HOLE 2
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* ---- Raw calls ----------------------------------------------------------------------------- */

static inline long
raw_call(long number, long a, long b, long c, long d, long e, long f) {
  int saved = errno;
  long result = syscall(number, a, b, c, d, e, f);
  if (result == -1) {
    result = -errno;
    errno = saved;
  }
  return result;
}

#define raw0(nr) raw_call(nr, 0, 0, 0, 0, 0, 0)
#define raw1(nr, a) raw_call(nr, (long)(a), 0, 0, 0, 0, 0)
#define raw2(nr, a, b) raw_call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define raw3(nr, a, b, c) raw_call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define raw4(nr, a, b, c, d) raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define raw5(nr, a, b, c, d, e)                                                                    \
  raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define raw6(nr, a, b, c, d, e, f)                                                                 \
  raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Addresses above 2 GiB are negative on 32 bits too; errors are the last 4095 values only. */
static inline int
raw_error(long result) {
  return (unsigned long)result > -4096UL ? (int)-result : 0;
}

/* ---- Calls whose form depends on the machine ----------------------------------------------- */

static inline long
raw_mmap(void *addr, size_t len, int prot, int flags, int fd, uint64_t offset) {
#if defined __s390__
  unsigned long args[6] = { (unsigned long)addr, len,
                            (unsigned long)prot, (unsigned long)flags,
                            (unsigned long)fd,   (unsigned long)offset };
  return raw1(SYS_mmap, args);
#elif defined SYS_mmap2
  if (offset % 4096 != 0)
    return -EINVAL;
  if (offset / 4096 > UINT32_MAX)
    return -EOVERFLOW;
  return raw6(SYS_mmap2, addr, len, prot, flags, fd, offset / 4096);
#else
  return raw6(SYS_mmap, addr, len, prot, flags, fd, offset);
#endif
}

/* The vector calls take the halves of an offset separately on every machine, without the pairing
 * rules of pread64 and pwrite64. */
#define RAW_LOW(offset) (long)(offset)
#define RAW_HIGH(offset) (sizeof(long) == 8 ? 0L : (long)((uint64_t)(offset) >> 32))

static inline long
raw_pread(int fd, void *buf, size_t len, uint64_t offset) {
#if defined __LP64__
  return raw4(SYS_pread64, fd, buf, len, offset);
#else
  struct {
    void *base;
    size_t len;
  } vec = { buf, len };
  return raw5(SYS_preadv, fd, &vec, 1, RAW_LOW(offset), RAW_HIGH(offset));
#endif
}

static inline long
raw_ftruncate(int fd, uint64_t size) {
#if defined __LP64__
  return raw2(SYS_ftruncate, fd, size);
#elif defined __arm__ || defined __mips__ || defined __powerpc__ || defined __xtensa__
  /* A pair starts in an even register. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return raw4(SYS_ftruncate64, fd, 0, size >> 32, size);
#else
  return raw4(SYS_ftruncate64, fd, 0, size, size >> 32);
#endif
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return raw3(SYS_ftruncate64, fd, size >> 32, size);
#else
  return raw3(SYS_ftruncate64, fd, size, size >> 32);
#endif
}

/* The pairs begin at an even register as it is. */
static inline long
raw_fallocate(int fd, int mode, uint64_t offset, uint64_t len) {
#if defined __LP64__
  return raw4(SYS_fallocate, fd, mode, offset, len);
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return raw6(SYS_fallocate, fd, mode, offset >> 32, offset, len >> 32, len);
#else
  return raw6(SYS_fallocate, fd, mode, offset, offset >> 32, len, len >> 32);
#endif
}

/* 0 and the new position, or the negative errno. */
static inline long
raw_lseek(int fd, uint64_t offset, int whence, uint64_t *position) {
#if defined __LP64__
  long result = raw3(SYS_lseek, fd, offset, whence);
  if (raw_error(result) != 0)
    return result;
  *position = (uint64_t)result;
  return 0;
#else
  int64_t where = 0;
  long result = raw5(SYS__llseek, fd, offset >> 32, offset, &where, whence);
  if (raw_error(result) == 0)
    *position = (uint64_t)where;
  return result;
#endif
}

/* With 64-bit struct flock and F_SETLK, as _FILE_OFFSET_BITS gives them. */
static inline long
raw_fcntl(int fd, int command, long arg) {
#if defined SYS_fcntl64
  return raw3(SYS_fcntl64, fd, command, arg);
#else
  return raw3(SYS_fcntl, fd, command, arg);
#endif
}

/* What the kernel's calls without "time64" in their name take. */
struct raw_timespec {
#if !defined __LP64__ && !defined SYS_futex
  int64_t sec, nsec; /* machines young enough to have the 64-bit calls only */
#else
  long sec, nsec;
#endif
};

#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif
#ifndef SYS_rt_sigtimedwait
#define SYS_rt_sigtimedwait SYS_rt_sigtimedwait_time64
#endif
#ifndef SYS_ppoll
#define SYS_ppoll SYS_ppoll_time64
#endif

/* The kernel's struct statx, which musl 1.2.3 hasn't. */
struct raw_statx_time {
  int64_t sec;
  uint32_t nsec;
  int32_t reserved;
};
struct raw_statx {
  uint32_t mask, blksize;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode, reserved;
  uint64_t ino, size, blocks, attributes_mask;
  struct raw_statx_time atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t spare[14];
};
_Static_assert(sizeof(struct raw_statx) == 256, "the kernel's layout");
#define RAW_STATX_BASIC 0x7ffU
#define RAW_STATX_BTIME 0x800U

static inline uid_t
raw_geteuid(void) {
#if defined SYS_geteuid32 /* the call without 32 has 16 bits */
  return (uid_t)raw0(SYS_geteuid32);
#else
  return (uid_t)raw0(SYS_geteuid);
#endif
}

/* Bytes of a signal set as the kernel counts them; libc's sigset_t begins with these. */
#if defined __mips__
#define RAW_SIGSET_BYTES 16
#else
#define RAW_SIGSET_BYTES 8
#endif

static inline long
raw_sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  return raw4(SYS_rt_sigprocmask, how, set, old, RAW_SIGSET_BYTES);
}

/* ---- Shared by the files of this host ------------------------------------------------------ */

extern size_t host_kernel_page; /* bytes; host_config.page_size unless a test raised that */

/* A place for len bytes of our own, free or not; NULL: the kernel is to choose. */
void *host_place(uint64_t len);

/* "/proc/thread-self/fd/N": a thread that has left the process's descriptor table sees its own
 * there, and the leader's in /proc/self/fd. */
#define PROC_FD_SIZE 40
void host_proc_fd(char path[PROC_FD_SIZE], int fd);

/* host_list by path, in the calling thread's table. */
int host_each_name(const char *path, int (*fn)(const char *name, void *arg), void *arg);

/* Reads a small file whole; NUL-terminated; cut off at size - 1. */
int host_read_small(const char *path, char *out, size_t size);

/* Whether sig waits for the calling thread; and taking one such signal off, if it is blocked. */
bool host_signal_waits(int sig);
void host_signal_consume(int sig);

/* Called by host_start(). */
int host_lineage_start(void);

#endif
