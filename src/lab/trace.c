/* trace.c - softmap trace: what a program did to its pages, from the file that SOFTMAP_TRACE named. */
#include "lab/trace.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/output.h"
#include "tool/tool.h"

enum { COLUMNS_MAX = 60 }; /* of a picture */

/* A line an event. */
static void
print_events(const struct trace *trace) {
  uint64_t begin = trace->n ? trace->event[0].when_ns : 0;
  (void)printf("%12s %8s  %-12s %s\n", "SECONDS", "PROCESS", "WHAT", "PAGES");
  for (size_t i = 0; i < trace->n; i++) {
    const struct trace_event *event = &trace->event[i];
    uint64_t us = (event->when_ns - begin) / 1000;
    char *path = printable(trace->path[event->file] ? trace->path[event->file] : "");
    (void)printf("%5" PRIu64 ".%06" PRIu64 " %8" PRIu32 "  %-12s", us / 1000000, us % 1000000,
                 event->pid, trace_kind_name(event->kind));
    if (event->kind == TRACE_SIZE)
      (void)printf(" %" PRIu64 " in all", event->npages);
    else if (event->kind == TRACE_FORK)
      (void)printf(" by %" PRIu64, event->first);
    else if (event->npages == 1)
      (void)printf(" %" PRIu64, event->first);
    else if (event->npages > 1)
      (void)printf(" %" PRIu64 "-%" PRIu64, event->first, event->first + event->npages - 1);
    (void)printf("%s%s\n", *path ? "  " : "", path);
    free(path);
  }
}

static void
print_pictures(const struct trace *trace, const char *title, const char *format) {
  struct script script;
  struct recording recording;
  bool is_json = strcmp(format, "json") == 0;
  trace_record(trace, &script, &recording, is_json ? SIZE_MAX / 2 : COLUMNS_MAX);
  script.title = script_own(&script, printable(title));
  if (is_json)
    output_json(&recording);
  else if (strcmp(format, "svg") == 0)
    output_svg(&recording);
  else
    output_html(&recording);
  recording_free(&recording);
  script_free(&script);
}

static int
run_trace(int argc, char **argv) {
  static const struct option options[] = { { "format", required_argument, NULL, 'f' },
                                           { "help", no_argument, NULL, 'h' },
                                           { 0 } };
  static const char *const formats[] = { "text", "json", "svg", "html" };
  const char *format = NULL;
  for (int option; (option = next_option(argc, argv, options)) != -1;)
    switch (option) {
    case 'f':
      format = NULL;
      for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i], optarg) == 0)
          format = formats[i];
      if (!format)
        return usage_error("--format: one of text, json, svg, html");
      break;
    case 'h':
      return show_help(&command_trace);
    default:
      return usage_hint();
    }
  if (optind + 1 != argc)
    return usage_error("trace: one trace file, please");
  struct trace trace;
  if (!trace_read(argv[optind], &trace))
    return STATUS_FAILED;
  if (!format || strcmp(format, "text") == 0)
    print_events(&trace);
  else
    print_pictures(&trace, argv[optind], format);
  if (trace.lost)
    complain("%" PRIu64 " events are lost: the ring holds %u", trace.lost, TRACE_CAPACITY);
  trace_free(&trace);
  return STATUS_OK;
}

const struct command command_trace = {
  .name = "trace",
  .summary = "show what a traced program did to its pages",
  .help = "usage: softmap trace [--format FORMAT] FILE\n"
          "\n"
          "Shows the events that programs put into FILE: those that ran with SOFTMAP_TRACE=FILE\n"
          "(an absolute path).\n"
          "\n"
          "  -f, --format FORMAT  text: a line an event; json; svg: a timeline as of softmap lab,\n"
          "                       several events in a column if there are many; html\n"
          "  -h, --help           say this\n",
  .run = run_trace,
};
