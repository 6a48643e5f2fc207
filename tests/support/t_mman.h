/* t_mman.h - mmap and its family, under their POSIX names, from softmap or from the host. */
#ifndef T_MMAN_H
#define T_MMAN_H

#ifdef SOFTMAP
#include <softmap/mman.h>
#else
#include <sys/mman.h>
#endif

/* Headers may be older than the host. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#endif
