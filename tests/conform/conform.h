/* conform.h - opens every conformance program.
 *
 * The programs use mmap and its family under their POSIX names. Built as they are they test the
 * host (the oracle: a program that fails there is wrong); built with -DSOFTMAP they test softmap.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include "t.h"
#include "t_mman.h"

#include <fcntl.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

/* An access exactly here, where a handler's effect is looked at next. */
#define PUT(p, value) ((void)(*(volatile unsigned char *)(p) = (unsigned char)(value)))
#define GET(p) (*(const volatile unsigned char *)(p))

/* Headers may be older than the host. */
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 0x03
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static inline unsigned char *
conform_mapped(struct t_at at, void *p) {
  char buf[32];
  int err = errno;

  if (p == MAP_FAILED)
    t_fail(at, "mapping failed with %s", t_errno_name(err, buf));
  if (err != T_ERRNO_UNTOUCHED)
    t_fail(at, "mapping succeeded, but set errno to %s", t_errno_name(err, buf));
  return p;
}

/* mmap that must succeed. */
#define T_MAP(addr, len, prot, flags, fd, off)                                                     \
  (errno = T_ERRNO_UNTOUCHED, conform_mapped(T_HERE, mmap(addr, len, prot, flags, fd, off)))
/* mmap, at an address where nothing else comes to lie once it is unmapped. */
#define T_MAP_APART(npages, prot, type, fd, off)                                                   \
  T_MAP(t_vacant(npages), t_pages(npages), prot, (type) | MAP_FIXED, fd, off)
/* mremap that must succeed; 4 or 5 arguments. */
#define T_REMAP(...) (errno = T_ERRNO_UNTOUCHED, conform_mapped(T_HERE, mremap(__VA_ARGS__)))
/* mmap or mremap as a number for T_ERR and T_ROW. */
#define AS_RESULT(map_call) ((intptr_t)(map_call))

#endif
