/* view.c - the rows of the page table: a mapping each, as its process sees it. */
#include <stdlib.h>
#include <string.h>

#include "lab/world.h"
#include "tool/tool.h"

static bool
add_row(struct world *world, int process, int mapping, struct frame *frame) {
  struct actor_request request = { .op = ACTOR_PAGES, .region = (uint32_t)mapping };
  const struct actor *actor = &world->actors[process];
  if (!actor_ask(world, process, &request))
    return false;
  const struct actor_reply *reply = world->reply;
  size_t n = reply->npages < PAGES_MAX ? (size_t)reply->npages : PAGES_MAX, mapped = 0;
  for (size_t i = 0; i < n; i++)
    mapped += reply->pages[i].is_mapped;
  if (!mapped)
    return true;
  frame->rows = need(reallocarray(frame->rows, frame->nrows + 1, sizeof *frame->rows));
  struct row *row = &frame->rows[frame->nrows++];
  *row = (struct row){ .process = process,
                       .mapping = mapping,
                       .file = actor->region[mapping].file,
                       .is_private = actor->region[mapping].is_private,
                       .first = reply->first,
                       .n = n,
                       .page = need(calloc(n, sizeof *row->page)) };
  memcpy(row->page, reply->pages, n * sizeof *row->page);
  return true;
}

bool
view_rows(struct world *world, struct frame *frame) {
  for (int process = 0; process < (int)world->script->processes.n; process++)
    for (int mapping = 0; mapping < (int)world->script->mappings.n; mapping++)
      if (actor_is_alive(world, process) && world->actors[process].region[mapping].file >= 0 &&
          !add_row(world, process, mapping, frame))
        return false;
  return true;
}
