/* probe_checks.c - what mmap must do, a function a promise: those that one process can see.
 *
 * A check returns if the answer is yes.  What can't be the mapping's fault (a full disk) is no answer. */
#include "tool/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Steps --------------------------------------------------------------------------------- */

size_t
probe_page(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

size_t
probe_bytes(void) {
  return PROBE_FULL_PAGES * probe_page() + PROBE_TAIL;
}

char *
probe_map(int fd, size_t npages, int prot, int flags) {
  char *map = mmap(NULL, npages * probe_page(), prot, flags, fd, 0);
  if (map == MAP_FAILED)
    probe_no_call("mmap");
  return map;
}

int
probe_reopen(const struct probe_file *file, int flags) {
  int fd = probe_file_open(file, flags);
  if (fd < 0)
    probe_unknown("open");
  return fd;
}

/* Volatile: what the compiler knows of these bytes may be wrong, that is what is looked at. */
void
probe_store(char *at, const char *text) {
  volatile char *to = at;
  for (size_t i = 0; text[i]; i++)
    to[i] = text[i];
}

bool
probe_holds(const char *at, const char *text) {
  const volatile char *from = at;
  for (size_t i = 0; text[i]; i++)
    if (from[i] != text[i])
      return false;
  return true;
}

static bool
read_is(int fd, size_t off, const char *text) {
  char got[64];
  size_t len = strlen(text);
  return pread(fd, got, len, (off_t)off) == (ssize_t)len && memcmp(got, text, len) == 0;
}

/* Reads past the page cache, where the file system can; what isn't asked isn't denied. */
static bool
direct_read_denies(const struct probe_file *file, size_t off, const char *text) {
#ifdef O_DIRECT
  enum { BLOCK = 4096 }; /* suits all devices */
  static char block[2 * BLOCK];
  char *at = block + (BLOCK - (uintptr_t)block % BLOCK) % BLOCK;
  size_t start = off - off % BLOCK, len = strlen(text);
  int fd = probe_file_open(file, O_RDONLY | O_DIRECT);
  if (fd < 0)
    return false;
  ssize_t n = pread(fd, at, BLOCK, (off_t)start);
  (void)close(fd);
  return n >= 0 && ((size_t)n < off - start + len || memcmp(at + (off - start), text, len) != 0);
#else
  (void)file, (void)off, (void)text;
  return false;
#endif
}

void
probe_must_have(const struct probe_file *file, size_t off, const char *text, const char *after) {
  int fd = probe_reopen(file, O_RDONLY);
  if (!read_is(fd, off, text))
    probe_no("after %s the file lacks the store", after);
  /* A page cache may know what never went to the file: it is to forget it. */
  (void)fsync(fd);
  (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  (void)close(fd);
  fd = probe_reopen(file, O_RDONLY);
  if (!read_is(fd, off, text))
    probe_no("after %s the store was lost with the page cache", after);
  (void)close(fd);
  if (direct_read_denies(file, off, text))
    probe_no("after %s the store is in the page cache only", after);
}

static void
must_have_size(const struct probe_file *file, size_t bytes) {
  struct stat st;
  if (fstat(file->fd, &st) < 0)
    probe_unknown("fstat");
  if ((size_t)st.st_size != bytes)
    probe_no("the file's size became %jd", (intmax_t)st.st_size);
}

static void
must_show_file(const char *map) {
  const volatile char *at = map;
  size_t bytes = probe_bytes();
  for (size_t off = 0; off < (PROBE_FULL_PAGES + 1) * probe_page(); off++)
    if (at[off] != (off < bytes ? probe_byte(off) : '\0'))
      probe_no("byte %zu isn't the file's", off);
}

/* ---- Mapping ------------------------------------------------------------------------------- */

static void
shared_read(const struct probe_file *file) {
  int fd = probe_reopen(file, O_RDONLY);
  must_show_file(probe_map(fd, PROBE_FULL_PAGES + 1, PROT_READ, MAP_SHARED));
}

static void
shared_write(const struct probe_file *file) {
  char *map = probe_map(file->fd, PROBE_FULL_PAGES + 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  char *twin = probe_map(file->fd, PROBE_FULL_PAGES + 1, PROT_READ, MAP_SHARED);
  must_show_file(map);
  probe_store(map + 10, "first");
  probe_store(map + 2 * probe_page(), "third");
  if (!probe_holds(map + 10, "first") || !probe_holds(map + 2 * probe_page(), "third"))
    probe_no("the mapping forgets a store");
  if (!probe_holds(twin + 10, "first"))
    probe_no("a second mapping doesn't see a store");
}

static void
private_mapping(const struct probe_file *file) {
  char *map = probe_map(file->fd, PROBE_FULL_PAGES + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  must_show_file(map);
  probe_store(map + 10, "mine");
  (void)msync(map, probe_page(), MS_SYNC);
  if (!probe_holds(map + 10, "mine"))
    probe_no("the mapping forgets a store");
  int fd = probe_reopen(file, O_RDONLY);
  if (read_is(fd, 10, "mine"))
    probe_no("a private store is in the file");
}

/* ---- The end of the file ------------------------------------------------------------------- */

static sigjmp_buf past_end;

static void
on_sigbus(int signal_number) {
  (void)signal_number;
  siglongjmp(past_end, 1);
}

static bool
raises_sigbus(const char *at) {
  if (sigsetjmp(past_end, 1))
    return true;
  (void)*(const volatile char *)at;
  return false;
}

static void
growth(const struct probe_file *file) {
  struct sigaction action = { .sa_handler = on_sigbus }, before;
  size_t page = probe_page(), grown = (PROBE_FULL_PAGES + 3) * page;
  char *map = probe_map(file->fd, PROBE_FULL_PAGES + 3, PROT_READ | PROT_WRITE, MAP_SHARED);
  char *behind = map + (PROBE_FULL_PAGES + 1) * page;
  (void)sigaction(SIGBUS, &action, &before);
  if (!raises_sigbus(behind))
    probe_no("no SIGBUS behind the end of the file");
  if (ftruncate(file->fd, (off_t)grown) < 0)
    probe_unknown("ftruncate");
  if (raises_sigbus(behind))
    probe_no("the mapping ends where the file ended before");
  if (*(volatile char *)behind != '\0')
    probe_no("what the file got isn't zero");
  (void)sigaction(SIGBUS, &before, NULL);
  probe_store(behind + page, "grown");
  if (msync(map, grown, MS_SYNC) < 0)
    probe_no_call("msync");
  probe_must_have(file, (size_t)(behind - map) + page, "grown", "growing and msync");
  must_have_size(file, grown);
  if (ftruncate(file->fd, (off_t)page) < 0)
    probe_unknown("ftruncate");
  (void)sigaction(SIGBUS, &action, &before);
  if (!raises_sigbus(behind))
    probe_no("no SIGBUS after the file has shrunk");
}

/* ---- Reaching the file --------------------------------------------------------------------- */

static void
sync_reaches_file(const struct probe_file *file) {
  size_t page = probe_page();
  char *map = probe_map(file->fd, PROBE_FULL_PAGES + 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  probe_store(map + 10, "synced");
  probe_store(map + probe_bytes() - 6, "tailed");
  if (msync(map, (PROBE_FULL_PAGES + 1) * page, MS_SYNC) < 0)
    probe_no_call("msync");
  probe_must_have(file, 10, "synced", "msync");
  probe_must_have(file, probe_bytes() - 6, "tailed", "msync");
  must_have_size(file, probe_bytes());
  probe_store(map + 10, "anew!");
  if (msync(map, page, MS_SYNC) < 0)
    probe_no_call("msync");
  probe_must_have(file, 10, "anew!", "a second msync");
}

static void
unmap_keeps_stores(const struct probe_file *file) {
  int fd = probe_reopen(file, O_RDWR);
  char *map = probe_map(fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  (void)close(fd);
  probe_store(map + 10, "unmapped");
  if (munmap(map, probe_page()) < 0)
    probe_no_call("munmap");
  probe_must_have(file, 10, "unmapped", "munmap");
}

/* ---- Coherence ----------------------------------------------------------------------------- */

static void
read_sees_stores(const struct probe_file *file) {
  int fd = probe_reopen(file, O_RDONLY);
  if (!read_is(fd, 10, "klm"))
    probe_unknown("read");
  char *map = probe_map(file->fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  probe_store(map + 10, "stored");
  if (!read_is(file->fd, 10, "stored"))
    probe_no("read(2) doesn't see a store");
  if (!read_is(fd, 10, "stored"))
    probe_no("read(2) through another descriptor doesn't see a store");
}

static void
must_write(int fd, size_t off, const char *text) {
  ssize_t n = pwrite(fd, text, strlen(text), (off_t)off);
  if (n != (ssize_t)strlen(text)) {
    errno = n < 0 ? errno : EIO;
    probe_unknown("write");
  }
}

static void
mapping_sees_writes(const struct probe_file *file) {
  int fd = probe_reopen(file, O_RDWR);
  char *map = probe_map(file->fd, PROBE_FULL_PAGES + 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  must_show_file(map); /* all pages have been looked at */
  probe_store(map + 10, "stored");
  must_write(file->fd, 20, "written");
  if (!probe_holds(map + 20, "written"))
    probe_no("the mapping doesn't see what write(2) wrote");
  must_write(fd, probe_page(), "elsewhere");
  if (!probe_holds(map + probe_page(), "elsewhere"))
    probe_no("the mapping doesn't see what another descriptor's write(2) wrote");
  if (!probe_holds(map + 10, "stored"))
    probe_no("write(2) took a store beside it away");
}

const struct probe_check probe_checks[] = {
  { "shared_read", "a shared mapping shows the file", shared_read },
  { "shared_write", "a shared mapping takes stores", shared_write },
  { "private", "a private mapping keeps its stores to itself", private_mapping },
  { "growth", "the file grows and shrinks under its mapping", growth },
  { "msync", "msync brings stores to the file", sync_reaches_file },
  { "munmap", "munmap loses no store", unmap_keeps_stores },
  { "kill", "a killed process's stores stay", probe_kill },
  { "read", "read(2) sees stores", read_sees_stores },
  { "write", "a mapping sees what write(2) writes", mapping_sees_writes },
  { "processes", "processes see each other's stores", probe_two_processes },
  { "fork", "parent and child see each other's stores", probe_fork },
};
const size_t probe_nchecks = sizeof probe_checks / sizeof *probe_checks;
