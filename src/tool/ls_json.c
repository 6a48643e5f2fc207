/* ls_json.c - sections as JSON.  The keys are part of the interface: softmap(1). */
#include "tool/ls_json.h"

#include <stdio.h>

#include "tool/json.h"

static struct json_object *
section_value(const struct softmap_section *section) {
  bool is_known = !(section->flags & SOFTMAP_SECTION_DAMAGED);
  struct json_object *value = need(json_object_new_object());
  json_add_string(value, "name", section->name);
  json_add_path(value, "path", "path_hex", is_known && section->path[0] ? section->path : NULL);
  json_add(value, "path_is_cut",
           is_known ? need(json_object_new_boolean(section_path_is_cut(section))) : NULL);
  json_add_string(value, "state", section_state_name(section_state(section)));
  json_add_number(value, "size", section->size, is_known);
  json_add_number(value, "page_size", section->page_size, is_known);
  json_add_number(value, "dirty_pages", section->dirty_pages, is_known);
  json_add_number(value, "live", section->live, is_known);
  json_add_number(value, "dead", section->dead, is_known);
  json_add_number(value, "device", section->device, is_known);
  json_add_number(value, "inode", section->inode, is_known);
  return value;
}

void
ls_print_json(const struct section_list *list) {
  if (list->n == 0) {
    (void)puts("[]");
    return;
  }
  struct json_object *array = need(json_object_new_array());
  for (size_t i = 0; i < list->n; i++)
    if (json_object_array_add(array, section_value(&list->at[i])) != 0)
      need(NULL);
  json_print(array);
  json_object_put(array);
}
