/* host_posix_process.c - what the host is, and which process we are: configuration, lineage,
 * identity.
 */
#include "host/host_linux.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/host.h"
#include "host/inject.h"

#define AREA_LIMIT_DEFAULT 65530 /* the kernel's DEFAULT_MAX_MAP_COUNT */
#define NCPUS_MAX 8192

struct host_config host_config;
size_t host_kernel_page;

int
host_read_small(const char *path, char *out, size_t size) {
  size_t done = 0;
  long fd = raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  int error = raw_error(fd);
  if (error != 0)
    return error;
  while (done < size - 1) {
    long got = raw3(SYS_read, fd, out + done, size - 1 - done);
    if (got == -EINTR)
      continue;
    error = raw_error(got);
    if (error != 0 || got == 0)
      break;
    done += (size_t)got;
  }
  raw1(SYS_close, fd);
  out[done] = '\0';
  return error;
}

/* Digits up to the first character that is none; 0 if there is none at all. */
static uint64_t
number_at(const char *text) {
  uint64_t value = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    value = value * 10 + (uint64_t)(*text - '0');
  return value;
}

/* ---- Configuration ------------------------------------------------------------------------- */

#ifdef SOFTMAP_INJECT
#define TEST_PAGE_MAX (1U << 20)

static size_t
test_page_size(size_t kernel_page) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): tests set it before they start threads
  const char *text = getenv("SOFTMAP_TEST_PAGE_SIZE");
  if (text == NULL)
    return kernel_page;
  uint64_t size = number_at(text);
  if (size < kernel_page || size > TEST_PAGE_MAX || (size & (size - 1)) != 0)
    return kernel_page;
  return (size_t)size;
}
#else
#define test_page_size(kernel_page) (kernel_page)
#endif

static size_t
read_area_limit(void) {
  char text[32];
  uint64_t limit = 0;
  if (host_read_small("/proc/sys/vm/max_map_count", text, sizeof text) == 0)
    limit = number_at(text);
  return limit != 0 ? (size_t)limit : AREA_LIMIT_DEFAULT;
}

static unsigned
count_cpus(void) {
  unsigned long set[NCPUS_MAX / (8 * sizeof(unsigned long))] = { 0 };
  unsigned n = 0;
  raw3(SYS_sched_getaffinity, 0, sizeof set, set);
  for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
    n += (unsigned)__builtin_popcountl(set[i]);
  return n != 0 ? n : 1;
}

static int
configure(void) {
  struct host_config config = { .area_limit = read_area_limit(), .ncpus = count_cpus() };
  host_kernel_page = (size_t)sysconf(_SC_PAGESIZE);
  config.page_size = test_page_size(host_kernel_page);
  config.page_shift = (unsigned)__builtin_ctzl(config.page_size);
  host_config = config;
#ifdef SOFTMAP_INJECT
  inject_configure();
#endif
  return host_lineage_start();
}

int
host_start(void) {
  enum { FRESH, STARTING, STARTED };
  static _Atomic int state = FRESH;
  int seen = FRESH;
  while (!atomic_compare_exchange_weak(&state, &seen, STARTING)) {
    if (seen == STARTED)
      return 0;
    if (seen == STARTING)
      host_yield();
    seen = FRESH;
  }
  int error = configure();
  if (error != 0)
    host_config = (struct host_config){ .page_size = 0 };
  atomic_store(&state, error == 0 ? STARTED : FRESH);
  return error;
}

/* ---- Lineage ------------------------------------------------------------------------------- */

/* A page that fork wipes in the child: 1 while we are who we were.  vfork shares it, and exec
 * drops it. */
static _Atomic uint32_t *lineage_word;
/* Where the kernel can't wipe (before 4.14); a child of vfork then looks like a forked one. */
static _Atomic pid_t lineage_pid;
static _Atomic pid_t own_pid; /* of the process that was renewed last */

int
host_lineage_start(void) {
  size_t page = host_kernel_page;
  if (lineage_word != NULL || lineage_pid != 0)
    return 0;
  long result = raw_mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int error = raw_error(result);
  if (error != 0)
    return error;
  if (raw_error(raw3(SYS_madvise, result, page, MADV_WIPEONFORK)) == 0)
    lineage_word = (_Atomic uint32_t *)result;
  else
    raw2(SYS_munmap, result, page);
  host_lineage_renew();
  return 0;
}

bool
host_lineage_same(void) {
  if (lineage_word != NULL)
    return atomic_load_explicit(lineage_word, memory_order_relaxed) != 0;
  pid_t pid = atomic_load_explicit(&lineage_pid, memory_order_relaxed);
  return pid == 0 || pid == (pid_t)raw0(SYS_getpid); /* 0: not started */
}

bool
host_is_vfork_child(void) {
  return host_lineage_same() && (pid_t)raw0(SYS_getpid) != atomic_load(&own_pid);
}

/* Who we are, once it was asked: KNOWN of this lineage. */
static struct host_identity own_identity;
static _Atomic uint32_t own_identity_is;
enum { UNKNOWN, BEING_SET, KNOWN };

void
host_lineage_renew(void) {
  atomic_store(&own_identity_is, UNKNOWN); /* a forked child is somebody else */
  atomic_store(&own_pid, (pid_t)raw0(SYS_getpid));
  if (lineage_word != NULL)
    atomic_store_explicit(lineage_word, 1, memory_order_relaxed);
  else
    atomic_store_explicit(&lineage_pid, (pid_t)raw0(SYS_getpid), memory_order_relaxed);
}

/* ---- Identity ------------------------------------------------------------------------------ */

#define STAT_SIZE 1024

/* A field of a stat file, from the third on; the second, in parentheses, may hold anything. */
static int
stat_field_of(const char *path, char text[STAT_SIZE], int wanted, const char **out) {
  int error = host_read_small(path, text, STAT_SIZE);
  if (error != 0)
    return error;
  const char *at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < wanted; field++)
    at = strchr(at + 1, ' ');
  if (at == NULL)
    return EPROTO;
  *out = at + 1;
  return 0;
}

static int
stat_field(char text[STAT_SIZE], int wanted, const char **out) {
  return stat_field_of("/proc/self/stat", text, wanted, out);
}

static int
read_start_ticks(uint64_t *out) {
  char text[STAT_SIZE];
  const char *field;
  int error = stat_field(text, 22, &field);
  if (error == 0)
    *out = number_at(field);
  return error;
}

int
host_thread_count(unsigned *out) {
  char text[STAT_SIZE];
  const char *state = "", *count = "";
  int error = inject_before(HOST_CALL_thread_count);
  if (error == 0)
    error = stat_field(text, 3, &state);
  bool is_zombie = error == 0 && *state == 'Z';
  if (error == 0)
    error = stat_field(text, 20, &count);
  if (error == 0)
    *out = (unsigned)number_at(count) - is_zombie;
  inject_after(HOST_CALL_thread_count);
  return error;
}

static int
hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

static int
read_boot(uint64_t boot[2]) {
  char text[64];
  unsigned ndigits = 0;
  int error = host_read_small("/proc/sys/kernel/random/boot_id", text, sizeof text);
  if (error != 0)
    return error;
  for (const char *at = text; *at != '\0' && ndigits < 32; at++) {
    int value = hex_value(*at);
    if (value < 0)
      continue; /* a dash */
    boot[ndigits / 16] = boot[ndigits / 16] << 4 | (unsigned)value;
    ndigits++;
  }
  return ndigits == 32 ? 0 : EPROTO;
}

static int
read_pid_namespace(uint64_t *out) {
  struct stat st;
  int saved = errno;
  int error = stat("/proc/self/ns/pid", &st) == 0 ? 0 : errno;
  errno = saved;
  if (error == 0)
    *out = st.st_ino;
  return error;
}

static int
identify(struct host_identity *out) {
  struct host_identity identity = { .pid = (uint64_t)raw0(SYS_getpid) };
  int error = read_start_ticks(&identity.start_ticks);
  if (error == 0)
    error = read_boot(identity.boot);
  if (error == 0)
    error = read_pid_namespace(&identity.pid_namespace);
  if (error == 0)
    *out = identity;
  return error;
}

/* Three files of /proc take longer than all the rest of making a small section.  The pid tells a
 * child of vfork, which shares our memory. */
static bool
recall(struct host_identity *out) {
  if (atomic_load(&own_identity_is) != KNOWN || !host_lineage_same() ||
      own_identity.pid != (uint64_t)raw0(SYS_getpid))
    return false;
  *out = own_identity;
  return true;
}

static void
keep_in_mind(const struct host_identity *identity) {
  uint32_t unknown = UNKNOWN;
  if (!host_lineage_same() ||
      !atomic_compare_exchange_strong(&own_identity_is, &unknown, BEING_SET))
    return;
  own_identity = *identity;
  atomic_store(&own_identity_is, KNOWN);
}

int
host_identity(struct host_identity *out) {
  int error = inject_before(HOST_CALL_identity);
  if (error != 0)
    return error;
  if (!recall(out)) {
    error = identify(out);
    if (error == 0)
      keep_in_mind(out);
  }
  inject_after(HOST_CALL_identity);
  return error;
}

uid_t
host_user(void) {
  return raw_geteuid();
}

/* ---- Fork ---------------------------------------------------------------------------------- */

/* glibc's own way in: the last argument says on whose behalf, and so when to forget.  Other libcs
 * don't have it, and never forget. */
#pragma weak __register_atfork
int __register_atfork(
    void (*prepare)(void), void (*parent)(void), void (*child)(void),
    void *library); // NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)

int
host_watch_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  int error = inject_before(HOST_CALL_watch_fork);
  if (error != 0)
    return error;
  if (__register_atfork != NULL)
    error = __register_atfork(prepare, parent, child, NULL);
  else
    error = pthread_atfork(prepare, parent, child);
  inject_after(HOST_CALL_watch_fork);
  return error;
}
