/* json.c - values and text of JSON. */
#include "tool/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- UTF-8 --------------------------------------------------------------------------------- */

/* Reads a character; its bytes, or 0 if they are none (RFC 3629: nor a surrogate, nor longer than
 * need be). */
static size_t
decode(const char *text, size_t left, uint32_t *character) {
  const unsigned char *at = (const unsigned char *)text;
  /* Lead bytes that could only begin something longer than need be are none. */
  size_t len = at[0] < 0x80                   ? 1
               : at[0] < 0xc2 || at[0] > 0xf4 ? 0
               : at[0] < 0xe0                 ? 2
               : at[0] < 0xf0                 ? 3
                                              : 4;
  if (len == 0 || len > left)
    return 0;
  uint32_t c = len == 1 ? at[0] : at[0] & (0x7fU >> len);
  for (size_t i = 1; i < len; i++) {
    if ((at[i] & 0xc0) != 0x80)
      return 0;
    c = c << 6 | (at[i] & 0x3f);
  }
  if ((len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
      (len == 4 && (c < 0x10000 || c > 0x10ffff)))
    return 0;
  *character = c;
  return len;
}

/* The text with U+FFFD for each byte that is no part of a character; tells whether there was one. */
static char *
valid_utf8(const char *text, bool *is_exact) {
  static const char replacement[] = "\xef\xbf\xbd";
  size_t left = strlen(text);
  char *out = need(malloc(3 * left + 1));
  char *to = out;
  *is_exact = true;
  while (left > 0) {
    uint32_t character;
    size_t len = decode(text, left, &character);
    *is_exact &= len > 0;
    memcpy(to, len > 0 ? text : replacement, len > 0 ? len : 3);
    to += len > 0 ? len : 3;
    text += len > 0 ? len : 1;
    left -= len > 0 ? len : 1;
  }
  *to = '\0';
  return out;
}

/* ---- Values -------------------------------------------------------------------------------- */

void
json_add(struct json_object *to, const char *key, struct json_object *value) {
  if (json_object_object_add(to, key, value) != 0)
    need(NULL);
}

void
json_add_number(struct json_object *to, const char *key, uint64_t number, bool is_known) {
  json_add(to, key, is_known ? need(json_object_new_uint64(number)) : NULL);
}

void
json_add_string(struct json_object *to, const char *key, const char *text) {
  bool is_exact;
  char *valid = text ? valid_utf8(text, &is_exact) : NULL;
  json_add(to, key, valid ? need(json_object_new_string(valid)) : NULL);
  free(valid);
}

static struct json_object *
hex_of(const char *text) {
  static const char digits[] = "0123456789abcdef";
  size_t len = strlen(text);
  char *hex = need(malloc(2 * len + 1));
  for (size_t i = 0; i < len; i++) {
    hex[2 * i] = digits[(unsigned char)text[i] >> 4];
    hex[2 * i + 1] = digits[(unsigned char)text[i] & 15];
  }
  hex[2 * len] = '\0';
  struct json_object *value = need(json_object_new_string(hex));
  free(hex);
  return value;
}

/* A path is any bytes but 0, a JSON string is characters: where they differ, the bytes are told
 * beside it. */
void
json_add_path(struct json_object *to, const char *key, const char *hex_key, const char *path) {
  bool is_exact = true;
  char *text = path ? valid_utf8(path, &is_exact) : NULL;
  json_add(to, key, text ? need(json_object_new_string(text)) : NULL);
  json_add(to, hex_key, is_exact ? NULL : hex_of(path));
  free(text);
}

/* ---- Printing ------------------------------------------------------------------------------ */

/* json-c escapes control characters below a blank only.  Outside of ASCII there are more, and a
 * terminal may have another character set; in JSON text they stand in strings only. */
static void
print_ascii(const char *text, size_t left) {
  while (left > 0) {
    uint32_t c = 0xfffd;
    size_t len = decode(text, left, &c);
    if (len == 1 && c != 0x7f)
      (void)putchar((int)c);
    else if (c < 0x10000)
      (void)printf("\\u%04x", (unsigned)c);
    else
      (void)printf("\\u%04x\\u%04x", (unsigned)(0xd7c0 + (c >> 10)),
                   (unsigned)(0xdc00 | (c & 0x3ff)));
    text += len > 0 ? len : 1;
    left -= len > 0 ? len : 1;
  }
  (void)putchar('\n');
}

void
json_print(struct json_object *value) {
  size_t len;
  const char *text = need((void *)(uintptr_t)json_object_to_json_string_length(
      value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE,
      &len));
  print_ascii(text, len);
}
