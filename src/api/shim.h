/* shim.h - what the engine offers its own shim (src/preload) beside the public calls.
 *
 * The one internal header that src/preload may include.  As the public calls these set errno, and
 * are safe from any thread; those marked SOFTMAP_SIGSAFE from signal handlers, too.
 */
#ifndef SOFTMAP_SHIM_H
#define SOFTMAP_SHIM_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <softmap/softmap.h>

/* ---- Starting ------------------------------------------------------------------------------ */

/* Read the options of the environment, without starting threads or handlers: a program that maps
 * no file pays for no more than that.  real_sigaction: the libc's own, which the shim stands
 * before.  Once a process, and before it has a second thread. */
void shim_start(int (*real_sigaction)(int, const struct sigaction *, struct sigaction *));
/* Has a file been mapped by softmap in this process?  Before, nothing is ours. */
bool shim_is_started(void);

/* ---- Mapping ------------------------------------------------------------------------------- */

/* May some byte of [addr, addr + len) lie in a mapping of ours? */
bool shim_touches(const void *addr, size_t len);
/* The host's own mmap, whatever the file is, also over mappings of ours. */
void *shim_host_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
/* Does the file behind fd have a section, in this or any process? */
bool shim_has_section(int fd);

/* The file behind fd has lost its last name: give up what dead processes left of it.  A section that
 * somebody has mapped stays. */
void shim_forget(int fd);

/* ---- Signals ------------------------------------------------------------------------------- */

enum { SHIM_SEGV = 1, SHIM_BUS = 2 };

/* sigaction of SIGSEGV or SIGBUS, behind ours.  Only once a file has been mapped. */
int shim_sigaction(int sig, const struct sigaction *new_action, struct sigaction *old_action);
/* What the program has blocked of the two in this thread; returns what it had before. */
unsigned shim_block_behind(unsigned blocked);
unsigned shim_blocked_behind(void);

/* ---- Coherence ----------------------------------------------------------------------------- *
 *
 * Around a call that reads or writes a file.  Begin says whether there is something to do: the file
 * has a section, in this or any process.  Then the call is made, and the end must follow: after a
 * write, with all signals but those of faults blocked in between.  They never fail: what can't be had (no descriptor, no
 * memory) leaves the call as it would be without us. */

struct shim_op {
  void *section;
  uint64_t first, npages, dirty_first, dirty_end;
  uint64_t *claimed;
  const unsigned char *fence;
  int fd; /* writing: must still be the file's at the end, or all takes a little longer */
  sigset_t mask;
};

bool shim_read_begin(struct shim_op *op, int fd, uint64_t offset, uint64_t len);
/* `got` bytes were read at offset into iov; -1: none. */
void shim_read_end(struct shim_op *op, const struct iovec *iov, int n, uint64_t offset,
                   ssize_t got);
bool shim_write_begin(struct shim_op *op, int fd, uint64_t offset, uint64_t len);
/* `put` bytes were written at offset from iov (NULL: by the kernel, from elsewhere); -1: none.  Also
 * follows the file's size: a call that changes only that is a write of nothing. */
void shim_write_end(struct shim_op *op, const struct iovec *iov, int n, uint64_t offset,
                    ssize_t put);

/* ftruncate of a file that has a section.  0, or an errno, ENOENT among them if it has none: then
 * nothing was done, and the call is the program's to make. */
int shim_truncate(int fd, uint64_t size);

/* Before the kernel reads [offset, offset + len) of a file for another purpose: write what is dirty
 * there.  0, or the errno of a failed write. */
int shim_write_dirty(int fd, uint64_t offset, uint64_t len);

/* fdatasync, or fsync, of a file that has a section, and of its mappings, in one flush.  0, or an errno,
 * ENOENT among them if it has none: then nothing was done, and the call is the program's to make. */
int shim_flush(int fd, bool data_only);

/* ---- The end ------------------------------------------------------------------------------- */

/* Write everything dirty to its file, without flushing.  For ends of the process that run no exit
 * handlers.  Nothing in a child of vfork, which would do its parent's work. */
void shim_write_back(void);

/* ---- Counting ------------------------------------------------------------------------------ */

/* Count in *shared as well, which other processes share: the members of struct softmap_stats that
 * are monotonic, in its order. */
enum { SHIM_COUNTERS = 17 };
void shim_count_in(_Atomic uint64_t *shared);

#endif
