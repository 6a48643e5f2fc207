/* act.h - what a step is about, and the steps that change mappings (act.c). */
#ifndef ACT_H
#define ACT_H

#include "world.h"

/* A range of pages of a slot, and what a step does there. */
struct act {
  const struct step *step;
  unsigned slot, page, n;
  int prot, flags;
  unsigned char *at[SIDES];
  unsigned char *to;
};

struct act act_of(const struct step *step);
/* Is every page of it so? */
bool act_all(const struct act *act, bool (*is)(const struct view *view));
bool is_ours(const struct view *view);
bool is_mapped(const struct view *view);

void act_map(struct act *act);
void act_unmap(struct act *act);
void act_protect(struct act *act);
void act_move(struct act *act);

#endif
