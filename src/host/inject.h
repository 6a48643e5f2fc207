/* inject.h - fail, shorten or end at the nth call of the host layer; in test builds only.
 *
 * With SOFTMAP_INJECT undefined everything here is a constant 0 and costs nothing.  The table is
 * process-wide and inherited by fork.  Tests arm it, run, look at how often it fired and disarm.
 */
#ifndef SOFTMAP_INJECT_H
#define SOFTMAP_INJECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* One site a host function, and one for the arena (alloc: no memory, whatever the error); HOST_CALL_COUNT
 * comes last. */
#define HOST_CALLS(X)                                                                              \
  X(map)                                                                                           \
  X(unmap)                                                                                         \
  X(protect)                                                                                       \
  X(remap)                                                                                         \
  X(advise) X(sync_memory) X(resident) X(copy_from) X(lock_memory) X(unlock_memory) X(open)        \
      X(reopen) X(close) X(stat_fd) X(stat_path) X(open_flags) X(read) X(write) X(resize) X(flush) \
          X(punch) X(next_data) X(make_dir) X(remove_dir) X(list) X(rename) X(unlink) X(path_of)   \
              X(byte_lock) X(byte_share) X(set_mode) X(byte_unlock) X(byte_is_locked)              \
                  X(table_leave) X(channel) X(send_fds) X(receive_fds) X(inbox) X(inbox_post)      \
                      X(inbox_take) X(thread_start) X(thread_count) X(robust_locks) X(identity)    \
                          X(watch_fork) X(signal_action) X(copy_memory) X(flush_names)             \
                              X(watch_open) X(watch_add) X(watch_begin) X(watch_scan) X(alloc)

enum host_call {
#define X(name) HOST_CALL_##name,
  HOST_CALLS(X)
#undef X
      HOST_CALL_COUNT
};

#ifdef SOFTMAP_INJECT
/* What a site does from its nth call on (n counts from 1, from arming). */
struct inject_rule {
  enum host_call call;
  uint32_t nth;     /* first call concerned */
  uint32_t times;   /* how many calls from there; UINT32_MAX: persistently */
  int error;        /* errno to fail with; 0: don't fail */
  uint32_t shorten; /* read and write: at most so many bytes; 0: as asked */
  int kill;         /* 1: SIGKILL instead of the call */
  int kill_after;   /* 1: SIGKILL when the call is done */
  int stop_after;   /* 1: SIGSTOP when the call is done */
  int hold;         /* 1: the calling thread waits for inject_release; then it does the rest */
};
void inject_arm(const struct inject_rule *rule); /* one rule at a time; replaces the last */
void inject_disarm(void);
uint32_t inject_fired(void);                /* calls concerned since arming */
void inject_release(uint32_t n);            /* let the first n held calls go on */
uint32_t inject_calls(enum host_call call); /* calls of the site since arming */
const char *inject_name(enum host_call call);
/* Called after each call that changes a file or makes a change durable, by the thread that made it: what
 * a crash would have left can be played from that.  Of host_open: those with O_CREAT. */
struct inject_change {
  enum host_call call; /* open, write, resize, unlink, flush, flush_names */
  int fd;              /* of the directory, where there is a name */
  const char *name;
  const struct iovec *vec;
  uint64_t offset; /* resize: the size */
  size_t len;      /* written */
};
extern void (*inject_record)(const struct inject_change *change); /* NULL: nobody looks */
void inject_changed(enum host_call call, int fd, const char *name, const struct iovec *vec,
                    uint64_t offset, size_t len);
/* host_start: arm what SOFTMAP_TEST_INJECT asks for; see inject.c. */
void inject_configure(void);
/* For the host layer: the errno to fail with, or 0; may end the process. */
int inject_before(enum host_call call);
void inject_after(enum host_call call);
size_t inject_shorten(enum host_call call, size_t len);
#else
#define inject_before(call) 0
#define inject_after(call) ((void)0)
#define inject_changed(call, fd, name, vec, offset, len) ((void)0)
#define inject_shorten(call, len) (len)
#endif

#endif
