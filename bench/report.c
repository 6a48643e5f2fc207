/* report.c - the table, and the same as JSON. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *json;
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
json_facts(void) {
  const char *(*facts)[2];
  size_t n = machine_facts(&facts);
  json = fopen(options.json, "we");
  if (!json)
    die(options.json);
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
  json_member("what", row->what + strspn(row->what, " "));
  json_member("floor", row->floor);
  json_member("unit", row->unit);
  json_samples("ours", ours, row->per);
  json_samples("floor_times", floor, row->per);
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
  printf("\n%s, %s, against %s\n", row->group, row->unit, row->floor);
  printf("  %-26s %10s %10s %7s %13s %6s\n", "", "ours", "floor", "ratio", "(quartiles)", "goal");
}

static void
print_verdict(const struct row *row, double ratio) {
  if (row->goal <= 0)
    return;
  goals++;
  missed += ratio > row->goal;
  printf(" %6.2f  ", row->goal);
  if (ratio <= row->goal)
    printf("reached");
  else
    printf("missed (%.2f)", ratio);
}

/* The ratio is that of the medians. */
void
report_row(const struct row *row, const struct samples *ours, const struct samples *floor) {
  if (!is_started)
    start();
  double ratio = median(ours) / median(floor);
  print_group(row);
  printf("  %-26s %10.3f %10.3f %7.2f (%5.2f %5.2f)", row->what, median(ours) / row->per,
         median(floor) / row->per, ratio, ratio_quartile(ours, floor, 1),
         ratio_quartile(ours, floor, 3));
  print_verdict(row, ratio);
  putchar('\n');
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
  if (fclose(json) != 0)
    die(options.json);
}
