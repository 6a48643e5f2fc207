/* json_values.c - reads an array of objects from standard input, strictly, and prints a line an
 * object: the values of the keys that the arguments name, with a blank between; with no arguments
 * the keys.  A helper of scripts.  Exit status 1: that is no JSON.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

static char text[1 << 20];

static struct json_object *
parse(size_t len) {
  struct json_tokener *tokener = json_tokener_new();
  if (!tokener)
    return NULL;
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
  struct json_object *value = json_tokener_parse_ex(tokener, text, (int)len);
  if (json_tokener_get_error(tokener) != json_tokener_success)
    (void)fprintf(stderr, "no JSON: %s\n",
                  json_tokener_error_desc(json_tokener_get_error(tokener)));
  json_tokener_free(tokener);
  return value;
}

/* json-c takes them, RFC 8259 doesn't. */
static bool
has_control_in_string(size_t len) {
  bool is_inside = false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '"')
      is_inside = !is_inside;
    else if (is_inside && text[i] == '\\')
      i++;
    else if (is_inside && (unsigned char)text[i] < ' ')
      return true;
  }
  return false;
}

int
main(int argc, char **argv) {
  size_t len = fread(text, 1, sizeof text - 1, stdin);
  if (has_control_in_string(len))
    return (void)fputs("a control character in a string\n", stderr), 1;
  struct json_object *array = parse(len + 1); /* the 0 ends it */
  if (!json_object_is_type(array, json_type_array))
    return (void)fputs("no array\n", stderr), 1;
  for (size_t i = 0; i < json_object_array_length(array); i++) {
    struct json_object *object = json_object_array_get_idx(array, i), *value;
    if (argc < 2) {
      json_object_object_foreach(object, key, ignored) {
        (void)ignored;
        (void)printf("%s ", key);
      }
    }
    for (int k = 1; k < argc; k++) {
      if (!json_object_object_get_ex(object, argv[k], &value))
        return (void)fprintf(stderr, "no key %s\n", argv[k]), 1;
      (void)printf("%s ", value ? json_object_get_string(value) : "null");
    }
    (void)putchar('\n');
  }
  json_object_put(array);
  return 0;
}
