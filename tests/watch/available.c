/* available.c - exits with 0 if this host has a write watch, else with 77.  No test of its own: make
 * check-watch asks. */
#include <errno.h>
#include <softmap/softmap.h>

int
main(void) {
  return softmap_configure("tracker", "watch") == 0 ? 0 : errno == EOPNOTSUPP ? 77 : 1;
}
