/* actor.h - a process of a script of softmap lab: does one step when it is told to, and says what came
 * of it.  It uses softmap as any program does, or the host's own mmap in its place. */
#ifndef ACTOR_ACTOR_H
#define ACTOR_ACTOR_H

#include <stdbool.h>
#include <stddef.h>

/* What the build of the engine that we link was made with. */
#define SOFTMAP_INJECT
#define SOFTMAP_LAB
#include "core/broken.h"
#include "host/inject.h"
#include "lab/protocol.h"

/* ---- Memory (memory.c) --------------------------------------------------------------------- */

/* What is behind the name of a mapping. */
struct region {
  char *addr;
  uint64_t npages;
  uint64_t first; /* page of the file at addr */
  bool is_private;
  bool is_page[PAGES_MAX];  /* not unmapped since, nor mapped over */
  uint8_t asked[PAGES_MAX]; /* PROT_*, as the program asked */
};
extern struct region regions[NAMES_MAX];

/* Chooses the engine: "fault", "watch", "compare", "broken-NAME", or "native".  0 or an errno. */
int memory_choose(const char *engine);
bool memory_is_native(void);
size_t memory_page(void); /* bytes */

/* The steps; 0 or the errno of the call. */
int memory_map(const struct actor_request *request);
int memory_protect(const struct actor_request *request);
int memory_unmap(const struct actor_request *request);
int memory_remap(const struct actor_request *request);
int memory_sync(const struct actor_request *request);
int memory_pin(const struct actor_request *request, bool pin);

/* How many of len bytes at offset are mapped.  What lies behind may be anything; to the script it is
 * nothing, and raises SIGSEGV. */
size_t memory_extent(const struct region *region, uint64_t offset, size_t len);

/* ---- Stores and loads (access.c) ----------------------------------------------------------- */

void access_start(void);
/* Copies n bytes.  0, or the signal that it raised; what came before is done. */
int access_copy(char *to, const char *from, size_t n);
/* At the next SIGBUS, make the file as long as that and try again. */
void access_grow(const char *path, uint64_t size);

/* ---- Pages (view.c) ------------------------------------------------------------------------ */

/* All pages of a region. */
void view_pages(const struct region *region, struct actor_page *out);
/* Faults that the engine served since the last call. */
uint32_t view_faults(void);

#endif
