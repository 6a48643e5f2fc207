/* map.c - mmap and munmap. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "api/call.h"
#include "api/shim.h"
#include "core/rules.h"
#include "process/options.h"
#include "section/directory.h"
#include "signal/install.h"
#include "trace/counters.h"

#define OUR_FLAGS (SOFTMAP_MAP_ANY_OFFSET | SOFTMAP_MAP_MERGE | SOFTMAP_MAP_ATOMIC)

struct request {
  void *addr;
  size_t len;
  int prot, flags, fd;
  off_t offset;
};

/* ---- The host's business ------------------------------------------------------------------- */

static int
host_does(const struct request *asked, void **out) {
  return host_map(out, asked->addr, asked->len, asked->prot, asked->flags, asked->fd,
                  asked->offset);
}

/* Would the host do it?  Asked elsewhere, before ours are taken away for it. */
static int
host_would(const struct request *asked) {
  struct request elsewhere = *asked;
  elsewhere.addr = NULL;
  elsewhere.flags &= ~(MAP_FIXED | MAP_POPULATE | MAP_LOCKED);
  void *addr;
  int error = host_does(&elsewhere, &addr);
  return error ? error : host_unmap(addr, asked->len);
}

static bool
overlaps_ours(uintptr_t start, uintptr_t end) {
  const struct mapping *mapping = space_at_or_after(start);
  return mapping && mapping->start < end;
}

/* The host's mapping over ours. */
static int
host_does_over(const struct request *asked, void **out) {
  uintptr_t start = (uintptr_t)asked->addr;
  uintptr_t end;
  if (rules_unmap(start, asked->len, host_config.page_size, &end))
    return host_does(asked, out); /* which says what is wrong */
  struct space_call call;
  struct mapping *cut = NULL;
  space_lock(&call);
  int error = 0;
  if (overlaps_ours(start, end)) {
    error = host_would(asked);
    space_change_begin();
    if (!error)
      error = space_cut(start, end, &cut);
    if (!error)
      error = host_does(asked, out);
    space_change_end();
  } else {
    error = host_does(asked, out);
  }
  space_unlock(&call);
  space_discard(cut);
  return error;
}

static int
pass(const struct request *asked, void **out) {
  counter_add(COUNT_MAPPINGS_PASSED, 1);
  bool is_fixed = (asked->flags & MAP_FIXED) && !(asked->flags & MAP_FIXED_NOREPLACE);
  if (is_fixed && process_is_started() && !call_is_orphan() &&
      !call_is_foreign(asked->addr, asked->len))
    return host_does_over(asked, out);
  return host_does(asked, out);
}

/* ---- Ours ---------------------------------------------------------------------------------- */

/* Memory files, and the section directory's own: mapped by the host. */
static bool
is_hosts_file(int fd, const struct host_stat *stat) {
  static const char memory[] = "/memfd:";
  char path[600];
  if (host_path_of(fd, path, sizeof path))
    return false;
  if (stat->links == 0 && strncmp(path, memory, sizeof memory - 1) == 0)
    return true;
  return directory_holds(path);
}

static int
place(const struct request *asked, const struct host_stat *stat, int open_flags, void **out) {
  size_t page_size = host_config.page_size;
  size_t skew = (size_t)((uint64_t)asked->offset & (page_size - 1));
  struct place place = {
    .addr = (char *)asked->addr - (asked->addr ? skew : 0),
    .len = (asked->len + skew + page_size - 1) & ~(page_size - 1),
    .prot = asked->prot,
    .flags = asked->flags & ~OUR_FLAGS,
    .fd = asked->fd,
    .offset = (uint64_t)asked->offset - skew,
    .device = stat->device,
    .inode = stat->inode,
    .may_write = (open_flags & O_ACCMODE) == O_RDWR,
    .any_offset = asked->flags & SOFTMAP_MAP_ANY_OFFSET,
    .merge = asked->flags & SOFTMAP_MAP_MERGE,
    .is_atomic = (asked->flags & SOFTMAP_MAP_ATOMIC) || options_atomic(),
  };
  struct space_call call;
  struct mapping *cut = NULL;
  space_lock(&call);
  int error = signals_install();
  if (!error)
    error = space_place(&place, out, &cut);
  space_unlock(&call);
  space_discard(cut);
  if (!error) {
    *out = (char *)*out + skew;
    counter_add(COUNT_MAPPINGS_MADE, 1);
  }
  return error;
}

static bool
comes_behind_place(int error) {
  return error == EACCES || error == EOVERFLOW || error == EOPNOTSUPP || error == ENODEV;
}

/* MAP_FIXED_NOREPLACE over something? */
static bool
is_in_the_way(const struct request *asked) {
  void *addr;
  if (!(asked->flags & MAP_FIXED_NOREPLACE))
    return false;
  int error = host_map(&addr, asked->addr, asked->len, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  return error ? error == EEXIST : host_unmap(addr, asked->len) != 0;
}

static int
map(const struct request *asked, void **out) {
  struct host_stat stat;
  int open_flags;
  struct request hosts = *asked;
  size_t page_size = call_page_size(); /* starts the host, too */
  if (!(asked->flags & MAP_HUGETLB))
    hosts.flags &= ~OUR_FLAGS; /* else they are the size of huge pages */
  if (asked->flags & MAP_ANONYMOUS)
    return pass(&hosts, out);
  if (call_is_orphan())
    return EIO;
  if (!(asked->flags & SOFTMAP_MAP_ANY_OFFSET) && (asked->offset & (off_t)(page_size - 1)))
    return EINVAL; /* before anything about fd, as Linux */
  int error = host_open_flags(asked->fd, &open_flags);
  if (!error)
    error = host_stat_fd(asked->fd, &stat);
  if (error)
    return error;
  bool is_directory = S_ISDIR(stat.mode);
  if (!S_ISREG(stat.mode) && !is_directory && !(open_flags & O_PATH))
    return pass(&hosts, out);
  struct rules_map rules = { (uintptr_t)asked->addr, asked->len,   asked->prot, asked->flags,
                             (uint64_t)asked->offset, page_size, open_flags, is_directory };
  error = rules_map(&rules);
  if (error && comes_behind_place(error) && is_in_the_way(asked))
    return EEXIST; /* for which Linux looks first */
  if (error)
    return error;
  if (is_hosts_file(asked->fd, &stat))
    return pass(&hosts, out);
  error = process_start();
  return error ? error : place(asked, &stat, open_flags, out);
}

void *
softmap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  struct request asked = { addr, len, prot, flags, fd, offset };
  void *out = MAP_FAILED;
  return fail(map(&asked, &out)) ? MAP_FAILED : out;
}

/* For the shim, which has chosen the host for this file. */
void *
shim_host_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  struct request asked = { addr, len, prot, flags, fd, offset };
  void *out = MAP_FAILED;
  int error = call_page_size() ? pass(&asked, &out) : ENOMEM;
  return fail(error) ? MAP_FAILED : out;
}

/* ---- munmap -------------------------------------------------------------------------------- */

int
softmap_munmap(void *addr, size_t len) {
  uintptr_t start = (uintptr_t)addr;
  uintptr_t end;
  if (call_is_foreign(addr, len))
    return fail(host_unmap(addr, len));
  call_round_start(&start, &len);
  int error = rules_unmap(start, len, call_page_size(), &end);
  if (error || !process_is_started() || call_is_orphan())
    return fail(error ? error : host_unmap(addr, len));
  struct space_call call;
  struct mapping *cut = NULL;
  space_lock(&call);
  space_change_begin();
  error = space_cut(start, end, &cut);
  if (!error && (error = host_unmap((void *)start, end - start)))
    space_restore(cut);
  space_change_end();
  space_unlock(&call);
  space_discard(cut);
  return fail(error);
}
