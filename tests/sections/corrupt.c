/* corrupt.c - a rest whose control file has wrong bytes at random: it may be mapped or refused, but
 * nobody crashes or hangs, and softmap goes on.
 */
#include "planted.h"

static struct t_random rng;

/* Some bytes of the header, of states, summary or lanes become others. */
static void
change_at_random(void) {
  for (unsigned n = 1 + t_random_below(&rng, 8); n > 0; n--) {
    unsigned char byte = (unsigned char)t_random_next(&rng);
    uint64_t offset;

    switch (t_random_below(&rng, 5)) {
    case 0:
    case 1:
      offset = t_random_below(&rng, offsetof(struct control, path) + 8);
      break;
    case 2:
      offset = CONTROL_RECORDS + t_random_below(&rng, 4 * sizeof(struct lane_record));
      break;
    case 3:
      offset = control_extent_offset(0) + t_random_below(&rng, PAGES + 2);
      break;
    default:
      offset = control_lane_offset(0, 0) + t_random_below(&rng, PAGES + 2);
      break;
    }
    put(control, offset, &byte, 1);
  }
}

/* Refused or not: no crash, no hang, and the program goes on. */
static void
run_random(void *arg) {
  unsigned char value;
  size_t lines;

  (void)arg;
  (void)alarm(SECONDS_A_ROW);
  leave_a_rest();
  change_at_random();
  (void)softmap_sections(NULL, 0);
  (void)recover_with(base_name(), SOFTMAP_RECOVER_DRY_RUN, NULL, NULL);
  lines = T_STDERR_OF(map_it, NULL, text);
  if (p == MAP_FAILED) {
    if (lines != 1)
      t_fail(T_HERE, "errno %d, %zu lines", errno, lines);
  } else {
    for (size_t i = 0; i < PAGES; i++) {
      struct t_fault fault = t_load(p + t_pages(i), &value);

      T_CHECK(fault.signo == 0 || fault.signo == SIGBUS);
    }
    (void)t_store(p + t_pages(1), 'x');
    (void)msync(p, t_pages(PAGES), MS_SYNC);
    (void)munmap(p, t_pages(PAGES));
  }
  other_file_can_be_mapped();
}

static void
bytes_at_random(void) {
  unsigned rounds = engine_scale(100, 1000, 10000);
  char row[64];

  t_limit_this_process(60 + rounds);
  rng = t_random_start();
  for (unsigned i = 0; i < rounds && t_rows_failed() == 0; i++) {
    (void)snprintf(row, sizeof row, "round %u, state %#jx", i, (uintmax_t)rng.state);
    T_ROW_IN_CHILD(row, run_random, NULL, T_EXITED(0));
    (void)t_random_next(&rng);
    t_remove_directory(getenv("SOFTMAP_DIR"));
    T_OK(mkdir(getenv("SOFTMAP_DIR"), 0700));
  }
}

static const struct t_case cases[] = {
  T_CASE_WITH(bytes_at_random, T_MAPS_NOTHING | T_KILLS),
};
T_MAIN(cases)
