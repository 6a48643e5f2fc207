/* recover.c - softmap recover: write back what dead processes left. */
#include "tool/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/progress.h"

/* ---- One section --------------------------------------------------------------------------- */

static int
call_library(const struct softmap_section *section, const struct recover_request *request) {
  struct progress progress;
  struct softmap_recover_options options = {
    .size = sizeof options,
    .flags = (request->is_dry_run ? SOFTMAP_RECOVER_DRY_RUN : 0) |
             (request->is_discard ? SOFTMAP_RECOVER_DISCARD : 0),
    .save_to = request->save_to,
    .write_as = request->write_as,
    .progress = progress_tell,
    .progress_arg = &progress,
  };
  char *title = section_title(section);
  progress_begin(&progress, title, request->is_quiet);
  int error = softmap_recover(section->name, &options) < 0 ? errno : 0;
  progress_end(&progress);
  free(title);
  return error;
}

/* ENOENT is said of a section that somebody else has recovered meanwhile, and of a file to be
 * written whose directory is missing. */
static bool
is_gone_meanwhile(const struct softmap_section *section, int error) {
  return error == ENOENT && !sections_has(section->name);
}

/* `is_named`: the user named it; otherwise a section that lives again is no failure. */
static int
recover_one(const struct softmap_section *section, const struct recover_request *request,
            bool is_named) {
  int status = STATUS_OK;
  char *lost = request->is_discard ? recover_dirty_pages(section) : NULL;
  int error = call_library(section, request);
  if (is_gone_meanwhile(section, error)) {
    char *title = section_title(section);
    if (request->save_to || request->write_as) {
      complain("%s: the section is gone: somebody else has recovered it meanwhile", title);
      status = STATUS_FAILED;
    } else if (!request->is_quiet) {
      (void)printf("%s: somebody else has recovered it meanwhile\n", title);
    }
    free(title);
  } else if (error && (is_named || error != EBUSY)) {
    recover_say_failed(section, request, error);
    status = STATUS_FAILED;
  } else if (!error && !request->is_quiet) {
    recover_say_done(section, request, lost);
  }
  free(lost);
  return status;
}

/* ---- Which sections ------------------------------------------------------------------------ */

/* Marks what an operand means; how many that are. */
static size_t
mark(const struct section_list *list, const char *operand, bool *is_marked) {
  size_t n = 0;
  for (size_t i = 0; i < list->n; i++)
    if (section_is_meant(&list->at[i], operand)) {
      is_marked[i] = true;
      n++;
    }
  return n;
}

/* A sync of a file that has no section any more may have been cut off: mapping the file completes it.
 * *was: there was something to complete. */
static int
complete_sync(const char *path, bool *was) {
  struct softmap_stats before = { .size = sizeof before }, after = { .size = sizeof after };
  size_t len = (size_t)softmap_page_size();
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat stat;
  *was = false;
  if (fd < 0)
    return errno;
  int error = fstat(fd, &stat) < 0 || softmap_stats(&before) < 0 ? errno : 0;
  if (!error && S_ISREG(stat.st_mode)) {
    void *at = softmap_mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    error = at == MAP_FAILED || softmap_munmap(at, len) < 0 || softmap_stats(&after) < 0 ? errno : 0;
    *was = !error && after.flushes > before.flushes;
  }
  (void)close(fd);
  return error;
}

/* An operand that means no section.  A file without one needs no recovery, so that a script may ask
 * for it before each start of a program. */
static int
say_no_section(const char *operand, const struct recover_request *request) {
  char *shown = printable(operand), *dir = sections_dir();
  bool is_file = access(operand, F_OK) == 0 && !request->save_to && !request->write_as;
  bool was = false;
  bool asks = is_file && !request->is_dry_run && !request->is_discard;
  int error = asks ? complete_sync(operand, &was) : 0;
  if (error) {
    complain("%s: %s", shown, strerror(error)); /* NOLINT(concurrency-mt-unsafe): one thread */
    is_file = false;
  } else if (was && !request->is_quiet)
    (void)printf("%s: a sync that was cut off is complete now\n", shown);
  else if (!is_file)
    complain("%s: no section of this name or file in %s; 'softmap ls' lists them", shown, dir);
  else if (!was && !request->is_quiet)
    (void)printf("%s: has no section in %s; nothing to recover\n", shown, dir);
  free(dir);
  free(shown);
  return is_file ? STATUS_OK : STATUS_FAILED;
}

static int
say_several(const struct section_list *list, const bool *is_marked, const char *operand) {
  char *shown = printable(operand);
  complain("%s: several sections are of this file; name one of them:", shown);
  free(shown);
  for (size_t i = 0; i < list->n; i++)
    if (is_marked[i]) {
      char *name = printable(list->at[i].name);
      complain("  %s", name);
      free(name);
    }
  return STATUS_FAILED;
}

static int
recover_named(const struct section_list *list, char **operands, int noperands,
              const struct recover_request *request) {
  bool *is_marked = need(calloc(list->n + 1, sizeof *is_marked));
  int status = STATUS_OK;
  for (int i = 0; i < noperands; i++) {
    size_t n = mark(list, operands[i], is_marked);
    if (n == 0 && say_no_section(operands[i], request) != STATUS_OK)
      status = STATUS_FAILED;
    if (n > 1 && (request->save_to || request->write_as)) {
      status = say_several(list, is_marked, operands[i]);
      free(is_marked);
      return status;
    }
  }
  for (size_t i = 0; i < list->n; i++)
    if (is_marked[i] && recover_one(&list->at[i], request, true) != STATUS_OK)
      status = STATUS_FAILED;
  free(is_marked);
  return status;
}

static int
recover_all(const struct section_list *list, const struct recover_request *request) {
  int status = STATUS_OK;
  size_t in_use = 0;
  for (size_t i = 0; i < list->n; i++)
    if (section_state(&list->at[i]) == STATE_IN_USE)
      in_use++;
    else if (recover_one(&list->at[i], request, false) != STATUS_OK)
      status = STATUS_FAILED;
  if (in_use == list->n && !request->is_quiet) {
    char *dir = sections_dir();
    (void)printf("nothing to recover in %s\n", dir);
    free(dir);
  }
  return status;
}

/* ---- The command --------------------------------------------------------------------------- */

/* STATUS_OK, or what is wrong was said. */
static int
check_request(const struct recover_request *request, int noperands) {
  if ((request->save_to != NULL) + (request->write_as != NULL) + request->is_discard > 1)
    return usage_error("recover: --save-to, --as and --discard exclude each other");
  if ((request->save_to || request->write_as) && noperands != 1)
    return usage_error("recover: %s needs exactly one section",
                       request->save_to ? "--save-to" : "--as");
  if ((request->save_to && !*request->save_to) || (request->write_as && !*request->write_as))
    return usage_error("recover: the name of the file to write is empty");
  return STATUS_OK;
}

enum { OPTION_DISCARD = CHAR_MAX + 1, OPTION_SAVE_TO, OPTION_AS }; /* without a letter */

static int
run_recover(int argc, char **argv) {
  static const struct option options[] = { { "dry-run", no_argument, NULL, 'n' },
                                           { "discard", no_argument, NULL, OPTION_DISCARD },
                                           { "save-to", required_argument, NULL, OPTION_SAVE_TO },
                                           { "as", required_argument, NULL, OPTION_AS },
                                           { "quiet", no_argument, NULL, 'q' },
                                           { "dir", required_argument, NULL, 'd' },
                                           { "help", no_argument, NULL, 'h' },
                                           { 0 } };
  struct recover_request request = { 0 };
  for (int option; (option = next_option(argc, argv, options)) != -1;)
    switch (option) {
    case 'n':
      request.is_dry_run = true;
      break;
    case OPTION_DISCARD:
      request.is_discard = true;
      break;
    case OPTION_SAVE_TO:
      request.save_to = optarg;
      break;
    case OPTION_AS:
      request.write_as = optarg;
      break;
    case 'q':
      request.is_quiet = true;
      break;
    case 'd':
      if (sections_choose_dir(optarg) != STATUS_OK)
        return STATUS_USAGE;
      break;
    case 'h':
      return show_help(&command_recover);
    default:
      return usage_hint();
    }
  struct section_list list;
  int noperands = argc - optind;
  int status = check_request(&request, noperands);
  if (status == STATUS_OK)
    status = sections_read(&list);
  if (status != STATUS_OK)
    return status;
  status = noperands > 0 ? recover_named(&list, argv + optind, noperands, &request)
                         : recover_all(&list, &request);
  free(list.at);
  return status;
}

const struct command command_recover = {
  .name = "recover",
  .summary = "write back what processes left when they died",
  .help = "usage: softmap recover [OPTION...] [FILE-or-NAME...]\n"
          "\n"
          "Writes the dirty pages that dead processes left in a section to its file, and removes\n"
          "the section. All sections in which nobody is alive, or those named by their file or\n"
          "by the name that 'softmap ls' shows.\n"
          "\n"
          "  -n, --dry-run       say what would come out, change nothing\n"
          "      --discard       give the dirty pages up, without writing them\n"
          "      --save-to COPY  copy the whole contents into a new file, keep the section\n"
          "      --as FILE       write the dirty pages to this file, whatever it is\n"
          "  -q, --quiet         say only what is wrong\n"
          "  -d, --dir DIR       the section directory (otherwise SOFTMAP_DIR, or\n"
          "                      /dev/shm/softmap-UID)\n"
          "  -h, --help          say this\n"
          "\n"
          "Exit status: 0 nothing is left that needs recovery, 1 something is, 2 wrong usage.\n",
  .run = run_recover,
};
