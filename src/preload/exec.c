/* exec.c - going on as another program, and starting one.
 *
 * exec drops our threads and descriptors with all that is mapped: what is dirty is written before.
 * If exec fails nothing is lost.  A child of vfork or posix_spawn leaves that to its parent.
 */
#include "preload/real.h"

#include <stdarg.h>

#include "api/shim.h"
#include "preload/environment.h"
#include "preload/pins.h"

extern char **environ;

/* The environment that a child is given, on the stack of the caller. */
#define CHILD_ENVIRONMENT(from)                                                                    \
  environment_for_child(                                                                           \
    (from), __builtin_alloca((environment_count(from) + ENVIRONMENT_EXTRA) * sizeof(char *)),                \
    __builtin_alloca(ENVIRONMENT_PRELOAD))

/* Is softmap in this process?  Then the kernel may read the strings; name may be NULL. */
static bool
began_with(struct pins *pins, const char *name, char *const argv[], char *const envp[]) {
  shim_begin();
  if (!shim_is_started())
    return false;
  if (name)
    pins_add_string(pins, name);
  pins_add_strings(pins, argv);
  pins_add_strings(pins, envp);
  return true;
}

EXPORT int
execve(const char *path, char *const argv[], char *const envp[]) {
  PINS(pins);
  if (began_with(&pins, path, argv, envp))
    shim_write_back();
  return REAL(execve)(path, argv, CHILD_ENVIRONMENT(envp));
}

EXPORT int
execv(const char *path, char *const argv[]) {
  return execve(path, argv, environ);
}

EXPORT int
execvpe(const char *file, char *const argv[], char *const envp[]) {
  PINS(pins);
  if (began_with(&pins, file, argv, envp))
    shim_write_back();
  return REAL(execvpe)(file, argv, CHILD_ENVIRONMENT(envp));
}

EXPORT int
execvp(const char *file, char *const argv[]) {
  return execvpe(file, argv, environ);
}

EXPORT int
execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags) {
  PINS(pins);
  if (began_with(&pins, path, argv, envp))
    shim_write_back();
  return REAL(execveat)(dir, path, argv, CHILD_ENVIRONMENT(envp), flags);
}

EXPORT int
fexecve(int fd, char *const argv[], char *const envp[]) {
  PINS(pins);
  if (began_with(&pins, NULL, argv, envp))
    shim_write_back();
  return REAL(fexecve)(fd, argv, CHILD_ENVIRONMENT(envp));
}

/* ---- Arguments one by one ------------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): it declares a variable. */
/* The arguments up to NULL as an array on the caller's stack; `last` is left behind the NULL. */
#define COLLECT(first, last, argv)                                                                 \
  char **argv;                                                                                     \
  do {                                                                                             \
    va_list count_them;                                                                            \
    size_t n_ = 1;                                                                                 \
    va_start(count_them, first);                                                                   \
    while (va_arg(count_them, char *))                                                             \
      n_++;                                                                                        \
    va_end(count_them);                                                                            \
    argv = __builtin_alloca((n_ + 1) * sizeof *argv);                                                        \
    va_start(last, first);                                                                         \
    argv[0] = (char *)(uintptr_t)(first);                                                          \
    for (size_t i_ = 1; i_ <= n_; i_++)                                                            \
      argv[i_] = va_arg(last, char *);                                                             \
  } while (0)
/* NOLINTEND(bugprone-macro-parentheses) */

EXPORT int
execl(const char *path, const char *first, ...) {
  va_list rest;
  COLLECT(first, rest, argv);
  va_end(rest);
  return execve(path, argv, environ);
}

EXPORT int
execlp(const char *file, const char *first, ...) {
  va_list rest;
  COLLECT(first, rest, argv);
  va_end(rest);
  return execvpe(file, argv, environ);
}

EXPORT int
execle(const char *path, const char *first, ...) {
  va_list rest;
  COLLECT(first, rest, argv);
  char *const *envp = va_arg(rest, char *const *);
  va_end(rest);
  return execve(path, argv, envp);
}

/* ---- Starting ------------------------------------------------------------------------------ */

EXPORT int
posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
            const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
  PINS(pins);
  (void)began_with(&pins, path, argv, envp);
  return REAL(posix_spawn)(pid, path, actions, attributes, argv, CHILD_ENVIRONMENT(envp));
}

EXPORT int
posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
             const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
  PINS(pins);
  (void)began_with(&pins, file, argv, envp);
  return REAL(posix_spawnp)(pid, file, actions, attributes, argv, CHILD_ENVIRONMENT(envp));
}
