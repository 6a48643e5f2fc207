/* mman.h - the POSIX names of <sys/mman.h>, served by softmap: for programs that are recompiled.
 *
 * Include it instead of <sys/mman.h>, or let the compiler do it: cc -include softmap/mman.h.
 * Function-like and object-like uses both work (a pointer to mmap is a pointer to softmap_mmap).
 * Contracts: softmap.h.
 */
#ifndef SOFTMAP_MMAN_H
#define SOFTMAP_MMAN_H

#include <sys/mman.h>

#include <softmap/softmap.h>

/* mmap64 is mmap with a 64-bit off_t. */
#if defined(__USE_LARGEFILE64) && !defined(__USE_FILE_OFFSET64) && !defined(__LP64__)
#error "softmap needs a 64-bit off_t: compile with -D_FILE_OFFSET_BITS=64"
#endif

#define mmap softmap_mmap
#undef mmap64 /* musl's is a macro */
#define mmap64 softmap_mmap
#define munmap softmap_munmap
#define mprotect softmap_mprotect
#define msync softmap_msync
#define mremap softmap_mremap
#define madvise softmap_madvise
#define posix_madvise softmap_posix_madvise
#define mincore softmap_mincore
#define mlock softmap_mlock
#define munlock softmap_munlock

#endif
