/* t_strangers.h - what a stranger is usually asked to do: it maps one file and works on that.
 *
 * S_*(s, ...) ask; offsets count from the start of the stranger's mapping. The results are those
 * of the calls, with errno, so that T_OK and T_ERR take them.
 */
#ifndef T_STRANGERS_H
#define T_STRANGERS_H

#include "t.h"
#include "t_mman.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static unsigned char *stranger_at;
static size_t stranger_len;
static int stranger_fd = -1;

enum { S_READ_ONLY_FILE = 1 << 16 };
#define S_SHARED (PROT_READ | PROT_WRITE | MAP_SHARED << 8)
#define S_PRIVATE (PROT_READ | PROT_WRITE | MAP_PRIVATE << 8)
#define S_LOOKING (PROT_READ | MAP_SHARED << 8 | S_READ_ONLY_FILE)

static inline intmax_t
stranger_open(const char *path, int flags) {
  if (stranger_fd >= 0)
    (void)close(stranger_fd);
  stranger_fd = open(path, flags | O_CLOEXEC);
  return stranger_fd < 0 ? -1 : 0;
}

static inline intmax_t
stranger_map(intmax_t npages, intmax_t how, const char *path) {
  void *p;

  if (stranger_open(path, (how & S_READ_ONLY_FILE) != 0 ? O_RDONLY : O_RDWR) != 0)
    return -1;
  p = mmap(NULL, t_pages((size_t)npages), (int)how & 0xff, (int)(how >> 8) & 0xff, stranger_fd, 0);
  if (p == MAP_FAILED)
    return -1;
  stranger_at = p;
  stranger_len = t_pages((size_t)npages);
  return 0;
}

static inline intmax_t
stranger_unmap(intmax_t a, intmax_t b, const char *text) {
  (void)a;
  (void)b;
  (void)text;
  return munmap(stranger_at, stranger_len);
}

/* The byte, or 256 + the signal. */
static inline intmax_t
stranger_load(intmax_t offset, intmax_t b, const char *text) {
  unsigned char value = 0;
  struct t_fault fault = t_load(stranger_at + offset, &value);

  (void)b;
  (void)text;
  return fault.signo != 0 ? 256 + fault.signo : value;
}

static inline intmax_t
stranger_store(intmax_t offset, intmax_t value, const char *text) {
  struct t_fault fault = t_store(stranger_at + offset, (unsigned char)value);

  (void)text;
  return fault.signo != 0 ? 256 + fault.signo : 0;
}

/* One store a page, for so many pages. */
static inline intmax_t
stranger_store_pages(intmax_t npages, intmax_t value, const char *text) {
  (void)text;
  for (size_t i = 0; i < (size_t)npages; i++)
    *(volatile unsigned char *)(stranger_at + t_pages(i)) = (unsigned char)value;
  return 0;
}

static inline intmax_t
stranger_sync(intmax_t offset, intmax_t len, const char *text) {
  (void)text;
  return msync(stranger_at + offset, len != 0 ? (size_t)len : stranger_len, MS_SYNC);
}

static inline intmax_t
stranger_resize(intmax_t size, intmax_t b, const char *text) {
  (void)b;
  (void)text;
  return ftruncate(stranger_fd, (off_t)size);
}

#define S_ASK(s, fn, a, b) t_ask(T_HERE, &(s), fn, (intmax_t)(a), (intmax_t)(b), NULL)
#define S_MAP(s, path, npages, how)                                                                \
  t_ask(T_HERE, &(s), stranger_map, (intmax_t)(npages), (intmax_t)(how), path)
#define S_UNMAP(s) S_ASK(s, stranger_unmap, 0, 0)
#define S_LOAD(s, offset) S_ASK(s, stranger_load, offset, 0)
#define S_STORE(s, offset, value) S_ASK(s, stranger_store, offset, (unsigned char)(value))
#define S_SYNC(s) S_ASK(s, stranger_sync, 0, 0)
#define S_RESIZE(s, size) S_ASK(s, stranger_resize, size, 0)

/* A new stranger that has mapped all of the file. */
static inline struct t_stranger
stranger_with(struct t_at at, const char *path, size_t npages, int how) {
  struct t_stranger s = t_stranger();

  if (t_ask(at, &s, stranger_map, (intmax_t)npages, how, path) != 0)
    t_fail(at, "a stranger can't map the file: errno %d", errno);
  return s;
}
#define T_STRANGER_WITH(path, npages, how) stranger_with(T_HERE, path, npages, how)
#define T_DISMISS(s) t_dismiss(T_HERE, &(s))
#define T_KILL_STRANGER(s) t_kill_stranger(T_HERE, &(s))

#endif
