/* softmap.h - mmap(2) of files, done in user space: the whole API and its contract.
 *
 * A file is copied into memory shared by all its mappings (its section).  Pages are read-only
 * until written; the first store to a page faults, makes it writable and marks it dirty in a
 * table of one byte a page.  msync, munmap and exit write the dirty pages, and no others.
 *
 * The calls that have a POSIX or Linux namesake take the same arguments, return the same values
 * and set the same errno; each comment below says what is particular.  Rules without a source
 * are those of POSIX.1-2017 (XSH) and of Linux's manual pages, section 2.
 *
 * Words used throughout:
 *   page     softmap_page_size() bytes; never assume 4096.
 *   ours     a range that a call of this library mapped.  Everything else belongs to the host,
 *            and its part of a range is handed to the host's own call.
 *   section  the memory image of one file, shared by all mappings of it in all processes.
 *   dirty    stored to since it was last written to the file.
 *
 * Holds for every function unless its comment says otherwise:
 *   Threads       safe to call from any thread at any time.
 *   Signals       not async-signal-safe.  Stores and loads in mapped memory are allowed in a
 *                 signal handler, provided that SIGSEGV and SIGBUS aren't blocked there.
 *   Fork          a forked child shares the shared mappings and has copies of the private ones.
 *                 A child of vfork(2) may store to mapped memory, but must not call softmap.
 *   Cancellation  not a cancellation point.
 *   errno         unchanged on success; EIO from every call on a range in a child whose fork softmap
 *                 could not see (raw clone, _Fork: doc/divergences.md).
 *
 * What differs from the kernel's own mmap is numbered in doc/divergences.md (D1, D2, ...).
 */
#ifndef SOFTMAP_SOFTMAP_H
#define SOFTMAP_SOFTMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Extensions of mmap's flags ------------------------------------------------------------ *
 * Bits that mean nothing to the host unless MAP_HUGETLB is given, which regular files refuse. */

/* The offset need not be a multiple of the page size; the address returned is that of the byte
 * asked for, and with MAP_FIXED addr must be congruent to it.  munmap, mprotect and msync take
 * that address as well: a start inside a page of such a mapping is rounded down. */
#define SOFTMAP_MAP_ANY_OFFSET 0x10000000
/* Write-back sends only the bytes that changed: others' changes elsewhere in the same page survive.
 * From then on for the whole file, in all processes; takes as much memory again as is stored to. */
#define SOFTMAP_MAP_MERGE 0x20000000
/* After a crash the file holds the state before or after a sync, never a mix: a journal beside the
 * file.  Nothing but a sync writes; what a killed process stored since its last one is given up.
 * softmap_mmap(3) and doc/design.md, "Atomic sync", say what that means for several processes. */
#define SOFTMAP_MAP_ATOMIC 0x40000000

/* ---- Mapping ------------------------------------------------------------------------------- */

/* softmap_mmap - map a file, or pass the request to the host.
 *
 * addr    hint, or with MAP_FIXED, MAP_FIXED_NOREPLACE the address; page aligned.
 * len     bytes; rounded up to pages.
 * prot    PROT_NONE or an or of PROT_READ, PROT_WRITE, PROT_EXEC.
 * flags   one of MAP_SHARED, MAP_SHARED_VALIDATE, MAP_PRIVATE; optionally MAP_FIXED,
 *         MAP_FIXED_NOREPLACE, MAP_POPULATE, MAP_NONBLOCK, MAP_NORESERVE, MAP_LOCKED, MAP_STACK,
 *         MAP_DENYWRITE, MAP_EXECUTABLE, MAP_32BIT, and SOFTMAP_MAP_*.
 * fd      open file; may be closed, dup'ed over or have its number reused at once.
 * offset  bytes; multiple of the page size (but SOFTMAP_MAP_ANY_OFFSET).
 *
 * Regular files are mapped by softmap.  Anonymous memory, devices, memfds, files of the section
 * directory and whatever else isn't a regular file are mapped by the host's own call, with its
 * results and errors.
 *
 * Returns the address, or MAP_FAILED with errno:
 *   EACCES     fd isn't open for reading; shared and writable but fd isn't open for writing;
 *              the section directory isn't ours, is a symlink or is open to others (one line on
 *              standard error says which)
 *   EAGAIN     MAP_LOCKED and too much memory is locked
 *   EBADF      fd isn't an open file descriptor, or was opened with O_PATH
 *   EBUSY      the file is mapped by a process of another user, or with another section directory,
 *              and one of the two may write; or a process that died left stores to it, and the file
 *              was changed by others since, or the section is damaged (softmap_recover); or
 *              SOFTMAP_MAP_MERGE of a file that is mapped without it, with room for fewer twins than
 *              it has pages, or watched (SOFTMAP_TRACKER); or others share it with
 *              SOFTMAP_MAP_ATOMIC and we don't, or the other way round; or an atomic sync was cut
 *              off that we can't complete (one line on standard error says which)
 *   EEXIST     MAP_FIXED_NOREPLACE and the range is taken
 *   EINVAL     len is 0; offset or a fixed addr isn't aligned; no type or two types of mapping;
 *              MAP_HUGETLB on a regular file
 *   EMFILE     no descriptor left to keep the file open (RLIMIT_NOFILE; ours don't use up the
 *              program's numbers)
 *   ENODEV     the host can't map what fd refers to, and softmap can't either (a directory)
 *   ENOMEM     no room in the address space, in memory or in the section directory (one line on
 *              standard error names SOFTMAP_DIR when it is full)
 *   EOPNOTSUPP MAP_SHARED_VALIDATE and an unknown flag
 *   EOVERFLOW  offset plus len passes what off_t can hold
 *   EIO ...    the section directory can't be read or written, a cut-off sync not completed
 *   EPERM      PROT_EXEC and the section directory is on a file system mounted noexec
 *
 * Cancellation: none.  Threads, signals, fork: as above.  D1, D2, D4, D9, D12, D21, D35. */
void *softmap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

/* softmap_munmap - remove mappings in [addr, addr+len).
 *
 * addr  page aligned.        len  bytes, not 0; rounded up to pages.
 *
 * Dirty shared pages of the range are written to the file (not flushed to storage).  If that
 * fails the range is unmapped all the same, nothing is lost: the pages stay dirty in the section,
 * and the error is reported by the next call that syncs the file, by softmap_sync_all() or at
 * exit.  Parts that are not ours are unmapped by the host; holes are no error.
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  addr isn't page aligned; len is 0; the range wraps
 *   ENOMEM  no memory to split a mapping (nothing changed)
 *
 * Threads, signals, fork, cancellation: as above.  D8. */
int softmap_munmap(void *addr, size_t len);

/* softmap_mprotect - set the protection that the program asks for, kept a byte a page.
 *
 * addr  page aligned.        len  bytes; rounded up to pages.        prot  as for mmap.
 *
 * PROT_NONE and PROT_READ hold against the program while pages that are dirty are still written
 * back later.  Holes: the parts before the first one are changed, then ENOMEM (as Linux).
 *
 * Returns 0, or -1 with errno:
 *   EACCES  PROT_WRITE on a shared mapping of a file that wasn't open for writing
 *   EINVAL  addr isn't page aligned; unknown bit in prot
 *   ENOMEM  part of the range is not mapped; or no memory to do it
 *
 * Threads, signals, fork, cancellation: as above.  D12, D19. */
int softmap_mprotect(void *addr, size_t len, int prot);

/* softmap_msync - write dirty pages of [addr, addr+len) to the file.
 *
 * addr   page aligned.       len  bytes; rounded up to pages.
 * flags  MS_SYNC or MS_ASYNC, optionally MS_INVALIDATE; 0 is as MS_ASYNC (Linux).
 *
 * MS_SYNC writes and then flushes the file to storage (fdatasync), also when nothing was dirty.
 * MS_ASYNC writes without waiting for storage.  MS_INVALIDATE re-reads, after that, the pages of
 * the range that are clean.  Parts that are not ours are synced by the host.
 *
 * Returns 0, or -1 with errno:
 *   EBUSY   MS_INVALIDATE and part of the range is locked (mlock); or as EACCES below
 *   EINVAL  addr isn't page aligned; both MS_SYNC and MS_ASYNC; unknown bit in flags
 *   ENOMEM  part of the range is not mapped (the mapped parts were synced)
 *   EFBIG, EIO, ENOSPC, EDQUOT, EROFS, ESTALE ...  from writing or flushing the file, now or
 *           earlier when nobody could be told; the pages concerned are dirty again, so that the
 *           call can be repeated
 *   EACCES, ENOENT, EPERM ...  also: no journal can be made beside the file (SOFTMAP_MAP_ATOMIC)
 *
 * Guarantee: stores that happened before the call, in program order or in a thread or process
 * that it synchronised with, are in the file when it returns 0.
 * Cancellation: none (msync(2) is a cancellation point).  D3, D4, D5, D8, D35. */
int softmap_msync(void *addr, size_t len, int flags);

/* softmap_mremap - resize or move a mapping.
 *
 * old_addr  page aligned.    old_len, new_len  bytes; rounded up to pages.
 * flags     MREMAP_MAYMOVE, MREMAP_FIXED (a fifth argument, void *, is the new address).
 *
 * Returns the address, or MAP_FAILED with errno:
 *   EFAULT  the old range isn't mapped throughout, or spans several mappings
 *   EINVAL  unaligned; new_len is 0; unknown flag; MREMAP_FIXED without MREMAP_MAYMOVE;
 *           the ranges overlap; old_len is 0 and the mapping is private; MREMAP_DONTUNMAP
 *   ENOMEM  can't grow in place and may not move; no room
 *
 * Threads, signals, fork, cancellation: as above.  D11. */
void *softmap_mremap(void *old_addr, size_t old_len, size_t new_len, int flags, ...);

/* softmap_madvise - advice about a range.
 *
 * addr  page aligned.        len  bytes; rounded up to pages.        advice  MADV_* of the host.
 *
 * Ours: MADV_WILLNEED and MADV_POPULATE_READ fill, MADV_POPULATE_WRITE fills and makes dirty,
 * MADV_DONTNEED never zeroes pages of the file, MADV_HUGEPAGE is accepted and ignored; the others
 * go to the host with the range.
 *
 * Returns 0, or -1 with errno:
 *   EACCES, EFAULT, EAGAIN, EBADF, EIO, EPERM   as the host
 *   EINVAL      unaligned; unknown advice; MADV_FREE, MADV_WIPEONFORK on a file mapping
 *   ENOMEM      part of the range is not mapped (the mapped parts were advised)
 *   EOPNOTSUPP  MADV_REMOVE on ours (D10)
 *
 * Threads, signals, fork, cancellation: as above. */
int softmap_madvise(void *addr, size_t len, int advice);

/* softmap_posix_madvise - the same with POSIX_MADV_*; POSIX_MADV_DONTNEED does nothing.
 *
 * Returns 0 or the error number (errno is not set): EINVAL, ENOMEM. */
int softmap_posix_madvise(void *addr, size_t len, int advice);

/* softmap_mincore - which pages are in memory: for ours, which are filled.
 *
 * addr  page aligned.        len  bytes; rounded up to pages.
 * vec   one byte a page; bit 0 is set for a filled page.
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  vec can't be written
 *   EINVAL  addr isn't page aligned
 *   ENOMEM  part of the range is not mapped
 *
 * Threads, signals, fork, cancellation: as above. */
int softmap_mincore(void *addr, size_t len, unsigned char *vec);

/* softmap_mlock, softmap_munlock - fill pages and keep them in memory; let them go again.
 *
 * addr  any address.         len  bytes; the pages that [addr, addr+len) touches are meant.
 *
 * Returns 0, or -1 with errno:
 *   EAGAIN  some pages could not be locked
 *   EINVAL  the range wraps
 *   ENOMEM  part of the range is not mapped; RLIMIT_MEMLOCK
 *   EPERM   no right to lock memory
 *
 * Locked pages make msync with MS_INVALIDATE fail with EBUSY, as on Linux. */
int softmap_mlock(const void *addr, size_t len);
int softmap_munlock(const void *addr, size_t len);

/* ---- What POSIX has no name for ------------------------------------------------------------ */

/* softmap_sync_all - msync(MS_SYNC) of everything that this process has mapped or still has to
 * write.
 *
 * Returns 0, or -1 with errno of the first failure, after trying all. */
int softmap_sync_all(void);

/* softmap_pin, softmap_unpin - make a range safe to hand to a system call, and let it go again.
 *
 * addr, len  any byte range.         prot  PROT_READ: the call will read from it; PROT_WRITE: the
 *            call will write into it.
 *
 * A system call that meets a page that is closed or not filled fails with EFAULT; no signal tells
 * us.  Pinned pages are filled, and with PROT_WRITE open and dirty, until they are unpinned as
 * often as they were pinned.  Parts of the range that are not ours are left alone.
 *
 * softmap_pin returns 0, or -1 with errno (nothing is pinned):
 *   EFAULT  the protection asked for forbids it, or the range passes the end of the file
 *   EINVAL  prot is neither PROT_READ, PROT_WRITE nor both; the range wraps
 *   ENOMEM  no memory to count the pins
 *   EIO ... from filling
 * softmap_unpin returns 0, or -1 with errno:
 *   EINVAL  the range wraps; a page of it isn't pinned (the others are unpinned) */
int softmap_pin(void *addr, size_t len, int prot);
int softmap_unpin(void *addr, size_t len);

/* A range of bytes of a file. */
struct softmap_range {
  off_t offset;  /* bytes from the start of the file */
  size_t length; /* bytes */
};

/* softmap_dirty - which byte ranges of the file a sync of [addr, addr+len) would write now.
 *
 * addr    inside ours; rounded down to a page.       len  bytes; rounded up to pages.
 * ranges  receives up to max ranges in ascending order, neighbours joined, cut off at the end of
 *         the file; may be NULL if max is 0.
 *
 * Pages that another living process has open count: its stores can't be told apart.
 *
 * Returns how many ranges there are (perhaps more than max), or -1 with errno:
 *   EINVAL  the range wraps; ranges is NULL and max isn't 0
 *   ENOMEM  part of the range isn't one mapping of ours */
ssize_t softmap_dirty(const void *addr, size_t len, struct softmap_range *ranges, size_t max);

/* State of a page of a section. */
enum softmap_page_state {
  SOFTMAP_PAGE_UNFILLED = 0,     /* not yet read from the file */
  SOFTMAP_PAGE_FILLING = 1,      /* being read */
  SOFTMAP_PAGE_CLEAN = 2,        /* as in the file */
  SOFTMAP_PAGE_DIRTY = 3,        /* stored to; a sync writes it */
  SOFTMAP_PAGE_OPENED_AHEAD = 4, /* writable before a store; its twin tells whether one came */
  SOFTMAP_PAGE_WRITING = 5,      /* being written */
  SOFTMAP_PAGE_PAST_END = 6      /* past the end of the file */
};

/* One page as softmap_pages() tells it. */
struct softmap_page {
  uint8_t state;        /* enum softmap_page_state */
  uint8_t asked;        /* protection asked for, PROT_* */
  uint8_t actual;       /* protection the host enforces now, PROT_* */
  uint8_t pinned;       /* 1 if pinned */
  uint8_t open_elsewhere; /* 1 if another living process could store to it without a fault */
  uint8_t reserved[3];
};

/* softmap_pages - the state of each page, for viewers.
 *
 * addr   inside ours; rounded down to a page.    len  bytes; rounded up to pages.
 * pages  receives up to max entries, one a page.
 *
 * A snapshot page by page; other threads may change a page before the call returns.
 *
 * Returns the number of pages in the range (perhaps more than max), or -1 with errno:
 *   EINVAL  the range wraps; pages is NULL and max isn't 0
 *   ENOMEM  part of the range isn't ours */
ssize_t softmap_pages(const void *addr, size_t len, struct softmap_page *pages, size_t max);

/* What is to be known about a section before it can be recovered. */
enum softmap_section_flags {
  SOFTMAP_SECTION_DAMAGED = 1, /* its header can't be trusted, or is of another version: only the
                                  name is told */
  SOFTMAP_SECTION_GONE = 2,    /* no file is at its path any more, or another one */
  SOFTMAP_SECTION_CHANGED = 4  /* the file was changed by others since softmap's last write to it */
};

/* One section, as softmap_sections() tells it. */
struct softmap_section {
  char name[64];        /* its name in the section directory */
  char path[256];       /* path of the file when it was first mapped; cut off if longer */
  uint64_t device, inode;
  uint64_t size;        /* bytes of the file, as last seen */
  uint64_t dirty_pages;
  uint32_t page_size;   /* bytes */
  uint32_t live;        /* processes in it */
  uint32_t dead;        /* processes that died in it and aren't adopted yet */
  uint32_t flags;       /* SOFTMAP_SECTION_*; GONE and CHANGED only where nobody is alive in it */
};

/* softmap_sections - the sections in the section directory, in the order of their names.
 *
 * sections  receives up to max entries; may be NULL if max is 0.
 *
 * Looks from outside: the process neither joins a section nor changes one.  Sections come and go
 * meanwhile.
 *
 * Returns how many there are (perhaps more than max; 0 also where there is no section directory),
 * or -1 with errno:
 *   EACCES  the section directory belongs to somebody else, is open to others or no directory
 *   EINVAL  sections is NULL and max isn't 0
 *   EIO     called in a child of a fork that softmap didn't see
 *   ENOMEM ... from starting softmap and from reading the directory */
ssize_t softmap_sections(struct softmap_section *sections, size_t max);

/* softmap_section_view - states of the pages of a section by name, without joining it.
 *
 * name        as softmap_sections() tells it.
 * first_page  the first page of the section to tell about.
 * pages       receives up to max entries, one a page; `asked`, `actual` and `pinned` are 0, and
 *             open_elsewhere says whether any living process can store to the page without a
 *             fault.  May be NULL if max is 0.
 *
 * Returns the number of pages from first_page to the end of the file (perhaps more than max), or
 * -1 with errno:
 *   EINVAL  pages is NULL and max isn't 0; the section is damaged
 *   EPROTO  the section is of another version, or its pages have another size
 *   ENOENT  there is no section of that name
 *   EACCES, EIO, ENOMEM ... as softmap_sections() */
ssize_t softmap_section_view(const char *name, uint64_t first_page, struct softmap_page *pages,
                             size_t max);

/* How softmap_recover() goes about it. */
struct softmap_recover_options {
  uint32_t size;        /* sizeof(struct softmap_recover_options), for later growth */
  uint32_t flags;       /* SOFTMAP_RECOVER_* */
  const char *save_to;  /* copy the contents into this new file, and keep the section; or NULL */
  const char *write_as; /* write the dirty pages to this file, whatever it is; or NULL */
  /* Called from time to time, if not NULL: pages done and to do.  With all signals blocked; must
   * not call softmap nor touch memory that it mapped. */
  void (*progress)(void *arg, uint64_t done, uint64_t total);
  void *progress_arg;
};
#define SOFTMAP_RECOVER_DRY_RUN 1u /* say what would come out, change nothing */
#define SOFTMAP_RECOVER_DISCARD 2u /* give the dirty pages up, without writing them */

/* softmap_recover - write back what dead processes left in a section, and remove it.
 *
 * name     as softmap_sections() tells it.
 * options  NULL: write the dirty pages to the section's own file.
 *
 * The file must be where it was, the same, and unchanged since softmap's last write to it;
 * otherwise the section is kept.  With save_to the whole contents are copied into a new file
 * instead (what the section never read comes from the file, or is zeros if that is gone), and the
 * section is kept.  With write_as the dirty pages go to that file, which is made if there is none,
 * and the section is removed.  A recovery that is killed can be begun again.
 *
 * Returns 0, or -1 with errno:
 *   EBUSY      living processes are in the section: their next sync writes it; or the file is
 *              mapped by another user now
 *   ECANCELED  the file was changed by others since softmap's last write to it
 *   EEXIST     save_to exists
 *   EINVAL     the section is damaged (DISCARD removes it all the same); flags or size unknown;
 *              save_to, write_as and DISCARD exclude each other
 *   ENOENT     there is no section of that name
 *   EPROTO     the section is of another version, or its pages have another size
 *   ESTALE     the file is gone, or another one is at its path
 *   EACCES, EIO, ENOSPC ... from the section directory, as softmap_sections(), and from the file */
int softmap_recover(const char *name, const struct softmap_recover_options *options);

/* What softmap did in this process since it started; a forked child counts on.  All counts are monotonic;
 * `size` is set by the caller to sizeof(struct softmap_stats), so that members can be added. */
struct softmap_stats {
  uint64_t size;
  uint64_t mappings_made;    /* file mappings that softmap served */
  uint64_t mappings_passed;  /* requests handed to the host's own mmap */
  uint64_t mappings_now;     /* ours, at this moment (not monotonic) */
  uint64_t sections_now;     /* at this moment (not monotonic) */
  uint64_t faults_write;     /* first stores noticed */
  uint64_t faults_fill;      /* touches of unfilled pages */
  uint64_t faults_spurious;  /* another thread had done the work already */
  uint64_t faults_past_end;  /* SIGBUS on ours */
  uint64_t faults_foreign;   /* handed to the program's handler or default action */
  uint64_t pages_filled;
  uint64_t pages_written;
  uint64_t bytes_written;    /* to files */
  uint64_t writes;           /* system calls that wrote to files */
  uint64_t flushes;          /* fdatasync */
  uint64_t write_errors;     /* failed writes and flushes */
  uint64_t files_grown;      /* growth of a file noticed */
  uint64_t files_shrunk;     /* shrinking noticed */
  uint64_t changed_outside;  /* size or mtime changed by someone else since our last write */
  uint64_t closed_early;     /* pages closed before a sync, to spare the host's memory areas */
};

/* softmap_stats - copy the counters into *stats.
 *
 * Returns 0, or -1 with errno EINVAL: stats->size isn't that of a known version. */
int softmap_stats(struct softmap_stats *stats);

/* softmap_configure - set an option before or between mappings; what is mapped stays as it is.
 *
 * name, value  as the variables of softmap(7), without "SOFTMAP_" and in lower case:
 *   "tracker"         "fault" (default): by page faults; "watch": by the kernel's write watch (Linux
 *                     6.7; EOPNOTSUPP where the kernel or its settings refuse it); "compare": by
 *                     comparing pages with copies; "auto": watch if it can be had, else fault
 *   "ahead"           pages of a file open before a store, in a run of stores (1024; 0: none)
 *   "atomic"          "no" (default); "yes": shared mappings as with SOFTMAP_MAP_ATOMIC
 *   "fill"            "auto" (default), "whole", "touch"
 *   "fill_threshold"  bytes; "auto" fills larger files on touch
 *   "dir"             the section directory; absolute path
 *   "trace"           a file for the events that softmap trace shows; absolute path
 *
 * Precedence: this call, then the environment variable, then the default.
 *
 * Returns 0, or -1 with errno:
 *   EBUSY       "dir" while files are mapped; "trace" once softmap has started
 *   EINVAL      unknown name or value
 *   EOPNOTSUPP  known, but not on this host */
int softmap_configure(const char *name, const char *value);

/* softmap_page_size - bytes a page: the unit of alignment, protection and tracking.
 * Async-signal-safe. */
long softmap_page_size(void);

/* softmap_version - version of the library, "MAJOR.MINOR.PATCH".  Async-signal-safe. */
const char *softmap_version(void);

#ifdef __cplusplus
}
#endif
#endif
