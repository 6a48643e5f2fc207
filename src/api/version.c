/* The library's version. */
#include <softmap/softmap.h>

const char *
softmap_version(void)
{
  return PACKAGE_VERSION;
}
