/* served.c - linked into each test program of a configure script, so that softmap's statistics get
 * out of code that isn't ours: at exit it adds a line to the file that $SOFTMAP_SERVED names, with
 * the mappings that softmap served and those that it passed on. Programs that mapped nothing are
 * silent.
 */
#include <stdio.h>
#include <stdlib.h>

#include <softmap/softmap.h>

__attribute__((destructor)) static void
tell(void) {
  struct softmap_stats stats = { .size = sizeof stats };
  const char *name = getenv("SOFTMAP_SERVED");
  FILE *file;

  if (!name || softmap_stats(&stats) < 0 || stats.mappings_made + stats.mappings_passed == 0)
    return;
  if (!(file = fopen(name, "a")))
    return;
  fprintf(file, "%llu %llu\n", (unsigned long long)stats.mappings_made,
          (unsigned long long)stats.mappings_passed);
  fclose(file);
}
