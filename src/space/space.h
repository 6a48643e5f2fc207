/* space.h - the mappings of this process: found by address, changed under one lock.
 *
 * Readers look without a lock (track/readers.h); changes are published as a new table
 * (core/table.h).
 */
#ifndef SOFTMAP_SPACE_H
#define SOFTMAP_SPACE_H

#include "core/mapping.h"
#include "core/table.h"
#include "host/host.h"

/* ---- Readers ------------------------------------------------------------------------------- */

/* The mapping at addr or NULL. [inside] */
struct mapping *space_find(uintptr_t addr) SOFTMAP_SIGSAFE;
/* The first mapping that ends behind addr, or NULL. [inside, or under the lock] */
struct mapping *space_at_or_after(uintptr_t addr) SOFTMAP_SIGSAFE;
/* A fault that found no mapping may have come in the middle of a change, or just before its end:
 * MAP_FIXED over a mapping is one step to other threads on the kernel's own mmap.  Waits until no
 * change is under way; true if there was one since this thread last asked: then the instruction
 * is worth another try.  Called outside. */
bool space_changed(void) SOFTMAP_SIGSAFE;

/* ---- Writers ------------------------------------------------------------------------------- */

/* Block signals and take the space lock; give both back. */
struct space_call {
  sigset_t mask;
};
void space_lock(struct space_call *call);
void space_unlock(struct space_call *call);

/* Everything below: under the space lock. */

/* Tell faults that a change is under way; and that it is over. */
void space_change_begin(void);
void space_change_end(void);

/* Put in new mappings, two at most, instead of whatever overlaps [start, end).  Readers may still see what was
 * taken out until space_quiesce().  ENOMEM: nothing changed. */
SOFTMAP_MUST_CHECK int space_replace(uintptr_t start, uintptr_t end, struct mapping *const *with,
                                     size_t n);
/* Wait until no reader is left that may see what was taken out. */
void space_quiesce(void);
size_t space_count(void);

/* In a forked child: forget what MADV_DONTFORK kept from it; *cut is for space_discard. */
void space_drop_nofork(struct mapping **cut);

/* Around fork: nobody changes the map meanwhile. */
void space_fork_prepare(void);
void space_fork_done(bool is_child);

/* ---- Mappings (mapping.c) ------------------------------------------------------------------ */

/* A mapping as `model` says (its views apart), with a hold on the section, known to nobody yet.
 * Its view bytes: those of the model if it has some (shared), else new ones, all `base`.
 * NULL: no memory. */
struct mapping *mapping_new(const struct mapping *model, uint8_t base);
/* Put into, and take out of, the list of its section. */
void mapping_link(struct mapping *mapping);
void mapping_unlink(struct mapping *mapping);
/* One that no reader can see any more.  Its hold on the section goes over to the caller. */
void mapping_free(struct mapping *mapping);

/* ---- Changing the map (place.c, cut.c, protect.c, move.c) ---------------------------------- */

struct place {
  void *addr;
  size_t len;      /* bytes, rounded up to pages */
  int prot, flags; /* flags without ours */
  int fd;
  uint64_t offset; /* multiple of the page size */
  uint64_t device, inode; /* of the file behind fd */
  bool may_write;
  bool any_offset;
  bool merge; /* only bytes that changed are to be written */
  bool is_atomic; /* if it is shared */
};

/* Map a regular file. */
/* *cut: what MAP_FIXED took out, for space_discard. */
SOFTMAP_MUST_CHECK int space_place(const struct place *place, void **out, struct mapping **cut);
/* Take our mappings out of [start, end); what sticks out on either side stays mapped.  Their pages
 * are closed and stay dirty; no reader sees them any more.  The addresses are the caller's, to
 * unmap or to map over, before space_change_end.  *out: what was taken (cut_start, cut_end; the
 * hold of each on its section is the caller's).  ENOMEM: nothing changed.
 * [between space_change_begin and space_change_end] */
SOFTMAP_MUST_CHECK int space_cut(uintptr_t start, uintptr_t end, struct mapping **out);
/* The host did not take the addresses: put back what was cut, as far as there is memory.  The list is
 * to be discarded all the same.  [between space_change_begin and space_change_end] */
void space_restore(const struct mapping *cut);
/* Write back and forget what was cut.  [after space_unlock, signals blocked] */
void space_discard(struct mapping *cut);
/* Set the protection asked for in the part of a mapping. */
SOFTMAP_MUST_CHECK int space_protect(struct mapping *mapping, uintptr_t start, uintptr_t end,
                                     int prot);
/* Move or resize [start, end) of one mapping to new_len bytes. */
struct move {
  struct mapping *mapping;
  uintptr_t start, end;
  size_t new_len;
  bool may_move;
  void *fixed;   /* the new address, or NULL */
  bool is_copy;  /* old_len was 0: a second mapping of the same pages */
};
SOFTMAP_MUST_CHECK int space_move(const struct move *move, void **out, struct mapping **cut);

#endif
