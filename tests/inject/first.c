/* first.c - the first mapping of a process, failed at every call of the host that it makes: threads, the
 * inbox, handlers, the announcement and the trace are begun here and never again.
 *
 * The error comes out, or it works all the same; then it is tried again, and works; stores get into the
 * file.  Each cell is a process of its own.
 */
#include "host_errors.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum { PAGES = 4 };

/* Shared with the children. */
struct seen {
  uint32_t calls[HOST_CALL_COUNT];
  unsigned fired, failed;
};
static struct seen *seen;

static char path[T_PATH];
static char trace[T_PATH];
static int fd;
static unsigned char *p;
static bool is_traced; /* the processes trace */

static void
map_it(void *arg) {
  (void)arg;
  p = mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
}

/* What the section directory refuses is said, and comes out as EACCES. */
static bool
is_right(int got, int injected) {
  return got == injected || got == ENOMEM || got == EACCES;
}

static void
live(void *arg) {
  const struct host_fault *fault = arg;
  struct inject_rule rule = host_fault_rule(fault);
  char text[4096];
  int error;

  if (is_traced)
    T_OK(softmap_configure("trace", trace));
  inject_arm(&rule);
  errno = 0;
  T_CHECK(T_STDERR_OF(map_it, NULL, text) <= 2);
  error = errno;
  host_count_calls(seen->calls);
  seen->fired += inject_fired() != 0;
  inject_disarm();
  if (p == MAP_FAILED) {
    seen->failed++;
    T_CHECK(is_right(error, fault->error));
    map_it(NULL);
    T_CHECK(p != MAP_FAILED);
    (void)msync(p, t_pages(PAGES),
                MS_SYNC); /* an error that could not be told earlier comes first */
  }
  PUT(p, 's');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_BYTE(fd, 0, 's');
  PUT(p + t_pages(1), 'e'); /* by exit */
}

static void
try_fault(const struct host_fault *fault, void *arg) {
  char row[HOST_FAULT_TEXT];

  (void)arg;
  T_PWRITE(fd, 0, t_pages(2), 'o');
  T_ROW_IN_CHILD(host_fault_text(fault, row), live, (void *)(uintptr_t)fault, T_EXITED(0));
  T_FILE_BYTE(fd, 0, 's');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'e');
  if (is_traced)
    (void)unlink(trace); /* if it was made */
}

static void
try_all(off_t size, unsigned least_fired, unsigned least_failed) {
  uint32_t counts[HOST_CALL_COUNT];
  uint32_t most =
      is_traced ? 2 : engine_scale(8, 1000, 1000); /* a trace is begun before all else */
  uint32_t in_full = engine_scale(2, 1000, 1000);  /* with all errors */

  seen = t_common(sizeof *seen, &(int){ 0 });
  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  T_EQ(ftruncate(fd, size), 0);
  (void)snprintf(trace, sizeof trace, "%.500s.trace", path);
  try_fault(&HOST_FAULT_NONE, NULL);
  memcpy(counts, seen->calls, sizeof counts);
  host_faults_try(counts, most, in_full, try_fault, NULL);
  t_note("%u fired, %u failed", seen->fired, seen->failed);
  T_CHECK(seen->fired >= least_fired && seen->failed >= least_failed);
}

static void
first_mapping(void) {
  try_all((off_t)t_pages(PAGES), 100, 50);
}

/* Of a file that needs more than the first extent of states: 300 MB of hole. */
static void
first_mapping_of_a_large_file(void) {
  try_all((off_t)300 << 20, 100, 50);
}

/* One that can't be traced isn't traced. */
static void
first_mapping_traced(void) {
  is_traced = true;
  try_all((off_t)t_pages(PAGES), 100, 40);
}

/* In a stranger, where nothing of ours was asked for yet: not even the host layer can begin. */
static intmax_t
map_without_addresses(intmax_t len, intmax_t b, const char *name) {
  const struct rlimit none = { 0, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
  int error;

  (void)b;
  fd = open(name, O_RDWR | O_CLOEXEC);
  T_EQ(setrlimit(RLIMIT_AS, &none), 0);
  p = mmap(NULL, (size_t)len, RW, MAP_SHARED, fd, 0);
  error = errno;
  T_EQ(setrlimit(RLIMIT_AS, &all), 0);
  T_CHECK(p == MAP_FAILED);
  T_EQ(error, ENOMEM);
  p = T_MAP(NULL, (size_t)len, RW, MAP_SHARED, fd, 0);
  PUT(p, 's'); /* by exit */
  return 0;
}

static void
first_mapping_without_address_space(void) {
  struct t_stranger stranger = t_stranger();

  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  T_EQ(t_ask(T_HERE, &stranger, map_without_addresses, (intmax_t)t_pages(PAGES), 0, path), 0);
  t_dismiss(T_HERE, &stranger);
  T_FILE_BYTE(fd, 0, 's');
}

static void
trace_and_map(void *arg) {
  T_OK(softmap_configure("trace", trace));
  map_it(arg);
  T_CHECK(p != MAP_FAILED);
}

static void
trace_in_child(void *arg) {
  T_IN_CHILD(trace_and_map, arg, T_EXITED(0));
}

/* Something else is there by the name of the trace, or never becomes one. */
static void
trace_that_is_something_else(void) {
  const off_t sizes[] = { 0, (off_t)1 << 30 };
  char text[4096];
  struct stat st;

  for (size_t i = 0; i < 2; i++) {
    fd = t_tmpfile(path, (off_t)t_pages(PAGES));
    (void)snprintf(trace, sizeof trace, "%.500s.trace", path);
    T_OK(close(open(trace, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
    T_OK(truncate(trace, sizes[i]));
    T_EQ(T_STDERR_OF(trace_in_child, NULL, text), 1);
    T_CHECK(strstr(text, "trace") != NULL);
    T_OK(stat(trace, &st));
    T_EQ(st.st_size, sizes[i]);
  }
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(first_mapping),
  T_CASE_MAPS_NOTHING(first_mapping_of_a_large_file),
  T_CASE_MAPS_NOTHING(first_mapping_traced),
  T_CASE_MAPS_NOTHING(first_mapping_without_address_space),
  T_CASE_MAPS_NOTHING(trace_that_is_something_else),
};
T_MAIN(cases)
