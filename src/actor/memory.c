/* memory.c - the calls on memory, to softmap or to the host. */
#include "actor/actor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

struct region regions[NAMES_MAX];
static bool is_native;

/* ---- The engine ---------------------------------------------------------------------------- */

static const char *const broken_names[BROKEN_COUNT] = {
#define X(id, name, what) [BROKEN_##id] = (name),
  BROKEN_ENGINES(X)
#undef X
};

int
memory_choose(const char *engine) {
  static const char broken[] = "broken-";
  is_native = strcmp(engine, "native") == 0;
  if (is_native)
    return 0;
  if (strncmp(engine, broken, sizeof broken - 1) != 0)
    return softmap_configure("tracker", engine) < 0 ? errno : 0;
  for (enum broken i = 1; i < BROKEN_COUNT; i++)
    if (strcmp(engine + sizeof broken - 1, broken_names[i]) == 0)
      broken_engine = i;
  if (!broken_engine)
    return EINVAL;
  return softmap_configure("ahead", "0") < 0 ? errno : 0; /* what is wrong shows at the page that was stored to */
}

bool
memory_is_native(void) {
  return is_native;
}

/* With larger pages than the host's: the unit in which a script counts them. */
static size_t
host_page(void) {
  const char *text = getenv("SOFTMAP_TEST_PAGE_SIZE"); /* NOLINT(concurrency-mt-unsafe) */
  long size = text ? strtol(text, NULL, 10) : 0;
  return size > 0 ? (size_t)size : (size_t)sysconf(_SC_PAGESIZE);
}

size_t
memory_page(void) {
  static size_t page;
  if (!page)
    page = is_native ? host_page() : (size_t)softmap_page_size();
  return page;
}

/* ---- Mapping ------------------------------------------------------------------------------- */

static void
forget_pages(const char *addr, size_t len) {
  size_t page = memory_page();
  for (size_t r = 0; r < NAMES_MAX; r++)
    for (uint64_t i = 0; i < regions[r].npages; i++)
      if (regions[r].addr + i * page >= addr && regions[r].addr + i * page < addr + len)
        regions[r].is_page[i] = false;
}

static void
note_region(const struct actor_request *request, char *addr, size_t len) {
  struct region *region = &regions[request->region];
  size_t page = memory_page();
  size_t inside = request->offset % page; /* of any_offset mappings */
  *region = (struct region){
    .addr = addr - inside,
    .npages = (len + inside + page - 1) / page,
    .first = request->offset / page,
    .is_private = request->flags & MAP_PRIVATE,
  };
  for (uint64_t i = 0; i < region->npages && i < PAGES_MAX; i++) {
    region->is_page[i] = true;
    region->asked[i] = (uint8_t)request->prot;
  }
}

int
memory_map(const struct actor_request *request) {
  int flags = (int)request->flags, prot = (int)request->prot;
  char *addr = NULL;
  size_t len = (size_t)request->len;
  if (request->other < NAMES_MAX) {
    addr = regions[request->other].addr;
    if (!addr)
      return ENXIO;
    addr += request->other_offset;
    flags |= MAP_FIXED;
  }
  if (request->offset % memory_page() && !is_native)
    flags |= SOFTMAP_MAP_ANY_OFFSET;
  int fd = open(request->bytes, (flags & MAP_PRIVATE ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (fd < 0)
    return errno;
  char *got = is_native ? mmap(addr, len, prot, flags, fd, (off_t)request->offset)
                        : softmap_mmap(addr, len, prot, flags, fd, (off_t)request->offset);
  int error = got == MAP_FAILED ? errno : 0;
  (void)close(fd); /* as programs do: the mapping keeps what it needs */
  if (error)
    return error;
  if (flags & MAP_FIXED)
    forget_pages(got, len);
  note_region(request, got, len);
  return 0;
}

size_t
memory_extent(const struct region *region, uint64_t offset, size_t len) {
  size_t page = memory_page();
  uint64_t end = offset;
  while (end < offset + len && end / page < region->npages && region->is_page[end / page])
    end = (end / page + 1) * page;
  return end < offset + len ? (size_t)(end - offset) : len;
}

int
memory_protect(const struct actor_request *request) {
  struct region *region = &regions[request->region];
  size_t page = memory_page();
  char *addr = region->addr + request->offset;
  int result = is_native ? mprotect(addr, (size_t)request->len, (int)request->prot)
                         : softmap_mprotect(addr, (size_t)request->len, (int)request->prot);
  if (result < 0)
    return errno;
  for (uint64_t at = request->offset; at < request->offset + request->len; at += page)
    if (at / page < region->npages)
      region->asked[at / page] = (uint8_t)request->prot;
  return 0;
}

int
memory_unmap(const struct actor_request *request) {
  char *addr = regions[request->region].addr + request->offset;
  size_t len = (size_t)request->len;
  if ((is_native ? munmap(addr, len) : softmap_munmap(addr, len)) < 0)
    return errno;
  forget_pages(addr, len);
  return 0;
}

int
memory_remap(const struct actor_request *request) {
  struct region *region = &regions[request->region];
  size_t page = memory_page(), old_len = region->npages * page, len = (size_t)request->len;
  char *got = is_native ? mremap(region->addr, old_len, len, MREMAP_MAYMOVE)
                        : softmap_mremap(region->addr, old_len, len, MREMAP_MAYMOVE);
  if (got == MAP_FAILED)
    return errno;
  uint64_t npages = (len + page - 1) / page;
  for (uint64_t i = region->npages; i < npages && i < PAGES_MAX; i++) {
    region->is_page[i] = true;
    region->asked[i] = region->asked[0];
  }
  region->addr = got;
  region->npages = npages;
  return 0;
}

int
memory_pin(const struct actor_request *request, bool pin) {
  char *addr = regions[request->region].addr + request->offset;
  size_t len = (size_t)request->len;
  if (is_native)
    return 0;
  return (pin ? softmap_pin(addr, len, PROT_READ | PROT_WRITE) : softmap_unpin(addr, len)) < 0
             ? errno
             : 0;
}

/* ---- Sync, and a store in the middle of it ------------------------------------------------- */

/* The engine calls from a thread that blocks signals, so the store is another thread's. */
static struct {
  const struct actor_request *request;
  sem_t begin, done;
  bool is_over;
} midway;

static void
store_of(const struct actor_request *request) {
  const struct region *region = &regions[request->region];
  (void)access_copy(region->addr + request->other_offset, request->bytes,
                    memory_extent(region, request->other_offset, request->nbytes));
}

static void *
store_midway(void *unused) {
  const struct actor_request *request = midway.request;
  (void)unused;
  while (sem_wait(&midway.begin) < 0)
    ;
  if (!midway.is_over)
    store_of(request);
  (void)sem_post(&midway.done);
  return NULL;
}

static void
now_midway(void) {
  lab_midway_hook = NULL; /* once a step */
  (void)sem_post(&midway.begin);
  while (sem_wait(&midway.done) < 0)
    ;
}

static int
sync_with_store(char *addr, const struct actor_request *request) {
  pthread_t thread;
  midway.request = request;
  midway.is_over = false;
  if (sem_init(&midway.begin, 0, 0) < 0 || sem_init(&midway.done, 0, 0) < 0)
    return errno;
  int error = pthread_create(&thread, NULL, store_midway, NULL);
  if (error)
    return error;
  lab_midway_hook = now_midway;
  error = softmap_msync(addr, (size_t)request->len, (int)request->flags) < 0 ? errno : 0;
  if (lab_midway_hook) { /* nothing was written: no middle */
    lab_midway_hook = NULL;
    midway.is_over = true;
    (void)sem_post(&midway.begin);
  }
  (void)pthread_join(thread, NULL);
  return error;
}

int
memory_sync(const struct actor_request *request) {
  char *addr = regions[request->region].addr + request->offset;
  size_t len = (size_t)request->len;
  if (!is_native && request->nbytes)
    return sync_with_store(addr, request);
  if ((is_native ? msync(addr, len, (int)request->flags)
                 : softmap_msync(addr, len, (int)request->flags)) < 0)
    return errno;
  /* The host lets nobody into the middle of its own: right behind it. */
  if (request->nbytes)
    store_of(request);
  return 0;
}
