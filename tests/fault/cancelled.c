/* cancelled.c - a thread that is to be cancelled ends where it calls a cancellation point of its own; what
 * it had begun with softmap is done.
 */
#include "t_engine.h"

#include <pthread.h>
#include <stdatomic.h>

static unsigned char *p;
static int fd;
static atomic_uint calls_done;

static __attribute__((noinline)) void
cancel_myself(void) {
  int old;

  T_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
  T_EQ(pthread_cancel(pthread_self()), 0);
  T_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
}

static __attribute__((noinline)) void
store_sync_and_map(void) {
  PUT(p, 'c'); /* a fill and an opening */
  T_OK(msync(p, t_pages(2), MS_SYNC));
  atomic_fetch_add(&calls_done, 1);
  T_OK(msync(p, t_pages(2), MS_SYNC | MS_INVALIDATE));
  atomic_fetch_add(&calls_done, 1);
  T_OK(munmap(T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0), t_pages(2)));
  atomic_fetch_add(&calls_done, 1);
}

/* No variable of its own, inlined ones included: a sanitizer would take it for alive when the thread
 * is gone. */
static void *
go_on_until_cancelled(void *arg) {
  cancel_myself();
  store_sync_and_map();
  pthread_testcancel();
  atomic_fetch_add(&calls_done, 1);
  return arg;
}

static void
calls_of_softmap_are_done_all_the_same(void) {
  pthread_t thread;
  void *result;

  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 2);
  T_EQ(pthread_create(&thread, NULL, go_on_until_cancelled, NULL), 0);
  T_EQ(pthread_join(thread, &result), 0);
  T_CHECK(result == PTHREAD_CANCELED);
  T_EQ(atomic_load(&calls_done), 3);
  T_FILE_BYTE(fd, 0, 'c');
  T_NDIRTY(p, 2, 0);
  PUT(p + 1, 'd'); /* no lock was left behind */
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 1, 'd');
}

static const struct t_case cases[] = {
  T_CASE(calls_of_softmap_are_done_all_the_same),
};
T_MAIN(cases)
