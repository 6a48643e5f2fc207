/* Configuration, lineage and identity. */
#include "host_test.h"

#include <pthread.h>
#include <sys/stat.h>

/* The third argument of read, as far as a filter looks: its lower half. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define COUNT_FIELD (offsetof(struct seccomp_data, args[2]) + 4)
#else
#define COUNT_FIELD offsetof(struct seccomp_data, args[2])
#endif

/* ---- Configuration ------------------------------------------------------------------------- */

static uint64_t
number_in(const char *path) {
  char line[64] = "";
  FILE *stream = fopen(path, "re");
  if (stream == NULL || fgets(line, sizeof line, stream) == NULL)
    line[0] = '\0';
  if (stream != NULL)
    fclose(stream);
  return strtoull(line, NULL, 10);
}

static void *
start(void *result) {
  *(int *)result = host_start();
  return NULL;
}

static int
start_from_many_threads(void *arg) {
  pthread_t threads[8];
  int errors[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
  (void)arg;
  for (size_t i = 0; i < COUNT_OF(threads); i++)
    CHILD_CHECK(pthread_create(&threads[i], NULL, start, &errors[i]) == 0);
  for (size_t i = 0; i < COUNT_OF(threads); i++)
    CHILD_CHECK(pthread_join(threads[i], NULL) == 0 && errors[i] == 0);
  CHILD_CHECK(host_config.page_size != 0);
  return 0;
}

static void
nothing_is_known_before_the_start(void **state) {
  (void)state;
  assert_int_equal(host_config.page_size, 0);
  assert_int_equal(host_config.area_limit, 0);
  assert_true(host_lineage_same()); /* of no lineage, nobody is a stranger */
  assert_int_equal(in_child(start_from_many_threads, NULL), 0);
}

static void
start_tells_the_configuration(void **state) {
  (void)state;
  EXPECT(host_start(), 0);
  EXPECT(host_start(), 0);
  uint64_t limit = number_in("/proc/sys/vm/max_map_count");
  assert_int_equal(host_config.page_size, sysconf(_SC_PAGESIZE));
  assert_int_equal((size_t)1 << host_config.page_shift, host_config.page_size);
  assert_int_equal(host_config.area_limit, limit != 0 ? limit : 65530);
  assert_in_range(host_config.ncpus, 1, sysconf(_SC_NPROCESSORS_CONF));
  assert_int_equal(host_user(), geteuid());
}

static int
start_without_proc(void *arg) {
  (void)arg;
  if (refuse_syscall(SYS_openat, EACCES) != 0)
    return 77;
  CHILD_CHECK(host_start() == 0);
  CHILD_CHECK(host_config.area_limit == 65530);
  CHILD_CHECK(host_config.page_size == (size_t)sysconf(_SC_PAGESIZE));
  return 0;
}

static void
unreadable_limit_is_the_kernel_s_default(void **state) {
  (void)state;
  assert_int_equal(host_config.area_limit, 0); /* this process hasn't started */
  int status = in_child(start_without_proc, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

static int
start_without_memory(void *arg) {
  (void)arg;
  if (refuse_syscall(SYS_mmap, ENOMEM) != 0)
    return 77;
  CHILD_CHECK(host_start() == ENOMEM);
  CHILD_CHECK(host_config.page_size == 0);
  return 0;
}

static void
start_that_fails_leaves_nothing_known(void **state) {
  (void)state;
  assert_int_equal(host_config.page_size, 0); /* this process hasn't started */
  int status = in_child(start_without_memory, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

/* ---- Lineage ------------------------------------------------------------------------------- */

static int
grandchild(void *arg) {
  (void)arg;
  return host_lineage_same() ? 1 : 0;
}

static int
child(void *arg) {
  (void)arg;
  errno = ERRNO_UNTOUCHED;
  CHILD_CHECK(!host_lineage_same());
  CHILD_CHECK(!host_lineage_same());
  host_lineage_renew();
  CHILD_CHECK(host_lineage_same());
  CHILD_CHECK(errno == ERRNO_UNTOUCHED);
  CHILD_CHECK(in_child(grandchild, NULL) == 0);
  CHILD_CHECK(host_lineage_same());
  return 0;
}

static void
forked_child_is_another(void **state) {
  (void)state;
  assert_true(host_lineage_same());
  assert_int_equal(in_child(child, NULL), 0);
  assert_true(host_lineage_same());
}

/* It shares the memory: what it does to that is done to its parent's. */
static void
vforked_child_is_the_same(void **state) {
  (void)state;
  if (is_sanitized("thread"))
    skip(); /* its vfork is fork */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  pid_t pid = vfork();
#pragma GCC diagnostic pop
  if (pid == 0)
    _exit(host_lineage_same() ? 0 : 1);
  assert_int_equal(reap(pid), 0);
  assert_true(host_lineage_same());
}

static int
child_without_wiping(void *arg) {
  (void)arg;
  if (refuse_syscall(SYS_madvise, EINVAL) != 0)
    return 77;
  CHILD_CHECK(host_start() == 0);
  CHILD_CHECK(host_lineage_same());
  CHILD_CHECK(in_child(child, NULL) == 0);
  CHILD_CHECK(host_lineage_same());
  return 0;
}

static void
old_kernels_tell_a_child_by_its_pid(void **state) {
  (void)state;
  assert_int_equal(host_config.page_size, 0); /* this process hasn't started */
  int status = in_child(child_without_wiping, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

/* ---- Identity ------------------------------------------------------------------------------ */

static int
other_identity(void *arg) {
  const struct host_identity *parent = (const struct host_identity *)arg;
  struct host_identity own;
  CHILD_CHECK(host_identity(&own) == 0);
  CHILD_CHECK(own.pid == (uint64_t)getpid());
  host_lineage_renew();
  for (int i = 0; i < 2; i++) {
    CHILD_CHECK(host_identity(&own) == 0);
    CHILD_CHECK(own.pid == (uint64_t)getpid());
  }
  CHILD_CHECK(own.pid != parent->pid);
  CHILD_CHECK(own.start_ticks >= parent->start_ticks);
  CHILD_CHECK(memcmp(own.boot, parent->boot, sizeof own.boot) == 0);
  CHILD_CHECK(own.pid_namespace == parent->pid_namespace);
  return 0;
}

static void
identity_is_stable_and_the_process_s(void **state) {
  struct host_identity first, second;
  struct stat st;
  (void)state;
  EXPECT(host_identity(&first), 0);
  EXPECT(host_identity(&second), 0);
  assert_memory_equal(&first, &second, sizeof first);
  assert_int_equal(first.pid, getpid());
  assert_true(first.start_ticks > 0);
  assert_true(first.boot[0] != 0 && first.boot[1] != 0);
  assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
  assert_int_equal(first.pid_namespace, st.st_ino);
  assert_int_equal(in_child(other_identity, &first), 0);
}

/* The name stands before the start time in /proc/self/stat. */
static void
program_s_name_may_hold_anything(void **state) {
  struct host_identity plain, odd;
  char name[16];
  (void)state;
  EXPECT(host_identity(&plain), 0);
  prctl(PR_GET_NAME, name);
  prctl(PR_SET_NAME, ") R 1 2 3 4 (");
  host_lineage_renew(); /* else it is remembered */
  EXPECT(host_identity(&odd), 0);
  prctl(PR_SET_NAME, name);
  assert_memory_equal(&plain, &odd, sizeof plain);
}

static int
identity_without_proc(void *arg) {
  struct host_identity identity = { .pid = 12345 };
  (void)arg;
  if (refuse_syscall(SYS_openat, EACCES) != 0)
    return 77;
  errno = ERRNO_UNTOUCHED;
  CHILD_CHECK(host_identity(&identity) == EACCES);
  CHILD_CHECK(errno == ERRNO_UNTOUCHED && identity.pid == 12345);
  return 0;
}

static void
unreadable_identity_is_an_error(void **state) {
  (void)state;
  int status = in_child(identity_without_proc, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

/* A file of /proc, known by how many bytes are read of it, that can't be read, or is empty. */
struct bad_file {
  uint32_t len;
  int error; /* 0: empty */
  int identity, thread_count;
};

static int
identity_of_bad_files(void *arg) {
  const struct bad_file *bad = (const struct bad_file *)arg;
  struct host_identity identity;
  unsigned count;
  host_lineage_renew(); /* else it is remembered */
  CHILD_CHECK(host_identity(&identity) == 0);
  host_lineage_renew();
  if (refuse_syscall_with(SYS_read, COUNT_FIELD, bad->len, bad->error) != 0)
    return 77;
  CHILD_CHECK(host_identity(&identity) == bad->identity);
  CHILD_CHECK(host_thread_count(&count) == bad->thread_count);
  return 0;
}

static void
bad_files_of_proc_are_an_error(void **state) {
  enum { STAT = 1023, BOOT = 63 };
  struct bad_file rows[] = {
    { 1, EIO, 0, 0 }, /* the control: none of them */
    { STAT, EIO, EIO, EIO },
    { STAT, 0, EPROTO, EPROTO },
    { BOOT, EIO, EIO, 0 },
    { BOOT, 0, EPROTO, 0 },
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int status = in_child(identity_of_bad_files, &rows[i]);
    if (status == 77)
      skip();
    assert_int_equal(status, 0);
  }
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    /* before this process starts its host */
    cmocka_unit_test(nothing_is_known_before_the_start),
    cmocka_unit_test(unreadable_limit_is_the_kernel_s_default),
    cmocka_unit_test(start_that_fails_leaves_nothing_known),
    cmocka_unit_test(old_kernels_tell_a_child_by_its_pid),
    /* starts it */
    cmocka_unit_test(start_tells_the_configuration),
    cmocka_unit_test(forked_child_is_another),
    cmocka_unit_test(vforked_child_is_the_same),
    cmocka_unit_test(identity_is_stable_and_the_process_s),
    cmocka_unit_test(program_s_name_may_hold_anything),
    cmocka_unit_test(unreadable_identity_is_an_error),
    cmocka_unit_test(bad_files_of_proc_are_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
