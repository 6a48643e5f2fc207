/* output.h - recordings as text, JSON, pictures. */
#ifndef LAB_OUTPUT_H
#define LAB_OUTPUT_H

#include <stdio.h>

#include "lab/world.h"

/* On standard output. */
void output_text(const struct recording *recording, bool colour);
void output_json(const struct recording *recording);
void output_svg(const struct recording *recording);
void output_html(const struct recording *recording);

/* One step's lines; before: the frame before it, or NULL. (text.c) */
void output_frame(FILE *out, const struct script *script, const struct frame *frame,
                  const struct frame *before, bool colour);

/* The whole timeline as an SVG element. (svg.c) */
void svg_timeline(FILE *out, const struct recording *recording);

/* With &, < and > as entities. (svg.c) */
void put_escaped(FILE *out, const char *text);

/* Runs the script on both engines, side by side; returns the exit status. (compare.c) */
int compare_engines(const struct script *script, const char *engine, const char *other,
                    bool colour);

/* Which broken engines each script exposes; returns the exit status. (grade.c) */
int grade_scripts(char **paths, size_t n);

/* Name of broken engine i, and what is wrong with it; NULL behind the last. (grade.c) */
const char *broken_name(size_t i);
const char *broken_what(size_t i);

#endif
