/* ls_json.h - sections as JSON. */
#ifndef TOOL_LS_JSON_H
#define TOOL_LS_JSON_H

#include "tool/sections.h"

/* Prints the list as an array of objects, in ASCII. */
void ls_print_json(const struct section_list *list);

#endif
