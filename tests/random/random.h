/* random.h - random operations over the whole API: what generator, players and shrinker share.
 *
 * A sequence is an array of steps, made from a seed or from any bytes (fuzz.c).  It is played on
 * softmap and, step by step, on the kernel's own mmap with copies of the files: results, faults and
 * contents must be the same, and those of shared mappings what a model of bytes says.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  FILES = 2,
  FILE_PAGES = 16, /* the longest file */
  SLOTS = 4,       /* places for mappings */
  SLOT_PAGES = 12,
  DEPTH_MAX = 2 /* a child, and its child */
};

enum op {
  OP_MAP, /* first, so that sequences shrink towards it */
  OP_STORE,
  OP_LOAD,
  OP_SYNC,
  OP_SYNC_ASYNC,
  OP_SYNC_INVALIDATE,
  OP_SYNC_ALL,
  OP_UNMAP,
  OP_PROTECT,
  OP_MOVE,
  OP_ADVISE,
  OP_PIN,
  OP_TRUNCATE,
  OP_THREADS,
  OP_FORK, /* the child goes on; its parent goes on behind its end */
  OP_EXIT,
  OP_KILL,
  OP_FAULT, /* of the host, in the next step */
  OP_COUNT
};

/* Every member is taken modulo what there is, so that any bytes are a sequence. */
struct step {
  uint8_t op, slot, page, pages, file, file_page, value;
};

/* Play n steps.  False: there is a difference; *at is the step, text says which. */
bool play(const struct step *steps, size_t n, size_t *at, char *text, size_t size);
/* A step as a person reads it, one line. */
void say_step(const struct step *step, char *line, size_t size);

#endif
