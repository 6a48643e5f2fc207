/* crowd.c - 200 processes come to one file and leave it, again and again. Every store is seen by all
 * and reaches the file, and afterwards there is no descriptor, memory area, lane or file more than
 * before.
 */
#include "sections.h"

#include "section/control.h"

#include <sys/stat.h>
#include <time.h>

enum { MEMBERS = 200, PAGES = 4 };

/* Each member counts in a slot of its own. */
struct crowd {
  _Atomic unsigned here;
  _Atomic bool ends;
  struct {
    _Atomic uint64_t next, done; /* what it is about to store, what it has stored */
  } note[MEMBERS];
};

static char path[T_PATH];
static int fd;
static struct crowd *crowd;
static int crowd_id;
static struct t_stranger member[MEMBERS];

static size_t
slot_of(size_t i) {
  return t_pages(i % PAGES) + i * sizeof(uint64_t);
}

/* ---- What a member does ---------------------------------------------------------------------- */

static void
look_at_others(size_t from) {
  for (size_t n = 0; n < 20; n++) {
    size_t i = (from + n * 7) % MEMBERS;
    uint64_t low = atomic_load(&crowd->note[i].done);
    uint64_t seen = *(volatile uint64_t *)(void *)(stranger_at + slot_of(i));
    uint64_t high = atomic_load(&crowd->note[i].next);

    if (seen < low || seen > high)
      t_fail(T_HERE, "slot %zu: %ju, wanted %ju to %ju", i, (uintmax_t)seen, (uintmax_t)low,
             (uintmax_t)high);
  }
}

static void
count_on(size_t me) {
  volatile uint64_t *slot = (volatile uint64_t *)(void *)(stranger_at + slot_of(me));
  uint64_t count = atomic_load(&crowd->note[me].done);

  T_EQ(*slot, count);
  atomic_store(&crowd->note[me].next, count + 1);
  *slot = count + 1;
  atomic_store(&crowd->note[me].done, count + 1);
}

static intmax_t
come_and_go(intmax_t me, intmax_t id, const char *name) {
  bool is_first = true;

  crowd = t_common_of((int)id);
  while (!atomic_load(&crowd->ends)) {
    T_OK(stranger_map(PAGES, S_SHARED, name));
    count_on((size_t)me);
    if (is_first)
      atomic_fetch_add(&crowd->here, 1);
    while (is_first && atomic_load(&crowd->here) < MEMBERS)
      (void)sched_yield();
    is_first = false;
    look_at_others((size_t)me);
    if (me % 3 == 0)
      T_OK(msync(stranger_at, t_pages(PAGES), MS_ASYNC));
    T_OK(munmap(stranger_at, stranger_len));
  }
  return 0;
}

/* ---- What there is before and after ------------------------------------------------------------ */

static size_t
entries_of(const char *directory) {
  DIR *dir = opendir(directory);
  size_t count = 0;

  while (dir != NULL && readdir(dir) != NULL)
    count++;
  if (dir != NULL)
    (void)closedir(dir);
  return count;
}

/* Descriptors of all threads, for the keepers have a table of their own. */
static intmax_t
count_descriptors(intmax_t a, intmax_t b, const char *text) {
  DIR *tasks = opendir("/proc/self/task");
  intmax_t count = 0;

  (void)a;
  (void)b;
  (void)text;
  for (struct dirent *e; tasks != NULL && (e = readdir(tasks)) != NULL;) {
    char name[300];

    (void)snprintf(name, sizeof name, "/proc/self/task/%s/fd", e->d_name);
    if (e->d_name[0] != '.')
      count += (intmax_t)entries_of(name);
  }
  if (tasks != NULL)
    (void)closedir(tasks);
  return count;
}

static intmax_t
count_areas(intmax_t a, intmax_t b, const char *text) {
  FILE *maps = fopen("/proc/self/maps", "r");
  intmax_t count = 0;

  (void)a;
  (void)b;
  (void)text;
  for (int c; maps != NULL && (c = getc(maps)) != EOF;)
    count += c == '\n';
  if (maps != NULL)
    (void)fclose(maps);
  return count;
}

static struct stat
stat_of_control(const char *section) {
  char name[2 * T_PATH];
  struct stat st;

  (void)snprintf(name, sizeof name, "%s/%s/control", getenv("SOFTMAP_DIR"), section);
  T_OK(stat(name, &st));
  return st;
}

static uint32_t
lanes_of(const char *section) {
  static struct control header;
  char name[2 * T_PATH];
  int control;

  (void)snprintf(name, sizeof name, "%s/%s/control", getenv("SOFTMAP_DIR"), section);
  control = t_open(name, O_RDONLY);
  T_EQ(pread(control, &header, sizeof header, 0), sizeof header);
  (void)close(control);
  return atomic_load(&header.lanes);
}

/* ---- The crowd ------------------------------------------------------------------------------- */

static void
gather(intmax_t descriptors[MEMBERS], intmax_t areas[MEMBERS]) {
  fd = t_sparse_file(path, (off_t)t_pages(PAGES));
  crowd = t_common(sizeof *crowd, &crowd_id);
  for (size_t i = 0; i < MEMBERS; i++) {
    member[i] = t_stranger();
    T_OK(S_MAP(member[i], path, PAGES, S_SHARED)); /* what the first mapping starts, stays */
    T_OK(S_UNMAP(member[i]));
    descriptors[i] = S_ASK(member[i], count_descriptors, 0, 0);
    areas[i] = S_ASK(member[i], count_areas, 0, 0);
  }
}

static void
let_come_and_go(void) {
  struct timespec moment = { 0, 1000000 };
  struct timespec while_they_do = { (time_t)engine_scale(0, 15, 15), 700000000 };

  atomic_store(&crowd->here, 0);
  atomic_store(&crowd->ends, false);
  for (size_t i = 0; i < MEMBERS; i++)
    t_ask_begin(T_HERE, &member[i], come_and_go, (intmax_t)i, crowd_id, path);
  while (atomic_load(&crowd->here) < MEMBERS)
    (void)nanosleep(&moment, NULL);
  (void)nanosleep(&while_they_do, NULL);
  atomic_store(&crowd->ends, true);
  for (size_t i = 0; i < MEMBERS; i++)
    T_EQ(t_answer(T_HERE, &member[i]), 0);
}

static void
around_one_that_stays(void) {
  unsigned char *p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  struct softmap_section section = T_THE_SECTION();
  struct stat before = stat_of_control(section.name);
  struct stat after;

  let_come_and_go();
  section = T_THE_SECTION();
  T_EQ(section.live, 1);
  T_EQ(section.dead, 0);
  T_CHECK(lanes_of(section.name) <= MEMBERS + 1);
  after = stat_of_control(section.name);
  /* Whoever looks at a lane gives it a page, if it has none: one a lane, not one a visit. */
  T_CHECK((size_t)(after.st_blocks - before.st_blocks) * 512 <= t_pages(MEMBERS + 8));
  for (size_t i = 0; i < MEMBERS; i++)
    T_EQ(*(uint64_t *)(void *)(p + slot_of(i)), atomic_load(&crowd->note[i].done));
  T_OK(munmap(p, t_pages(PAGES)));
  T_NOTHING_LEFT();
}

static void
two_hundred_come_and_go(void) {
  static intmax_t descriptors[MEMBERS], areas[MEMBERS];
  uint64_t rounds = 0;

  t_limit_this_process(100);
  gather(descriptors, areas);
  around_one_that_stays();
  let_come_and_go();
  T_NOTHING_LEFT();
  for (size_t i = 0; i < MEMBERS; i++) {
    uint64_t count = atomic_load(&crowd->note[i].done);

    rounds += count;
    T_FILE_EQUALS(fd, (off_t)slot_of(i), &count, sizeof count);
    T_EQ(S_ASK(member[i], count_descriptors, 0, 0), descriptors[i]);
    T_CHECK(S_ASK(member[i], count_areas, 0, 0) <= areas[i] + 4); /* the arena's */
    T_DISMISS(member[i]);
  }
  t_note("%d processes came and went %ju times", MEMBERS, (uintmax_t)rounds);
  T_CHECK(rounds >= 2 * MEMBERS);
}

static const struct t_case cases[] = {
  T_CASE(two_hundred_come_and_go),
};
T_MAIN(cases)
