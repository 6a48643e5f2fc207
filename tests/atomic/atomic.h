/* atomic.h - what the tests of atomic syncs share. */
#ifndef ATOMIC_H
#define ATOMIC_H

#include "../sections/sections.h"

#define ATOMIC (MAP_SHARED | SOFTMAP_MAP_ATOMIC)

/* How many journals lie beside the file? */
static inline unsigned
journals(const char *path) {
  char beside[T_PATH];
  unsigned count = 0;
  DIR *dir;

  (void)snprintf(beside, sizeof beside, "%s", path);
  *strrchr(beside, '/') = '\0';
  dir = opendir(beside);
  T_CHECK(dir != NULL);
  for (struct dirent *e; (e = readdir(dir)) != NULL;)
    count += strncmp(e->d_name, ".softmap-", 9) == 0;
  (void)closedir(dir);
  return count;
}

/* A stranger whose mappings are atomic. */
static inline struct t_stranger
atomic_stranger(const char *path, size_t npages) {
  struct t_stranger s = t_stranger();

  T_OK(S_CONFIGURE(s, "atomic=yes"));
  T_OK(S_MAP(s, path, npages, S_SHARED));
  return s;
}

#endif
