/* registry.h - the sections of this process, by the identity of their file.  For open.c. */
#ifndef SOFTMAP_REGISTRY_H
#define SOFTMAP_REGISTRY_H

#include "section/section.h"

/* All with the sections lock held. */
struct section *registry_find(const struct section_key *key);
SOFTMAP_MUST_CHECK int registry_add(struct section *section);
void registry_remove(struct section *section);

#endif
