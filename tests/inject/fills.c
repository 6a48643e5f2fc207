/* fills.c - fills that come too late: their process was stopped meanwhile, others took over and
 * stored.  Threads are held at chosen calls of the host, so that the order is always the same.
 */
#include "held.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PAGES = 64, FIRST = 8, SECOND = 40 };

static unsigned char *p;
static int fd;

static void *
load(void *arg) {
  (void)GET(p + t_pages((size_t)(uintptr_t)arg));
  return NULL;
}

static unsigned
fences_mapped(void) {
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[512];
  unsigned count = 0;

  T_CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps) != NULL)
    count += strstr(line, "/fence-") != NULL;
  (void)fclose(maps);
  return count;
}

/* Two threads fill at once; both are held before they read the file.  When the process goes on, the
 * first one's write is refused, and it fills anew; then comes the second one's. */
static void
fill_two_pages_at_once(void *arg) {
  struct inject_rule rule = { .call = HOST_CALL_read, .nth = 1, .times = 2, .hold = 1 };
  pthread_t threads[2];

  (void)arg;
  inject_arm(&rule);
  T_EQ(pthread_create(&threads[0], NULL, load, (void *)FIRST), 0);
  held_wait(1);
  T_EQ(pthread_create(&threads[1], NULL, load, (void *)SECOND), 0);
  held_wait(2);
  held_meet();
  inject_release(1);
  T_EQ(pthread_join(threads[0], NULL), 0);
  inject_release(2);
  T_EQ(pthread_join(threads[1], NULL), 0);
  T_EQ(GET(p + t_pages(FIRST)), 's');
  T_EQ(GET(p + t_pages(SECOND)), 's');
  T_CHECK(fences_mapped() >= 2); /* the first one was cut off */
  T_OK(munmap(p, t_pages(PAGES)));
  T_EQ(fences_mapped(), 0);
}

static void
late_fills_of_a_stopped_process_are_refused(void) {
  pid_t pid;

  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, PAGES);
  pid = T_HELD_CHILD(fill_two_pages_at_once, NULL);
  PUT(p + t_pages(FIRST), 's'); /* takes over */
  PUT(p + t_pages(SECOND), 's');
  T_HELD_CHILD_GOES_ON(pid);
  T_EQ(GET(p + t_pages(FIRST)), 's');
  T_EQ(GET(p + t_pages(SECOND)), 's');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(SECOND), 's');
}

/* The same with the file cut off and longer again meanwhile: what is filled late is of the old one. */
static void
late_fill_of_a_file_that_shrank_and_grew(void) {
  struct inject_rule rule = { .call = HOST_CALL_write, .nth = 1, .times = 1, .hold = 1 };
  unsigned char *other;
  pthread_t thread;

  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, PAGES);
  other = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  inject_arm(&rule);
  T_EQ(pthread_create(&thread, NULL, load, (void *)SECOND), 0);
  held_wait(1);
  T_OK(ftruncate(fd, (off_t)t_pages(FIRST)));
  T_OK(msync(other, t_pages(1), MS_SYNC)); /* sees it */
  T_PWRITE(fd, (off_t)t_pages(FIRST), t_pages(PAGES - FIRST), 'n');
  T_OK(msync(other, t_pages(1), MS_SYNC));
  T_STORES(other + t_pages(SECOND), 's');
  inject_release(1);
  T_EQ(pthread_join(thread, NULL), 0);
  inject_disarm();
  T_EQ(GET(p + t_pages(SECOND)), 's');
  T_EQ(GET(p + t_pages(SECOND) + 1), 'n');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(SECOND) + 1, 'n');
}

/* Two threads touch the same pages at once, again and again, while reads of the file are slow: no
 * page is without the mark of its filler, or it would be taken over. */
static _Atomic uint32_t arrived;

static void *
touch_in_turn(void *arg) {
  (void)arg;
  for (uint32_t i = 0; i < PAGES; i++) {
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < 2 * (i + 1))
      ;
    PUT(p + t_pages(i) + (arg ? 1 : 2), 's');
  }
  return NULL;
}

static void
two_fillers_of_the_same_pages(void) {
  unsigned rounds = engine_scale(30, 1000, 10000);

  T_OK(softmap_configure("fill", "touch"));
  for (unsigned n = 0; n < rounds; n++) {
    pthread_t thread;

    p = T_MAP_NEW(NULL, &fd, PAGES);
    atomic_store(&arrived, 0);
    T_EQ(pthread_create(&thread, NULL, touch_in_turn, p), 0);
    (void)touch_in_turn(NULL);
    T_EQ(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < PAGES; i++) {
      T_EQ(GET(p + t_pages(i)), t_old_byte((off_t)t_pages(i)));
      T_EQ(GET(p + t_pages(i) + 1), 's');
      T_EQ(GET(p + t_pages(i) + 2), 's');
    }
    T_OK(munmap(p, t_pages(PAGES)));
    (void)close(fd);
  }
}

static const struct t_case cases[] = {
  T_CASE(late_fills_of_a_stopped_process_are_refused),
  T_CASE(late_fill_of_a_file_that_shrank_and_grew),
  T_CASE(two_fillers_of_the_same_pages),
};
T_MAIN(cases)
