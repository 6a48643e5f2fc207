/* lab.c - softmap lab: runs a script and shows its pages. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/output.h"
#include "tool/tool.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SVG, FORMAT_HTML, NFORMATS };
static const char *const format_names[NFORMATS] = { "text", "json", "svg", "html" };

struct asked {
  const char *engine, *other;
  enum format format;
  bool grade, is_quiet;
};

/* ---- Options ------------------------------------------------------------------------------- */

static int
check_engine(const char *option, const char *name) {
  const char *names[16] = { "fault", "watch", "compare", "native" };
  char *owned[16] = { NULL };
  size_t n = 4;
  bool is_known = false;
  for (size_t i = 0; broken_name(i); i++)
    names[n] = owned[n] = text_of("broken-%s", broken_name(i)), n++;
  for (size_t i = 0; i < n; i++)
    is_known |= strcmp(names[i], name) == 0;
  const char *near = is_known ? NULL : nearest_word(name, names, n);
  char *shown = printable(name);
  int status = STATUS_OK;
  if (!is_known)
    status = near ? usage_error("%s: unknown engine '%s'; did you mean '%s'?", option, shown, near)
                  : usage_error("%s: unknown engine '%s'", option, shown);
  free(shown);
  for (size_t i = 0; i < n; i++)
    free(owned[i]);
  return status;
}

static int
take_format(const char *name, enum format *out) {
  for (enum format i = 0; i < NFORMATS; i++)
    if (strcmp(format_names[i], name) == 0) {
      *out = i;
      return STATUS_OK;
    }
  char *shown = printable(name);
  int status = usage_error("--format: '%s' is none of text, json, svg, html", shown);
  free(shown);
  return status;
}

/* STATUS_OK, or the exit status; *done: there is nothing more to do. */
static int
take_options(int argc, char **argv, struct asked *asked, bool *done) {
  static const struct option options[] = { { "engine", required_argument, NULL, 'e' },
                                           { "compare-with", required_argument, NULL, 'c' },
                                           { "format", required_argument, NULL, 'f' },
                                           { "grade", no_argument, NULL, 'g' },
                                           { "list-engines", no_argument, NULL, 'l' },
                                           { "help", no_argument, NULL, 'h' },
                                           { 0 } };
  int status = STATUS_OK;
  for (int option; status == STATUS_OK && (option = next_option(argc, argv, options)) != -1;)
    switch (option) {
    case 'e':
      asked->engine = optarg;
      status = check_engine("--engine", optarg);
      break;
    case 'c':
      asked->other = optarg;
      status = check_engine("--compare-with", optarg);
      break;
    case 'f':
      status = take_format(optarg, &asked->format);
      break;
    case 'g':
      asked->grade = true;
      break;
    case 'l':
      (void)puts("fault\nwatch\ncompare\nnative");
      for (size_t i = 0; broken_name(i); i++)
        (void)printf("broken-%-26s %s\n", broken_name(i), broken_what(i));
      *done = true;
      return STATUS_OK;
    case 'h':
      *done = true;
      return show_help(&command_lab);
    default:
      return usage_hint();
    }
  return status;
}

static int
check_asked(const struct asked *asked, int nscripts) {
  if (asked->grade && (asked->other || asked->format != FORMAT_TEXT))
    return usage_error("lab: --grade excludes --compare-with and --format");
  if (asked->other && asked->format != FORMAT_TEXT)
    return usage_error("lab: --compare-with has text only");
  if (nscripts == 0)
    return usage_error("lab: a script is missing");
  if (nscripts > 1 && !asked->grade)
    return usage_error("lab: one script at a time, but with --grade");
  return STATUS_OK;
}

/* ---- The command --------------------------------------------------------------------------- */

static bool
wants_colour(void) {
  const char *term = getenv("TERM"), *no = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe) */
  return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static int
run_script(const struct script *script, const struct asked *asked) {
  static void (*const output[NFORMATS])(const struct recording *) = {
    [FORMAT_JSON] = output_json, [FORMAT_SVG] = output_svg, [FORMAT_HTML] = output_html
  };
  struct recording recording;
  int status = STATUS_FAILED;
  if (recording_make(&recording, script, asked->engine)) {
    status = recording.ncomplaints ? STATUS_FAILED : STATUS_OK;
    if (asked->format == FORMAT_TEXT)
      output_text(&recording, wants_colour());
    else
      output[asked->format](&recording);
  }
  recording_free(&recording);
  return status;
}

static int
run_lab(int argc, char **argv) {
  struct asked asked = { .engine = "fault" };
  struct script script;
  bool done = false;
  int status = take_options(argc, argv, &asked, &done);
  if (status != STATUS_OK || done)
    return status;
  status = check_asked(&asked, argc - optind);
  if (status != STATUS_OK)
    return status;
  if (asked.grade)
    return grade_scripts(argv + optind, (size_t)(argc - optind));
  if (!script_read(argv[optind], &script))
    return STATUS_USAGE;
  status = asked.other ? compare_engines(&script, asked.engine, asked.other, wants_colour())
                       : run_script(&script, &asked);
  script_free(&script);
  return status;
}

const struct command command_lab = {
  .name = "lab",
  .summary = "run a script of stores and syncs, and show what became of the pages",
  .help = "usage: softmap lab [--engine ENGINE] [--format FORMAT] SCRIPT\n"
          "       softmap lab [--engine ENGINE] --compare-with ENGINE SCRIPT\n"
          "       softmap lab --grade SCRIPT...\n"
          "\n"
          "Runs a script, a line a step, and shows after each step the page table of every\n"
          "mapping and what changed in the files.\n"
          "\n"
          "  -e, --engine ENGINE        fault, watch, compare; native: the kernel's own mmap;\n"
          "                             broken-NAME: one that is wrong (default: fault)\n"
          "  -c, --compare-with ENGINE  run it on both, and show where they differ\n"
          "  -f, --format FORMAT        text, json, svg, html\n"
          "  -g, --grade                say which broken engines each script exposes\n"
          "  -l, --list-engines         list the engines\n"
          "  -h, --help                 say this\n"
          "\n"
          "Exit status: 0; 1 if something was not as the script expects; 2 if the script or an\n"
          "option is wrong. The language: man softmap-lab.\n",
  .run = run_lab,
};
