/* run_environment.c - what the program and its children are started with. */
#include "tool/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY "libsoftmap-preload.so"

/* ---- The section directory ------------------------------------------------------------------ */

static char *
dir_of(const struct run *run) {
  const char *named = getenv("SOFTMAP_DIR"); /* NOLINT(concurrency-mt-unsafe): one thread yet */
  if (run->dir && run->dir[0] == '/')
    return text_of("%s", run->dir);
  if (run->dir) {
    char *cwd = need(getcwd(NULL, 0));
    char *dir = text_of("%s/%s", cwd, run->dir);
    free(cwd);
    return dir;
  }
  return named && *named ? text_of("%s", named)
                         : text_of("/dev/shm/softmap-%u", (unsigned)geteuid());
}

/* As the library will look at it.  NULL: it is usable. */
static const char *
judge_dir(const char *dir) {
  struct stat stat_;
  if (dir[0] != '/')
    return "isn't an absolute path";
  if (mkdir(dir, 0700) != 0 && errno != EEXIST)
    return strerror(errno); /* NOLINT(concurrency-mt-unsafe): one thread yet */
  if (lstat(dir, &stat_) != 0)
    return strerror(errno); /* NOLINT(concurrency-mt-unsafe) */
  if (!S_ISDIR(stat_.st_mode))
    return "is a symbolic link, or no directory";
  if (stat_.st_uid != geteuid())
    return "belongs to another user";
  if ((stat_.st_mode & 0777) != 0700)
    return "has a mode other than 0700";
  char *probe = text_of("%s/.run-XXXXXX", dir);
  const char *reason = mkdtemp(probe) ? NULL : strerror(errno); /* NOLINT(concurrency-mt-unsafe) */
  if (!reason)
    (void)rmdir(probe);
  free(probe);
  return reason;
}

int
environment_check_dir(const struct run *run) {
  char *dir = dir_of(run);
  const char *reason = judge_dir(dir);
  if (reason) {
    char *shown = printable(dir);
    complain("run: section directory %s: %s; set SOFTMAP_DIR to a directory of yours with mode 0700",
             shown, reason);
    free(shown);
  }
  free(dir);
  return reason ? RUN_FAILED : 0;
}

char **
environment_sections(const struct run *run) {
  char *dir = dir_of(run);
  DIR *stream = opendir(dir);
  char **names = need(calloc(1, sizeof *names));
  size_t n = 0;
  const struct dirent *entry;
  // cppcheck-suppress readdirCalled ; one thread reads this stream
  while (stream && (entry = readdir(stream))) /* NOLINT(concurrency-mt-unsafe): ours alone */
    if (entry->d_name[0] != '.') {
      names = need(reallocarray(names, n + 2, sizeof *names));
      names[n++] = text_of("%s", entry->d_name);
      names[n] = NULL;
    }
  if (stream)
    (void)closedir(stream);
  free(dir);
  return names;
}

/* ---- The shim ------------------------------------------------------------------------------ */

static char *
find_shim(void) {
  static const char *const places[] = { "../../.libs/" LIBRARY, /* src/tool/.libs/softmap */
                                        "../.libs/" LIBRARY,
                                        "../lib/softmap/" LIBRARY, /* installed, and moved since */
                                        NULL };
  return find_part("SOFTMAP_PRELOAD", places, SOFTMAP_PKGLIBDIR "/" LIBRARY);
}

static int
set(const char *name, const char *value) {
  /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread yet */
  return !value || setenv(name, value, 1) == 0 ? 0 : RUN_FAILED;
}

/* Before what the user preloads: allocators have an mmap of their own.  But a sanitizer wants to be
 * first. */
static int
set_preload(const char *shim) {
  const char *list_before = getenv("LD_PRELOAD"); /* NOLINT(concurrency-mt-unsafe): one thread yet */
  const char *rest = list_before ? list_before : "";
  while (strncmp(rest, "lib", 3) == 0 || *rest == '/') {
    size_t len = strcspn(rest, ": ");
    char *word = text_of("%.*s", (int)len, rest);
    bool is_sanitizer = strstr(word, "san.so") || strstr(word, "libclang_rt");
    free(word);
    if (!is_sanitizer)
      break;
    rest += len + (rest[len] != '\0');
  }
  char *list = text_of("%.*s%s%s%s%s", list_before ? (int)(rest - list_before) : 0,
                       list_before ? list_before : "",
                       rest != list_before && list_before && rest[-1] != ':' ? ":" : "", shim,
                       *rest ? ":" : "", rest);
  int status = set("LD_PRELOAD", list);
  free(list);
  return status;
}

int
environment_set(const struct run *run) {
  char *shim = find_shim();
  if (!shim)
    return RUN_FAILED;
  if (strpbrk(shim, ": ")) {
    complain("run: the path of %s has a colon or a blank, which LD_PRELOAD can't express", LIBRARY);
    free(shim);
    return RUN_FAILED;
  }
  char *dir = dir_of(run);
  int status = set_preload(shim);
  if (!status)
    status = set("SOFTMAP_DIR", run->dir ? dir : NULL);
  if (!status)
    status = set("SOFTMAP_MAP", run->map);
  if (!status)
    status = set("SOFTMAP_TRACKER", run->tracker);
  if (!status)
    status = set("SOFTMAP_FILL", run->fill);
  if (!status)
    status = set("SOFTMAP_COHERENCE", run->coherence);
  if (!status)
    status = set("SOFTMAP_TRACE", run->trace_path);
  if (!status)
    status = set("SOFTMAP_ATOMIC", run->atomic);
  free(dir);
  free(shim);
  return status;
}
