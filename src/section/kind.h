/* kind.h - is a section atomic?  And the gate of those that are.
 *
 * The kind of a section is that of the shared mappings that living processes have of it: one kind at
 * a time.  Each says its own in its lane's record before it looks at the others'; so of two that
 * come at once with different kinds at most one gets its way.  control->atomic says how a sync goes
 * about it, and what becomes of dirt that dead processes left: it is set before the first store of
 * an atomic mapping, and goes, with that dirt, before the first of a plain one.
 *
 * The gate is a lock that ends with its process.  Who syncs an atomic section has it, who claims a
 * lane in one, and who changes the kind: so no two syncs meet, and what is found half done is a
 * dead process's.
 */
#ifndef SOFTMAP_KIND_H
#define SOFTMAP_KIND_H

#include "section/section.h"

enum section_kind { SECTION_UNDECIDED, SECTION_PLAIN, SECTION_ATOMIC };

/* Others of this process are kept out by the sync lock.  [keeper] */
SOFTMAP_MUST_CHECK int gate_take(struct section *section);
SOFTMAP_MUST_CHECK int gate_drop(struct section *section);

/* A shared mapping of this kind is about to be made.  EBUSY, and a line says why: there are such of
 * the other kind.  [keeper] */
SOFTMAP_MUST_CHECK int kind_choose(struct section *section, enum section_kind kind);
/* A lane was claimed, or is given back: [keeper; in the gate if the section is atomic] */
void kind_enter(struct section *section);
void kind_leave(struct section *section);
/* Nobody was in it: what it has of dirt and journal is looked at before it is used. */
void kind_doubt(struct section *section);
/* See to it that no journal waits to be replayed, and that nothing is left of a dead atomic
 * section's dirt.  EBUSY, and a line says why.  [keeper] */
SOFTMAP_MUST_CHECK int kind_settle(struct section *section);

#endif
