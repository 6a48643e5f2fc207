/* refused.c - a host that refuses its write watch: it is said, and the tracker is "fault". */
#include "watch.h"

static unsigned char *p;

static void
map_it(void *arg) {
  (void)arg;
  p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, t_tmpfile(NULL, (off_t)t_pages(1)), 0);
}

static void
stores_are_noticed_by_faults(void) {
  PUT(p, 1);
  T_EQ(T_STATS().faults_write, 1);
  T_NDIRTY(p, 1, 1);
}

static void
refuse(void) {
  engine_inject(HOST_CALL_watch_open, 1, UINT32_MAX, EOPNOTSUPP);
}

static void
configure_says_so(void) {
  T_ON_FAULT();
  refuse();
  T_ERR(softmap_configure("tracker", "watch"), EOPNOTSUPP);
  inject_disarm();
  map_it(NULL);
  stores_are_noticed_by_faults();
}

static void
auto_is_fault(void) {
  refuse();
  T_OK(softmap_configure("tracker", "auto"));
  inject_disarm();
  map_it(NULL);
  stores_are_noticed_by_faults();
}

static void
variable_gets_a_line(void) {
  char text[512];

  T_OK(setenv("SOFTMAP_TRACKER", "watch", 1));
  refuse();
  T_EQ(T_STDERR_OF(map_it, NULL, text), 1);
  inject_disarm();
  if (strstr(text, "SOFTMAP_TRACKER=watch") == NULL || strstr(text, "using fault") == NULL)
    t_fail(T_HERE, "said: %s", text);
  stores_are_noticed_by_faults();
}

/* Chosen when it could be had, refused when a mapping needs it: that mapping's stores are noticed
 * by faults. */
static void
refused_later(void) {
  static const struct {
    enum host_call call;
    int error;
  } rows[] = {
    { HOST_CALL_watch_open, EMFILE },
    { HOST_CALL_watch_add, ENOMEM },
    { HOST_CALL_watch_begin, ENOMEM },
  };

  use_watch();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int fd;

    engine_inject(rows[i].call, 1, UINT32_MAX, rows[i].error);
    p = T_MAP_NEW(NULL, &fd, 4);
    T_STORES(p, 'x');
    T_STORES(p + t_pages(2), 'y');
    T_NDIRTY(p, 4, 2);
    inject_disarm();
    T_EQ(pages_synced(p, 4), 2);
    T_FILE_BYTE(fd, (off_t)t_pages(2), 'y');
    PUT(p, 'z'); /* by now it can be had */
    T_EQ(pages_synced(p, 4), 1);
    T_OK(munmap(p, t_pages(4)));
  }
}

/* The kernel doesn't answer when it is asked: nothing is lost, the stamps tell. */
static void
refused_when_asked(void) {
  int fd;

  use_watch();
  p = T_MAP_NEW(NULL, &fd, 4);
  PUT(p + t_pages(1), 'x');
  engine_inject(HOST_CALL_watch_scan, 1, 1, ENOMEM);
  T_EQ(pages_synced(p, 4), 1);
  inject_disarm();
  PUT(p + t_pages(2), 'y');
  engine_inject(HOST_CALL_watch_scan, 1, UINT32_MAX, ENOMEM);
  T_OK(munmap(p, t_pages(4))); /* the stamp tells */
  inject_disarm();
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'x');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'y');
}

static const struct t_case cases[] = {
  T_CASE(configure_says_so), T_CASE(auto_is_fault),      T_CASE(variable_gets_a_line),
  T_CASE(refused_later),     T_CASE(refused_when_asked),
};
T_MAIN(cases)
