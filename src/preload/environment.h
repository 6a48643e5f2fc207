/* environment.h - children run under softmap, too, whatever environment they are given. */
#ifndef PRELOAD_ENVIRONMENT_H
#define PRELOAD_ENVIRONMENT_H

#include <stddef.h>

/* Remember what is needed.  Once, at the start. */
void environment_read(void);

/* Room for the environment of a child: on the caller's stack, since a child of vfork must not
 * allocate. */
enum { ENVIRONMENT_EXTRA = 16, ENVIRONMENT_PRELOAD = 4096 };
size_t environment_count(char *const *from);
/* from, with the shim in LD_PRELOAD and the variables of softmap, if they are missing.  `to` has
 * room for environment_count(from) + ENVIRONMENT_EXTRA, `preload` for ENVIRONMENT_PRELOAD. */
char *const *environment_for_child(char *const *from, char **to, char *preload);

#endif
