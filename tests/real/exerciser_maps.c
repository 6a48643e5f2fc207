/* exerciser_maps.c - operations on mappings.
 *
 * What nobody promises isn't looked at: bytes that a shared mapping got past the end of the file. */
#include "exerciser.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct slot {
  char *map;
  size_t npages, page; /* of the file, the first */
  int file;
  bool is_shared;
  bool can_store;
  bool is_patched; /* parts have protections of their own: the kernel doesn't move such */
};
static struct slot slots[SLOTS];

/* ---- Faults -------------------------------------------------------------------------------- */

static sigjmp_buf fault;

static void
on_fault(int signal_number) {
  siglongjmp(fault, signal_number);
}

void
maps_catch_faults(void) {
  struct sigaction action = { .sa_handler = on_fault };
  (void)sigaction(SIGBUS, &action, NULL);
  (void)sigaction(SIGSEGV, &action, NULL);
}

/* ---- Slots --------------------------------------------------------------------------------- */

static struct slot *
some_slot(void) {
  size_t i = chance_below(SLOTS);
  record_number("slot", (int64_t)i);
  return &slots[i];
}

static void
drop(struct slot *slot) {
  if (slot->map)
    record_call(munmap(slot->map, slot->npages * 4096));
  slot->map = NULL;
}

void
maps_drop(void) {
  for (int i = 0; i < SLOTS; i++)
    drop(&slots[i]);
}

/* A file system that refuses shared mappings may accept private ones.  Those are its own business (D27)
 * where softmap hasn't got the file yet: so it gets it first. */
static void *
map_private(void *at, size_t len, int prot, int flags, int fd, off_t offset) {
  void *before = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  void *map = mmap(at, len, prot, MAP_PRIVATE | flags, fd, offset);
  if (before != MAP_FAILED)
    (void)munmap(before, 4096);
  return map;
}

void
op_map(void) {
  struct slot *slot = some_slot();
  /* Some over what is there. */
  bool is_fixed = slot->map && chance_below(3) == 0;
  size_t npages = is_fixed ? slot->npages : 1 + chance_below(SLOT_PAGES);
  int prot = chance_below(5) ? PROT_READ | PROT_WRITE : PROT_READ;
  if (!is_fixed)
    drop(slot);
  struct slot new = { .npages = npages,
                      .page = chance_below(PAGES - SLOT_PAGES),
                      .file = (int)chance_below(FILES),
                      .is_shared = chance_below(6) != 0,
                      .can_store = prot & PROT_WRITE };
  record_number("file", new.file);
  record_number("page", (int64_t) new.page);
  record_number("npages", (int64_t)npages);
  record_number("shared", new.is_shared);
  void *at = is_fixed ? slot->map : NULL;
  int flags = is_fixed ? MAP_FIXED : 0, fd = files[new.file][0];
  off_t offset = (off_t)(new.page * 4096);
  new.map = new.is_shared ? mmap(at, npages * 4096, prot, MAP_SHARED | flags, fd, offset)
                          : map_private(at, npages * 4096, prot, flags, fd, offset);
  record_call(new.map == MAP_FAILED ? -1 : 0);
  if (new.map != MAP_FAILED)
    *slot = new;
}

void
op_unmap(void) {
  drop(some_slot());
}

/* The first pages, or the last. */
void
op_unmap_part(void) {
  struct slot *slot = some_slot();
  if (!slot->map || slot->npages < 2)
    return;
  size_t n = 1 + chance_below(slot->npages - 1);
  bool is_first = chance_below(2);
  record_number("n", (int64_t)n);
  record_call(munmap(is_first ? slot->map : slot->map + (slot->npages - n) * 4096, n * 4096));
  slot->npages -= n;
  if (!is_first)
    return;
  slot->map += n * 4096;
  slot->page += n;
}

void
op_remap(void) {
  struct slot *slot = some_slot();
  size_t npages = 1 + chance_below(SLOT_PAGES);
  if (!slot->map || slot->is_patched)
    return;
  record_number("npages", (int64_t)npages);
  char *map = mremap(slot->map, slot->npages * 4096, npages * 4096, MREMAP_MAYMOVE);
  record_call(map == MAP_FAILED ? -1 : 0);
  if (map == MAP_FAILED)
    return;
  slot->map = map;
  slot->npages = npages;
}

void
op_protect(void) {
  static const int prots[] = { PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
                               PROT_NONE };
  struct slot *slot = some_slot();
  if (!slot->map)
    return;
  size_t first = chance_below(slot->npages), n = 1 + chance_below(slot->npages - first);
  int prot = prots[chance_below(4)];
  slot->is_patched = n < slot->npages;
  slot->can_store = prot & PROT_WRITE;
  record_number("prot", prot);
  record_call(mprotect(slot->map + first * 4096, n * 4096, prot));
}

/* ---- Memory -------------------------------------------------------------------------------- */

/* How much of the slot from `off` on lies in the file. */
static size_t
within_file(const struct slot *slot, size_t off, size_t n) {
  size_t size = file_size(slot->file), at = slot->page * 4096 + off;
  return at >= size ? 0 : n < size - at ? n : size - at;
}

static char memory[SLOT_PAGES * 4096];

void
op_load(void) {
  struct slot *slot = some_slot();
  if (!slot->map)
    return;
  size_t off = chance_below(slot->npages * 4096);
  size_t n = 1 + chance_below(chance_below(4) ? 64 : slot->npages * 4096);
  if (n > slot->npages * 4096 - off)
    n = slot->npages * 4096 - off;
  record_number("at", (int64_t)off);
  record_number("n", (int64_t)n);
  int signal_number = sigsetjmp(fault, 1);
  if (signal_number == 0) {
    memcpy(memory, slot->map + off, n);
    record_bytes(memory, n);
  } else {
    record_number("signal", signal_number);
  }
}

static void
try_to_store(char *to, const char *bytes, size_t n) {
  int signal_number = sigsetjmp(fault, 1);
  if (signal_number == 0)
    memcpy(to, bytes, n);
  else
    record_number("signal", signal_number);
}

static void
store(struct slot *slot, size_t off, size_t n) {
  const char *bytes = some_bytes(n);
  if (slot->is_shared)
    n = within_file(slot, off, n);
  record_number("at", (int64_t)off);
  record_number("n", (int64_t)n);
  try_to_store(slot->map + off, bytes, n);
}

void
op_store(void) {
  struct slot *slot = some_slot();
  if (slot->map)
    store(slot, chance_below(slot->npages * 4096 - 16), 1 + chance_below(16));
}

void
op_fill(void) {
  struct slot *slot = some_slot();
  if (!slot->map)
    return;
  size_t page = chance_below(slot->npages);
  size_t n = slot->npages - page < 3 ? slot->npages - page : 3;
  store(slot, page * 4096, n * 4096);
}

void
op_sync(void) {
  static const int flags[] = {
    MS_SYNC, MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE, MS_SYNC | MS_ASYNC, 0
  };
  struct slot *slot = some_slot();
  if (!slot->map)
    return;
  size_t first = chance_below(slot->npages);
  int flag = flags[chance_below(6)];
  record_number("flags", flag);
  record_call(msync(slot->map + first * 4096, (slot->npages - first) * 4096, flag));
}

void
op_advise(void) {
  static const int advices[] = { MADV_NORMAL, MADV_WILLNEED, MADV_DONTNEED, MADV_SEQUENTIAL };
  struct slot *slot = some_slot();
  if (!slot->map || !slot->is_shared)
    return;
  record_call(madvise(slot->map, slot->npages * 4096, advices[chance_below(4)]));
}

/* ---- System calls on mapped memory --------------------------------------------------------- */

/* Only memory that the kernel may use: what it says otherwise depends on the file system. */
static bool
is_usable(const struct slot *slot) {
  return slot->map && slot->can_store && !slot->is_patched;
}

static size_t
some_part(struct slot *slot, size_t *off) {
  *off = chance_below(slot->npages * 4096);
  size_t n = slot->npages * 4096 - *off < 5000 ? slot->npages * 4096 - *off : 5000;
  n = within_file(slot, *off, n);
  record_number("at", (int64_t)*off);
  record_number("n", (int64_t)n);
  return n;
}

void
op_write_from_map(void) {
  struct slot *slot = some_slot();
  size_t off;
  if (!is_usable(slot))
    return;
  size_t n = some_part(slot, &off);
  off_t to = (off_t)chance_below(PAGES - 3) * 4096;
  /* Not onto itself: what comes out then depends on the order of copying. */
  record_call(pwrite(files[1 - slot->file][0], slot->map + off, n, to));
}

void
op_read_into_map(void) {
  struct slot *slot = some_slot();
  size_t off;
  /* Private memory: direct I/O makes copies of all pages before it knows how much there is. */
  if (!is_usable(slot) || !slot->is_shared)
    return;
  size_t n = some_part(slot, &off);
  off_t from = (off_t)chance_below(PAGES - 3) * 4096;
  record_call(pread(files[1 - slot->file][0], slot->map + off, n, from));
}
