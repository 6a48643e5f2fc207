/* coherent.h - read and write on a file that has a section, as the shim meets them.
 *
 * A read goes to the file, and what is dirty is laid over it.  A write goes to the file, too, while
 * the clean pages of its range are held as if they were being filled: nobody can store to them, and
 * no write-back can put older bytes over it.  Then its bytes are brought into the data.  Pages that
 * were not clean get them as a store would, and stay dirty.  doc/design.md, "Coherence".
 */
#ifndef SOFTMAP_COHERENT_H
#define SOFTMAP_COHERENT_H

#include "section/section.h"

struct coherent {
  struct section *section;
  uint64_t first, npages;          /* pages of the range that existed at the beginning */
  uint64_t *claimed;               /* a bit a page: held, and after the settling: up to date */
  uint64_t dirty_first, dirty_end; /* reading: what was dirty before */
  const unsigned char *fence;      /* that was there before the claim */
};

/* Follow the file's size, and map what of the control file is needed.  [keeper] */
SOFTMAP_MUST_CHECK int coherent_prepare(struct section *section);
/* Does that have something to do? */
bool coherent_is_prepared(struct section *section, uint64_t file_size);

/* Are there pages in [offset, offset + len) that may be stored to without a mark? */
bool coherent_is_watched(const struct coherent *op, uint64_t offset, uint64_t len);
/* Then, before looking: mark those that were.  [keeper] */
SOFTMAP_MUST_CHECK int coherent_gather(struct coherent *op, uint64_t offset, uint64_t len);
/* And before holding: take the watch off them; what other processes watch is marked.  [keeper; no
 * page is held] */
SOFTMAP_MUST_CHECK int coherent_unwatch(struct coherent *op, uint64_t offset, uint64_t len);

/* Before a read: note what is dirty in [offset, offset + len). */
void coherent_look(struct coherent *op, uint64_t offset, uint64_t len);
/* After it: is there something to lay over the `got` bytes that were read? */
bool coherent_must_lay_over(struct coherent *op, uint64_t offset, uint64_t got);
/* Lay it over.  [keeper] */
SOFTMAP_MUST_CHECK int coherent_lay_over(struct coherent *op, const struct iovec *iov, int n,
                                         uint64_t offset, uint64_t got);

/* Before a write: hold the clean pages of the range.  All signals are blocked until it is settled.
 * ENOMEM.  [the section is prepared] */
SOFTMAP_MUST_CHECK int coherent_hold(struct coherent *op, uint64_t offset, uint64_t len);
/* After it: follow the file's size, remember that the change was ours, bring `put` bytes at offset
 * from the file into the pages that are held, and let them go.  *rest: there are pages that were not held.  [keeper] */
SOFTMAP_MUST_CHECK int coherent_settle(struct coherent *op, uint64_t offset, uint64_t put,
                                       bool *rest);
/* The same in a thread of the program, by its own descriptor, where there is no more to do than to read
 * what was put from the file.  False: nothing was let go; it is for a keeper. */
SOFTMAP_MUST_CHECK bool coherent_settle_here(struct coherent *op, int fd, uint64_t offset,
                                             uint64_t put, bool *rest);
/* Wait until nobody of this process fills such a page.  [not on a keeper] */
void coherent_wait(const struct coherent *op, uint64_t offset, uint64_t put);
/* Bring the bytes into those: from iov, or from the file if that is NULL.  EAGAIN: another thread
 * of this process, which may be waiting for a keeper, has one: wait, and repeat.  [keeper] */
SOFTMAP_MUST_CHECK int coherent_store(struct coherent *op, const struct iovec *iov, int n,
                                      uint64_t offset, uint64_t put);
void coherent_free(struct coherent *op);

#endif
