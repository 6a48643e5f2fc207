/* sections.c - looking at and recovering sections from outside.  Their contract is settled; what
 * they need from other processes' lanes comes with "Sections across processes". */
#include "api/call.h"

ssize_t
softmap_sections(struct softmap_section *sections, size_t max) {
  (void)sections;
  (void)max;
  return fail(ENOSYS);
}

ssize_t
softmap_section_view(const char *name, uint64_t first_page, struct softmap_page *pages,
                     size_t max) {
  (void)name;
  (void)first_page;
  (void)pages;
  (void)max;
  return fail(ENOSYS);
}

int
softmap_recover(const char *name, const struct softmap_recover_options *options) {
  (void)name;
  (void)options;
  return fail(ENOSYS);
}
