/* refused.c - arguments that the calls of softmap.h refuse, and calls before anything is mapped.
 *
 * Each row stands beside one that is accepted.
 */
#include "t_engine.h"

#include <sys/resource.h>

enum { PAGES = 4 };

static unsigned char *p;
static int fd;

static void
options_are_refused(void) {
  T_ROW("control", softmap_configure("fill", "touch"), 0);
  T_ROW("no name", softmap_configure(NULL, "touch"), EINVAL);
  T_ROW("no value", softmap_configure("fill", NULL), EINVAL);
  T_ROW("unknown name", softmap_configure("colour", "blue"), EINVAL);
  T_ROW("unknown value", softmap_configure("fill", "sideways"), EINVAL);
  T_ROW("control: a number", softmap_configure("fill_threshold", "4096"), 0);
  T_ROW("no number", softmap_configure("fill_threshold", ""), EINVAL);
  T_ROW("a number and more", softmap_configure("fill_threshold", "4k"), EINVAL);
  T_ROW("a number too large", softmap_configure("fill_threshold", "99999999999999999999"), EINVAL);
  T_ROW("more twins than there may be", softmap_configure("ahead", "99999999999"), EINVAL);
  T_ROW("neither yes nor no", softmap_configure("atomic", "perhaps"), EINVAL);
  T_ROW("control: no", softmap_configure("atomic", "no"), 0);
  T_ROW("a relative directory", softmap_configure("dir", "here"), EINVAL);
  T_ROW("a relative trace", softmap_configure("trace", "here"), EINVAL);
}

static void
ranges_are_refused(void) {
  struct softmap_range range = { 0, 0 };
  struct softmap_page page;
  struct softmap_stats stats = { .size = 1 };

  T_ROW("nothing is mapped", softmap_dirty(&range, 1, &range, 1), ENOMEM);
  T_ROW("nothing is mapped: pages", softmap_pages(&range, 1, &page, 1), ENOMEM);
  T_ROW("statistics of another version", softmap_stats(&stats), EINVAL);
  stats.size = sizeof stats;
  T_ROW("control: statistics", softmap_stats(&stats), 0);
  p = T_MAP_NEW(NULL, &fd, PAGES);
  T_ROW("control", softmap_dirty(p, t_pages(PAGES), &range, 1), 0);
  T_ROW("wraps", softmap_dirty(p, SIZE_MAX, &range, 1), EINVAL);
  T_ROW("nowhere to answer", softmap_dirty(p, 1, NULL, 1), EINVAL);
  T_ROW("control: only a count", softmap_dirty(p, 1, NULL, 0), 0);
  T_ROW("control: pages", softmap_pages(p, t_pages(PAGES), &page, 1), 0);
  T_ROW("wraps: pages", softmap_pages(p, SIZE_MAX, &page, 1), EINVAL);
  T_ROW("nowhere to answer: pages", softmap_pages(p, 1, NULL, 1), EINVAL);
  T_OK(munmap(p + t_pages(1), t_pages(1)));
  T_ROW("with a hole", softmap_dirty(p, t_pages(PAGES), &range, 1), ENOMEM);
  T_ROW("with a hole: pages", softmap_pages(p, t_pages(PAGES), &page, 1), ENOMEM);
}

static void
pins_are_refused(void) {
  p = T_MAP_NEW(NULL, &fd, PAGES);
  T_ROW("wraps", softmap_unpin(p, SIZE_MAX), EINVAL);
  T_ROW("never pinned", softmap_unpin(p, 1), EINVAL);
  for (unsigned i = 0; i < UINT16_MAX; i++)
    T_EQ(softmap_pin(p, 1, PROT_READ), 0);
  T_ROW("pinned too often", softmap_pin(p, 1, PROT_READ), ENOMEM);
  T_ROW("control: its neighbour", softmap_pin(p + t_pages(1), 1, PROT_READ), 0);
  for (unsigned i = 0; i < UINT16_MAX; i++)
    T_EQ(softmap_unpin(p, 1), 0);
  T_ROW("unpinned once too often", softmap_unpin(p, 1), EINVAL);
}

/* As what holes of a file would be made of is others' memory, too. */
static void
advice_is_refused(void) {
  p = T_MAP_NEW(NULL, &fd, PAGES);
  T_ROW("control", madvise(p, t_pages(PAGES), MADV_DONTNEED), 0);
  T_ROW("to make a hole", madvise(p, t_pages(PAGES), MADV_REMOVE), EOPNOTSUPP);
  T_MEM_OLD(p, t_pages(PAGES), 0);
}

static void
sections_are_refused(void) {
  struct softmap_section section;
  struct softmap_page page;
  struct softmap_recover_options options = { .size = sizeof options };

  p = T_MAP_NEW(NULL, &fd, PAGES);
  T_ROW("control", softmap_sections(&section, 1), 0);
  T_ROW("nowhere to answer", softmap_sections(NULL, 1), EINVAL);
  T_ROW("control: its pages", softmap_section_view(section.name, 0, &page, 1), 0);
  T_ROW("nowhere to answer: pages", softmap_section_view(section.name, 0, NULL, 1), EINVAL);
  T_ROW("no such section", softmap_section_view("none", 0, &page, 1), ENOENT);
  T_ROW("recover one that is in use", softmap_recover(section.name, NULL), EBUSY);
  options.flags = SOFTMAP_RECOVER_DRY_RUN;
  T_ROW("the same, only asked", softmap_recover(section.name, &options), EBUSY);
  options.flags = 1u << 31;
  T_ROW("unknown flags", softmap_recover(section.name, &options), EINVAL);
  options.flags = SOFTMAP_RECOVER_DISCARD;
  options.save_to = "copy";
  T_ROW("two ways at once", softmap_recover(section.name, &options), EINVAL);
  options = (struct softmap_recover_options){ .size = 1 };
  T_ROW("options of another version", softmap_recover(section.name, &options), EINVAL);
  T_ROW("recover what isn't there", softmap_recover("none", NULL), ENOENT);
  T_ROW("recover what has no section's name", softmap_recover("../none", NULL), ENOENT);
}

/* What can't be read isn't given up while somebody is in it. */
static void
damaged_section_in_use_is_kept(void) {
  const struct softmap_recover_options discard = { .size = sizeof discard,
                                                   .flags = SOFTMAP_RECOVER_DISCARD };
  struct softmap_section section;
  char control[2 * T_PATH];
  unsigned char version, wrong;
  int file;

  p = T_MAP_NEW(NULL, &fd, PAGES);
  T_EQ(softmap_sections(&section, 1), 1);
  (void)snprintf(control, sizeof control, "%s/%s/control", getenv("SOFTMAP_DIR"), section.name);
  file = t_open(control, O_RDWR);
  T_EQ(pread(file, &version, 1, 8), 1);
  wrong = (unsigned char)(version + 1);
  T_EQ(pwrite(file, &wrong, 1, 8), 1);
  T_ROW("damaged", softmap_recover(section.name, &discard), EBUSY);
  T_EQ(pwrite(file, &version, 1, 8), 1);
  PUT(p, 'k');
  T_ROW("control: it is used on", msync(p, t_pages(PAGES), MS_SYNC), 0);
  T_FILE_BYTE(fd, 0, 'k');
}

/* Farther than a section can reach, whatever the file system allows. */
static void
offsets_are_refused(void) {
  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  T_ROW("control", AS_RESULT(mmap(NULL, t_pages(1), RW, MAP_SHARED, fd, (off_t)1 << 30)), 0);
  if (sizeof(off_t) > 4)
    T_ROW("beyond", AS_RESULT(mmap(NULL, t_pages(1), RW, MAP_SHARED, fd, (off_t)1 << 50)),
          EOVERFLOW);
}

/* Not even the page by which a forked child is told from its parent. */
static void
no_memory_to_begin_with(void) {
  struct rlimit limit;
  rlim_t before;

  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  T_OK(getrlimit(RLIMIT_AS, &limit));
  before = limit.rlim_cur;
  limit.rlim_cur = 1;
  T_OK(setrlimit(RLIMIT_AS, &limit));
  T_ROW("without memory", AS_RESULT(mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0)), ENOMEM);
  limit.rlim_cur = before;
  T_OK(setrlimit(RLIMIT_AS, &limit));
  T_ROW("control", AS_RESULT(mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0)), 0);
}

/* The host does it, and says what is wrong. */
static void
nothing_is_mapped_yet(void) {
  unsigned char *foreign = t_foreign(2, 'f');
  unsigned char vec[2];

  T_ROW("protect nothing", mprotect(foreign, 0, PROT_READ), 0);
  T_ROW("advise nothing", madvise(foreign, 0, MADV_NORMAL), 0);
  T_ROW("advise what isn't known", madvise(foreign, 0, 12345), EINVAL);
  T_ROW("lock nothing", mlock(foreign, 0), 0);
  T_ROW("control: where is it?", mincore(foreign, t_pages(2), vec), 0);
  T_ROW("answered where nothing can be",
        mincore(foreign, t_pages(2), (unsigned char *)UINTPTR_MAX), /* NOLINT(performance-no-int-to-ptr) */
        EFAULT);
  T_ROW("a copy of private memory", AS_RESULT(mremap(foreign, 0, t_pages(1), MREMAP_MAYMOVE)),
        EINVAL);
  T_ROW("unmap nothing", munmap(foreign, 0), EINVAL);
  T_ROW("sync nothing", msync(foreign, 0, MS_SYNC), 0);
  T_ROW("sync all", softmap_sync_all(), 0);
  T_ROW("pin", softmap_pin(foreign, 1, PROT_READ), 0);
  T_ROW("unpin", softmap_unpin(foreign, 1), 0);
  T_MEM_ALL(foreign, t_pages(2), 'f');
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(options_are_refused),
  T_CASE(ranges_are_refused),
  T_CASE(pins_are_refused),
  T_CASE(advice_is_refused),
  T_CASE(sections_are_refused),
  T_CASE(damaged_section_in_use_is_kept),
  T_CASE(offsets_are_refused),
  T_CASE(no_memory_to_begin_with),
  T_CASE_MAPS_NOTHING(nothing_is_mapped_yet),
};
T_MAIN(cases)
