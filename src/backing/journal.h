/* journal.h - what an atomic sync is about to write, kept beside the file until it is written.
 *
 * A file ".softmap-INODE-BIRTH" in the file's directory: header, table, pages.  It counts if its
 * checksums are right, which they are as soon as all of it has reached storage; so the file isn't
 * touched before.  Who finds one writes it to the file (again: the bytes are the same), flushes
 * that, and removes it.  A file that has no name any more has its journal in the section.
 *
 * What is found there isn't believed: it must belong to us, the file's owner or root, to nobody else's
 * use, and be of this file.  doc/design.md, "Atomic sync".
 */
#ifndef SOFTMAP_JOURNAL_H
#define SOFTMAP_JOURNAL_H

#include "section/section.h"
#include "section/stamp.h"

/* Where a section's journal is, or would be.  Descriptors of the keepers' table. */
struct journal {
  struct section *section;
  int directory;
  bool is_in_section; /* the directory is the section's, and stays open */
  struct host_stat file;
  char name[64];
};

/* A page that is to be written; as in the journal. */
struct journal_entry {
  uint64_t offset; /* in the file; of a page */
  uint32_t length; /* bytes of it that the file has */
  uint32_t reserved;
  struct stamp sum; /* of the whole page */
};

SOFTMAP_MUST_CHECK int journal_find(struct section *section, struct journal *journal);
SOFTMAP_MUST_CHECK int journal_done(struct journal *journal);

/* Is there something by its name, or is that unknown? */
bool journal_may_exist(const struct journal *journal);

/* Replay the journal that a dead process left, if there is one; an unfinished one is removed.
 * One of a user who may not write to the file is none.  EPERM: there is one that must not be
 * trusted.  [keeper; in the gate] */
SOFTMAP_MUST_CHECK int journal_replay(struct journal *journal);

/* Write these pages to the file, all or none, whatever is killed or loses power meanwhile; their
 * bytes are taken from the data, and `sum` is set.  In ascending order.  After an error that
 * came too late the journal is still there; who syncs next carries it out.  There is none from
 * before.  [keeper; in the gate] */
SOFTMAP_MUST_CHECK int journal_write(struct journal *journal, struct journal_entry *entries,
                                     uint64_t count);

#endif
