/* registry.c - the sections of this process: a keyed table, and its lock. */
#include "section/registry.h"

#include <errno.h>

static struct lock sections_lock = LOCK_INIT(LOCK_SECTIONS);
static struct section *sections;

/* uthash calls it when its memory request failed; the insertion has then been undone. */
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(element) (out_of_memory = true, (void)(element))

struct section *
registry_find(const struct section_key *key) {
  struct section *section;
  HASH_FIND(hh, sections, key, sizeof *key, section);
  return section;
}

int
registry_add(struct section *section) {
  bool out_of_memory = false;
  HASH_ADD(hh, sections, key, sizeof section->key, section);
  return out_of_memory ? ENOMEM : 0;
}

void
registry_remove(struct section *section) {
  HASH_DEL(sections, section);
}

void
section_lock_all(void) {
  lock_take(&sections_lock);
}

void
section_unlock_all(void) {
  lock_drop(&sections_lock);
}

void
section_unlock_all_in_child(void) {
  lock_drop_in_child(&sections_lock);
}

size_t
section_count(void) {
  section_lock_all();
  size_t count = HASH_COUNT(sections);
  section_unlock_all();
  return count;
}

int
section_each(int (*fn)(struct section *section, void *arg), void *arg) {
  struct section *section, *next;
  HASH_ITER(hh, sections, section, next) {
    int result = fn(section, arg);
    if (result)
      return result;
  }
  return 0;
}
