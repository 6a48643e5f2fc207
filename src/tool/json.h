/* json.h - values and text of JSON: what json-c leaves to its users. */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include "tool/tool.h"

#include <json-c/json.h>
#include <stdint.h>

/* Members of an object.  A value that isn't known (NULL) is null. */
void json_add(struct json_object *to, const char *key, struct json_object *value);
void json_add_number(struct json_object *to, const char *key, uint64_t number, bool is_known);

/* Any bytes; each that is no part of a character of UTF-8 becomes U+FFFD. */
void json_add_string(struct json_object *to, const char *key, const char *text);

/* The same; the bytes in hexadecimal under `hex_key`, if not all could be taken. */
void json_add_path(struct json_object *to, const char *key, const char *hex_key, const char *path);

/* Prints it in ASCII. */
void json_print(struct json_object *value);

#endif
