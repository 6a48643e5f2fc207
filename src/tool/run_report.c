/* run_report.c - what softmap did in all processes of a run: a table, or JSON. */
#include "tool/run.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/report.h"

/* In the order of struct softmap_stats, without what isn't monotonic. */
static const struct {
  const char *key, *title;
} rows[] = {
  { "mappings_served", "mappings served by softmap" },
  { "mappings_passed", "mappings passed to the host" },
  { "faults_write", "faults: first store to a page" },
  { "faults_fill", "faults: page to be read" },
  { "faults_spurious", "faults: nothing to do" },
  { "faults_past_end", "faults: behind the end of the file" },
  { "faults_foreign", "faults: the program's own" },
  { "pages_filled", "pages read" },
  { "pages_written", "pages written" },
  { "bytes_written", "bytes written" },
  { "writes", "write system calls" },
  { "flushes", "flushes to storage" },
  { "write_errors", "writes and flushes that failed" },
  { "files_grown", "files that grew" },
  { "files_shrunk", "files that shrank" },
  { "changed_outside", "changes by others noticed" },
  { "closed_early", "pages closed to spare memory areas" },
};
enum { NROWS = sizeof rows / sizeof rows[0] };

int
report_make(struct run *run) {
  run->report_fd = memfd_create("softmap-report", MFD_CLOEXEC);
  if (run->report_fd < 0 || ftruncate(run->report_fd, sizeof(struct report)) != 0) {
    complain("run: --report: %m");
    return RUN_FAILED;
  }
  void *at = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED, run->report_fd, 0);
  if (at == MAP_FAILED) {
    complain("run: --report: %m");
    return RUN_FAILED;
  }
  run->counters = at;
  run->counters->magic = REPORT_MAGIC;
  return 0;
}

/* ---- Table --------------------------------------------------------------------------------- */

static void
print_row(FILE *to, const char *title, uint64_t value) {
  (void)fprintf(to, "  %-38s%12llu\n", title, (unsigned long long)value);
}

static const char *
name_of_error(uint32_t error) {
  const char *name = strerrorname_np((int)error);
  return name ? name : "?";
}

static void
print_refusals(FILE *to, const struct report *report) {
  for (int i = 0; i < REPORT_REFUSALS; i++) {
    const struct report_refusal *refusal = &report->refusals[i];
    if (atomic_load(&refusal->state) != 2)
      continue;
    char *path = printable(refusal->path);
    (void)fprintf(to, "  %s refused to map %s: %s, %u times\n",
                  refusal->by_softmap ? "softmap" : "the host", path, name_of_error(refusal->error),
                  (unsigned)atomic_load(&refusal->count));
    free(path);
  }
}

static void
print_table(FILE *to, const struct run *run) {
  const struct report *report = run->counters;
  (void)fprintf(to, "softmap: report of %s\n", run->argv[0]);
  for (size_t i = 0; i < NROWS; i++)
    print_row(to, rows[i].title, atomic_load(&report->counters[i]));
  print_row(to, "system calls on mapped memory", atomic_load(&report->pinned));
  print_row(to, "reads and writes of mapped files", atomic_load(&report->coherent));
  print_refusals(to, report);
  if (run->map && strcmp(run->map, "auto") != 0 && atomic_load(&report->counters[0]) == 0)
    (void)fprintf(to, "  nothing that was mapped fits --map=%s\n", run->map);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void
add_number(struct json_object *to, const char *key, uint64_t value) {
  (void)json_object_object_add(to, key, json_object_new_uint64(value));
}

static struct json_object *
refusals_json(const struct report *report) {
  struct json_object *list = json_object_new_array();
  for (int i = 0; i < REPORT_REFUSALS; i++) {
    const struct report_refusal *refusal = &report->refusals[i];
    if (atomic_load(&refusal->state) != 2)
      continue;
    struct json_object *item = json_object_new_object();
    char *path = printable(refusal->path); /* JSON is text: bytes that are none are escaped */
    (void)json_object_object_add(item, "path", json_object_new_string(path));
    (void)json_object_object_add(item, "error",
                                 json_object_new_string(name_of_error(refusal->error)));
    (void)json_object_object_add(
      item, "refused_by", json_object_new_string(refusal->by_softmap ? "softmap" : "host"));
    add_number(item, "count", atomic_load(&refusal->count));
    (void)json_object_array_add(list, item);
    free(path);
  }
  return list;
}

static void
print_report_json(FILE *to, const struct run *run) {
  const struct report *report = run->counters;
  struct json_object *all = json_object_new_object();
  for (size_t i = 0; i < NROWS; i++)
    add_number(all, rows[i].key, atomic_load(&report->counters[i]));
  add_number(all, "calls_on_mapped_memory", atomic_load(&report->pinned));
  add_number(all, "coherent_calls", atomic_load(&report->coherent));
  (void)json_object_object_add(all, "map", json_object_new_string(run->map ? run->map : "auto"));
  (void)json_object_object_add(all, "refused", refusals_json(report));
  (void)fprintf(to, "%s\n", json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
  (void)json_object_put(all);
}

/* ---- Writing it ---------------------------------------------------------------------------- */

int
report_write(const struct run *run) {
  const char *name = run->report_to;
  size_t len = strlen(name);
  bool is_stderr = !*name;
  FILE *to = is_stderr ? stderr : fopen(name, "we");
  if (!to) {
    char *shown = printable(name);
    complain("run: --report=%s: %m", shown);
    free(shown);
    return RUN_FAILED;
  }
  if (len >= 5 && strcmp(name + len - 5, ".json") == 0)
    print_report_json(to, run);
  else
    print_table(to, run);
  bool is_written = fflush(to) == 0;
  if (!is_stderr) // cppcheck-suppress useClosedFile ; not closed before
    is_written &= fclose(to) == 0;
  if (is_written)
    return 0;
  complain("run: --report: %m");
  return RUN_FAILED;
}
