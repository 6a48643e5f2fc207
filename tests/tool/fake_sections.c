/* fake_sections.c - a made-up library for the command: what its calls say stands in the environment.
 *
 *   FAKE_SECTIONS    a file, a section a line: NAME SIZE DIRTY LIVE DEAD FLAGS RESULT [PATH]
 *                    RESULT is what softmap_recover says: OK, the name of an errno, or GONE: ENOENT,
 *                    and from then on the section isn't listed.  %XX in PATH is a byte.
 *   FAKE_LIST        name of the errno that softmap_sections gives
 *   FAKE_LOG         a file that gets a line a call of softmap_recover, and the chosen directory; it
 *                    stays open, as a library's files do
 *   FAKE_SLOW        milliseconds that a recovery takes; its progress is told by another thread
 *
 * Of three pages the first two are dirty.  A section's device is 1, its inode the line's number.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <string.h>
#include <time.h>

#include <softmap/softmap.h>

enum { NSECTIONS = 64, PAGE = 4096, DEVICE = 1, TICK_MS = 50 };

static struct fake {
  struct softmap_section section;
  char result[32];
} fakes[NSECTIONS];
static size_t nfakes;

/* ---- What the script wants ----------------------------------------------------------------- */

static int
error_named(const char *name) {
  for (int error = 1; error < 200; error++) {
    const char *known = strerrorname_np(error);
    if (known && strcmp(known, name) == 0)
      return error;
  }
  return 0;
}

static void
decode(char *to, size_t room, const char *from) {
  size_t n = 0;
  for (; *from && n + 1 < room; from++) {
    unsigned byte;
    if (*from == '%' && sscanf(from + 1, "%2x", &byte) == 1) {
      to[n++] = (char)byte;
      from += 2;
    } else {
      to[n++] = *from;
    }
  }
  to[n] = '\0';
}

static void
read_fakes(void) {
  const char *name = getenv("FAKE_SECTIONS");
  FILE *file = name && nfakes == 0 ? fopen(name, "re") : NULL;
  char line[2048], path[1536];
  while (file && nfakes < NSECTIONS && fgets(line, sizeof line, file)) {
    struct fake *fake = &fakes[nfakes];
    struct softmap_section *s = &fake->section;
    path[0] = '\0';
    if (sscanf(line, "%63s %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %31s %1535s",
               s->name, &s->size, &s->dirty_pages, &s->live, &s->dead, &s->flags, fake->result,
               path) < 7)
      abort();
    decode(s->path, sizeof s->path, path);
    s->device = DEVICE;
    s->inode = ++nfakes;
    s->page_size = PAGE;
  }
  if (file)
    (void)fclose(file);
}

static struct fake *
find(const char *name) {
  read_fakes();
  for (size_t i = 0; i < nfakes; i++)
    if (strcmp(fakes[i].section.name, name) == 0)
      return &fakes[i];
  return NULL;
}

__attribute__((format(printf, 1, 2))) static void
note(const char *format, ...) {
  static FILE *file;
  const char *name = getenv("FAKE_LOG");
  va_list arguments;
  if (!name || (!file && !(file = fopen(name, "ae"))))
    return;
  va_start(arguments, format);
  (void)vfprintf(file, format, arguments);
  va_end(arguments);
  (void)fflush(file);
}

/* ---- The calls ----------------------------------------------------------------------------- */

ssize_t
softmap_sections(struct softmap_section *sections, size_t max) {
  const char *error = getenv("FAKE_LIST");
  read_fakes();
  if (error)
    return errno = error_named(error), -1;
  size_t n = 0;
  for (size_t i = 0; i < nfakes; i++)
    if (strcmp(fakes[i].result, "gone") != 0) {
      if (n < max)
        sections[n] = fakes[i].section;
      n++;
    }
  return (ssize_t)n;
}

ssize_t
softmap_section_view(const char *name, uint64_t first_page, struct softmap_page *pages,
                     size_t max) {
  const struct fake *fake = find(name);
  if (!fake)
    return errno = ENOENT, -1;
  if (fake->section.flags & SOFTMAP_SECTION_DAMAGED)
    return errno = EINVAL, -1;
  uint64_t n = (fake->section.size + PAGE - 1) / PAGE;
  for (uint64_t page = first_page; page < n && page - first_page < max; page++)
    pages[page - first_page] =
        (struct softmap_page){ .state = page % 3 == 2 ? SOFTMAP_PAGE_CLEAN : SOFTMAP_PAGE_DIRTY };
  return first_page < n ? (ssize_t)(n - first_page) : 0;
}

static long slow_ms;

static void *
work_slowly(void *arg) {
  const struct softmap_recover_options *options = arg;
  for (long ms = 0; ms < slow_ms; ms += TICK_MS) {
    options->progress(options->progress_arg, (uint64_t)ms, (uint64_t)slow_ms);
    (void)nanosleep(&(struct timespec){ .tv_nsec = TICK_MS * 1000000L }, NULL);
  }
  options->progress(options->progress_arg, (uint64_t)slow_ms, (uint64_t)slow_ms);
  return NULL;
}

int
softmap_recover(const char *name, const struct softmap_recover_options *options) {
  struct fake *fake = find(name);
  const char *slow = getenv("FAKE_SLOW");
  pthread_t thread;
  note("recover %s flags %u save_to %s write_as %s\n", name, options->flags,
       options->save_to ? options->save_to : "-", options->write_as ? options->write_as : "-");
  if (options->size != sizeof *options)
    return errno = EINVAL, -1;
  slow_ms = slow ? atol(slow) : 0;
  if (slow_ms > 0 && pthread_create(&thread, NULL, work_slowly, (void *)(uintptr_t)options) == 0)
    pthread_join(thread, NULL);
  if (!fake)
    return errno = ENOENT, -1;
  if (strcmp(fake->result, "GONE") == 0) {
    (void)strcpy(fake->result, "gone");
    return errno = ENOENT, -1;
  }
  if (strcmp(fake->result, "OK") == 0)
    return 0;
  return errno = error_named(fake->result), -1;
}

int
softmap_configure(const char *name, const char *value) {
  note("configure %s %s\n", name, value);
  if (strcmp(name, "dir") != 0 || value[0] != '/' || strlen(value) > 500)
    return errno = EINVAL, -1;
  return 0;
}

const char *
softmap_version(void) {
  return "9.8.7";
}

/* ---- Files without a section: mapping one completes nothing ------------------------------------ */

long
softmap_page_size(void) {
  return 4096;
}

int
softmap_stats(struct softmap_stats *stats) {
  *stats = (struct softmap_stats){ .size = sizeof *stats };
  return 0;
}

void *
softmap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  return mmap(addr, len, prot, flags, fd, offset);
}

int
softmap_munmap(void *addr, size_t len) {
  return munmap(addr, len);
}
