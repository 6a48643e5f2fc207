/* host_posix_place.c - addresses for our own memory, where the program has none.
 *
 * What the kernel places goes to the highest gap that it fits in: for us that may be a hole that the
 * program has made in memory of its own, and that it may unmap again with what is around it, or map
 * over.  So we ask for addresses below what the kernel hands out, as far away as the program is
 * unlikely to fill: from there down, and never the same place soon.
 */
#include "host/host_linux.h"

#include "host/host.h"

#if UINTPTR_MAX > 0xffffffff

#define PLACE_LEAST ((uintptr_t)1 << 38) /* smaller address spaces have no such place */
#define PLACE_ALIGN ((uintptr_t)2 << 20) /* large pieces, so that huge pages fit */

#ifdef __SANITIZE_THREAD__
#define PLACE_SPAN(top) ((top) >> 9) /* it knows memory within 1.5 TiB of the top only */
#else
#define PLACE_SPAN(top) ((top) >> 2)
#endif

static _Atomic uintptr_t place_top;  /* 0: not known yet */
static _Atomic uintptr_t place_next; /* the end of the next piece */

/* The kernel's highest place for a page now. */
static uintptr_t
find_top(void) {
  long result = raw_mmap(NULL, host_kernel_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw_error(result) != 0)
    return 0;
  raw2(SYS_munmap, result, host_kernel_page);
  return (uintptr_t)result;
}

static uintptr_t
known_top(void) {
  uintptr_t top = atomic_load(&place_top);
  uintptr_t none = 0;
  if (top != 0)
    return top;
  top = find_top();
  return atomic_compare_exchange_strong(&place_top, &none, top) ? top : none;
}

void *
host_place(uint64_t len) {
  uintptr_t top = known_top();
  if (top < PLACE_LEAST)
    return NULL;
  uintptr_t high = top - (top >> 9);
  uintptr_t low = high - PLACE_SPAN(top);
  if (len > high - low)
    return NULL;
  uintptr_t align = len >= PLACE_ALIGN ? PLACE_ALIGN : host_config.page_size;
  uintptr_t next = atomic_load(&place_next);
  uintptr_t place;
  do {
    uintptr_t end = next == 0 || next - low < len ? high : next;
    place = (end - len) & ~(align - 1);
    if (place < low)
      place += align; /* of a piece as long as the whole span */
  } while (!atomic_compare_exchange_weak(&place_next, &next, place));
  return (void *)place;
}

#else

void *
host_place(uint64_t len) {
  (void)len;
  return NULL;
}

#endif
