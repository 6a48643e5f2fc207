/* twins.c - the places of twins: whose is which. */
#include "section/twins.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "section/files.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; else as it comes */
#endif

#define KEY_PAGE_BITS 40
#define KEY_PAGE_MASK (((uint64_t)1 << KEY_PAGE_BITS) - 1)
#define KEY_TURN ((uint64_t)1 << KEY_PAGE_BITS)
#define KEY_MAKING ((uint64_t)1 << 63)

_Static_assert(SECTION_PAGES_MAX < KEY_PAGE_MASK, "a key holds a page");

/* ---- The file ------------------------------------------------------------------------------ */

static uint64_t
keys_len(uint32_t count) {
  uint64_t len = (uint64_t)count * sizeof(uint64_t);
  return (len + CONTROL_UNIT - 1) / CONTROL_UNIT * CONTROL_UNIT;
}

static size_t
whole_len(uint32_t count) {
  return (size_t)(keys_len(count) + ((uint64_t)count << host_config.page_shift));
}

static int
map_file(struct section *section, uint32_t count) {
  int fd;
  int error = files_open_twins(section, &fd);
  if (error)
    return error;
  void *addr;
  error = control_reserve(fd, whole_len(count));
  if (!error)
    error = host_map_own(&addr, whole_len(count), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_NORESERVE, fd, 0);
  int close_error = host_close(fd);
  if (error)
    return error;
  /* So that the handler doesn't meet a full section directory when it looks at keys. */
  size_t used = ((size_t)count * sizeof(uint64_t) + host_config.page_size - 1) /
                host_config.page_size * host_config.page_size;
  error = host_advise(addr, used, MADV_POPULATE_WRITE);
  if (error && error != EINVAL && !host_unmap(addr, whole_len(count)))
    return ENOSPC;
  section->twins.count = count;
  section->twins.bytes = (unsigned char *)addr + keys_len(count);
  atomic_store(&section->twins.keys, addr);
  return close_error;
}

int
twins_ready(struct section *section, uint32_t count) {
  uint32_t made = atomic_load(&section->control->twins);
  if (twins_are_ready(section) || (!made && !count))
    return 0;
  if (!made && atomic_compare_exchange_strong(&section->control->twins, &made, count))
    made = count;
  if (made > TWINS_MAX || made < TWINS_BLOCK || (made & (made - 1)))
    return EINVAL;
  lock_take(&section->peers_lock);
  int error = twins_are_ready(section) ? 0 : map_file(section, made);
  lock_drop(&section->peers_lock);
  return error;
}

void
twins_drop(struct section *section) {
  void *addr = (void *)atomic_exchange(&section->twins.keys, NULL);
  if (addr && host_unmap(addr, whole_len(section->twins.count)))
    return; /* stays mapped for nothing */
}

/* ---- Places -------------------------------------------------------------------------------- */

uint64_t
twins_offset(uint32_t count, uint32_t place) {
  return keys_len(count) + ((uint64_t)place << host_config.page_shift);
}

/* Blocks that follow each other have different places one way; the other ways mix those whose
 * distances are powers of two. */
uint32_t
twins_place(uint32_t count, uint64_t page, unsigned way) {
  uint64_t block = page / TWINS_BLOCK;
  uint32_t nblocks = count / TWINS_BLOCK;
  if (way > 0)
    block = (block * 0x9e3779b97f4a7c15u) >> (28 + 12 * (way - 1));
  return (uint32_t)(block & (nblocks - 1)) * TWINS_BLOCK + (uint32_t)(page % TWINS_BLOCK);
}

static _Atomic uint64_t *
key_at(struct section *section, uint32_t place) {
  return &atomic_load(&section->twins.keys)[place];
}

/* Does the place belong to the page of its key? */
static bool
is_in_use(struct section *section, uint64_t key) {
  uint64_t page = (key & KEY_PAGE_MASK) - 1;
  if (key & KEY_MAKING)
    return true;
  if (!(key & KEY_PAGE_MASK))
    return false;
  if (page >= section_reach(section))
    return true; /* as far as we know */
  uint8_t state = atomic_load(section_state(section, page));
  return page_is_doubtful(state) || page_is_writing(state);
}

bool
twin_take(struct section *section, uint64_t page, struct twin *out) {
  for (unsigned way = 0; way < TWINS_WAYS; way++) {
    uint32_t place = twins_place(section->twins.count, page, way);
    uint64_t key = atomic_load(key_at(section, place));
    bool is_rest = twins_key_is_of(key, page); /* of an earlier twin of it */
    uint64_t next = ((key & ~KEY_PAGE_MASK) + KEY_TURN) | KEY_MAKING | (page + 1);
    if ((is_rest || !is_in_use(section, key)) &&
        atomic_compare_exchange_strong(key_at(section, place), &key, next)) {
      *out = (struct twin){ place, next };
      return true;
    }
  }
  return false;
}

void
twin_is_made(struct section *section, struct twin *twin) {
  twin->key &= ~KEY_MAKING;
  atomic_store(key_at(section, twin->place), twin->key);
}

/* One that is there, not one that is being made. */
bool
twins_key_is_of(uint64_t key, uint64_t page) {
  return (key & (KEY_PAGE_MASK | KEY_MAKING)) == page + 1;
}

bool
twin_find(struct section *section, uint64_t page, struct twin *out) {
  for (unsigned way = 0; way < TWINS_WAYS && twins_are_ready(section); way++) {
    uint32_t place = twins_place(section->twins.count, page, way);
    uint64_t key = atomic_load(key_at(section, place));
    if (twins_key_is_of(key, page)) {
      *out = (struct twin){ place, key };
      return true;
    }
  }
  return false;
}

bool
twin_is_there(struct section *section, const struct twin *twin) {
  return atomic_load(key_at(section, twin->place)) == twin->key;
}

size_t
twin_differs_at(const unsigned char *bytes, const unsigned char *twin) {
  size_t at = 0;
  while (at < host_config.page_size - TWIN_PEEK && memcmp(bytes + at, twin + at, TWIN_PEEK) == 0)
    at += TWIN_PEEK;
  return at;
}

void
twin_give_back(struct section *section, const struct twin *twin) {
  uint64_t key = twin->key;
  atomic_compare_exchange_strong(key_at(section, twin->place), &key, key & ~KEY_PAGE_MASK);
}
