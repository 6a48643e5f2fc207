/* mapping.c - making and ending mapping objects. */
#include "core/mapping.h"

#include "host/arena.h"
#include "section/section.h"
#include "space/space.h"
#include "track/groups.h"
#include "track/track.h"

static struct views *
views_new(size_t npages, uint8_t base) {
  struct views *views = arena_alloc(sizeof *views);
  if (!views)
    return NULL;
  views->byte = arena_alloc(npages);
  if (!views->byte) {
    arena_free(views, sizeof *views);
    return NULL;
  }
  views->npages = npages;
  views->base = base;
  return views;
}

static void
views_drop(struct views *views) {
  if (--views->users > 0)
    return;
  areas_forget(views);
  arena_free((void *)views->byte, views->npages);
  arena_free((void *)atomic_load(&views->groups), groups_size(views->npages));
  arena_free(views, sizeof *views);
}

struct mapping *
mapping_new(const struct mapping *model, uint8_t base) {
  struct mapping *mapping = arena_alloc(sizeof *mapping);
  if (!mapping)
    return NULL;
  *mapping = *model;
  if (!mapping->views) {
    mapping->views = views_new((size_t)mapping_npages(model, host_config.page_shift), base);
    mapping->views_at = 0;
  }
  if (!mapping->views) {
    arena_free(mapping, sizeof *mapping);
    return NULL;
  }
  mapping->views->users++;
  atomic_store(&mapping->next_in_section, NULL);
  mapping->named_by = NULL;
  section_hold(mapping->section);
  return mapping;
}

void
mapping_link(struct mapping *mapping) {
  struct mapping *_Atomic *head = &mapping->section->mappings;
  struct mapping *next = atomic_load(head);
  if (next)
    next->named_by = &mapping->next_in_section;
  mapping->named_by = head;
  atomic_store(&mapping->next_in_section, next);
  atomic_store(head, mapping);
}

void
mapping_unlink(struct mapping *mapping) {
  struct mapping *next = atomic_load(&mapping->next_in_section);
  if (!mapping->named_by)
    return;
  if (next)
    next->named_by = mapping->named_by;
  atomic_store(mapping->named_by, next);
  mapping->named_by = NULL;
}

void
mapping_free(struct mapping *mapping) {
  views_drop(mapping->views);
  arena_free(mapping, sizeof *mapping);
}
