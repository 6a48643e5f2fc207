/* host.h - contract of the only layer that calls the system.
 *
 * Who may call: section, backing, track, fault, signal, space, process; api through those.
 * Who it calls: nobody above it.
 *
 * Every function returns 0 or a positive errno and hands results out through parameters, which
 * are written only on success; none of them changes errno (those marked SOFTMAP_SIGSAFE may be
 * called from the fault handler).  EINTR never comes out: calls are continued or repeated.
 * Memory arguments are page aligned unless said otherwise.  Descriptors are O_CLOEXEC.
 *
 * The system is entered by raw system calls where a preloaded library could stand in the way of
 * the libc function.  Each function is one site of fault injection (inject.h), under its name
 * without "host_".  A new port starts from host_none.c.
 */
#ifndef SOFTMAP_HOST_H
#define SOFTMAP_HOST_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define SOFTMAP_MUST_CHECK __attribute__((warn_unused_result))
/* May be called from the fault handler: no allocation, no lock but the page bit, no stdio. */
#define SOFTMAP_SIGSAFE

/* ---- What the host is ---------------------------------------------------------------------- */

struct host_config {
  size_t page_size; /* bytes; power of two; unit of protection and tracking */
  unsigned page_shift;
  size_t area_limit; /* memory areas a process may have (vm.max_map_count) */
  unsigned ncpus;
};

/* Constant after host_start(); before it all members are 0. */
extern struct host_config host_config;

/* Once a process, before any other call; idempotent.  A build with injection lets the
 * environment variable SOFTMAP_TEST_PAGE_SIZE raise page_size. */
SOFTMAP_MUST_CHECK int host_start(void);

/* ---- Memory -------------------------------------------------------------------------------- */

/* mmap(2); fd -1 with MAP_ANONYMOUS.  Aligned to host_config.page_size also where the kernel's
 * pages are smaller (and MAP_FIXED isn't given). */
SOFTMAP_MUST_CHECK int host_map(void **out, void *addr, size_t len, int prot, int flags, int fd,
                                off_t offset);
/* The same for memory of our own: apart from the program's, whose holes stay as it made them (on
 * hosts of 64 bits). */
SOFTMAP_MUST_CHECK int host_map_own(void **out, size_t len, int prot, int flags, int fd,
                                    off_t offset);
SOFTMAP_MUST_CHECK int host_unmap(void *addr, size_t len);
SOFTMAP_MUST_CHECK int host_protect(void *addr, size_t len, int prot) SOFTMAP_SIGSAFE;
/* mremap(2); new_addr is used with MREMAP_FIXED. */
SOFTMAP_MUST_CHECK int host_remap(void **out, void *old_addr, size_t old_len, size_t new_len,
                                  int flags, void *new_addr);
SOFTMAP_MUST_CHECK int host_advise(void *addr, size_t len, int advice);
SOFTMAP_MUST_CHECK int host_sync_memory(void *addr, size_t len, int flags); /* msync(2) */
/* mincore(2) by the page of host_config. */
SOFTMAP_MUST_CHECK int host_resident(void *addr, size_t len, unsigned char *vec);
/* Copy bytes that may not be readable: EFAULT instead of a signal. */
SOFTMAP_MUST_CHECK int host_copy_from(void *to, const void *from, size_t len);
SOFTMAP_MUST_CHECK int host_lock_memory(const void *addr, size_t len);
SOFTMAP_MUST_CHECK int host_unlock_memory(const void *addr, size_t len);
/* Copy memory of this process from vectors to vectors; *done: bytes copied before one was met that
 * can't be read or written, for which no signal is raised.  EOPNOTSUPP: not here. */
SOFTMAP_MUST_CHECK int host_copy_memory(const struct iovec *to, int nto, const struct iovec *from,
                                        int nfrom, size_t *done) SOFTMAP_SIGSAFE;

/* ---- Files --------------------------------------------------------------------------------- */

struct host_stat {
  uint64_t device, inode;
  uint64_t birth_ns; /* 0 where the file system has none */
  uint64_t mtime_ns;
  uint64_t size; /* bytes */
  uint64_t links;
  mode_t mode; /* type and permissions */
  uid_t owner;
};

SOFTMAP_MUST_CHECK int host_open(int *out, int dirfd, const char *name, int flags, mode_t mode);
/* A descriptor with an open description of its own for the file of fd (Linux: through /proc). */
SOFTMAP_MUST_CHECK int host_reopen(int *out, int fd, int flags);
SOFTMAP_MUST_CHECK int host_close(int fd);
SOFTMAP_MUST_CHECK int host_stat_fd(int fd, struct host_stat *out);
/* Doesn't follow a symbolic link at the end. */
SOFTMAP_MUST_CHECK int host_stat_path(const char *path, struct host_stat *out);
SOFTMAP_MUST_CHECK int host_set_mode(int fd, mode_t mode); /* fchmod */
SOFTMAP_MUST_CHECK int host_open_flags(int fd, int *out); /* fcntl F_GETFL */
/* As much as there is up to len; *got < len only at the end of the file. */
SOFTMAP_MUST_CHECK int host_read(int fd, void *buf, size_t len, uint64_t offset, size_t *got);
/* One system call: *got may be short of the sum. */
SOFTMAP_MUST_CHECK int host_read_vectors(int fd, const struct iovec *vec, int nvec, uint64_t offset,
                                         size_t *got);
/* One system call: at most IOV_MAX vectors; *put may be short of the sum.  Never appends, though
 * fd may have O_APPEND; EOPNOTSUPP where that can't be had.  With SIGXFSZ blocked in the calling
 * thread, one that the call raised is consumed: EFBIG. */
SOFTMAP_MUST_CHECK int host_write(int fd, const struct iovec *vec, int nvec, uint64_t offset,
                                  size_t *put);
SOFTMAP_MUST_CHECK int host_resize(int fd, uint64_t size); /* ftruncate; SIGXFSZ as host_write */
SOFTMAP_MUST_CHECK int host_flush(int fd);                 /* fdatasync */
SOFTMAP_MUST_CHECK int host_flush_all(int fd);             /* fsync */
/* fsync of a directory: names made and taken away in it are so for good.  0 where it has nothing to
 * flush. */
SOFTMAP_MUST_CHECK int host_flush_names(int fd);
/* Make [offset, offset + len) a hole; the size stays.  EOPNOTSUPP where there are no holes. */
SOFTMAP_MUST_CHECK int host_punch(int fd, uint64_t offset, uint64_t len);
/* The next run of data at or after offset: [*start, *end), cut off at limit; *start == limit if
 * there is none.  A file system that doesn't know its holes has data everywhere.  Moves the
 * position of fd. */
SOFTMAP_MUST_CHECK int host_next_data(int fd, uint64_t offset, uint64_t limit, uint64_t *start,
                                      uint64_t *end);
SOFTMAP_MUST_CHECK int host_make_dir(int dirfd, const char *name, mode_t mode);
SOFTMAP_MUST_CHECK int host_remove_dir(int dirfd, const char *name); /* EEXIST: not empty */
/* fn for every name in a directory but "." and "..", in no order, until it returns non-zero, which
 * is returned.  Moves the position of fd; names that come or go meanwhile may be told or not. */
SOFTMAP_MUST_CHECK int host_list(int fd, int (*fn)(const char *name, void *arg), void *arg);
/* rename(2): `to` may be a file, or an empty directory.  EEXIST: it isn't empty. */
SOFTMAP_MUST_CHECK int host_rename(int dirfd, const char *from, const char *to);
SOFTMAP_MUST_CHECK int host_unlink(int dirfd, const char *name);
/* Path of an open file, NUL-terminated, cut off if longer. */
SOFTMAP_MUST_CHECK int host_path_of(int fd, char *out, size_t size);

/* Locks of one byte of a file, owned by the calling thread's descriptor table, dropped when that
 * ends (exit, exec, kill) and not inherited by fork: the sign that a lane is alive. */
SOFTMAP_MUST_CHECK int host_byte_lock(int fd, uint64_t offset); /* EAGAIN: somebody has it */
/* The same, but others may have it, too; fd must be readable only. */
SOFTMAP_MUST_CHECK int host_byte_share(int fd, uint64_t offset); /* EAGAIN: locked */
SOFTMAP_MUST_CHECK int host_byte_unlock(int fd, uint64_t offset);
SOFTMAP_MUST_CHECK int host_byte_is_locked(int fd, uint64_t offset, bool *out); /* by others */

/* ---- Descriptor tables --------------------------------------------------------------------- */

/* Give the calling thread an empty descriptor table of its own.  Only for a thread that shares the
 * process's: alone in a table it would close that. */
SOFTMAP_MUST_CHECK int host_table_leave(void);
/* A pair of connected sockets that keep message boundaries. */
SOFTMAP_MUST_CHECK int host_channel(int out[2]);
/* Send n (1..HOST_FDS_MAX) descriptors with one message of up to 64 bytes; receive them. */
#define HOST_FDS_MAX 32
SOFTMAP_MUST_CHECK int host_send_fds(int channel, const void *msg, size_t len, const int *fds,
                                     int n);
/* ENODATA when nothing is queued or the peer is closed (never blocks).  A message of another form
 * is dropped whole: EBADMSG, or EMFILE where the table had no room. */
SOFTMAP_MUST_CHECK int host_receive_fds(int channel, void *msg, size_t len, int *fds, int n);
/* An inbox: a socket bound to a name nobody else has; fds posted to it arrive in its owner's
 * table.  host_inbox_post sends from the calling thread's table, by the address.
 * host_inbox_take returns ENODATA when nothing is queued; passes over what another process sent.
 * A full queue makes a send wait, but not for ever: EAGAIN after some seconds. */
struct host_inbox_address {
  unsigned char bytes[112];
  uint32_t length;
};
SOFTMAP_MUST_CHECK int host_inbox(int *out, struct host_inbox_address *address);
SOFTMAP_MUST_CHECK int host_inbox_post(const struct host_inbox_address *address, uint64_t ticket,
                                       int fd);
SOFTMAP_MUST_CHECK int host_inbox_take(int inbox, uint64_t *ticket, int *fd);

/* ---- The host's own write watch ------------------------------------------------------------ */

/* What it takes to use it: descriptors of the calling thread's table.  EOPNOTSUPP: this host has
 * none, or refuses it to this process. */
struct host_watch {
  int userfault, pagemap;
};
SOFTMAP_MUST_CHECK int host_watch_open(struct host_watch *out);
void host_watch_close(const struct host_watch *watch);
/* From now on, until it is unmapped or moved, shared memory can be watched.  Not inherited by a
 * forked child.  Idempotent. */
SOFTMAP_MUST_CHECK int host_watch_add(const struct host_watch *watch, void *addr, size_t len);
/* No store to these pages has happened, as far as host_watch_scan is concerned. */
SOFTMAP_MUST_CHECK int host_watch_begin(const struct host_watch *watch, void *addr, size_t len);
/* Runs of pages in [*at, end) that were stored to since host_watch_begin, or for which that was
 * never called; with `again`, in the same step it begins anew for them.  At most max of them;
 * *at: how far it looked.  EPERM: there is memory that can't be watched. */
struct host_run {
  uint64_t start, end; /* addresses */
  uint64_t kind;
};
SOFTMAP_MUST_CHECK int host_watch_scan(const struct host_watch *watch, uintptr_t *at,
                                       uintptr_t end, bool again, struct host_run *runs,
                                       size_t max, size_t *n);

/* ---- Threads ------------------------------------------------------------------------------- */

/* Sleep while *word == expect; timeout_ns 0: for ever.  Also returns early. */
void host_wait(_Atomic uint32_t *word, uint32_t expect, uint64_t timeout_ns) SOFTMAP_SIGSAFE;
void host_wake(_Atomic uint32_t *word, int nthreads) SOFTMAP_SIGSAFE; /* INT_MAX: all */
void host_yield(void) SOFTMAP_SIGSAFE;
void host_nap(uint64_t ns) SOFTMAP_SIGSAFE;
uint64_t host_now_ns(void) SOFTMAP_SIGSAFE; /* monotonic */
/* Threads of this process that haven't ended (a first thread that has is still listed by Linux,
 * as a zombie, and not counted here). */
SOFTMAP_MUST_CHECK int host_thread_count(unsigned *out);
/* Addresses of the robust mutexes that threads of this process hold or are about to take: the words
 * that the kernel writes when such a thread dies.  At most max of them; *n may be short of all. */
SOFTMAP_MUST_CHECK int host_robust_locks(uintptr_t *out, size_t max, size_t *n) SOFTMAP_SIGSAFE;
/* A detached thread with all signals blocked. */
SOFTMAP_MUST_CHECK int host_thread_start(void *(*fn)(void *), void *arg, const char *name);

/* ---- Processes ----------------------------------------------------------------------------- */

/* False in a forked child until host_lineage_renew(): memory that fork wipes tells, so that a
 * child of vfork, which shares the memory, isn't mistaken. */
bool host_lineage_same(void) SOFTMAP_SIGSAFE;
void host_lineage_renew(void);
/* Are we a child of vfork, with our parent's memory and without its threads' leave to change it? */
bool host_is_vfork_child(void) SOFTMAP_SIGSAFE;

struct host_identity {
  uint64_t pid, start_ticks, boot[2], pid_namespace;
};
SOFTMAP_MUST_CHECK int host_identity(struct host_identity *out);
/* Does none of that process's threads run: it is stopped (SIGSTOP, a debugger), or has ended?  False
 * also if it is of another pid namespace, if its pid is another's by now, or if it can't be looked at. */
bool host_is_stopped(const struct host_identity *process);
uid_t host_user(void); /* effective */
/* pthread_atfork whose functions stay registered to the very end: libc forgets those of a library
 * when exit has run its handlers, and a thread that was forking just then would never get back
 * what `prepare` took. */
SOFTMAP_MUST_CHECK int host_watch_fork(void (*prepare)(void), void (*parent)(void),
                                       void (*child)(void));

/* ---- Signals ------------------------------------------------------------------------------- */

/* sigaction(2) with the libc's structure. */
SOFTMAP_MUST_CHECK int host_signal_action(int sig, const struct sigaction *new_action,
                                          struct sigaction *old_action) SOFTMAP_SIGSAFE;
/* Use this function for it: a library that stands before the libc's sigaction would be asked by its
 * own engine. */
void host_use_sigaction(int (*function)(int, const struct sigaction *, struct sigaction *));
void host_signals_block(sigset_t *old) SOFTMAP_SIGSAFE; /* all that can be */
void host_signals_set(const sigset_t *mask) SOFTMAP_SIGSAFE;
/* Does the mask leave a signal open that host_signals_block blocks? */
bool host_signals_any_open(const sigset_t *mask) SOFTMAP_SIGSAFE;
void host_signal_raise(int sig) SOFTMAP_SIGSAFE; /* to the calling thread */

/* ---- Words to the user --------------------------------------------------------------------- */

/* One write(2) to standard error. */
void host_message(const char *text, size_t len) SOFTMAP_SIGSAFE;

#endif
