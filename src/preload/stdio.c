/* stdio.c - streams: reading, writing, and what flushes them. */
#include "preload/real.h"

#include <stdarg.h>
#include <string.h>

#include "preload/pins.h"
#include "preload/policy.h"
#include "preload/stream.h"

/* ---- Reading ------------------------------------------------------------------------------- */

#define READING(file, n, call)                                                                     \
  do {                                                                                             \
    if (!stream_has((file), (n)))                                                                  \
      stream_read(file);                                                                           \
    return call;                                                                                   \
  } while (0)

#define READING_INTO(file, to, n, call)                                                            \
  do {                                                                                             \
    PINS(pins);                                                                                    \
    if (shim_is_started())                                                                         \
      OUT(to, n);                                                                                  \
    READING(file, n, call);                                                                        \
  } while (0)

EXPORT size_t
fread(void *to, size_t size, size_t n, FILE *file) {
  READING_INTO(file, to, size * n, REAL(fread)(to, size, n, file));
}

EXPORT size_t
fread_unlocked(void *to, size_t size, size_t n, FILE *file) {
  READING_INTO(file, to, size * n, REAL(fread_unlocked)(to, size, n, file));
}

EXPORT size_t
__fread_chk(void *to, size_t room, size_t size, size_t n, FILE *file) {
  READING_INTO(file, to, size * n, REAL(__fread_chk)(to, room, size, n, file));
}

EXPORT size_t
__fread_unlocked_chk(void *to, size_t room, size_t size, size_t n, FILE *file) {
  READING_INTO(file, to, size * n, REAL(__fread_unlocked_chk)(to, room, size, n, file));
}

EXPORT char *
fgets(char *to, int n, FILE *file) {
  READING(file, (size_t)(n > 0 ? n : 0), REAL(fgets)(to, n, file));
}

EXPORT char *
fgets_unlocked(char *to, int n, FILE *file) {
  READING(file, (size_t)(n > 0 ? n : 0), REAL(fgets_unlocked)(to, n, file));
}

EXPORT char *
__fgets_chk(char *to, size_t room, int n, FILE *file) {
  READING(file, (size_t)(n > 0 ? n : 0), REAL(__fgets_chk)(to, room, n, file));
}

EXPORT char *
__fgets_unlocked_chk(char *to, size_t room, int n, FILE *file) {
  READING(file, (size_t)(n > 0 ? n : 0), REAL(__fgets_unlocked_chk)(to, room, n, file));
}

EXPORT int
fgetc(FILE *file) {
  READING(file, 1, REAL(fgetc)(file));
}

EXPORT int
getc(FILE *file) {
  READING(file, 1, REAL(getc)(file));
}

EXPORT int
fgetc_unlocked(FILE *file) {
  READING(file, 1, REAL(fgetc_unlocked)(file));
}

EXPORT int
getc_unlocked(FILE *file) {
  READING(file, 1, REAL(getc_unlocked)(file));
}

EXPORT int
__uflow(FILE *file) {
  READING(file, 1, REAL(__uflow)(file));
}

EXPORT int
__underflow(FILE *file) {
  READING(file, 1, REAL(__underflow)(file));
}

EXPORT ssize_t
getline(char **to, size_t *len, FILE *file) {
  READING(file, SIZE_MAX, REAL(getline)(to, len, file));
}

EXPORT ssize_t
getdelim(char **to, size_t *len, int delimiter, FILE *file) {
  READING(file, SIZE_MAX, REAL(getdelim)(to, len, delimiter, file));
}

EXPORT ssize_t
__getdelim(char **to, size_t *len, int delimiter, FILE *file) {
  READING(file, SIZE_MAX, REAL(__getdelim)(to, len, delimiter, file));
}

/* Those of C99, which programs have called for twenty years. */
EXPORT int
__isoc99_vfscanf(FILE *file, const char *format, va_list args) {
  READING(file, SIZE_MAX, REAL(__isoc99_vfscanf)(file, format, args));
}

EXPORT int
__isoc99_fscanf(FILE *file, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = __isoc99_vfscanf(file, format, args);
  va_end(args);
  return n;
}

/* ---- Writing ------------------------------------------------------------------------------- */

#define WRITING(type, file, n, call)                                                               \
  do {                                                                                             \
    struct stream_op op;                                                                           \
    if (stream_has_room((file), (n)))                                                              \
      return call;                                                                                 \
    stream_write(&op, (file), (n));                                                                \
    type result = call;                                                                            \
    stream_write_end(&op);                                                                         \
    return result;                                                                                 \
  } while (0)

EXPORT size_t
fwrite(const void *from, size_t size, size_t n, FILE *file) {
  PINS(pins);
  if (shim_is_started())
    IN(from, size * n);
  WRITING(size_t, file, size * n, REAL(fwrite)(from, size, n, file));
}

EXPORT size_t
fwrite_unlocked(const void *from, size_t size, size_t n, FILE *file) {
  PINS(pins);
  if (shim_is_started())
    IN(from, size * n);
  WRITING(size_t, file, size * n, REAL(fwrite_unlocked)(from, size, n, file));
}

EXPORT int
fputs(const char *from, FILE *file) {
  PINS(pins);
  if (shim_is_started())
    PATH(from);
  WRITING(int, file, strlen(from), REAL(fputs)(from, file));
}

EXPORT int
fputs_unlocked(const char *from, FILE *file) {
  PINS(pins);
  if (shim_is_started())
    PATH(from);
  WRITING(int, file, strlen(from), REAL(fputs_unlocked)(from, file));
}

EXPORT int
fputc(int c, FILE *file) {
  WRITING(int, file, 1, REAL(fputc)(c, file));
}

EXPORT int
putc(int c, FILE *file) {
  WRITING(int, file, 1, REAL(putc)(c, file));
}

EXPORT int
fputc_unlocked(int c, FILE *file) {
  WRITING(int, file, 1, REAL(fputc_unlocked)(c, file));
}

EXPORT int
putc_unlocked(int c, FILE *file) {
  WRITING(int, file, 1, REAL(putc_unlocked)(c, file));
}

EXPORT int
__overflow(FILE *file, int c) {
  WRITING(int, file, 1, REAL(__overflow)(file, c));
}

/* How much it will be isn't known: what isn't held is stored like a store. */
enum { FORMATTED = 4096 };

EXPORT int
vfprintf(FILE *file, const char *format, va_list args) {
  WRITING(int, file, FORMATTED, REAL(vfprintf)(file, format, args));
}

EXPORT int
__vfprintf_chk(FILE *file, int flag, const char *format, va_list args) {
  WRITING(int, file, FORMATTED, REAL(__vfprintf_chk)(file, flag, format, args));
}

EXPORT int
fprintf(FILE *file, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vfprintf(file, format, args);
  va_end(args);
  return n;
}

EXPORT int
__fprintf_chk(FILE *file, int flag, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = __vfprintf_chk(file, flag, format, args);
  va_end(args);
  return n;
}

/* ---- Flushing, moving, closing -------------------------------------------------------------- */

#define FLUSHING(type, file, call)                                                                 \
  do {                                                                                             \
    struct stream_op op;                                                                           \
    stream_flush(&op, (file));                                                                     \
    type result = call;                                                                            \
    stream_flush_end(&op);                                                                         \
    return result;                                                                                 \
  } while (0)

static int
flush_one(FILE *file) {
  if (__fpending(file))
    (void)fflush(file);
  return 0;
}

EXPORT int
fflush(FILE *file) {
  if (!file) {
    stream_each(flush_one);
    return REAL(fflush)(file);
  }
  FLUSHING(int, file, REAL(fflush)(file));
}

EXPORT int
fflush_unlocked(FILE *file) {
  if (!file)
    return fflush(file);
  FLUSHING(int, file, REAL(fflush_unlocked)(file));
}

EXPORT int
fseek(FILE *file, long offset, int whence) {
  FLUSHING(int, file, REAL(fseek)(file, offset, whence));
}

EXPORT int
fseeko(FILE *file, off_t offset, int whence) {
  FLUSHING(int, file, REAL(fseeko)(file, offset, whence));
}

EXPORT int
fseeko64(FILE *file, off64_t offset, int whence) {
  FLUSHING(int, file, REAL(fseeko64)(file, offset, whence));
}

EXPORT void
rewind(FILE *file) {
  struct stream_op op;
  stream_flush(&op, file);
  REAL(rewind)(file);
  stream_flush_end(&op);
}

EXPORT int
fsetpos(FILE *file, const fpos_t *at) {
  FLUSHING(int, file, REAL(fsetpos)(file, at));
}

EXPORT int
fsetpos64(FILE *file, const fpos64_t *at) {
  FLUSHING(int, file, REAL(fsetpos64)(file, at));
}

/* The descriptor is gone afterwards: what is waiting goes first. */
EXPORT int
fclose(FILE *file) {
  stream_remove(file);
  if (__fpending(file) && fflush(file)) {
    (void)REAL(fclose)(file);
    return EOF;
  }
  return REAL(fclose)(file);
}
