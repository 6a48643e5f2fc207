/* The library as it is installed links, and tells its version. */
#include <string.h>

#ifdef SOFTMAP
#include <softmap/softmap.h>
#else
#define softmap_version() PACKAGE_VERSION
#endif

int
main(void) {
  return strcmp(softmap_version(), PACKAGE_VERSION) != 0;
}
