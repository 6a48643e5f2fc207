/* recover_say.c - the lines of softmap recover. */
#include "tool/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Pieces -------------------------------------------------------------------------------- */

static char *
pages_of(uint64_t n) {
  return text_of("%" PRIu64 " page%s", n, n == 1 ? "" : "s");
}

/* What a user can type to mean the section, as it stands: its path if no shell would read it
 * otherwise, else its name.  To be freed. */
static char *
typed(const struct softmap_section *section) {
  static const char safe[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+,:=@%-";
  const char *path = section->path;
  if (!(section->flags & SOFTMAP_SECTION_DAMAGED) && path[0] == '/' && !path[strspn(path, safe)] &&
      !section_path_is_cut(section))
    return text_of("%s", path);
  return printable(section->name);
}

enum { PAGES_AT_ONCE = 1024, RANGES_SHOWN = 8 };

struct runs {
  char *text;
  uint64_t first, next; /* the run at hand; none if they are the same */
  uint64_t count;
};

static void
end_run(struct runs *runs) {
  if (runs->first == runs->next)
    return;
  runs->count++;
  if (runs->count <= RANGES_SHOWN) {
    char *before = runs->text;
    if (runs->next - runs->first == 1)
      runs->text = text_of("%s%s%" PRIu64, before ? before : "", before ? ", " : "", runs->first);
    else
      runs->text = text_of("%s%s%" PRIu64 "-%" PRIu64, before ? before : "", before ? ", " : "",
                           runs->first, runs->next - 1);
    free(before);
  }
  runs->first = runs->next;
}

static bool
is_unwritten(const struct softmap_page *page) {
  return page->state == SOFTMAP_PAGE_DIRTY || page->state == SOFTMAP_PAGE_WRITING;
}

char *
recover_dirty_pages(const struct softmap_section *section) {
  struct runs runs = { 0 };
  struct softmap_page *pages = need(calloc(PAGES_AT_ONCE, sizeof *pages));
  ssize_t left;
  for (uint64_t at = 0; (left = softmap_section_view(section->name, at, pages, PAGES_AT_ONCE)) > 0;
       at += PAGES_AT_ONCE)
    for (uint64_t i = 0; i < PAGES_AT_ONCE && i < (uint64_t)left; i++) {
      if (!is_unwritten(&pages[i]))
        continue;
      if (runs.next != at + i) {
        end_run(&runs);
        runs.first = at + i;
      }
      runs.next = at + i + 1;
    }
  end_run(&runs);
  free(pages);
  if (left < 0 || runs.count <= RANGES_SHOWN)
    return runs.text;
  char *text = text_of("%s and %" PRIu64 " more ranges", runs.text, runs.count - RANGES_SHOWN);
  free(runs.text);
  return text;
}

/* ---- Done ---------------------------------------------------------------------------------- */

static char *
lost_of(const struct softmap_section *section, const char *lost, bool is_dry_run) {
  const char *would = is_dry_run ? "would discard" : "discarded";
  if (section->flags & SOFTMAP_SECTION_DAMAGED)
    return text_of("%s the damaged section, with whatever it held", would);
  if (section->dirty_pages == 0)
    return text_of("%s the section; it held nothing that isn't in the file", would);
  char *pages = pages_of(section->dirty_pages);
  char *text = text_of("%s %s%s%s%s; what was stored there and not yet written %s", would, pages,
                       lost ? " (" : "", lost ? lost : "", lost ? ")" : "",
                       is_dry_run ? "would be lost" : "is lost");
  free(pages);
  return text;
}

static char *
written_of(const struct softmap_section *section, const struct recover_request *request) {
  char *to = request->write_as ? printable(request->write_as) : NULL;
  char *pages = pages_of(section->dirty_pages);
  char *text;
  if (section->dirty_pages == 0)
    text = text_of("nothing to write; %s the section",
                   request->is_dry_run ? "would remove" : "removed");
  else
    text = text_of("%s %s%s%s", request->is_dry_run ? "would write" : "wrote", pages,
                   to ? " to " : "", to ? to : "");
  free(to);
  free(pages);
  return text;
}

void
recover_say_done(const struct softmap_section *section, const struct recover_request *request,
                 const char *lost) {
  char *title = section_title(section), *what;
  if (request->is_discard) {
    what = lost_of(section, lost, request->is_dry_run);
  } else if (request->save_to) {
    char *to = printable(request->save_to), *name = typed(section);
    what = request->is_dry_run
               ? text_of("would save the contents in %s", to)
               : text_of("saved the contents in %s; the section is kept: 'softmap recover "
                         "--discard %s' removes it",
                         to, name);
    free(name);
    free(to);
  } else {
    what = written_of(section, request);
  }
  (void)printf("%s: %s\n", title, what);
  free(what);
  free(title);
}

/* ---- Failed -------------------------------------------------------------------------------- */

/* The two ways out where the file isn't what it was.  `copy`: the name as typed. */
static char *
ways_out(const struct softmap_section *section, const char *as, const char *copy) {
  char *pages = pages_of(section->dirty_pages);
  char *text =
      text_of("'softmap recover --save-to COPY %s' rescues the contents, '--as %s' writes "
              "the %s %s",
              copy, as, pages, strcmp(as, "FILE") == 0 ? "to another file" : "all the same");
  free(pages);
  return text;
}

/* Errors of the file or of the section directory: why, and what to do. */
static char *
failed_with(const struct softmap_section *section, const struct recover_request *request,
            const char *name, int error) {
  const char *target = request->save_to ? request->save_to : request->write_as;
  char *to = target ? printable(target) : section_title(section);
  const char *advice;
  switch (error) {
  case EACCES:
  case EPERM:
    advice = "run it as a user who may write there";
    break;
  case ENOSPC:
  case EDQUOT:
    advice = "make room";
    break;
  case ENOENT:
  case ENOTDIR:
    advice = "name a file in a directory that exists";
    break;
  case EROFS:
    advice = "make the file system writable, or save a copy elsewhere with --save-to";
    break;
  case ENOMEM:
    advice = "make room in memory and in the section directory";
    break;
  case ENOSYS:
    advice = "use a libsoftmap that can recover";
    break;
  default:
    advice = "see to what is wrong there, or save a copy elsewhere with --save-to";
    break;
  }
  errno = error;
  char *text = request->is_discard
                   ? text_of("can't remove the section: %m; it is kept: try again later")
                   : text_of("can't write %s: %m; nothing is lost: %s, then try again ('softmap "
                             "recover %s')",
                             to, advice, name);
  free(to);
  return text;
}

static char *
failure(const struct softmap_section *section, const struct recover_request *request,
        const char *name, int error) {
  char *text, *ways, *to;
  switch (error) {
  case EBUSY:
    return text_of("in use by living processes, whose next sync writes it; have them sync or end");
  case ECANCELED:
    ways = ways_out(section, name, name);
    text = text_of("changed by others since softmap's last write to it; %s", ways);
    free(ways);
    return text;
  case ESTALE:
    ways = ways_out(section, "FILE", name);
    text = text_of("the file is gone, or another one is at its path; %s", ways);
    free(ways);
    return text;
  case EEXIST:
    to = printable(request->save_to ? request->save_to : "");
    text = text_of("%s exists and is left alone; save the contents in a new file", to);
    free(to);
    return text;
  case EINVAL:
    return text_of("the section is damaged, so that nothing can be read from it; 'softmap recover "
                   "--discard %s' removes it",
                   name);
  case EPROTO:
    return text_of("the section is of another version of softmap, or its pages have another size; "
                   "recover it with the softmap, and on the machine, that made it");
  default:
    return failed_with(section, request, name, error);
  }
}

void
recover_say_failed(const struct softmap_section *section, const struct recover_request *request,
                   int error) {
  char *title = section_title(section), *name = typed(section);
  char *what = failure(section, request, name, error);
  complain("%s: %s", title, what);
  free(what);
  free(name);
  free(title);
}
