/* announce.h - that this process has a section of a file: for who uses another section directory.
 *
 * Section directories are closed to others, so two users who map one file would have two copies
 * of it without knowing.  Each process that has sections keeps a file that others can read,
 *
 *   /dev/shm/softmap-open-USER/PID-START-NOW-DIRECTORY
 *
 * and has a lock on two bytes of it for each section: "has it" and "may write it".  They go with
 * the process.  (By a number made of the file's identity: one descriptor for all sections.)
 */
#ifndef SOFTMAP_ANNOUNCE_H
#define SOFTMAP_ANNOUNCE_H

#include "section/section.h"

/* Announce, then look at others: of two that come together at least one finds the other.  EBUSY: a
 * line says who; nothing is announced.  EACCES: a line says that our directory isn't ours.  Where
 * there is no /dev/shm for us, nothing is announced.  [keeper, under the sections lock] */
SOFTMAP_MUST_CHECK int announce(struct section *section, bool may_write);
void announce_end(struct section *section);
/* In a forked child, which has none of its parent's locks: the sections that it has.  [keeper] */
void announce_forget(void);
void announce_again(struct section *section);
/* No section is announced any more.  [keeper, under the sections lock] */
void announce_end_all(void);

#endif
