/* policy.h - which files the shim maps: SOFTMAP_MAP. */
#ifndef PRELOAD_POLICY_H
#define PRELOAD_POLICY_H

enum policy {
  POLICY_HOST, /* the host's own mapping */
  POLICY_OURS,
  POLICY_ASK, /* the host's, unless it refuses */
};

/* Read SOFTMAP_MAP and SOFTMAP_COHERENCE.  Once, before anything is mapped. */
void policy_read(void);
/* What to do with a file that is to be mapped. */
enum policy policy_of(int fd);
/* Do read and write see the mappings (SOFTMAP_COHERENCE)? */
int policy_is_coherent(void);
/* A descriptor of the file at a path, close-on-exec; -1: there is none, none that has a section, or
 * nobody asked for coherence.  errno stays. */
int policy_open_sectioned(int dir, const char *path, int flags);
/* Does this errno of the host's mmap say that it can't map the file? */
int policy_is_refusal(int error);

#endif
