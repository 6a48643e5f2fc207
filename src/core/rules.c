/* rules.c - argument checks of the calls.
 *
 * The order of the checks is that of Linux, tried out call by call: where two errors apply, the
 * kernel's is returned.  Not here: whatever needs to know what is mapped, what the kernel's
 * address limit is, or what the file system says.
 */
#include "core/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <softmap/softmap.h>

/* Linux's own, which not every libc's <sys/mman.h> shows. */
enum {
  LINUX_MAP_TYPE = 0x0f,
  LINUX_PROT_SEM = 0x08, /* accepted by mprotect everywhere, means nothing */
};

/* What MAP_SHARED_VALIDATE lets pass (LEGACY_MAP_MASK of linux/mman.h).  MAP_FIXED_NOREPLACE,
 * MAP_SYNC and five bits without a meaning are missing there too.  The uppermost five bits are the
 * huge page size, which means nothing without MAP_HUGETLB; three of them are SOFTMAP_MAP_*. */
static const unsigned validated_flags =
    LINUX_MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | 0x40 /* MAP_32BIT */ | 0x80 /* MAP_ABOVE4G */ |
    MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |
    MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | 0x7c000000u;

static bool
is_aligned(uint64_t value, size_t page_size) {
  return (value & (page_size - 1)) == 0;
}

/* len rounded up to pages; 0 when that wraps. */
static size_t
round_up(size_t len, size_t page_size) {
  return (len + page_size - 1) & ~(page_size - 1);
}

/* An end of 0 counts as wrapped: no system hands out the last page. */
static bool
range_wraps(uintptr_t addr, size_t len) {
  return len != 0 && addr + len <= addr;
}

/* ---- mmap --------------------------------------------------------------------------------- */

static bool
may_read(const struct rules_map *asked) {
  int mode = asked->open_flags & O_ACCMODE;
  return mode == O_RDONLY || mode == O_RDWR;
}

static bool
may_write(const struct rules_map *asked) {
  int mode = asked->open_flags & O_ACCMODE;
  return mode == O_WRONLY || mode == O_RDWR;
}

/* Length, address and offset. */
static int
check_place(const struct rules_map *asked, size_t skew) {
  if (asked->len == 0)
    return EINVAL;
  if (asked->len > SIZE_MAX - skew)
    return ENOMEM;
  uint64_t size = round_up(asked->len + skew, asked->page_size);
  if (size == 0 || size > INT64_MAX) /* no address space has that, whatever its limit */
    return ENOMEM;
  if (asked->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
    uintptr_t start = asked->addr - (uintptr_t)(asked->addr & (asked->page_size - 1));
    if (range_wraps(start, (size_t)size))
      return ENOMEM;
    if ((asked->addr & (asked->page_size - 1)) != skew)
      return EINVAL;
  }
  uint64_t first = asked->offset - skew;
  uint64_t limit = asked->is_directory ? UINT64_MAX : INT64_MAX;
  return first > limit || size > limit - first ? EOVERFLOW : 0;
}

/* Type of mapping against the way the file is open, and what remains of the flags. */
static int
check_type(const struct rules_map *asked) {
  int type = asked->flags & LINUX_MAP_TYPE;
  if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
    return EINVAL;
  if (type == MAP_SHARED_VALIDATE && ((unsigned)asked->flags & ~validated_flags) != 0)
    return EOPNOTSUPP;
  if (asked->flags & SOFTMAP_MAP_ATOMIC && asked->flags & SOFTMAP_MAP_MERGE)
    return EINVAL;
  if (type != MAP_PRIVATE && (asked->prot & PROT_WRITE) && !may_write(asked))
    return EACCES;
  if (!may_read(asked))
    return EACCES;
  if (asked->is_directory)
    return ENODEV;
  return asked->flags & MAP_GROWSDOWN ? EINVAL : 0;
}

int
rules_map(const struct rules_map *asked) {
  /* 32-bit hosts count pages of 4 KiB in 32 bits, and call what lies behind them invalid. */
  if (sizeof(long) == 4 && asked->offset >> 44)
    return EINVAL;
  bool any_offset = (asked->flags & SOFTMAP_MAP_ANY_OFFSET) && !(asked->flags & MAP_HUGETLB);
  if (!any_offset && !is_aligned(asked->offset, asked->page_size))
    return EINVAL;
  if (asked->open_flags & O_PATH)
    return EBADF;
  if (asked->flags & MAP_HUGETLB)
    return EINVAL;
  int err = check_place(asked, (size_t)(asked->offset & (asked->page_size - 1)));
  return err != 0 ? err : check_type(asked);
}

/* ---- The calls on a range ----------------------------------------------------------------- */

/* Alignment and wrapping, as most calls see them; a len of 0 is an empty range. */
static int
check_range(uintptr_t addr, size_t len, size_t page_size, int err_wraps, uintptr_t *end) {
  if (!is_aligned(addr, page_size))
    return EINVAL;
  size_t size = round_up(len, page_size);
  if ((len != 0 && size == 0) || range_wraps(addr, size))
    return err_wraps;
  *end = addr + size;
  return 0;
}

int
rules_unmap(uintptr_t addr, size_t len, size_t page_size, uintptr_t *end) {
  if (len == 0)
    return EINVAL;
  return check_range(addr, len, page_size, EINVAL, end);
}

int
rules_protect(uintptr_t addr, size_t len, int prot, size_t page_size, uintptr_t *end) {
  int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
    return EINVAL;
  uintptr_t behind;
  int err = check_range(addr, len, page_size, ENOMEM, &behind);
  if (err != 0)
    return err;
  if (len != 0 && (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | LINUX_PROT_SEM | grows)) != 0)
    return EINVAL;
  *end = behind;
  return 0;
}

int
rules_sync(uintptr_t addr, size_t len, int flags, size_t page_size, uintptr_t *end) {
  if ((flags & ~(MS_SYNC | MS_ASYNC | MS_INVALIDATE)) != 0)
    return EINVAL;
  if ((flags & MS_SYNC) && (flags & MS_ASYNC))
    return EINVAL;
  /* Linux: a length that rounds to 0 is one. */
  if (round_up(len, page_size) == 0)
    len = 0;
  return check_range(addr, len, page_size, ENOMEM, end);
}

int
rules_advise(uintptr_t addr, size_t len, size_t page_size, uintptr_t *end) {
  return check_range(addr, len, page_size, EINVAL, end);
}

int
rules_resident(uintptr_t addr, size_t len, size_t page_size, uintptr_t *end) {
  return check_range(addr, len, page_size, ENOMEM, end);
}

/* ---- mremap ------------------------------------------------------------------------------- */

/* The new place, where one is named. */
static int
check_new_place(const struct rules_remap *asked, size_t old_size, size_t new_size) {
  if (!is_aligned(asked->new_addr, asked->page_size) || range_wraps(asked->new_addr, new_size))
    return EINVAL;
  if (!(asked->flags & MREMAP_MAYMOVE))
    return EINVAL;
  if ((asked->flags & MREMAP_DONTUNMAP) && old_size != new_size)
    return EINVAL;
  bool overlap =
      asked->old_addr + old_size > asked->new_addr && asked->new_addr + new_size > asked->old_addr;
  return overlap ? EINVAL : 0;
}

int
rules_remap(const struct rules_remap *asked) {
  size_t old_size = round_up(asked->old_len, asked->page_size);
  size_t new_size = round_up(asked->new_len, asked->page_size);
  if ((asked->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0)
    return EINVAL;
  if (!is_aligned(asked->old_addr, asked->page_size) || new_size == 0)
    return EINVAL;
  if (range_wraps(asked->old_addr, old_size))
    return EINVAL;
  if (asked->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
    return check_new_place(asked, old_size, new_size);
  return 0;
}

/* ---- Protection --------------------------------------------------------------------------- */

int
rules_actual(int asked, bool is_shared, bool is_shown, bool is_open) {
  if (!is_shown)
    return PROT_NONE;
  if (!is_shared || is_open || !(asked & PROT_WRITE))
    return asked;
  return (asked & ~PROT_WRITE) | PROT_READ;
}
