/* Fault injection: every function of the host layer is a site of its own.  What a rule chooses and
 * does is in host_inject_rule.c. */
#include "host_test.h"
#include "host/arena.h"

#include <sys/stat.h>
#include <sys/uio.h>

#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

static char *area; /* two pages */
static int dir, file;
static int channel[2];
static int inbox;
static struct host_inbox_address address;

static int
set_up(void **state) {
  void *out = NULL;
  (void)state;
  dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  file = new_file("file", 0);
  if (host_start() != 0 || ftruncate(file, 100) != 0)
    return -1;
  if (host_map(&out, NULL, 2 * host_config.page_size, PROT_READ | PROT_WRITE, PRIVATE, -1, 0) != 0)
    return -1;
  area = (char *)out;
  return host_channel(channel) != 0 || host_inbox(&inbox, &address) != 0;
}

/* ---- One call of each site that succeeds, and leaves all as it was -------------------------- */

static int
call_map(void) {
  void *out = NULL;
  int error = host_map(&out, NULL, host_config.page_size, PROT_READ, PRIVATE, -1, 0);
  if (error == 0)
    munmap(out, host_config.page_size);
  return error;
}
static int
call_unmap(void) {
  void *out = mmap(NULL, host_config.page_size, PROT_READ, PRIVATE, -1, 0);
  int error = host_unmap(out, host_config.page_size);
  if (error != 0)
    munmap(out, host_config.page_size);
  return error;
}
static int
call_protect(void) {
  return host_protect(area, host_config.page_size, PROT_READ | PROT_WRITE);
}
static int
call_remap(void) {
  void *out = NULL;
  return host_remap(&out, area, host_config.page_size, host_config.page_size, 0, NULL);
}
static int
call_advise(void) {
  return host_advise(area, host_config.page_size, MADV_NORMAL);
}
static int
call_sync_memory(void) {
  return host_sync_memory(area, host_config.page_size, MS_ASYNC);
}
static int
call_resident(void) {
  unsigned char vec[1];
  return host_resident(area, host_config.page_size, vec);
}
static int
call_lock_memory(void) {
  return host_lock_memory(area, host_config.page_size);
}
static int
call_unlock_memory(void) {
  return host_unlock_memory(area, host_config.page_size);
}
static int
call_open(void) {
  int fd = -1;
  int error = host_open(&fd, dir, "file", O_RDONLY, 0);
  if (error == 0)
    close(fd);
  return error;
}
static int
call_reopen(void) {
  int fd = -1;
  int error = host_reopen(&fd, file, O_RDONLY);
  if (error == 0)
    close(fd);
  return error;
}
static int
call_close(void) {
  int fd = dup(file);
  int error = host_close(fd);
  if (error != 0)
    close(fd);
  return error;
}
static int
call_stat_fd(void) {
  struct host_stat st;
  return host_stat_fd(file, &st);
}
static int
call_stat_path(void) {
  struct host_stat st;
  return host_stat_path("file", &st);
}
static int
call_open_flags(void) {
  int flags;
  return host_open_flags(file, &flags);
}
static int
call_read(void) {
  char byte;
  size_t got;
  return host_read(file, &byte, 1, 0, &got);
}
static int
call_write(void) {
  char byte = 0;
  struct iovec vec = { &byte, 1 };
  size_t put;
  return host_write(file, &vec, 1, 0, &put);
}
static int
call_resize(void) {
  return host_resize(file, 100);
}
static int
call_flush(void) {
  return host_flush(file);
}

static int
call_flush_names(void) {
  return host_flush_names(file);
}
static int
call_next_data(void) {
  uint64_t start, end;
  return host_next_data(file, 0, 100, &start, &end);
}
static int
call_punch(void) {
  return host_punch(file, 4096, 4096);
}
static int
call_make_dir(void) {
  int error = host_make_dir(AT_FDCWD, "new", 0700);
  if (error == 0)
    rmdir("new");
  return error;
}
static int
call_remove_dir(void) {
  mkdir("new", 0700);
  return host_remove_dir(AT_FDCWD, "new");
}
static int
count_name(const char *entry, void *arg) {
  (void)entry;
  ++*(int *)arg;
  return 0;
}
static int
call_list(void) {
  int n = 0;
  int error = host_list(dir, count_name, &n);
  return error != 0 ? error : n > 0 ? 0 : EPROTO;
}
static int
call_rename(void) {
  mkdir("new", 0700);
  int error = host_rename(AT_FDCWD, "new", "new-name");
  rmdir(error == 0 ? "new-name" : "new");
  return error;
}
static int
call_unlink(void) {
  close(new_file("other", 0));
  return host_unlink(dir, "other");
}
static int
call_path_of(void) {
  char path[16];
  return host_path_of(file, path, sizeof path);
}
static int
call_byte_lock(void) {
  return host_byte_lock(file, 0);
}
static int
call_byte_share(void) {
  return host_byte_share(file, 0);
}
static int
call_set_mode(void) {
  return host_set_mode(file, 0600);
}
static int
call_byte_unlock(void) {
  return host_byte_unlock(file, 0);
}
static int
call_byte_is_locked(void) {
  bool out;
  return host_byte_is_locked(file, 0, &out);
}
static int
leave_in_child(void *arg) {
  (void)arg;
  return host_table_leave(); /* a process of one thread: only closes all */
}
static int
call_table_leave(void) {
  int error = in_child(leave_in_child, NULL);
  errno = ERRNO_UNTOUCHED;
  return error;
}
static int
call_channel(void) {
  int ends[2];
  int error = host_channel(ends);
  if (error == 0) {
    close(ends[0]);
    close(ends[1]);
  }
  return error;
}
static int
drain(void) {
  uint64_t ticket;
  int fd = -1;
  int error = host_receive_fds(channel[1], &ticket, sizeof ticket, &fd, 1);
  if (error == 0)
    close(fd);
  return error;
}
static int
call_send_fds(void) {
  uint64_t ticket = 1;
  int error = host_send_fds(channel[0], &ticket, sizeof ticket, &file, 1);
  if (error == 0)
    error = drain();
  return error;
}
static int
call_receive_fds(void) {
  uint64_t ticket = 1;
  int error = host_send_fds(channel[0], &ticket, sizeof ticket, &file, 1);
  if (error == 0 && (error = drain()) != 0 && error != ENODATA) {
    inject_disarm(); /* the message is still there */
    if (drain() != 0)
      error = EPROTO;
  }
  return error;
}
static int
call_inbox(void) {
  struct host_inbox_address name;
  int fd = -1;
  int error = host_inbox(&fd, &name);
  if (error == 0)
    close(fd);
  return error;
}
static int
call_inbox_post(void) {
  uint64_t ticket;
  int fd = -1;
  int error = host_inbox_post(&address, 1, file);
  if (error == 0 && (error = host_inbox_take(inbox, &ticket, &fd)) == 0)
    close(fd);
  return error;
}
static int
call_inbox_take(void) {
  int error = call_inbox_post();
  if (error != 0) {
    uint64_t ticket;
    int fd = -1;
    inject_disarm();
    if (host_inbox_take(inbox, &ticket, &fd) != 0)
      return EPROTO;
    close(fd);
  }
  return error;
}
static void *
do_nothing(void *arg) {
  return arg;
}
static int
call_thread_start(void) {
  return host_thread_start(do_nothing, NULL, "softmap");
}
static int
call_copy_from(void) {
  char from = 'x', to;
  return host_copy_from(&to, &from, 1);
}
static int
call_thread_count(void) {
  unsigned count;
  return host_thread_count(&count);
}
static int
call_identity(void) {
  struct host_identity identity;
  return host_identity(&identity);
}
static int
call_robust_locks(void) {
  uintptr_t locks[4];
  size_t n;
  return host_robust_locks(locks, 4, &n);
}
static int
call_watch_fork(void) {
  return host_watch_fork(NULL, NULL, NULL);
}
static int
call_watch_open(void) {
  struct host_watch watch;
  int error = host_watch_open(&watch);
  if (error == 0)
    host_watch_close(&watch);
  return error;
}
static int
with_watch(int (*call)(const struct host_watch *watch)) {
  struct host_watch watch;
  int error = host_watch_open(&watch);
  if (error != 0)
    return error;
  error = call(&watch);
  host_watch_close(&watch);
  return error;
}
static int
add_to(const struct host_watch *watch) {
  return host_watch_add(watch, area, host_config.page_size);
}
static int
begin_in(const struct host_watch *watch) {
  int error = host_watch_add(watch, area, host_config.page_size);
  return error != 0 ? error : host_watch_begin(watch, area, host_config.page_size);
}
static int
scan_in(const struct host_watch *watch) {
  struct host_run run;
  size_t n;
  uintptr_t at = (uintptr_t)area;
  int error = host_watch_add(watch, area, host_config.page_size);
  return error != 0 ? error : host_watch_scan(watch, &at, at + host_config.page_size, false, &run, 1, &n);
}
static int
call_watch_add(void) {
  return with_watch(add_to);
}
static int
call_watch_begin(void) {
  return with_watch(begin_in);
}
static int
call_watch_scan(void) {
  return with_watch(scan_in);
}
static int
call_signal_action(void) {
  struct sigaction old;
  return host_signal_action(SIGUSR1, NULL, &old);
}
static int
call_copy_memory(void) {
  char from[4] = "abc", to[4];
  struct iovec vec[2] = { { to, sizeof to }, { from, sizeof from } };
  size_t done;
  return host_copy_memory(&vec[0], 1, &vec[1], 1, &done);
}
/* NULL says that it failed, not how. */
static int
call_alloc(void) {
  void *block = arena_alloc(16);
  arena_free(block, 16);
  return block != NULL ? 0 : EXDEV;
}

static const struct host_row sites[] = {
#define X(site) { #site, call_##site, 0 },
  HOST_CALLS(X)
#undef X
};

static void
every_site_succeeds_unharmed_and_fails_as_told(void **state) {
  bool has_watch = call_watch_open() != EOPNOTSUPP;
  (void)state;
  for (int i = 0; i < HOST_CALL_COUNT; i++) {
    enum host_call call = (enum host_call)i;
    if (call >= HOST_CALL_watch_open && call <= HOST_CALL_watch_scan && !has_watch)
      continue; /* this host has none */
    assert_string_equal(inject_name(call), sites[i].name);
    /* the control: a rule that never applies */
    struct inject_rule rule = { .call = call, .nth = 1000, .times = 1, .error = EXDEV };
    inject_arm(&rule);
    errno = ERRNO_UNTOUCHED;
    int error = sites[i].fn();
    if (error != 0 || errno != ERRNO_UNTOUCHED || inject_fired() != 0)
      fail_msg("%s: error %d, errno %d, fired %u", sites[i].name, error, errno, inject_fired());
    if (call != HOST_CALL_table_leave && inject_calls(call) != 1)
      fail_msg("%s: counted %u times", sites[i].name, inject_calls(call));
    fail_call(call, EXDEV);
    errno = ERRNO_UNTOUCHED;
    error = sites[i].fn();
    if (error != EXDEV || errno != ERRNO_UNTOUCHED)
      fail_msg("%s: injected, error %d, errno %d", sites[i].name, error, errno);
    if (call != HOST_CALL_table_leave && inject_fired() == 0)
      fail_msg("%s: didn't count itself", sites[i].name);
    inject_disarm();
    if (sites[i].fn() != 0)
      fail_msg("%s: fails when disarmed", sites[i].name);
  }
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_site_succeeds_unharmed_and_fails_as_told),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
