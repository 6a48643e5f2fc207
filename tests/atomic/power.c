/* power.c - a power cut at any moment of two atomic syncs, played from a record of what the host was
 * asked for.
 *
 * What was flushed is there after the cut; of what was not any part may be, down to single sectors, in
 * any order; a name that was made or taken away may or may not be so. From each such state the next
 * mapping must find the file as it was before a sync or after it, and after each sync that had
 * returned. The same record with one of the flushes left out must show a mixed state: the check can fail.
 *
 * The same again with what the next mapping does to recover, and with a plain write behind that, after a
 * first cut or after the process that synced was killed: then nothing is lost yet, and nothing is
 * flushed either.
 */
#include "power.h"

/* ---- Cases ----------------------------------------------------------------------------------- */

static void
note_state(int which, const unsigned char *p) {
  T_OK(msync((void *)(uintptr_t)p, t_pages(PAGES), MS_SYNC));
  memcpy(states[which], p, size);
  returned[which] = nchanges;
}

static void
record_two_syncs(void) {
  unsigned char *p;
  struct stat stat;
  char *slash;

  fd = t_tmpfile(path, (off_t)t_pages(PAGES) - SIZE_LACKS);
  size = t_pages(PAGES) - SIZE_LACKS;
  T_CHECK(size <= sizeof states[0]);
  T_OK(fstat(fd, &stat));
  file_inode = stat.st_ino;
  T_EQ(pread(fd, states[0], size, 0), size);
  memcpy(base, states[0], size);
  base_journal_len = -1;
  returned[3] = SIZE_MAX; /* never; and a state that nothing has */
  p = T_MAP(NULL, t_pages(PAGES), RW, ATOMIC, fd, 0);
  inject_record = record;
  memset(p, 'a', t_pages(2));
  memset(p + t_pages(PAGES - 1), 'b', 2000);
  note_state(1, p);
  memset(p + 100, 'c', 3000);
  memset(p + t_pages(2), 'd', t_pages(1));
  note_state(2, p);
  inject_record = NULL;
  T_OK(munmap(p, t_pages(PAGES)));
  (void)snprintf(journal_path, sizeof journal_path, "%s", path);
  slash = strrchr(journal_path, '/');
  (void)snprintf(slash + 1, sizeof journal_path - (size_t)(slash + 1 - journal_path), "%s",
                 journal_name);
  T_CHECK(nchanges >= 16);
  T_NOTHING_LEFT();
}

/* ---- A second cut ---------------------------------------------------------------------------- */

static struct change first_changes[CHANGES_MAX];
static size_t first_nchanges, first_returned[STATES];

static void
keep_record(void) {
  memcpy(first_changes, changes, sizeof changes);
  memcpy(first_returned, returned, sizeof returned);
  first_nchanges = nchanges;
}

static void
forget_changes(size_t from) {
  for (size_t i = from; i < nchanges; i++)
    free(changes[i].bytes);
  nchanges = from;
}

/* A mapping that finds what is there, and what it does to recover; then, with `stores`, a plain sync.
 * From then on the file is as it was found, or as it was left. */
static void
record_recovery(bool stores) {
  unsigned char *p;

  inject_record = record;
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  for (int i = 0; i < 3; i++)
    if (memcmp(p, states[i], size) == 0) {
      returned[i] = nchanges;
      break;
    }
  if (stores) {
    memset(p + t_pages(1), 'z', 10);
    note_state(3, p);
  }
  inject_record = NULL;
  T_OK(munmap(p, t_pages(PAGES)));
}

/* All cuts from change `from` on, but for those in which nothing may be lost. */
static void
cut_recovery(size_t from, unsigned samples, struct t_random *random, struct tally *tally) {
  cut_into_pieces(t_page_size(), 0);
  for (size_t cut = from; cut <= nchanges; cut++)
    cut_at(cut, samples, random, tally);
}

static void
note_tally(const struct tally *tally) {
  t_note("%u states, %u mixed; found %u, %u, %u, %u", tally->states, tally->mixed, tally->found[0],
         tally->found[1], tally->found[2], tally->found[3]);
  T_EQ(tally->mixed, 0);
  T_CHECK(tally->states >= 100);
}

static void
killed_then_cut(void) {
  struct t_random random = { 8 };
  struct tally tally = { 0 };
  bool all[PIECES_MAX];

  record_two_syncs();
  keep_record();
  memset(all, true, sizeof all);
  for (size_t killed = 0; killed <= first_nchanges; killed++) {
    memcpy(changes, first_changes, sizeof changes);
    nchanges = killed;
    for (int i = 0; i < STATES; i++)
      returned[i] = first_returned[i] <= killed ? first_returned[i] : SIZE_MAX;
    cut_into_pieces(t_page_size(), 0);
    lay_out(killed, all);
    record_recovery(true);
    cut_recovery(killed, engine_scale(6, 100, 1000), &random, &tally);
    forget_changes(killed);
  }
  note_tally(&tally);
}

/* What a cut has left, with some of what was doubtful lost, is the next one's base. */
static void
cut_twice(void) {
  struct t_random random = { 9 };
  struct tally tally = { 0 };
  size_t which[PIECES_MAX];
  unsigned rounds = engine_scale(2, 20, 100);

  record_two_syncs();
  keep_record();
  for (size_t i = 0; i < (first_nchanges + 1) * rounds; i++) {
    size_t cut = i / rounds, n;
    bool has[PIECES_MAX];

    memcpy(changes, first_changes, sizeof changes);
    nchanges = first_nchanges;
    memcpy(base, states[0], size);
    base_journal_len = -1;
    cut_into_pieces(t_page_size(), 0);
    n = doubtful(cut, which);
    memset(has, true, sizeof has);
    for (size_t k = 0; k < n; k++)
      has[which[k]] = i % rounds == 0 || t_random_below(&random, 4) != 0;
    lay_out(cut, has);
    take_base();
    for (int k = 0; k < STATES; k++)
      returned[k] = first_returned[k] <= cut ? 0 : SIZE_MAX;
    nchanges = 0;
    record_recovery(false);
    cut_recovery(0, engine_scale(6, 100, 1000), &random, &tally);
    forget_changes(0);
  }
  note_tally(&tally);
}

static void
pages_are_lost_in_every_combination(void) {
  struct tally tally;

  record_two_syncs();
  tally = cut_everywhere(t_page_size(), 0, 0);
  T_EQ(tally.mixed, 0);
  T_CHECK(tally.states >= 200 && tally.found[0] > 0 && tally.found[1] > 0 && tally.found[2] > 0);
}

static void
sectors_are_lost(void) {
  struct tally tally;

  record_two_syncs();
  tally = cut_everywhere(SECTOR, engine_scale(20, 2000, 20000), 0);
  T_EQ(tally.mixed, 0);
}

/* The control cases. */
static void
without_flush_of_the_journal(void) {
  record_two_syncs();
  T_CHECK(cut_everywhere(t_page_size(), 60, 1).mixed > 0);
}

static void
without_flush_of_the_file(void) {
  record_two_syncs();
  T_CHECK(cut_everywhere(t_page_size(), 60, 2).mixed > 0);
}

static void
without_flush_of_the_directory(void) {
  record_two_syncs();
  T_CHECK(cut_everywhere(t_page_size(), 60, 4).mixed > 0);
}

static const struct t_case cases[] = {
  T_CASE(pages_are_lost_in_every_combination),
  T_CASE(sectors_are_lost),
  T_CASE(without_flush_of_the_journal),
  T_CASE(without_flush_of_the_file),
  T_CASE(without_flush_of_the_directory),
  T_CASE(killed_then_cut),
  T_CASE(cut_twice),
};
T_MAIN(cases)
