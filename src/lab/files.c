/* files.c - the files of a script, and what changed in them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/world.h"
#include "tool/tool.h"

char *
file_path(const struct world *world, int file) {
  return text_of("%s/%s", world->dir, world->script->files.name[file]);
}

char *
size_text(uint64_t size, uint64_t page_size) {
  uint64_t pages = size / page_size, rest = size % page_size;
  char *whole = text_of("%llu page%s", (unsigned long long)pages, pages == 1 ? "" : "s");
  char *part = text_of("%llu byte%s", (unsigned long long)rest, rest == 1 ? "" : "s");
  char *out = rest == 0    ? text_of("%s", whole)
              : pages == 0 ? text_of("%s", part)
                           : text_of("%s + %s", whole, part);
  free(whole);
  free(part);
  return out;
}

/* ---- What other programs do ---------------------------------------------------------------- */

static int
write_all(int fd, const char *bytes, size_t len, uint64_t offset) {
  while (len > 0) {
    ssize_t put = pwrite(fd, bytes, len, (off_t)offset);
    if (put < 0 && errno != EINTR)
      return errno;
    if (put > 0) {
      bytes += put;
      len -= (size_t)put;
      offset += (uint64_t)put;
    }
  }
  return 0;
}

/* Page n is full of the nth letter, or of the text again and again; zeros if that is empty. */
static int
fill(int fd, const struct step *step, uint64_t page_size) {
  char *page = need(malloc(page_size));
  int error = 0;
  if (step->bytes && !step->nbytes)
    error = ftruncate(fd, (off_t)step->length) < 0 ? errno : 0;
  for (uint64_t at = 0; at < step->length && !error && !(step->bytes && !step->nbytes);
       at += page_size) {
    uint64_t len = step->length - at < page_size ? step->length - at : page_size;
    memset(page, "abcdefghijklmnopqrstuvwxyz"[at / page_size % 26], page_size);
    for (uint64_t i = 0; i < page_size && step->bytes; i++)
      page[i] = step->bytes[i % step->nbytes];
    error = write_all(fd, page, len, at);
  }
  free(page);
  return error;
}

int
file_create(struct world *world, const struct step *step) {
  char *path = file_path(world, step->file);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int error = fd < 0 ? errno : fill(fd, step, world->script->page_size);
  if (fd >= 0)
    (void)close(fd);
  free(path);
  return error;
}

int
file_write(struct world *world, const struct step *step) {
  char *path = file_path(world, step->file);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  int error = fd < 0 ? errno : write_all(fd, step->bytes, step->nbytes, step->offset);
  if (fd >= 0)
    (void)close(fd);
  free(path);
  return error;
}

int
file_truncate(struct world *world, const struct step *step) {
  char *path = file_path(world, step->file);
  int error = truncate(path, (off_t)step->length) < 0 ? errno : 0;
  free(path);
  return error;
}

/* ---- What changed -------------------------------------------------------------------------- */

enum { CHANGES_SHOWN = 6, BYTES_SHOWN = 24, GAP = 8 };

static struct snapshot
take_snapshot(const struct world *world, int file) {
  struct snapshot now = { 0 };
  struct stat st;
  char *path = file_path(world, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  free(path);
  if (fd < 0 || fstat(fd, &st) < 0)
    return now;
  now.exists = true;
  now.size = (uint64_t)st.st_size;
  now.bytes = need(calloc(now.size + 1, 1));
  for (uint64_t at = 0; at < now.size;) {
    ssize_t got = pread(fd, now.bytes + at, now.size - at, (off_t)at);
    if (got <= 0)
      break;
    at += (uint64_t)got;
  }
  (void)close(fd);
  return now;
}

static void
add_change(struct frame *frame, char *line) {
  frame->changes = need(reallocarray(frame->changes, frame->nchanges + 1, sizeof *frame->changes));
  frame->changes[frame->nchanges++] = line;
}

static char
byte_at(const struct snapshot *snapshot, uint64_t at) {
  if (at < snapshot->size)
    return snapshot->bytes[at];
  return '\0';
}

/* Behind `at`, where the files differ again for GAP bytes or more. */
static uint64_t
run_end(const struct snapshot *old, const struct snapshot *now, uint64_t at) {
  uint64_t end = at;
  for (; at < now->size && at - end < GAP; at++)
    if (byte_at(old, at) != now->bytes[at])
      end = at + 1;
  return end;
}

static char *
run_text(const struct world *world, int file, const struct snapshot *old,
         const struct snapshot *now, uint64_t at, uint64_t end) {
  uint64_t page_size = world->script->page_size, len = end - at;
  uint64_t had = old->size > at ? (old->size < end ? old->size : end) - at : 0;
  char *is = words_quote(now->bytes + at, len, BYTES_SHOWN);
  char *was = had ? words_quote(old->bytes + at, had, BYTES_SHOWN) : text_of("nothing");
  char *out =
      text_of("%s, page %llu, byte %llu: %s became %s", world->script->files.name[file],
              (unsigned long long)(at / page_size), (unsigned long long)(at % page_size), was, is);
  free(was);
  free(is);
  return out;
}

static void
note_bytes(struct world *world, int file, const struct snapshot *now, struct frame *frame) {
  const struct snapshot *old = &world->files[file];
  size_t shown = 0, more = 0;
  for (uint64_t at = 0; at < now->size; at++) {
    if (byte_at(old, at) == now->bytes[at])
      continue;
    uint64_t end = run_end(old, now, at);
    for (uint64_t page = at / world->script->page_size;
         page <= (end - 1) / world->script->page_size && page < PAGES_MAX; page++)
      frame->written[file][page / 8] |= (uint8_t)(1u << (page % 8));
    if (shown < CHANGES_SHOWN)
      add_change(frame, run_text(world, file, old, now, at, end));
    else
      more++;
    shown++;
    at = end - 1;
  }
  if (more)
    add_change(frame, text_of("%s: %zu more places", world->script->files.name[file], more));
}

static void
note_changes(struct world *world, int file, const struct snapshot *now, struct frame *frame) {
  const struct snapshot *old = &world->files[file];
  const char *name = world->script->files.name[file];
  char *was = size_text(old->size, world->script->page_size);
  char *is = size_text(now->size, world->script->page_size);
  if (now->exists && !old->exists)
    add_change(frame, text_of("%s: new, %s", name, is));
  else if (!now->exists && old->exists)
    add_change(frame, text_of("%s: gone", name));
  else if (now->size != old->size)
    add_change(frame, text_of("%s: %s instead of %s", name, is, was));
  if (now->exists && old->exists)
    note_bytes(world, file, now, frame);
  free(was);
  free(is);
}

void
files_look(struct world *world, struct frame *frame) {
  for (size_t i = 0; i < world->script->files.n; i++) {
    struct snapshot now = take_snapshot(world, (int)i);
    note_changes(world, (int)i, &now, frame);
    free(world->files[i].bytes);
    world->files[i] = now;
    frame->exists[i] = now.exists;
    frame->size[i] = now.size;
  }
}
