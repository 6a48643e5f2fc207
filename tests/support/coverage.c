/* coverage.c - in a build for make coverage: what a process that ends by _exit has reached counts as well.
 * gcov by itself writes its counts at exit.
 */
#ifdef SOFTMAP_COVERAGE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void);
void __gcov_reset(void);

/* Instead of libc's.  Not where files may not become long, or counts would be cut off.  Begins anew: a child
 * of vfork counts in its parent's memory. */
void
_exit(int status) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) {
    __gcov_dump();
    __gcov_reset();
  }
  for (;;)
    (void)syscall(SYS_exit_group, status);
}

#else
/* ISO C wants something in every file. */
typedef int coverage_is_not_built;
#endif
