/* probe_mount.c - the file system of a path, from /proc/self/mountinfo: proc(5). */
#include "tool/probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Blanks, tabs, newlines and backslashes stand as \ooo. */
static void
unescape(char *text) {
  char *to = text;
  while (*text) {
    unsigned code = 0;
    int n = 1;
    while (n < 4 && text[0] == '\\' && text[n] >= '0' && text[n] <= '7')
      code = code * 8 + (unsigned)(text[n++] - '0');
    if (n < 4)
      n = 1;
    *to++ = *text;
    if (n == 4)
      to[-1] = (char)code;
    text += n;
  }
  *to = '\0';
}

/* 36 35 98:0 /root /point options [tags...] - type source ...; cuts the line up. */
static bool
parse(char *line, unsigned long long *id, char **point, char **type) {
  char *rest = NULL, *dash = strstr(line, " - ");
  if (!dash)
    return false;
  *dash = '\0';
  char *field = strtok_r(line, " ", &rest);
  if (!field)
    return false;
  *id = strtoull(field, NULL, 10);
  for (int i = 0; i < 4 && field; i++)
    field = strtok_r(NULL, " ", &rest);
  *point = field;
  *type = strtok_r(dash + 3, " \n", &rest);
  if (!*point || !*type)
    return false;
  unescape(*point);
  unescape(*type);
  return true;
}

/* The number of the path's mount, which is exact where one mount hides another; 0: not told. */
static unsigned long long
mount_id(const char *path) {
#ifdef STATX_MNT_ID
  struct statx st;
  if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &st) == 0 && st.stx_mask & STATX_MNT_ID)
    return st.stx_mnt_id;
#endif
  (void)path;
  return 0;
}

static bool
is_below(const char *path, const char *point) {
  size_t len = strlen(point);
  if (strcmp(point, "/") == 0)
    return true;
  return strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

void
probe_mount_find(struct probe_mount *mount, const char *path) {
  FILE *file = fopen("/proc/self/mountinfo", "re");
  unsigned long long wanted = mount_id(path), id;
  char *line = NULL, *point, *type;
  size_t size = 0;
  bool is_certain = false;
  *mount = (struct probe_mount){ NULL, NULL };
  while (file && !is_certain && getline(&line, &size, file) >= 0) {
    if (!parse(line, &id, &point, &type))
      continue;
    is_certain = wanted && id == wanted;
    /* Else the longest that matches; of one mounted over another, the later. */
    if (!is_certain &&
        (!is_below(path, point) || (mount->point && strlen(point) < strlen(mount->point))))
      continue;
    free(mount->type);
    free(mount->point);
    mount->type = text_of("%s", type);
    mount->point = text_of("%s", point);
  }
  free(line);
  if (file)
    (void)fclose(file);
}
