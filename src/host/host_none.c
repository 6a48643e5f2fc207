/* host_none.c - a host that can do nothing: where a port starts.
 *
 * Copy it to host_NAME.c, fill the functions in in the order of host.h, whose comments are the
 * contract, and add the file to the build in place of host_posix_*.c.  arena.c, lock.c and inject.c
 * stay as they are.  Each function goes through inject_before and inject_after, as those of
 * host_posix_*.c do.  This file is compiled by a check, so that it keeps up with host.h, and
 * linked to nothing.
 */
#include <errno.h>

#include "host/host.h"

struct host_config host_config; /* all members 0 */

int
host_start(void) {
  return ENOSYS;
}

int
host_map_own(void **out, size_t len, int prot, int flags, int fd, off_t offset) {
  (void)out;
  (void)len;
  (void)prot;
  (void)flags;
  (void)fd;
  (void)offset;
  return ENOSYS;
}

int
host_map(void **out, void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  (void)out;
  (void)addr;
  (void)len;
  (void)prot;
  (void)flags;
  (void)fd;
  (void)offset;
  return ENOSYS;
}

int
host_unmap(void *addr, size_t len) {
  (void)addr;
  (void)len;
  return ENOSYS;
}

int
host_protect(void *addr, size_t len, int prot) {
  (void)addr;
  (void)len;
  (void)prot;
  return ENOSYS;
}

int
host_remap(void **out, void *old_addr, size_t old_len, size_t new_len, int flags, void *new_addr) {
  (void)out;
  (void)old_addr;
  (void)old_len;
  (void)new_len;
  (void)flags;
  (void)new_addr;
  return ENOSYS;
}

int
host_advise(void *addr, size_t len, int advice) {
  (void)addr;
  (void)len;
  (void)advice;
  return ENOSYS;
}

int
host_sync_memory(void *addr, size_t len, int flags) {
  (void)addr;
  (void)len;
  (void)flags;
  return ENOSYS;
}

int
host_resident(void *addr, size_t len, unsigned char *vec) {
  (void)addr;
  (void)len;
  (void)vec;
  return ENOSYS;
}

int
host_copy_from(void *to, const void *from, size_t len) {
  (void)to;
  (void)from;
  (void)len;
  return ENOSYS;
}

int
host_lock_memory(const void *addr, size_t len) {
  (void)addr;
  (void)len;
  return ENOSYS;
}

int
host_unlock_memory(const void *addr, size_t len) {
  (void)addr;
  (void)len;
  return ENOSYS;
}

int
host_open(int *out, int dirfd, const char *name, int flags, mode_t mode) {
  (void)out;
  (void)dirfd;
  (void)name;
  (void)flags;
  (void)mode;
  return ENOSYS;
}

int
host_reopen(int *out, int fd, int flags) {
  (void)out;
  (void)fd;
  (void)flags;
  return ENOSYS;
}

int
host_close(int fd) {
  (void)fd;
  return ENOSYS;
}

int
host_stat_fd(int fd, struct host_stat *out) {
  (void)fd;
  (void)out;
  return ENOSYS;
}

int
host_stat_path(const char *path, struct host_stat *out) {
  (void)path;
  (void)out;
  return ENOSYS;
}

int
host_open_flags(int fd, int *out) {
  (void)fd;
  (void)out;
  return ENOSYS;
}

int
host_read(int fd, void *buf, size_t len, uint64_t offset, size_t *got) {
  (void)fd;
  (void)buf;
  (void)len;
  (void)offset;
  (void)got;
  return ENOSYS;
}

int
host_read_vectors(int fd, const struct iovec *vec, int nvec, uint64_t offset, size_t *got) {
  (void)fd;
  (void)vec;
  (void)nvec;
  (void)offset;
  (void)got;
  return ENOSYS;
}

int
host_write(int fd, const struct iovec *vec, int nvec, uint64_t offset, size_t *put) {
  (void)fd;
  (void)vec;
  (void)nvec;
  (void)offset;
  (void)put;
  return ENOSYS;
}

int
host_resize(int fd, uint64_t size) {
  (void)fd;
  (void)size;
  return ENOSYS;
}

int
host_flush(int fd) {
  (void)fd;
  return ENOSYS;
}

int
host_flush_all(int fd) {
  (void)fd;
  return ENOSYS;
}

int
host_flush_names(int fd) {
  (void)fd;
  return ENOSYS;
}

int
host_next_data(int fd, uint64_t offset, uint64_t limit, uint64_t *start, uint64_t *end) {
  (void)fd;
  (void)offset;
  (void)limit;
  (void)start;
  (void)end;
  return ENOSYS;
}

int
host_punch(int fd, uint64_t offset, uint64_t len) {
  (void)fd;
  (void)offset;
  (void)len;
  return ENOSYS;
}

int
host_make_dir(int dirfd, const char *name, mode_t mode) {
  (void)dirfd;
  (void)name;
  (void)mode;
  return ENOSYS;
}

int
host_remove_dir(int dirfd, const char *name) {
  (void)dirfd;
  (void)name;
  return ENOSYS;
}

int
host_list(int fd, int (*fn)(const char *name, void *arg), void *arg) {
  (void)fd;
  (void)fn;
  (void)arg;
  return ENOSYS;
}

int
host_rename(int dirfd, const char *from, const char *to) {
  (void)dirfd;
  (void)from;
  (void)to;
  return ENOSYS;
}

int
host_unlink(int dirfd, const char *name) {
  (void)dirfd;
  (void)name;
  return ENOSYS;
}

int
host_set_mode(int fd, mode_t mode) {
  (void)fd;
  (void)mode;
  return ENOSYS;
}

int
host_path_of(int fd, char *out, size_t size) {
  (void)fd;
  (void)out;
  (void)size;
  return ENOSYS;
}

int
host_byte_lock(int fd, uint64_t offset) {
  (void)fd;
  (void)offset;
  return ENOSYS;
}

int
host_byte_share(int fd, uint64_t offset) {
  (void)fd;
  (void)offset;
  return ENOSYS;
}

int
host_byte_unlock(int fd, uint64_t offset) {
  (void)fd;
  (void)offset;
  return ENOSYS;
}

int
host_byte_is_locked(int fd, uint64_t offset, bool *out) {
  (void)fd;
  (void)offset;
  (void)out;
  return ENOSYS;
}

int
host_table_leave(void) {
  return ENOSYS;
}

int
host_channel(int out[2]) {
  (void)out;
  return ENOSYS;
}

int
host_send_fds(int channel, const void *msg, size_t len, const int *fds, int n) {
  (void)channel;
  (void)msg;
  (void)len;
  (void)fds;
  (void)n;
  return ENOSYS;
}

int
host_receive_fds(int channel, void *msg, size_t len, int *fds, int n) {
  (void)channel;
  (void)msg;
  (void)len;
  (void)fds;
  (void)n;
  return ENOSYS;
}

int
host_inbox(int *out, struct host_inbox_address *address) {
  (void)out;
  (void)address;
  return ENOSYS;
}

int
host_inbox_post(const struct host_inbox_address *address, uint64_t ticket, int fd) {
  (void)address;
  (void)ticket;
  (void)fd;
  return ENOSYS;
}

int
host_inbox_take(int inbox, uint64_t *ticket, int *fd) {
  (void)inbox;
  (void)ticket;
  (void)fd;
  return ENOSYS;
}
