/* protocol.h - what the lab says to the processes of a script (src/actor), a packet each way a step. */
#ifndef LAB_PROTOCOL_H
#define LAB_PROTOCOL_H

#include <stdint.h>

#include "lab/script.h"

enum actor_op {
  ACTOR_MAP,     /* bytes: path; offset, len: of the file; prot; flags: MAP_*; other: region to map
                    over, at other_offset */
  ACTOR_STORE,   /* bytes, at offset of the region */
  ACTOR_LOAD,    /* len bytes at offset */
  ACTOR_PROTECT, /* [offset, offset + len), prot */
  ACTOR_SYNC,    /* the same, flags: MS_*; with bytes: stored at other_offset in the middle */
  ACTOR_UNMAP,
  ACTOR_REMAP, /* len: new */
  ACTOR_PIN,
  ACTOR_UNPIN,
  ACTOR_FORK, /* with a descriptor for the child; value: its process id */
  ACTOR_EXEC,
  ACTOR_EXIT,
  ACTOR_WAIT,    /* for the child with process id `value`; value: its wait status */
  ACTOR_FAIL,    /* bytes: name of the host call; value: errno; after, times */
  ACTOR_GROW,    /* bytes: path; len: size to give the file at the next SIGBUS */
  ACTOR_OPTION,  /* bytes: name, '\0', value */
  ACTOR_RECOVER, /* bytes: path */
  ACTOR_PAGES    /* the region's pages */
};

/* A page as an actor sees it. */
struct actor_page {
  uint8_t state;         /* enum softmap_page_state, or enum host_page_state */
  uint8_t asked, actual; /* PROT_*; actual 0xff: can't be seen */
  uint8_t is_mapped;
  uint8_t is_pinned, is_open_elsewhere;
};

/* What can be seen of the host's own mappings; behind the states of softmap. */
enum host_page_state { HOST_PAGE_CACHED = 16, HOST_PAGE_UNCACHED, HOST_PAGE_COPIED };

struct actor_request {
  uint32_t op;
  uint32_t region, other; /* numbers of mappings; other: UINT32_MAX for none */
  uint32_t prot, flags;
  int32_t value;
  uint32_t after, times;
  uint64_t offset, other_offset, len;
  uint32_t nbytes;
  char bytes[TEXT_MAX + 1];
};

struct actor_reply {
  int32_t error, signal;
  int64_t value;
  uint64_t npages; /* of ACTOR_PAGES */
  uint64_t first;  /* page of the file where the region begins */
  uint32_t nbytes;
  uint32_t faults; /* that the engine served in this step */
  char bytes[TEXT_MAX];
  struct actor_page pages[PAGES_MAX];
};

#endif
