/* sections.c - reading the list of sections; which of them a user means. */
#include "tool/sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The section directory ----------------------------------------------------------------- */

static char *chosen; /* by --dir */

int
sections_choose_dir(const char *dir) {
  char *shown = printable(dir);
  int status = STATUS_OK;
  free(chosen);
  /* The library wants an absolute path.  Not realpath: it must see a symbolic link to refuse it. */
  if (dir[0] == '/') {
    chosen = text_of("%s", dir);
  } else {
    char *cwd = getcwd(NULL, 0);
    chosen = cwd ? text_of("%s/%s", cwd, dir) : NULL;
    free(cwd);
  }
  if (!*dir)
    status = usage_error("--dir: the directory's name is empty");
  else if (!chosen || softmap_configure("dir", chosen) < 0)
    status = usage_error("--dir %s: %s", shown,
                         errno == EINVAL ? "can't be a section directory" : "can't be chosen");
  free(shown);
  return status;
}

char *
sections_dir(void) {
  /* One thread only, and nobody changes the environment. */
  const char *named = getenv("SOFTMAP_DIR"); /* NOLINT(concurrency-mt-unsafe) */
  if (chosen)
    return printable(chosen);
  if (named && named[0] == '/')
    return printable(named);
  return text_of("/dev/shm/softmap-%u", (unsigned)geteuid());
}

/* ---- The list ------------------------------------------------------------------------------ */

static int
read_list(struct section_list *list) {
  size_t room = 0;
  *list = (struct section_list){ NULL, 0 };
  for (;;) {
    ssize_t n = softmap_sections(list->at, room);
    if (n < 0) {
      int error = errno;
      free(list->at);
      list->at = NULL;
      return error ? error : EIO;
    }
    if ((size_t)n <= room) {
      list->n = (size_t)n;
      return 0;
    }
    room = (size_t)n + 8; /* some may come meanwhile */
    list->at = need(reallocarray(list->at, room, sizeof *list->at));
  }
}

int
sections_read(struct section_list *list) {
  int error = read_list(list);
  if (!error)
    return STATUS_OK;
  char *dir = sections_dir();
  errno = error;
  complain("section directory %s: %m",
           dir); /* the library has said more, if it is ours to repair */
  free(dir);
  return STATUS_FAILED;
}

bool
sections_has(const char *name) {
  struct section_list list;
  bool found = false;
  if (read_list(&list) != 0)
    return true; /* nobody can tell: assume the worst */
  for (size_t i = 0; i < list.n && !found; i++)
    found = strcmp(list.at[i].name, name) == 0;
  free(list.at);
  return found;
}

/* ---- One section --------------------------------------------------------------------------- */

enum section_state
section_state(const struct softmap_section *section) {
  if (section->flags & SOFTMAP_SECTION_DAMAGED)
    return STATE_DAMAGED;
  if (section->live > 0)
    return STATE_IN_USE;
  if (section->dirty_pages == 0)
    return STATE_CLEAN; /* whatever became of the file, nothing is lost */
  if (section->flags & SOFTMAP_SECTION_GONE)
    return STATE_GONE;
  return section->flags & SOFTMAP_SECTION_CHANGED ? STATE_CHANGED : STATE_LEFT;
}

const char *
section_state_name(enum section_state state) {
  static const char *const names[] = {
    [STATE_IN_USE] = "in use",        [STATE_LEFT] = "left",
    [STATE_CLEAN] = "clean",          [STATE_GONE] = "file gone",
    [STATE_CHANGED] = "file changed", [STATE_DAMAGED] = "damaged",
  };
  return names[state];
}

char *
section_title(const struct softmap_section *section) {
  if (section->flags & SOFTMAP_SECTION_DAMAGED || !section->path[0])
    return printable(section->name);
  char *path = printable(section->path);
  if (!section_path_is_cut(section))
    return path;
  char *title = text_of("%s...", path);
  free(path);
  return title;
}

bool
section_path_is_cut(const struct softmap_section *section) {
  return strnlen(section->path, sizeof section->path) >= sizeof section->path - 1;
}

/* The path without links and dots; of a file that is gone, its directory's.  To be freed. */
static char *
resolve(const char *path) {
  char *real = realpath(path, NULL);
  const char *slash = strrchr(path, '/');
  if (real)
    return real;
  char *parent = slash == path ? text_of("/")
                 : slash       ? text_of("%.*s", (int)(slash - path), path)
                               : text_of(".");
  char *dir = realpath(parent, NULL);
  free(parent);
  if (dir)
    real = text_of("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, slash ? slash + 1 : path);
  free(dir);
  return real;
}

bool
section_is_meant(const struct softmap_section *section, const char *operand) {
  struct stat st;
  if (strcmp(section->name, operand) == 0)
    return true;
  if (section->flags & SOFTMAP_SECTION_DAMAGED || !section->path[0])
    return false;
  /* What is left of a long path fits many files. */
  if (section_path_is_cut(section))
    return stat(operand, &st) == 0 && st.st_dev == section->device && st.st_ino == section->inode;
  if (strcmp(section->path, operand) == 0)
    return true;
  char *real = resolve(operand);
  bool is_meant = real && strcmp(section->path, real) == 0;
  free(real);
  return is_meant;
}
