/* say.c - messages, and text that is safe to print. */
#include "tool/tool.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* ---- Messages ------------------------------------------------------------------------------ */

__attribute__((format(printf, 1, 0))) static void
complain_with(const char *format, va_list arguments) {
  /* What was said before on standard output comes before, also if both are one file. */
  (void)fflush(stdout);
  flockfile(stderr);
  (void)fputs("softmap: ", stderr);
  (void)vfprintf(stderr, format, arguments);
  (void)fputc('\n', stderr);
  funlockfile(stderr);
}

void
complain(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  complain_with(format, arguments);
  va_end(arguments);
}

int
usage_hint(void) {
  (void)fputs("Try 'softmap --help'.\n", stderr);
  return STATUS_USAGE;
}

int
usage_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  complain_with(format, arguments);
  va_end(arguments);
  return usage_hint();
}

/* ---- Memory -------------------------------------------------------------------------------- */

void *
need(void *allocated) {
  if (!allocated) {
    complain("out of memory");
    _Exit(STATUS_FAILED);
  }
  return allocated;
}

char *
text_of(const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int len = vasprintf(&text, format, arguments);
  va_end(arguments);
  return need(len < 0 ? NULL : text);
}

/* ---- Printable text ------------------------------------------------------------------------ */

/* Characters that iswprint allows, but that change what the rest of the line looks like: invisible
 * ones, and those that turn the direction of writing. */
static bool
is_format(wchar_t c) {
  static const struct {
    uint32_t first, last;
  } ranges[] = { { 0x80, 0x9f },     { 0xad, 0xad },     { 0x61c, 0x61c },
                 { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
                 { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f } };
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if ((uint32_t)c >= ranges[i].first && (uint32_t)c <= ranges[i].last)
      return true;
  return false;
}

static char *
add_escape(char *to, unsigned char byte) {
  static const char names[] = "abtnvfr"; /* of the bytes from \a on */
  *to++ = '\\';
  if (byte == '\\') {
    *to++ = '\\';
  } else if (byte >= '\a' && byte <= '\r') {
    *to++ = names[byte - '\a'];
  } else {
    *to++ = (char)('0' + (byte >> 6));
    *to++ = (char)('0' + (byte >> 3 & 7));
    *to++ = (char)('0' + (byte & 7));
  }
  return to;
}

char *
printable(const char *text) {
  size_t left = strlen(text);
  char *out = need(malloc(4 * left + 1));
  char *to = out;
  mbstate_t state = { 0 };
  while (left > 0) {
    wchar_t c = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): it has its own state */
    size_t len = mbrtowc(&c, text, left, &state);
    if (len == (size_t)-1 || len == (size_t)-2) {
      state = (mbstate_t){ 0 };
      to = add_escape(to, (unsigned char)*text);
      len = 1;
    } else if (c == L'\\' || !iswprint((wint_t)c) || is_format(c)) {
      for (size_t i = 0; i < len; i++)
        to = add_escape(to, (unsigned char)text[i]);
    } else {
      memcpy(to, text, len);
      to += len;
    }
    text += len;
    left -= len;
  }
  *to = '\0';
  return out;
}

size_t
columns(const char *printable_text) {
  size_t left = strlen(printable_text), sum = 0;
  mbstate_t state = { 0 };
  while (left > 0) {
    wchar_t c = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): it has its own state */
    size_t len = mbrtowc(&c, printable_text, left, &state);
    if (len == 0 || len > left)
      return sum + left; /* not printable text */
    int width = wcwidth(c);
    sum += width > 0 ? (size_t)width : 0;
    printable_text += len;
    left -= len;
  }
  return sum;
}
