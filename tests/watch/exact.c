/* exact.c - watch: pages written at a sync are the pages stored to, whoever stores and in whatever
 * order; without a fault, and with system calls as storers.
 */
#include "watch.h"

#include <pthread.h>

enum { PAGES = 1024 };

static unsigned char *p;
static int fd;

static void
map(void) {
  use_watch();
  p = T_MAP_NEW(NULL, &fd, PAGES);
}

static void
map_on_touch(void) {
  use_watch();
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, PAGES);
}

/* ---- Orders of stores -------------------------------------------------------------------------- */

static size_t
store_to(size_t from, size_t step, size_t count, bool is_descending, unsigned char value) {
  for (size_t k = 0; k < count; k++) {
    size_t i = from + (is_descending ? count - 1 - k : k) * step;

    PUT(p + t_pages(i) + i % t_page_size(), value);
  }
  return count;
}

static size_t
store_at_random(unsigned char value) {
  static bool stored[PAGES];
  struct t_random random = t_random_start();
  size_t count = 0;

  memset(stored, 0, sizeof stored);
  for (size_t k = 0; k < PAGES / 3; k++) {
    size_t i = t_random_below(&random, PAGES);

    PUT(p + t_pages(i), value);
    count += !stored[i];
    stored[i] = true;
  }
  return count;
}

static void
in_every_order(void) {
  T_EQ(pages_synced(p, PAGES), 0);
  store_to(0, 1, PAGES, false, 1);
  T_EQ(pages_synced(p, PAGES), PAGES);
  T_EQ(pages_synced(p, PAGES), 0);
  size_t want = store_to(100, 1, 300, true, 2);
  T_EQ(pages_synced(p, PAGES), want);
  want = store_to(3, 7, 100, false, 3);
  T_EQ(pages_synced(p, PAGES), want);
  want = store_to(0, 2, PAGES / 2, false, 4);
  T_EQ(pages_synced(p, PAGES), want);
  want = store_at_random(5);
  T_EQ(pages_synced(p, PAGES), want);
  T_EQ(pages_synced(p, PAGES), 0);
}

static void
stores_in_every_order(void) {
  map();
  in_every_order();
  T_EQ(T_STATS().faults_write, 0); /* not one signal */
}

static void
stores_in_every_order_filled_on_touch(void) {
  map_on_touch();
  in_every_order();
}

/* The kernel sees a store, not what is stored. */
static void
store_of_the_same_value(void) {
  map();
  PUT(p + t_pages(7), GET(p + t_pages(7)));
  T_EQ(pages_synced(p, PAGES), 1);
}

static void
loads_are_no_stores(void) {
  map_on_touch();
  for (size_t i = 0; i < PAGES; i += 5)
    (void)GET(p + t_pages(i));
  PUT(p + t_pages(300), 1);
  for (size_t i = 1; i < PAGES; i += 5)
    (void)GET(p + t_pages(i));
  T_EQ(pages_synced(p, PAGES), 1);
}

/* A part of the mapping: the rest waits for its own sync. */
static void
part_by_part(void) {
  map();
  store_to(0, 1, PAGES, false, 9);
  T_EQ(pages_synced(p + t_pages(10), 5), 5);
  T_NDIRTY(p, PAGES, PAGES - 5);
  T_EQ(pages_synced(p, PAGES), PAGES - 5);
}

/* ---- Threads ------------------------------------------------------------------------------------- */

enum { THREADS = 4 };

static void *
store_own(void *arg) {
  size_t id = (size_t)(uintptr_t)arg;

  for (size_t i = id; i < PAGES; i += (size_t)THREADS * 2)
    PUT(p + t_pages(i), 3);
  return NULL;
}

static void
threads_store(void) {
  pthread_t thread[THREADS];

  map();
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_create(&thread[i], NULL, store_own, (void *)i), 0);
  for (size_t i = 0; i < THREADS; i++)
    T_EQ(pthread_join(thread[i], NULL), 0);
  T_EQ(pages_synced(p, PAGES), PAGES / 2);
}

/* ---- System calls -------------------------------------------------------------------------------- */

/* Whatever was filled can be handed to the kernel. */
static void
system_call_stores(void) {
  int pipes[2];

  map();
  T_OK(pipe(pipes));
  T_EQ(write(pipes[1], "hello", 5), 5);
  T_EQ(read(pipes[0], p + t_pages(3) - 2, 5), 5);
  T_EQ(pages_synced(p, PAGES), 2);
  T_FILE_EQUALS(fd, (off_t)t_pages(3) - 2, "hello", 5);
}

/* ---- What else closes pages ---------------------------------------------------------------------- */

static void
protections_keep_stores(void) {
  map();
  PUT(p + t_pages(1), 'a');
  T_OK(mprotect(p, t_pages(PAGES), PROT_READ));
  T_STORE_FAULTS(p + t_pages(2), SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(p, t_pages(PAGES), PROT_NONE));
  T_EQ(pages_synced(p, PAGES), 1);
  T_OK(mprotect(p, t_pages(PAGES), RW));
  PUT(p + t_pages(2), 'b');
  T_EQ(pages_synced(p, PAGES), 1);
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'b');
}

static void
moved_memory_is_watched_again(void) {
  map();
  PUT(p + t_pages(1), 'a');
  p = T_REMAP(p, t_pages(PAGES), t_pages(PAGES), MREMAP_MAYMOVE | MREMAP_FIXED, t_reserve(PAGES));
  T_EQ(pages_synced(p, PAGES), 1);
  PUT(p + t_pages(2), 'b');
  PUT(p + t_pages(3), 'c');
  T_EQ(T_STATS().faults_write, 1); /* armed again, all at once */
  T_EQ(pages_synced(p, PAGES), 2);
}

/* Pages that are cut off and come back: what was stored to the old ones isn't the new ones'. */
static void
cut_off_and_grown_again(void) {
  map();
  store_to(0, 1, PAGES, false, 6);
  T_OK(ftruncate(fd, (off_t)t_pages(10)));
  T_EQ(pages_synced(p, PAGES), 10);
  T_OK(ftruncate(fd, (off_t)t_pages(PAGES)));
  T_EQ(pages_synced(p, PAGES), 0);
  (void)GET(p + t_pages(20));
  PUT(p + t_pages(30), 1);
  T_EQ(pages_synced(p, PAGES), 1);
}

/* Pages of holes that came to exist have no stamp; what is stored to them isn't stamped by who maps
 * them once more. */
static void
stored_to_before_a_second_mapping(void) {
  map();
  store_to(0, 1, PAGES, false, 6);
  T_EQ(pages_synced(p, PAGES), PAGES);
  T_OK(ftruncate(fd, 0));
  T_EQ(pages_synced(p, PAGES), 0);
  T_OK(ftruncate(fd, (off_t)t_pages(PAGES)));
  T_EQ(pages_synced(p, PAGES), 0);
  PUT(p + t_pages(2), 's');
  (void)T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  T_EQ(pages_synced(p, PAGES), 1);
  T_FILE_BYTE(fd, (off_t)t_pages(2), 's');
}

static void
child_is_watched_again(void) {
  pid_t pid;

  map();
  PUT(p + t_pages(1), 'p');
  pid = t_fork();
  if (pid == 0) {
    PUT(p + t_pages(2), 'c');
    PUT(p + t_pages(3), 'c');
    T_EQ(pages_synced(p, PAGES), 3); /* the parent's, too: its stamp tells */
    T_EQ(pages_synced(p, PAGES), 0);
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_EQ(pages_synced(p, PAGES), 0); /* the child wrote it */
  T_EQ(T_STATS().faults_write, 0); /* fork closed nothing */
  PUT(p + t_pages(1), 'q');
  T_EQ(pages_synced(p, PAGES), 1);
}

/* Nothing that softmap needs lies in a hole between mappings, which a later munmap may go over. */
static void
holes_may_be_unmapped_again(void) {
  unsigned char *other;
  int other_fd;

  map();
  for (size_t i = 0; i < 500; i++) /* no other room for a single page */
    T_MAP(NULL, t_pages(1), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 1; i < 20; i += 2)
    T_OK(munmap(p + t_pages(i), t_pages(1)));
  other = T_MAP_NEW(NULL, &other_fd, PAGES);
  T_OK(munmap(p, t_pages(PAGES)));
  memset(T_MAP(p, t_pages(20), RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), 0xee,
         t_pages(20));
  PUT(other, 'o');
  PUT(other + t_pages(5), 'o');
  T_EQ(pages_synced(other, PAGES), 2);
  T_FILE_BYTE(other_fd, 0, 'o');
  T_FILE_BYTE(other_fd, (off_t)t_pages(5), 'o');
}

static const struct t_case cases[] = {
  T_CASE(stores_in_every_order),
  T_CASE(stores_in_every_order_filled_on_touch),
  T_CASE(store_of_the_same_value),
  T_CASE(loads_are_no_stores),
  T_CASE(part_by_part),
  T_CASE(threads_store),
  T_CASE(system_call_stores),
  T_CASE(protections_keep_stores),
  T_CASE(moved_memory_is_watched_again),
  T_CASE(cut_off_and_grown_again),
  T_CASE(stored_to_before_a_second_mapping),
  T_CASE(child_is_watched_again),
  T_CASE(holes_may_be_unmapped_again),
};
T_MAIN(cases)
