/* script.c - reading the files of a script. */
#include "lab/script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/tool.h"

enum { FILE_SIZE_MAX = 1 << 20, INCLUDE_DEPTH_MAX = 8 };

/* ---- Errors -------------------------------------------------------------------------------- */

bool
script_error(const struct place *place, const char *format, ...) {
  char *message = NULL, *file = printable(place->file);
  va_list arguments;
  va_start(arguments, format);
  if (vasprintf(&message, format, arguments) < 0)
    message = NULL;
  va_end(arguments);
  complain("%s:%u:%u: %s", file, place->line, place->column, (char *)need(message));
  free(message);
  free(file);
  return false;
}

/* ---- Memory -------------------------------------------------------------------------------- */

void *
script_own(struct script *script, void *memory) {
  script->owned = need(reallocarray(script->owned, script->nowned + 1, sizeof *script->owned));
  script->owned[script->nowned++] = memory;
  return memory;
}

void
script_free(struct script *script) {
  for (size_t i = 0; i < script->nowned; i++)
    free(script->owned[i]);
  free(script->owned);
  free(script->steps);
  *script = (struct script){ 0 };
}

/* ---- Files --------------------------------------------------------------------------------- */

/* The whole of a file, *len bytes; NULL: *problem says why not. */
static char *
read_whole(const char *path, size_t *len, const char **problem) {
  struct stat st = { .st_size = 0 };
  /* Without O_NONBLOCK a pipe that nobody writes would hold us up. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  char *bytes = NULL;
  *len = 0;
  *problem = NULL;
  if (fd < 0 || fstat(fd, &st) < 0)
    *problem = strerrordesc_np(errno);
  else if (!S_ISREG(st.st_mode))
    *problem = "not a regular file";
  else if (st.st_size > FILE_SIZE_MAX)
    *problem = "longer than 1 MiB";
  if (!*problem) {
    bytes = need(malloc((size_t)st.st_size + 1));
    ssize_t got = 1;
    while (*len < (size_t)st.st_size && got > 0) {
      got = read(fd, bytes + *len, (size_t)st.st_size - *len);
      *len += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
      *problem = strerrordesc_np(errno);
      free(bytes);
      bytes = NULL;
    }
  }
  if (fd >= 0)
    (void)close(fd);
  return bytes;
}

static bool
read_lines(struct script *script, const char *path, const char *bytes, size_t len) {
  struct place place = { path, 0, 1 };
  struct line *line = need(malloc(sizeof *line));
  bool ok = true;
  for (const char *at = bytes, *end = bytes + len; ok && at < end;) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    size_t length = (size_t)((newline ? newline : end) - at);
    const char *problem;
    place.line++;
    if (!words_cut(at, length, line, &place.column, &problem))
      ok = script_error(&place, "%s", problem);
    else if (line->n > 0)
      ok = script_parse(script, line, &place);
    at += length + 1;
  }
  free(line);
  return ok;
}

static bool
read_file(struct script *script, const char *path, const struct place *from) {
  size_t len;
  const char *problem;
  char *kept = script_own(script, text_of("%s", path)); /* errors name it later */
  char *bytes = read_whole(path, &len, &problem);
  if (!bytes) {
    struct place start = { path, 1, 1 };
    char *shown = printable(path);
    if (from)
      (void)script_error(from, "include %s: %s", shown, problem);
    else
      (void)script_error(&start, "%s", problem);
    free(shown);
    return false;
  }
  bool ok = read_lines(script, kept, bytes, len);
  free(bytes);
  return ok;
}

bool
script_include(struct script *script, const struct place *place, const char *path) {
  const char *slash = strrchr(place->file, '/');
  int folder = path[0] == '/' || !slash ? 0 : (int)(slash + 1 - place->file);
  if (script->depth >= INCLUDE_DEPTH_MAX)
    return script_error(place, "includes within includes, more than %d deep", INCLUDE_DEPTH_MAX);
  script->depth++;
  char *full = text_of("%.*s%s", folder, place->file, path);
  bool ok = read_file(script, full, place);
  free(full);
  script->depth--;
  return ok;
}

bool
script_read(const char *path, struct script *script) {
  *script = (struct script){ .path = path, .page_size = (uint64_t)sysconf(_SC_PAGESIZE) };
  if (read_file(script, path, NULL)) {
    struct place place = { path, 1, 1 };
    if (script->n > 0 || script_error(&place, "no step"))
      return true;
  }
  script_free(script);
  return false;
}
