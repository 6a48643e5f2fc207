/* run_program.c - the program's file: where it is, and whether the loader will take the shim. */
#include "tool/run.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- Finding it ---------------------------------------------------------------------------- */

static bool
is_program(const char *path) {
  struct stat stat_;
  return stat(path, &stat_) == 0 && S_ISREG(stat_.st_mode) && access(path, X_OK) == 0;
}

static char *
find_in_path(const char *name) {
  const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe): there is one thread yet */
  if (!path)
    path = "/bin:/usr/bin"; /* as execvp */
  for (;;) {
    size_t len = strcspn(path, ":");
    char *found = text_of("%.*s%s%s", (int)len, path, len ? "/" : "", name);
    if (is_program(found))
      return found;
    free(found);
    if (!path[len])
      return NULL;
    path += len + 1;
  }
}

int
program_find(struct run *run) {
  const char *name = run->argv[0];
  run->path = strchr(name, '/') ? text_of("%s", name) : *name ? find_in_path(name) : NULL;
  if (run->path && is_program(run->path))
    return 0;
  int error = !run->path || access(run->path, F_OK) != 0 ? ENOENT : EACCES;
  char *shown = printable(name);
  errno = error;
  complain("run: %s: %m", shown);
  free(shown);
  return error == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_START;
}

/* ---- Judging it ---------------------------------------------------------------------------- */

/* Why the loader would not take the shim; NULL if it will. */
static const char *
judge_rights(const char *path) {
  struct stat stat_;
  if (stat(path, &stat_) != 0)
    return NULL; /* exec will say it */
  if ((stat_.st_mode & S_ISUID) && stat_.st_uid != getuid())
    return "is set-uid";
  if ((stat_.st_mode & S_ISGID) && (stat_.st_mode & S_IXGRP) && stat_.st_gid != getgid())
    return "is set-gid";
  if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
    return "has file capabilities";
  return NULL;
}

static bool
read_own(ElfW(Ehdr) * own) {
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  bool is_read = fd >= 0 && read(fd, own, sizeof *own) == (ssize_t)sizeof *own;
  if (fd >= 0)
    (void)close(fd);
  return is_read;
}

static const char *
judge_elf(int fd, const ElfW(Ehdr) * header) {
  ElfW(Ehdr) own;
  if (!read_own(&own) || own.e_machine != header->e_machine ||
      own.e_ident[EI_CLASS] != header->e_ident[EI_CLASS])
    return "is of another architecture than softmap";
  for (unsigned i = 0; i < header->e_phnum; i++) {
    ElfW(Phdr) part;
    off_t at = (off_t)(header->e_phoff + (size_t)i * header->e_phentsize);
    if (pread(fd, &part, sizeof part, at) != (ssize_t)sizeof part)
      return NULL;
    if (part.p_type == PT_INTERP)
      return NULL;
  }
  return "is statically linked";
}

/* The interpreter of a script, from its first line; NULL if it is none. To be freed. */
static char *
interpreter_of(const char *start, size_t len) {
  if (len < 3 || start[0] != '#' || start[1] != '!')
    return NULL;
  char *line = text_of("%.*s", (int)(len - 2), start + 2);
  line[strcspn(line, "\n")] = '\0';
  char *word = line + strspn(line, " \t");
  word[strcspn(word, " \t")] = '\0';
  char *interpreter = *word ? text_of("%s", word) : NULL;
  free(line);
  return interpreter;
}

enum { SCRIPTS_MAX = 5 }; /* a script's interpreter may be a script: as deep as Linux goes */

static const char *
judge(const char *path, int depth) {
  union {
    ElfW(Ehdr) elf;
    char bytes[256];
  } start = { 0 };
  const char *reason = judge_rights(path);
  int fd = reason ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return reason;
  ssize_t got = read(fd, start.bytes, sizeof start.bytes);
  if (got >= (ssize_t)sizeof start.elf && memcmp(start.elf.e_ident, ELFMAG, SELFMAG) == 0)
    reason = judge_elf(fd, &start.elf);
  (void)close(fd);
  char *interpreter = got > 0 ? interpreter_of(start.bytes, (size_t)got) : NULL;
  if (interpreter && depth < SCRIPTS_MAX)
    reason = judge(interpreter, depth + 1);
  free(interpreter);
  return reason;
}

int
program_judge(const struct run *run) {
  const char *reason = judge(run->path, 0);
  if (!reason)
    return 0;
  char *shown = printable(run->path);
  complain("run: %s %s: softmap can't get into it; --force runs it without softmap", shown, reason);
  free(shown);
  return RUN_FAILED;
}
