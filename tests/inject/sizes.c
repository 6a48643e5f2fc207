/* sizes.c - a section that can't follow its file, or a mapping that can't become longer: what was there is as
 * before, and later it works.
 *
 * Of holes so large that the bytes of a section's pages need more than the first extent.
 */
#include "t_engine.h"

#include <sys/personality.h>

enum { PAGES = 4, FIRST_EXTENT = 1 << 16 }; /* as in section/control.h */

static unsigned char *p;
static int fd;

/* Each site that the way there has. */
static const enum host_call sites[] = { HOST_CALL_stat_fd, HOST_CALL_write, HOST_CALL_map };

static void
begin(void) {
  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  PUT(p, 'a');
}

static void
end(size_t npages) {
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'a');
  T_OK(munmap(p, t_pages(npages)));
  (void)close(fd);
}

/* Every call of the sites fails in turn; how often that came out as an error. */
static unsigned
fail_each(bool (*try_call)(enum host_call site, uint32_t nth)) {
  unsigned failed = 0;

  for (size_t s = 0; s < sizeof sites / sizeof *sites; s++)
    for (uint32_t nth = 1, fired = 1; fired != 0; nth++) {
      failed += try_call(sites[s], nth);
      fired = inject_fired();
    }
  return failed;
}

static int
longer_mapping(void) {
  void *q = mremap(p, t_pages(PAGES), t_pages(FIRST_EXTENT + 1), MREMAP_MAYMOVE);

  if (q == MAP_FAILED)
    return errno;
  p = q;
  return 0;
}

/* ---- The file ------------------------------------------------------------------------------------ */

/* The mapping reaches nothing of what is new. */
static bool
try_growth(enum host_call site, uint32_t nth) {
  int error;

  begin();
  T_EQ(ftruncate(fd, (off_t)t_pages(FIRST_EXTENT + 1)), 0);
  T_PWRITE(fd, (off_t)t_pages(FIRST_EXTENT), 1, 'g');
  engine_inject(site, nth, 1, ENOSPC);
  error = msync(p, t_pages(PAGES), MS_SYNC) == 0 ? 0 : errno;
  inject_disarm();
  T_CHECK(error == 0 || error == ENOSPC || error == ENOMEM);
  T_LOADS(p + t_pages(1), t_old_byte((off_t)t_pages(1)));
  T_EQ(longer_mapping(), 0);
  T_LOADS(p + t_pages(FIRST_EXTENT), 'g');
  T_LOADS(p + t_pages(FIRST_EXTENT - 1), 0);
  end(FIRST_EXTENT + 1);
  return error != 0;
}

static void
failed_growth_to_another_extent(void) {
  T_CHECK(fail_each(try_growth) >= 3);
}

/* Looks again each time, and goes on where it was. */
static void
failed_shrinking(void) {
  begin();
  PUT(p + t_pages(2), 'b');
  T_EQ(ftruncate(fd, (off_t)t_pages(1) + 100), 0);
  engine_inject(HOST_CALL_resize, 1, UINT32_MAX, EIO);
  for (int i = 0; i < 3; i++) {
    T_ERR(msync(p, t_pages(PAGES), MS_SYNC), EIO);
    T_CHECK(inject_fired() > (uint32_t)i);
    T_LOADS(p, 'a');
    T_LOADS(p + t_pages(1), t_old_byte((off_t)t_pages(1)));
  }
  inject_disarm();
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_LOADS(p + t_pages(1) + 99, t_old_byte((off_t)t_pages(1) + 99));
  T_LOADS(p + t_pages(1) + 100, 0);
  T_FILE_SIZE(fd, (off_t)t_pages(1) + 100);
  T_EQ(ftruncate(fd, (off_t)t_pages(PAGES)), 0); /* nothing of what was there comes back */
  T_LOADS(p + t_pages(2), 0);
  end(PAGES);
}

/* ---- The mapping --------------------------------------------------------------------------------- */

static bool
try_mremap(enum host_call site, uint32_t nth) {
  int error;

  begin();
  engine_inject(site, nth, 1, ENOSPC);
  error = longer_mapping();
  inject_disarm();
  T_CHECK(error == 0 || error == ENOSPC || error == ENOMEM);
  T_LOADS(p, 'a');
  T_STORES(p + t_pages(1), 'b');
  if (error != 0)
    T_EQ(longer_mapping(), 0);
  T_LOADS(p + t_pages(1), 'b');
  T_LOAD_FAULTS(p + t_pages(FIRST_EXTENT), SIGBUS, BUS_ADRERR);
  end(FIRST_EXTENT + 1);
  return error != 0;
}

static void
failed_mremap_to_another_extent(void) {
  T_CHECK(fail_each(try_mremap) >= 3);
}

/* Where the kernel doesn't choose at random, mappings lie so high that there is no address behind them:
 * then it moves, too. */
static void
mapping_at_the_top_moves(void) {
  int old = personality(0xffffffff);

  if ((old & ADDR_NO_RANDOMIZE) == 0) {
    T_CHECK(personality((unsigned long)old | ADDR_NO_RANDOMIZE) == old);
    T_CHECK(freopen("/dev/null", "w", stdout) != NULL); /* its lines would count as ours */
    (void)execl("/proc/self/exe", "sizes", "mapping_at_the_top_moves", (char *)NULL);
    t_fail(T_HERE, "execl: errno %d", errno);
  }
  begin();
  T_EQ(longer_mapping(), 0);
  T_LOADS(p, 'a');
  end(FIRST_EXTENT + 1);
}

static const struct t_case cases[] = {
  T_CASE(failed_growth_to_another_extent),
  T_CASE(failed_shrinking),
  T_CASE(failed_mremap_to_another_extent),
  T_CASE_MAPS_NOTHING(mapping_at_the_top_moves),
};
T_MAIN(cases)
