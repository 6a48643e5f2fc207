/* arena.c - memory for our own structures.
 *
 * Sizes below 64 KiB are rounded up to one of four classes a doubling and carved from chunks;
 * freed blocks wait in their class's list, whose link is the block's first word.  Chunks are never
 * given back: what they hold is small and wanted again.  Larger blocks are host mappings.
 */
#include "host/host_linux.h"

#include <string.h>

#include "host/arena.h"
#include "host/inject.h"
#include "host/lock.h"

#define ALIGNMENT ((size_t)16)
#define NCLASSES 44U            /* 16, 32, 48, 64, 80, 96, 112, 128, 160 ... 65536 */
#define DIRECT_MIN (64U << 10)  /* bytes from which a block is a mapping */
#define CHUNK_FIRST (64U << 10) /* many programs need no more */
#define CHUNK_SIZE (1U << 20)

struct free_block {
  struct free_block *next;
};

static struct lock arena_lock = LOCK_INIT(LOCK_ARENA);
static struct free_block *free_blocks[NCLASSES];
static char *chunk_at, *chunk_end; /* what is left of the newest chunk */
static bool has_chunk;
static size_t in_use;

/* ---- Classes ------------------------------------------------------------------------------- */

/* Classes 0..3 are 16, 32, 48, 64; then four from each power of two to the next. */
static unsigned
class_of(size_t size) {
  if (size <= 4U * ALIGNMENT)
    return size == 0 ? 0 : (unsigned)((size - 1) / ALIGNMENT);
  unsigned top = (unsigned)(8 * sizeof(long) - 1) - (unsigned)__builtin_clzl(size - 1);
  unsigned quarter = (unsigned)((size - 1) >> (top - 2)) & 3U;
  return 4U + (top - 6U) * 4U + quarter;
}

static size_t
class_size(unsigned class) {
  if (class < 4U)
    return (class + 1U) * ALIGNMENT;
  size_t base = (size_t)64 << (class / 4U - 1U);
  return base + (class % 4U + 1U) * (base / 4U);
}

/* ---- Chunks -------------------------------------------------------------------------------- */

static void
push(unsigned class, void *block) {
  struct free_block *first = (struct free_block *)block;
  first->next = free_blocks[class];
  free_blocks[class] = first;
}

/* The rest of a chunk becomes free blocks: largest class that fits, again and again. */
static void
retire_chunk(void) {
  while ((size_t)(chunk_end - chunk_at) >= ALIGNMENT) {
    size_t left = (size_t)(chunk_end - chunk_at);
    unsigned class = left >= DIRECT_MIN ? NCLASSES - 1 : class_of(left);
    if (class_size(class) > left)
      class --;
    push(class, chunk_at);
    chunk_at += class_size(class);
  }
}

static bool
add_chunk(void) {
  size_t size = has_chunk ? CHUNK_SIZE : CHUNK_FIRST;
  void *chunk = NULL;
  int error = host_map_own(&chunk, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (error != 0)
    return false;
  retire_chunk();
  has_chunk = true;
  chunk_at = (char *)chunk;
  chunk_end = chunk_at + size;
  return true;
}

static void *
carve(size_t size) {
  if ((size_t)(chunk_end - chunk_at) < size && !add_chunk())
    return NULL;
  void *block = chunk_at;
  chunk_at += size;
  return block;
}

/* ---- Blocks -------------------------------------------------------------------------------- */

static void *
alloc_small(size_t size) {
  unsigned class = class_of(size);
  struct free_block *block = free_blocks[class];
  if (block == NULL)
    return carve(class_size(class)); /* zero, as the host mapped it */
  free_blocks[class] = block->next;
  memset(block, 0, class_size(class));
  return block;
}

static void *
alloc_direct(size_t size) {
  void *block = NULL;
  int error = host_map_own(&block, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return error == 0 ? block : NULL;
}

void *
arena_alloc(size_t size) {
  if (inject_before(HOST_CALL_alloc) != 0)
    return NULL;
  lock_take(&arena_lock);
  void *block = size < DIRECT_MIN ? alloc_small(size) : alloc_direct(size);
  if (block != NULL)
    in_use += size;
  lock_drop(&arena_lock);
  inject_after(HOST_CALL_alloc);
  return block;
}

void
arena_free(void *block, size_t size) {
  if (block == NULL)
    return;
  lock_take(&arena_lock);
  in_use -= size;
  if (size < DIRECT_MIN)
    push(class_of(size), block);
  else if (host_unmap(block, size) != 0)
    in_use += size; /* still there */
  lock_drop(&arena_lock);
}

size_t
arena_in_use(void) {
  lock_take(&arena_lock);
  size_t size = in_use;
  lock_drop(&arena_lock);
  return size;
}

void
arena_fork_prepare(void) {
  lock_take(&arena_lock);
}

void
arena_fork_done(bool is_child) {
  (is_child ? lock_drop_in_child : lock_drop)(&arena_lock);
}
