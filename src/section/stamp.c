/* stamp.c - hashes of pages, and where they are kept.
 *
 * The file "stamps" of the section: 16 bytes a page, sparse, mapped by extents as states are.  A
 * store into it without room in the section directory would be a SIGBUS: so memory is asked for
 * first, where an error can be told.
 */
#include "section/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* Compiled in: a library that is loaded into any program brings no other with it. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "backing/keeper.h"
#include "host/arena.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* ---- The hash ------------------------------------------------------------------------------ */

struct stamp
stamp_of(const unsigned char *bytes, size_t len) {
  XXH128_hash_t hash = XXH3_128bits(bytes, len);
  struct stamp stamp = { { hash.low64, hash.high64 } };
  stamp.half[0] |= !stamp.half[0] && !stamp.half[1];
  return stamp;
}

/* ---- Their place --------------------------------------------------------------------------- */

/* Pages whose stamps share a page of memory: what is populated at once. */
static uint64_t
share(void) {
  return host_config.page_size / sizeof(struct stamp);
}

/* A byte for each of them. */
static size_t
memory_len(unsigned extent) {
  return (size_t)(extent_pages(extent) / share());
}

static uint64_t
stamps_len(unsigned extent) {
  return extent_pages(extent) * sizeof(struct stamp);
}

static int
map_stamps(struct section *section, int fd, unsigned extent) {
  uint64_t offset = extent_first(extent) * sizeof(struct stamp);
  void *stamps;
  int error = control_reserve(fd, offset + stamps_len(extent));
  if (error)
    return error;
  page_byte *had = arena_alloc(memory_len(extent));
  if (!had)
    return ENOMEM;
  error = host_map_own(&stamps, (size_t)stamps_len(extent), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);
  if (error) {
    arena_free((void *)had, memory_len(extent));
    return error;
  }
  section->extent[extent].stamp_memory = had;
  atomic_store(&section->extent[extent].stamps, stamps);
  return 0;
}

static int
reach(struct section *section, unsigned extent) {
  int fd;
  int error =
      host_open(&fd, section->dir_fd, "stamps", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error;
  error = map_stamps(section, fd, extent);
  int close_error = host_close(fd);
  return error ? error : close_error;
}

static int
populate(struct section *section, uint64_t first, uint64_t n) {
  unsigned k = extent_of(first);
  struct extent *extent = &section->extent[k];
  if (!atomic_load(&extent->stamps)) {
    lock_take(&section->stamps_lock);
    int error = atomic_load(&extent->stamps) ? 0 : reach(section, k);
    lock_drop(&section->stamps_lock);
    if (error)
      return error;
  }
  uint64_t from = (first - extent_first(k)) / share();
  uint64_t to = (first - extent_first(k) + n - 1) / share() + 1;
  for (; from < to && atomic_load(&extent->stamp_memory[from]); from++)
    ;
  if (from == to)
    return 0;
  size_t len = (size_t)((to - from) * share() * sizeof(struct stamp));
  int error = host_advise(&atomic_load(&extent->stamps)[from * share()], len, MADV_POPULATE_WRITE);
  for (; from < to && !error; from++)
    atomic_store(&extent->stamp_memory[from], 1);
  return error == EFAULT || error == ENOMEM ? ENOSPC : error;
}

int
stamp_ready(struct section *section, uint64_t first, uint64_t n) {
  int error = 0;
  for (uint64_t page = first; page < first + n && !error;) {
    uint64_t end = extent_first(extent_of(page) + 1);
    end = end < first + n ? end : first + n;
    error = populate(section, page, end - page);
    page = end;
  }
  return error;
}

static struct stamp *
place_of(struct section *section, uint64_t page) {
  unsigned k = extent_of(page);
  return &atomic_load(&section->extent[k].stamps)[page - extent_first(k)];
}

void
stamp_set(struct section *section, uint64_t page, struct stamp stamp) {
  struct stamp *place = place_of(section, page);
  __atomic_store_n(&place->half[0], stamp.half[0], __ATOMIC_SEQ_CST);
  __atomic_store_n(&place->half[1], stamp.half[1], __ATOMIC_SEQ_CST);
}

struct stamp
stamp_get(struct section *section, uint64_t page) {
  struct stamp *place = place_of(section, page);
  return (struct stamp){ { __atomic_load_n(&place->half[0], __ATOMIC_SEQ_CST),
                           __atomic_load_n(&place->half[1], __ATOMIC_SEQ_CST) } };
}

int
stamp_want(struct section *section) {
  uint64_t now = atomic_load(&section->control->watch);
  while (!(now & (CONTROL_WATCHED | CONTROL_MERGED)) &&
         !atomic_compare_exchange_weak(&section->control->watch, &now, now | CONTROL_WATCHED))
    ;
  return now & CONTROL_MERGED ? EBUSY : 0;
}

/* ---- Stamping ------------------------------------------------------------------------------ */

/* Read before it is looked whether the page is still in our hand: what others, who took it over,
 * let be stored to it is not in what was read, then. */
static int
stamp_chunk(struct section *section, uint64_t first, uint64_t n, uint8_t mark) {
  unsigned char *bytes = keeper_buffer();
  size_t page_size = host_config.page_size;
  size_t len = (size_t)n * page_size;
  size_t got;
  int error = data_read(section, bytes, len, first << host_config.page_shift, &got);
  if (error)
    return error;
  memset(bytes + got, 0, len - got);
  for (uint64_t i = 0; i < n; i++) {
    struct stamp stamp = stamp_of(bytes + i * page_size, page_size);
    if (!mark || (atomic_load(section_lane(section, first + i)) & mark))
      stamp_set(section, first + i, stamp);
  }
  return 0;
}

int
stamp_pages(struct section *section, uint64_t first, uint64_t n, uint8_t mark) {
  uint64_t most = KEEPER_BUFFER >> host_config.page_shift;
  int error = stamp_ready(section, first, n);
  for (uint64_t done = 0; done < n && !error; done += most)
    error = stamp_chunk(section, first + done, n - done < most ? n - done : most, mark);
  return error;
}

void
stamp_drop(struct section *section) {
  for (unsigned k = 0; k < EXTENT_MAX; k++) {
    struct extent *extent = &section->extent[k];
    struct stamp *stamps = atomic_exchange(&extent->stamps, NULL);
    if (stamps && host_unmap(stamps, (size_t)stamps_len(k)))
      host_yield(); /* stays, unused */
    arena_free((void *)extent->stamp_memory, memory_len(k));
    extent->stamp_memory = NULL;
  }
}
