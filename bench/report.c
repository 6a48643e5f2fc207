/* report.c - the table, and the same as JSON. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#define WHAT_WIDTH 44

static FILE *json;
static char json_path[4096];
static bool is_started;
static const char *last_group = "";
static int goals, missed;

/* ---- JSON ---------------------------------------------------------------------------------- */

static void
json_string(const char *text) {
  fputc('"', json);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fputc('\\', json);
    fputc(*text, json);
  }
  fputc('"', json);
}

static void
json_member(const char *name, const char *value) {
  json_string(name);
  fputs(": ", json);
  json_string(value);
  fputs(", ", json);
}

static void
json_samples(const char *name, const struct samples *samples, double per) {
  fprintf(json, "\"%s\": [", name);
  for (int i = 0; i < samples->count; i++)
    fprintf(json, "%s%.4f", i ? ", " : "", samples->at[i] / per);
  fputs("], ", json);
}

static void
json_quartiles(const char *name, const struct samples *samples, double per) {
  fprintf(json, "\"%s\": [%.4f, %.4f, %.4f], ", name, quartile(samples, 1) / per,
          quartile(samples, 2) / per, quartile(samples, 3) / per);
}

/* Under another name until it is complete. */
static void
json_facts(void) {
  const char *(*facts)[2];
  size_t n = machine_facts(&facts);
  snprintf(json_path, sizeof json_path, "%s.new", options.json);
  json = fopen(json_path, "we");
  if (!json)
    die(json_path);
  fputs("{\n  \"machine\": { ", json);
  for (size_t i = 0; i < n; i++) {
    json_string(facts[i][0]);
    fputs(": ", json);
    json_string(facts[i][1]);
    fputs(i + 1 < n ? ", " : " },\n  \"rows\": [", json);
  }
}

static void
json_row(const struct row *row, const struct samples *ours, const struct samples *floor,
         double ratio) {
  static bool is_first = true;
  fprintf(json, "%s\n    { ", is_first ? "" : ",");
  is_first = false;
  json_member("group", row->group);
  json_member("what", row->what);
  json_member("floor", row->floor);
  json_member("unit", row->unit);
  json_samples("ours", ours, row->per);
  json_samples("floor_times", floor, row->per);
  json_quartiles("ours_quartiles", ours, row->per);
  json_quartiles("floor_quartiles", floor, row->per);
  if (row->along) {
    json_member("along", row->along);
    json_member("x_text", row->x_text);
    fprintf(json, "\"x\": %g, ", row->x);
  }
  fprintf(json, "\"ratio\": %.4f, \"quartiles\": [%.4f, %.4f]", ratio,
          ratio_quartile(ours, floor, 1), ratio_quartile(ours, floor, 3));
  if (row->goal > 0)
    fprintf(json, ", \"goal\": %.2f, \"reached\": %s", row->goal,
            ratio <= row->goal ? "true" : "false");
  fputs(" }", json);
  fflush(json); /* a worker would write it once more */
}

/* ---- The table ----------------------------------------------------------------------------- */

static void
print_facts(void) {
  const char *(*facts)[2];
  size_t n = machine_facts(&facts);
  for (size_t i = 0; i < n; i++)
    printf("%-14s %s\n", facts[i][0], facts[i][1]);
}

static void
start(void) {
  is_started = true;
  print_facts();
  if (options.json)
    json_facts();
}

static void
print_group(const struct row *row) {
  if (strcmp(row->group, last_group) == 0)
    return;
  last_group = row->group;
  printf("\n%s, %s\n", row->group, row->unit);
  printf("  %-*s %10s %10s %7s %13s %6s %-14s against\n", WHAT_WIDTH, row->along ? row->along : "",
         "ours", "floor", "ratio", "(quartiles)", "goal", "");
}

static void
print_verdict(const struct row *row, double ratio) {
  char verdict[32] = "";
  if (row->goal <= 0) {
    printf(" %6s %-14s", "", "");
    return;
  }
  goals++;
  missed += ratio > row->goal;
  if (ratio > row->goal)
    snprintf(verdict, sizeof verdict, "missed (%.2f)", ratio);
  printf(" %6.2f %-14s", row->goal, ratio > row->goal ? verdict : "reached");
}

/* The ratio is that of the medians. */
void
report_row(const struct row *row, const struct samples *ours, const struct samples *floor) {
  if (!is_started)
    start();
  char what[128];
  double ratio = median(ours) / median(floor);
  print_group(row);
  snprintf(what, sizeof what, "%s%s%s", row->along ? row->x_text : "", row->along ? ": " : "",
           row->what);
  printf("  %-*s %10.3f %10.3f %7.2f (%5.2f %5.2f)", WHAT_WIDTH, what, median(ours) / row->per,
         median(floor) / row->per, ratio, ratio_quartile(ours, floor, 1),
         ratio_quartile(ours, floor, 3));
  print_verdict(row, ratio);
  printf(" %s\n", row->floor);
  fflush(stdout);
  if (json)
    json_row(row, ours, floor, ratio);
}

void
report_end(void) {
  if (!is_started)
    start();
  printf("\n%d goals, %d missed\n", goals, missed);
  if (!json)
    return;
  fputs("\n  ]\n}\n", json);
  if (fclose(json) != 0 || rename(json_path, options.json) != 0)
    die(options.json);
}
