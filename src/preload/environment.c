/* environment.c - the shim in LD_PRELOAD, and the variables of softmap, for every child. */
#include "preload/real.h"

#include "preload/environment.h"

#include <string.h>

#define PRELOAD_NAME "LD_PRELOAD="

static char own_path[1024]; /* of this library */
static char variables[8192]; /* "SOFTMAP_...=...", each ends in a NUL, the last one in two */

extern char **environ;

void
environment_read(void) {
  Dl_info info;
  if (dladdr((void *)(uintptr_t)environment_read, &info) && info.dli_fname &&
      strlen(info.dli_fname) < sizeof own_path)
    memcpy(own_path, info.dli_fname, strlen(info.dli_fname) + 1);
  char *to = variables;
  for (char **at = environ; at && *at; at++) {
    size_t len = strlen(*at) + 1;
    if (strncmp(*at, "SOFTMAP_", 8) == 0 && len + 1 < (size_t)(variables + sizeof variables - to))
      to = (char *)memcpy(to, *at, len) + len;
  }
}

size_t
environment_count(char *const *from) {
  size_t n = 0;
  while (from && from[n])
    n++;
  return n;
}

/* Is `path` one of the words of a list? */
static bool
has_word(const char *list, const char *path) {
  size_t len = strlen(path);
  for (const char *at = list; (at = strstr(at, path)); at += len)
    if ((at == list || strchr(": ", at[-1])) && (!at[len] || strchr(": ", at[len])))
      return true;
  return false;
}

/* "LD_PRELOAD=ours:what it is" */
static char *
extend(const char *assignment, char *preload) {
  const size_t name = sizeof PRELOAD_NAME - 1;
  size_t rest = strlen(assignment) - name, own = strlen(own_path);
  if (name + own + rest + 2 > ENVIRONMENT_PRELOAD)
    return NULL;
  memcpy(preload, PRELOAD_NAME, name);
  memcpy(preload + name, own_path, own); /* NOLINT(bugprone-not-null-terminated-result): goes on */
  preload[name + own] = rest ? ':' : '\0';
  memcpy(preload + name + own + (rest != 0), assignment + name, rest + 1);
  return preload;
}

static bool
is_set(char *const *environment, const char *assignment) {
  size_t len = (size_t)(strchr(assignment, '=') - assignment) + 1;
  for (; environment && *environment; environment++)
    if (strncmp(*environment, assignment, len) == 0)
      return true;
  return false;
}

char *const *
environment_for_child(char *const *from, char **to, char *preload) {
  size_t n = 0, extra = 0;
  bool has_preload = false;
  if (!own_path[0])
    return from;
  for (size_t i = 0; from && from[i]; i++) {
    to[n] = from[i];
    if (strncmp(from[i], PRELOAD_NAME, sizeof PRELOAD_NAME - 1) == 0) {
      has_preload = true;
      char *extended =
        has_word(from[i] + sizeof PRELOAD_NAME - 1, own_path) ? NULL : extend(from[i], preload);
      to[n] = extended ? extended : to[n];
    }
    n++;
  }
  if (!has_preload)
    to[n++] = extend(PRELOAD_NAME, preload);
  for (char *at = variables; *at && extra < ENVIRONMENT_EXTRA - 2; at += strlen(at) + 1)
    if (!is_set(from, at)) {
      to[n++] = at;
      extra++;
    }
  to[n] = NULL;
  return to;
}
