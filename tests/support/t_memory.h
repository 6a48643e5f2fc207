/* t_memory.h - how much memory is taken. */
#ifndef T_MEMORY_H
#define T_MEMORY_H

#include "t.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* By this process, whatever for: bytes. */
static inline off_t
resident(void) {
  char line[256];
  FILE *file = fopen("/proc/self/status", "re");
  off_t bytes = -1;

  T_CHECK(file != NULL);
  while (bytes < 0 && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "VmRSS:", 6) == 0)
      bytes = (off_t)strtoll(line + 6, NULL, 10) * 1024;
  (void)fclose(file);
  return bytes;
}

/* Memory behind the files of the section directory. */
static inline off_t
sections_hold(void) {
  const char *path = getenv("SOFTMAP_DIR");
  DIR *dir = opendir(path);
  off_t bytes = 0;

  T_CHECK(dir != NULL);
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    struct stat st;

    if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
      bytes += (off_t)st.st_blocks * 512;
  }
  (void)closedir(dir);
  return bytes;
}

#endif
