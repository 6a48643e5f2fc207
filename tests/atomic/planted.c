/* planted.c - what is found where a journal would be isn't believed: a whole one that is the file's and
 * ours is replayed; one that isn't whole is removed; one that others could have put there, or that is
 * another file's, is refused and stays; one of a user who may not write to the file is left alone.
 */
#include "atomic.h"

#include "section/stamp.h"

#include <sys/stat.h>

enum { PAGES = 4, TABLE = 4096, COUNT = 3, ENTRY = 32 };

/* The header's members (src/backing/journal.c). */
enum {
  AT_VERSION = 7,
  AT_PAGE_SIZE = 8,
  AT_INODE = 16,
  AT_SIZE = 32,
  AT_COUNT = 40,
  AT_TABLE_SUM = 48,
  AT_SUM = 80
};
enum { HEADER = 96 };

static char path[T_PATH], journal_path[2 * T_PATH];
static int fd;
static unsigned char before[PAGES << 16], after[PAGES << 16];
static unsigned char journal[TABLE + (PAGES << 16)];
static size_t size, journal_size;

/* ---- A journal that is whole ----------------------------------------------------------------- */

static intmax_t
sync_and_die(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)stranger_arm_kill(HOST_CALL_flush_names, 1 | KILL_AFTER, text);
  return msync(stranger_at, stranger_len, MS_SYNC);
}

static void
find_journal(void) {
  char beside[T_PATH];
  DIR *dir;

  (void)snprintf(beside, sizeof beside, "%s", path);
  *strrchr(beside, '/') = '\0';
  dir = opendir(beside);
  T_CHECK(dir != NULL);
  for (struct dirent *e; (e = readdir(dir)) != NULL;)
    if (strncmp(e->d_name, ".softmap-", 9) == 0)
      (void)snprintf(journal_path, sizeof journal_path, "%s/%s", beside, e->d_name);
  (void)closedir(dir);
}

static void
new_journal(void) {
  struct t_stranger victim;
  intmax_t result;
  int in;

  if (journal_path[0] != '\0')
    (void)unlink(journal_path); /* of the file before, if it was refused */
  fd = t_tmpfile(path, (off_t)t_pages(PAGES) - 200);
  size = t_pages(PAGES) - 200;
  T_EQ(pread(fd, before, size, 0), size);
  memcpy(after, before, size);
  victim = atomic_stranger(path, PAGES);
  for (size_t page = 1; page < PAGES; page++) {
    T_OK(S_STORE(victim, t_pages(page) + 20, 'j'));
    after[t_pages(page) + 20] = 'j';
  }
  t_ask_begin(T_HERE, &victim, sync_and_die, 0, 0, NULL);
  T_CHECK(!t_answered(&victim, &result));
  T_REAP(victim.pid, T_KILLED(SIGKILL));
  (void)close(victim.fd);
  (void)recover_with(T_THE_SECTION().name, SOFTMAP_RECOVER_DISCARD, NULL, NULL);
  T_NOTHING_LEFT();
  T_FILE_EQUALS(fd, 0, before, size);
  find_journal();
  in = t_open(journal_path, O_RDONLY);
  journal_size = (size_t)read(in, journal, sizeof journal);
  T_CHECK(journal_size > TABLE + COUNT * t_page_size());
  (void)close(in);
}

static void
put_journal(size_t len) {
  int out = t_open(journal_path, O_RDWR | O_TRUNC);

  T_EQ(write(out, journal, len), len);
  (void)close(out);
}

/* Checksums of a table and a header that were changed. */
static void
seal(void) {
  struct stamp sum = stamp_of(journal + TABLE, (size_t)COUNT * ENTRY);

  memcpy(journal + AT_TABLE_SUM, &sum, sizeof sum);
  memset(journal + AT_SUM, 0, sizeof sum);
  sum = stamp_of(journal, HEADER);
  memcpy(journal + AT_SUM, &sum, sizeof sum);
}

static void
put_number(size_t at, uint64_t number) {
  memcpy(journal + at, &number, sizeof number);
}

static uint64_t
get_number(size_t at) {
  uint64_t number;

  memcpy(&number, journal + at, sizeof number);
  return number;
}

/* ---- What is done to it ---------------------------------------------------------------------- */

static void
as_it_is(void) {
}

static void
header_differs(void) {
  journal[AT_SIZE] ^= 1;
  put_journal(journal_size);
}

static void
table_differs(void) {
  journal[TABLE + ENTRY] ^= 1;
  put_journal(journal_size);
}

static void
page_differs(void) {
  journal[journal_size - t_page_size()] ^= 1;
  put_journal(journal_size);
}

static void
is_cut_off(void) {
  put_journal(journal_size - 512);
}

static void
is_empty(void) {
  put_journal(0);
}

static void
counts_too_many(void) {
  put_number(AT_COUNT, UINT64_MAX / 40);
  seal();
  put_journal(journal_size);
}

static void
lies_behind_the_end(void) {
  put_number(TABLE + 2 * (size_t)ENTRY, t_pages(PAGES + 1));
  seal();
  put_journal(journal_size);
}

static void
lies_askew(void) {
  put_number(TABLE + ENTRY, t_pages(2) - 512);
  seal();
  put_journal(journal_size);
}

static void
goes_back(void) {
  put_number(TABLE + ENTRY, get_number(TABLE));
  seal();
  put_journal(journal_size);
}

static void
is_of_another_file(void) {
  put_number(AT_INODE, get_number(AT_INODE) + 1);
  seal();
  put_journal(journal_size);
}

static void
is_of_another_version(void) {
  journal[AT_VERSION]++;
  seal();
  put_journal(journal_size);
}

static void
has_other_pages(void) {
  journal[AT_PAGE_SIZE + 1] ^= 0x30;
  seal();
  put_journal(journal_size);
}

static void
is_open_to_others(void) {
  T_OK(chmod(journal_path, 0620));
}

static void
has_two_names(void) {
  char other[2 * T_PATH + 8];

  (void)snprintf(other, sizeof other, "%s.other", path);
  T_OK(link(journal_path, other));
}

static void
is_a_link(void) {
  char other[2 * T_PATH + 8];

  (void)snprintf(other, sizeof other, "%s.other", path);
  T_OK(rename(journal_path, other));
  T_OK(symlink(other, journal_path));
}

static void
is_a_pipe(void) {
  T_OK(unlink(journal_path));
  T_OK(mkfifo(journal_path, 0600));
}

static void
belongs_to_others(void) {
  T_OK(chown(journal_path, 65534, 65534));
}

static void
belongs_to_others_who_may_write(void) {
  T_OK(fchmod(fd, 0620));
  belongs_to_others();
}

static void
is_others_link(void) {
  is_a_link();
  T_OK(lchown(journal_path, 65534, 65534));
}

static void
is_others_pipe(void) {
  is_a_pipe();
  belongs_to_others();
}

static const struct {
  const char *name;
  void (*change)(void);
  bool is_others;
  enum { REPLAYED, REMOVED, REFUSED, LEFT_ALONE } want;
} rows[] = {
  { "as it is", as_it_is, false, REPLAYED },
  { "a byte of the header", header_differs, false, REMOVED },
  { "a byte of the table", table_differs, false, REMOVED },
  { "a byte of a page", page_differs, false, REMOVED },
  { "cut off", is_cut_off, false, REMOVED },
  { "empty", is_empty, false, REMOVED },
  { "more pages than it has", counts_too_many, false, REMOVED },
  { "a page behind the end", lies_behind_the_end, false, REMOVED },
  { "a page at half a page", lies_askew, false, REMOVED },
  { "pages out of order", goes_back, false, REMOVED },
  { "of another file", is_of_another_file, false, REFUSED },
  { "of other pages", has_other_pages, false, REFUSED },
  { "of another version", is_of_another_version, false, REFUSED },
  { "open to others", is_open_to_others, false, REFUSED },
  { "two names", has_two_names, false, REFUSED },
  { "a symbolic link", is_a_link, false, REFUSED },
  { "a pipe", is_a_pipe, false, REFUSED },
  { "another owner", belongs_to_others, true, LEFT_ALONE },
  { "another owner, who may write", belongs_to_others_who_may_write, true, REFUSED },
  { "a symbolic link of another's", is_others_link, true, LEFT_ALONE },
  { "a pipe of another's", is_others_pipe, true, LEFT_ALONE },
};

static void
next_mapping(size_t i) {
  void *p = MAP_FAILED;

  T_ROW(rows[i].name, AS_RESULT(p = mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0)),
        rows[i].want == REFUSED ? EBUSY : 0);
  T_FILE_SIZE(fd, size);
  if (rows[i].want == REFUSED) {
    T_FILE_EQUALS(fd, 0, before, size);
    T_EQ(journals(path), 1);
    T_OK(unlink(journal_path));
    p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  }
  T_EQ(journals(path), rows[i].want == LEFT_ALONE);
  T_CHECK(memcmp(p, rows[i].want == REPLAYED ? after : before, size) == 0);
  T_OK(munmap(p, t_pages(PAGES)));
  T_FILE_EQUALS(fd, 0, rows[i].want == REPLAYED ? after : before, size);
  if (rows[i].want == LEFT_ALONE)
    T_OK(unlink(journal_path));
}

static void
each_is_taken_as_it_deserves(void) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].is_others && geteuid() != 0)
      continue;
    new_journal();
    rows[i].change();
    next_mapping(i);
    (void)close(fd);
    T_NOTHING_LEFT();
  }
}

/* It is in the way of a sync that needs the name, and of nothing else. */
static void
others_holds_up_atomic_syncs(void) {
  unsigned char *p;

  if (geteuid() != 0)
    t_skip("only root can make files that belong to others");
  new_journal();
  belongs_to_others();
  p = T_MAP(NULL, t_pages(PAGES), RW, ATOMIC, fd, 0);
  PUT(p, 'm');
  T_ERR(AS_RESULT(msync(p, t_pages(PAGES), MS_SYNC)), EBUSY);
  T_NDIRTY(p, PAGES, 1);
  T_FILE_EQUALS(fd, 0, before, size);
  T_OK(unlink(journal_path));
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'm');
  T_OK(munmap(p, t_pages(PAGES)));
  (void)close(fd);
}

/* The next to map may only read. */
static void
reader_replays_it(void) {
  int reader;
  unsigned char *p;

  new_journal();
  reader = t_open(path, O_RDONLY);
  p = T_MAP(NULL, t_pages(PAGES), PROT_READ, MAP_SHARED, reader, 0);
  T_CHECK(memcmp(p, after, size) == 0);
  T_OK(munmap(p, t_pages(PAGES)));
  T_FILE_EQUALS(fd, 0, after, size);
  (void)close(reader);
  (void)close(fd);
}

static void
command_completes_it(void) {
  const char *build = getenv("abs_top_builddir");
  char command[4 * T_PATH];

  if (build == NULL)
    t_skip("abs_top_builddir isn't set: where is the command?");
  new_journal();
  (void)snprintf(command, sizeof command,
                 "'%s/src/tool/softmap' recover '%s' | grep -q 'is complete now'", build, path);
  T_EQ(system(command), 0);
  T_EQ(journals(path), 0);
  T_FILE_EQUALS(fd, 0, after, size);
  (void)snprintf(command, sizeof command,
                 "'%s/src/tool/softmap' recover '%s' | grep -q 'nothing to'", build, path);
  T_EQ(system(command), 0);
  (void)close(fd);
}

static void
file_that_became_shorter_stays_so(void) {
  unsigned char *p;

  new_journal();
  T_OK(ftruncate(fd, (off_t)t_pages(1) + 300));
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  T_OK(munmap(p, t_pages(PAGES)));
  T_FILE_SIZE(fd, t_pages(1) + 300);
  T_FILE_EQUALS(fd, 0, after, t_pages(1) + 300);
  (void)close(fd);
}

/* Never another file than before or after, and never a crash. (Bytes that nothing is in may differ.) */
static void
bytes_at_random(void) {
  static unsigned char got[PAGES << 16];
  struct t_random random = t_random_start();
  unsigned count = engine_scale(40, 2000, 20000);

  for (unsigned i = 0; i < count; i++) {
    void *p;

    if (i % 8 == 0) {
      if (i != 0)
        (void)close(fd);
      new_journal();
    }
    for (uint32_t n = 1 + t_random_below(&random, 4); n > 0; n--)
      journal[t_random_below(&random, 2) ? t_random_below(&random, HEADER)
                                         : t_random_below(&random, (uint32_t)journal_size)] ^=
          (unsigned char)(1 + t_random_below(&random, 255));
    T_EQ(close(open(journal_path, O_RDWR | O_CREAT, 0600)), 0);
    put_journal(t_random_below(&random, 4) ? journal_size
                                           : t_random_below(&random, (uint32_t)journal_size));
    p = mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
      T_OK(munmap(p, t_pages(PAGES)));
    T_EQ(pread(fd, got, size, 0), size);
    T_CHECK(memcmp(got, before, size) == 0 || memcmp(got, after, size) == 0);
  }
  (void)close(fd);
}

static const struct t_case cases[] = {
  T_CASE(each_is_taken_as_it_deserves),
  T_CASE(others_holds_up_atomic_syncs),
  T_CASE(reader_replays_it),
  T_CASE_MAPS_NOTHING(command_completes_it),
  T_CASE(file_that_became_shorter_stays_so),
  T_CASE(bytes_at_random),
};
T_MAIN(cases)
