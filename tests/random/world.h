/* world.h - what one player's processes have: the files, the model, and where things are mapped. */
#ifndef WORLD_H
#define WORLD_H

#include "random.h"
#include "t_engine.h"

#undef mmap
#undef munmap
#undef mprotect
#undef msync
#undef mremap
#undef madvise
#include <sys/mman.h>

#define PAGE ((size_t)4096)
#define FILE_BYTES (FILE_PAGES * PAGE)

enum { SOFT, KERN, SIDES };

/* Shared by all processes of a player. */
struct shared {
  size_t at;     /* the step being played */
  size_t resume; /* where the parent of a child that ended goes on */
  bool failed, has_killed;
  unsigned kept; /* errors of faults that a sync may still tell */
  char text[256];
  size_t size[FILES];
  unsigned char model[FILES][FILE_BYTES];
};
extern struct shared *shared;

/* A page of a slot. */
struct view {
  bool is_mapped, is_private, is_lost; /* lost: somebody else has the address now */
  uint8_t file, file_page, prot;
  unsigned made; /* which call made it: mremap wants a range of one mapping */
};
extern struct view views[SLOTS][SLOT_PAGES];
extern int fds[SIDES][FILES];

unsigned char *address(int side, unsigned slot, unsigned page);
/* Makes the files, and reserves the slots. */
void world_begin(void);
/* Ends the process with a difference. */
_Noreturn void differ(const char *fmt, ...) T_PRINTF(1, 2);
/* What both give must be the same: results, or errnos. */
void same(const char *what, int soft, int kern);
/* The page is the same on both sides, and what the model says. */
void same_page(unsigned slot, unsigned page);
/* All files, when all is synced. */
void same_files(void);

/* A failed call of the host is armed for one call of softmap: run it, again if the fault came out.
 * The errno, or 0. */
int with_fault(int (*call)(void *arg), void *arg);
/* The same for a sync: it also tells errors of earlier calls that could not be told then. */
int with_kept(int (*call)(void *arg), void *arg);
void arm_fault(const struct step *step);

#endif
