/* sections.c - a section directory a case: a section that one case leaves is its own fault, and
 * doesn't meet a file of the next that got the same inode number.
 */
#include "t.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void
t_remove_directory(const char *path) {
  char name[T_PATH + 256];
  DIR *dir = opendir(path);

  for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
    if (is_dots(e->d_name))
      continue;
    (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    if (unlink(name) != 0)
      t_remove_directory(name);
  }
  if (dir != NULL)
    (void)closedir(dir);
  (void)rmdir(path);
}

void
t_sections_begin(char dir[T_PATH]) {
  static char top[T_PATH / 2]; /* as it was before the first case */

  if (!t_is_softmap())
    return;
  if (getenv("SOFTMAP_TEST_TRACKER") != NULL) /* or it would be another tracker's result */
    t_fail(T_HERE, "SOFTMAP_TEST_TRACKER is for make check; a program takes SOFTMAP_TRACKER");
  if (top[0] == '\0') {
    const char *given = getenv("SOFTMAP_DIR");

    (void)snprintf(top, sizeof top, "%s", given != NULL && *given != '\0' ? given : "/dev/shm");
  }
  (void)snprintf(dir, T_PATH, "%s/case-XXXXXX", top);
  if (mkdtemp(dir) == NULL || setenv("SOFTMAP_DIR", dir, 1) != 0)
    t_fail(T_HERE, "no section directory %s: errno %d", dir, errno);
}

void
t_sections_of(uid_t user, char dir[T_PATH]) {
  (void)snprintf(dir, T_PATH, "/dev/shm/softmap-test-XXXXXX");
  if (mkdtemp(dir) == NULL || chown(dir, user, user) != 0)
    t_fail(T_HERE, "no section directory %s: errno %d", dir, errno);
}

/* The name of something in the directory, or an empty one. */
static void
first_entry(const char *path, char name[256]) {
  DIR *dir = opendir(path);

  name[0] = '\0';
  for (struct dirent *e; dir != NULL && name[0] == '\0' && (e = readdir(dir)) != NULL;)
    if (!is_dots(e->d_name))
      (void)snprintf(name, 256, "%s", e->d_name);
  if (dir != NULL)
    (void)closedir(dir);
}

bool
t_sections_end(const char *dir, bool may_be_left) {
  char name[256];

  if (!t_is_softmap())
    return true;
  first_entry(dir, name);
  t_remove_directory(dir);
  if (name[0] == '\0' || may_be_left)
    return true;
  t_note("left in the section directory: %s", name);
  return false;
}
