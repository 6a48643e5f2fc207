/* parts.c - the library and the programs that belong to the command. */
#include "tool/tool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
beside_us(const char *relative) {
  char self[PATH_MAX];
  ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
  if (len <= 0)
    return NULL;
  self[len] = '\0';
  *strrchr(self, '/') = '\0'; /* the kernel gives an absolute path */
  char *path = text_of("%s/%s", self, relative);
  char *real = realpath(path, NULL);
  free(path);
  return real;
}

char *
find_part(const char *variable, const char *const *places, const char *installed) {
  const char *named = getenv(variable); /* NOLINT(concurrency-mt-unsafe): one thread yet */
  char *path = NULL;
  if (named && *named) {
    path = realpath(named, NULL);
    if (!path)
      complain("%s: %m (%s says so)", named, variable);
    return path;
  }
  for (; *places && !path; places++)
    path = beside_us(*places);
  if (!path)
    path = realpath(installed, NULL);
  if (!path)
    complain("%s is missing: softmap isn't installed, or in another place", installed);
  return path;
}
