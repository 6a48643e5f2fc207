/* fence.c - what keeps a stopped process from putting bytes into the data too late.
 *
 * A fill reads the file aside and then writes into the data.  If its process is stopped in between
 * and others fill the page, whose program stores to it, that write would destroy the stores.  So
 * the first byte of every write into the data comes from a small file of the lane's, a table of
 * all byte values; whoever takes over from a stopped process cuts that file off first, and the
 * late write fails at its first byte, with EFAULT.
 *
 * Where bytes are read from the file straight into the data (window.c), the one byte that is put into
 * the fence comes first, and serves the same end.
 *
 * A fill uses the fence that its lane had before it claimed, for all its writes: a later one, made
 * since that one was cut off, would let them pass (models/fill.pml, FENCE_OF_NOW).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "core/text.h"
#include "section/section.h"

#define FENCE_SIZE 256
/* Mapped larger than it is: one page would find room in a hole that the program has left between its
 * own mappings, and a munmap of theirs over the hole would take it away. */
#define FENCE_SPAN ((size_t)1 << 18)

static struct text
name_of(uint32_t lane) {
  struct text name = { 0 };
  text_add(&name, "fence-");
  text_add_number(&name, lane);
  return name;
}

static int
put_table(int fd) {
  unsigned char table[FENCE_SIZE];
  struct iovec vec;
  size_t put;
  int error = 0;
  for (unsigned i = 0; i < FENCE_SIZE; i++)
    table[i] = (unsigned char)i;
  for (size_t done = 0; done < sizeof table && !error; done += put) {
    vec = (struct iovec){ table + done, sizeof table - done };
    error = host_write(fd, &vec, 1, done, &put);
    error = !error && put == 0 ? ENOSPC : error;
  }
  return error;
}

/* A new file, whatever there was: an older one may be cut off at any moment. */
static int
make(struct section *section, void **out) {
  struct text name = name_of(section->lane);
  int fd;
  int error = host_unlink(section->dir_fd, name.at);
  if (error && error != ENOENT)
    return error;
  error = host_open(&fd, section->dir_fd, name.at,
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error;
  error = put_table(fd);
  if (!error)
    error = extent_map_file(fd, 0, FENCE_SPAN, PROT_READ | PROT_WRITE, out);
  int close_error = host_close(fd);
  if (!error && close_error && !host_unmap(*out, FENCE_SPAN))
    *out = NULL;
  return error ? error : close_error;
}

int
fence_ready(struct section *section, const unsigned char **out) {
  *out = atomic_load(&section->fence);
  if (*out)
    return 0;
  void *table = NULL;
  lock_take(&section->peers_lock);
  int error = atomic_load(&section->fence) ? 0 : make(section, &table);
  if (!error && table) {
    error = host_advise(table, FENCE_SPAN, MADV_DONTFORK);
    atomic_store(&section->fence, table);
  }
  *out = atomic_load(&section->fence);
  lock_drop(&section->peers_lock);
  return error;
}

/* Unmapped with the section; one too many stays to the end. */
static void
keep_old(struct section *section, const unsigned char *fence) {
  for (int i = 0; i < OLD_FENCES; i++) {
    const unsigned char *none = NULL;
    if (atomic_compare_exchange_strong(&section->old_fences[i], &none, fence))
      return;
  }
}

/* The old table stays mapped, as an address that faults: another keeper may be about to use it. */
int
fence_was_revoked(struct section *section, const unsigned char *fence) {
  const unsigned char *expected = fence;
  if (atomic_compare_exchange_strong(&section->fence, &expected, NULL))
    keep_old(section, fence);
  return ECANCELED;
}

/* Behind the table, in its page. */
unsigned char *
fence_scratch(const unsigned char *fence) {
  return (unsigned char *)(uintptr_t)fence + FENCE_SIZE;
}

static int
revoke_lane(struct section *section, uint32_t lane) {
  struct text name = name_of(lane);
  int fd;
  int error = host_open(&fd, section->dir_fd, name.at, O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (error)
    return error == ENOENT ? 0 : error; /* it has none yet, and claims nothing before */
  error = host_resize(fd, 0);
  int close_error = host_close(fd);
  return error ? error : close_error;
}

int
fence_revoke(struct section *section, uint32_t hand) {
  uint32_t lanes = atomic_load(&section->control->lanes);
  int error = 0;
  for (uint32_t lane = hand; lane < lanes && lane < LANE_MAX && !error; lane += PAGE_HANDS)
    error = revoke_lane(section, lane);
  return error;
}

static void
drop_old(struct section *section) {
  for (int i = 0; i < OLD_FENCES; i++) {
    const unsigned char *old = atomic_exchange(&section->old_fences[i], NULL);
    if (old && host_unmap((void *)(uintptr_t)old, FENCE_SPAN))
      host_yield(); /* an area more, of a file that is empty */
  }
}

void
fence_drop(struct section *section) {
  drop_old(section);
  const unsigned char *fence = atomic_exchange(&section->fence, NULL);
  if (!fence)
    return;
  if (host_unmap((void *)(uintptr_t)fence, FENCE_SPAN))
    return;
  struct text name = name_of(section->lane);
  if (section->dir_fd >= 0 && host_unlink(section->dir_fd, name.at))
    return; /* goes with the section */
}

void
fence_forget(struct section *section) {
  atomic_store(&section->fence, NULL);
  for (int i = 0; i < OLD_FENCES; i++)
    atomic_store(&section->old_fences[i], NULL);
}
