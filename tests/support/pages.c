/* pages.c - address ranges to test with, and what memory should hold. */
#include "t.h"

#include "t_mman.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than asked for is mapped and the ends are cut off: softmap's pages may be larger than the
 * host's, which aligns anonymous memory to its own. */
unsigned char *
t_reserve(size_t npages) {
  size_t size = t_page_size();
  size_t len = (npages + 1) * size;
  unsigned char *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  size_t head;

  if (p == MAP_FAILED)
    t_fail(T_HERE, "no address space for %zu pages", npages);
  head = (size - (uintptr_t)p % size) % size;
  if (head != 0)
    (void)munmap(p, head);
  (void)munmap(p + head + npages * size, size - head);
  return p + head;
}

/* Far from where the host puts what it may put anywhere, so that nothing else comes to lie there
 * between two calls: neither a library's memory nor a new thread's stack. */
unsigned char *
t_vacant(size_t npages) {
  const size_t step = sizeof(size_t) > 4 ? (size_t)1 << 24 << 10 : (size_t)1 << 25;
  static uintptr_t next;
  unsigned char *p = MAP_FAILED;

  if (next == 0)
    next = (uintptr_t)t_reserve(1) / step * step;
  if (next < 64 * step) /* valgrind puts what it may put anywhere low */
    next = 256 * step;
  for (int tries = 0; p == MAP_FAILED && tries < 64; tries++) {
    next -= step;
    p = mmap((void *)next, t_pages(npages), PROT_NONE, /* NOLINT(performance-no-int-to-ptr) */
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  }
  if (p == MAP_FAILED || munmap(p, t_pages(npages)) != 0)
    t_fail(T_HERE, "no address space for %zu pages to leave vacant", npages);
  return p;
}

unsigned char *
t_foreign(size_t npages, unsigned char byte) {
  unsigned char *p = t_reserve(npages);

  t_foreign_at(p, npages, byte);
  return p;
}

void
t_foreign_at(unsigned char *addr, size_t npages, unsigned char byte) {
  void *p = mmap(addr, t_pages(npages), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

  if (p != addr)
    t_fail(T_HERE, "anonymous memory at a fixed address");
  memset(addr, byte, t_pages(npages));
}

/* madvise with an advice that changes nothing: ENOMEM where a page isn't mapped. Asked by a raw
 * system call, so the host itself answers. */
bool
t_is_mapped(const void *addr, size_t npages) {
  return syscall(SYS_madvise, addr, t_pages(npages), MADV_NORMAL) == 0;
}

unsigned char
t_old_byte(off_t offset) {
  uint64_t x = (uint64_t)offset;

  return (unsigned char)(1 + (x + x / 251 + x / 4096 * 7) % 251);
}

void
t_mem_all(struct t_at at, const volatile unsigned char *p, size_t len, unsigned char byte) {
  for (size_t i = 0; i < len; i++) {
    unsigned char got = p[i];

    if (got != byte)
      t_fail(at, "memory differs at byte %zu (page %zu): %#x, wanted %#x", i, i / t_page_size(),
             got, byte);
  }
}

void
t_mem_old(struct t_at at, const volatile unsigned char *p, size_t len, off_t offset) {
  for (size_t i = 0; i < len; i++) {
    unsigned char got = p[i];
    unsigned char want = t_old_byte(offset + (off_t)i);

    if (got != want)
      t_fail(at, "memory differs at byte %zu (page %zu): %#x, wanted %#x of the file", i,
             i / t_page_size(), got, want);
  }
}
