/* recover.h - what dead processes left: written back, rescued or given up. */
#ifndef SOFTMAP_RECOVER_H
#define SOFTMAP_RECOVER_H

#include "section/section.h"

struct recover {
  const char *name;     /* of the section */
  const char *save_to;  /* a new file for the contents; or NULL */
  const char *write_as; /* a file for the dirty pages; or NULL */
  bool discard;
  void (*progress)(void *arg, uint64_t done, uint64_t total); /* pages; or NULL */
  void *progress_arg;
};

/* As softmap_recover() says; without a word on standard error. */
SOFTMAP_MUST_CHECK int recover(const struct recover *recover);

#endif
