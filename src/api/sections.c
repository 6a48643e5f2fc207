/* sections.c - looking at sections, and recovering them, from outside. */
#include <string.h>

#include "api/call.h"
#include "backing/recover.h"
#include "host/arena.h"
#include "section/survey.h"

/* Signals are blocked: locks are taken, and the program's descriptors are in use. */
static int
begin(sigset_t *mask) {
  int error = process_start();
  if (!error && call_is_orphan())
    error = EIO;
  if (!error)
    host_signals_block(mask);
  return error;
}

/* ---- softmap_sections ---------------------------------------------------------------------- */

struct list {
  struct softmap_section *sections;
  size_t count, max;
};

static int
add(const struct survey *survey, void *arg) {
  struct list *list = arg;
  const struct control *header = &survey->header;
  if (list->count++ >= list->max)
    return 0;
  struct softmap_section *out = &list->sections[list->count - 1];
  *out = (struct softmap_section){
    .device = header->device,
    .inode = header->inode,
    .size = atomic_load(&header->size),
    .dirty_pages = survey->dirty_pages,
    .page_size = header->page_size,
    .live = survey->live,
    .dead = survey->dead,
    .flags = (survey->damage ? SOFTMAP_SECTION_DAMAGED : 0u) |
             (survey->is_gone ? SOFTMAP_SECTION_GONE : 0u) |
             (survey->is_changed ? SOFTMAP_SECTION_CHANGED : 0u),
  };
  memcpy(out->name, survey->name, sizeof out->name);
  memcpy(out->path, header->path, sizeof out->path - 1);
  return 0;
}

ssize_t
softmap_sections(struct softmap_section *sections, size_t max) {
  struct list list = { NULL, 0, max < 65536 ? max : 65536 };
  sigset_t mask;
  if (!sections && max)
    return fail(EINVAL);
  int error = begin(&mask);
  if (error)
    return fail(error);
  /* Not into `sections` yet: they may lie on a closed page of ours, and signals are blocked. */
  size_t bytes = list.max * sizeof *sections;
  if (bytes && !(list.sections = arena_alloc(bytes)))
    error = ENOMEM;
  if (!error)
    error = survey_each(add, &list);
  host_signals_set(&mask);
  size_t known = list.count < list.max ? list.count : list.max;
  if (!error && sections && known)
    memcpy(sections, list.sections, known * sizeof *sections);
  host_signals_block(&mask);
  if (list.sections)
    arena_free(list.sections, bytes);
  host_signals_set(&mask);
  return error ? fail(error) : (ssize_t)list.count;
}

/* ---- softmap_section_view ------------------------------------------------------------------ */

/* The answer, of the arena's: `pages` may lie on a closed page of ours, and signals are blocked. */
struct view {
  struct softmap_page *pages;
  uint64_t n;     /* of them */
  uint64_t count; /* to the end of the file */
};

static int
read_view(const char *name, uint64_t first, struct view *view) {
  size_t n = (size_t)view->n;
  uint8_t *bytes = arena_alloc(2 * n);
  view->pages = arena_alloc(n * sizeof *view->pages);
  int error = bytes && view->pages ? survey_pages(name, first, n, bytes, bytes + n) : ENOMEM;
  for (size_t i = 0; i < n && !error; i++)
    view->pages[i] = (struct softmap_page){ .state = call_public_state(bytes[i]),
                                            .open_elsewhere = bytes[n + i] };
  if (bytes)
    arena_free(bytes, 2 * n);
  return error;
}

static int
look(const char *name, uint64_t first, uint64_t max, struct view *view) {
  struct survey survey;
  int error = survey_one(name, &survey);
  if (error || survey.damage)
    return error ? error : survey.damage;
  uint64_t size = atomic_load(&survey.header.size);
  uint64_t npages = (size + survey.header.page_size - 1) / survey.header.page_size;
  view->count = first < npages ? npages - first : 0;
  view->n = view->count < max ? view->count : max;
  return view->n ? read_view(name, first, view) : 0;
}

ssize_t
softmap_section_view(const char *name, uint64_t first_page, struct softmap_page *pages,
                     size_t max) {
  sigset_t mask;
  struct view view = { 0 };
  if (!pages && max)
    return fail(EINVAL);
  int error = begin(&mask);
  if (error)
    return fail(error);
  error = look(name, first_page, max, &view);
  host_signals_set(&mask);
  if (!error && view.n)
    memcpy(pages, view.pages, (size_t)view.n * sizeof *pages);
  host_signals_block(&mask);
  if (view.pages)
    arena_free(view.pages, (size_t)view.n * sizeof *view.pages);
  host_signals_set(&mask);
  return error ? fail(error) : (ssize_t)view.count;
}

/* ---- softmap_recover ----------------------------------------------------------------------- */

/* What a plain recovery would come to. */
static int
foretell(const struct recover *recover) {
  struct survey survey;
  int error = survey_one(recover->name, &survey);
  if (error)
    return error;
  if (survey.live)
    return EBUSY;
  if (recover->discard)
    return 0;
  if (survey.damage)
    return survey.damage;
  struct host_stat stat;
  if (recover->save_to)
    return host_stat_path(recover->save_to, &stat) ? 0 : EEXIST;
  if (recover->write_as)
    return 0;
  return survey.is_gone ? ESTALE : survey.is_changed ? ECANCELED : 0;
}

int
softmap_recover(const char *name, const struct softmap_recover_options *options) {
  static const struct softmap_recover_options none = { .size = sizeof none };
  sigset_t mask;
  if (!options)
    options = &none;
  bool discard = options->flags & SOFTMAP_RECOVER_DISCARD;
  if (options->size != sizeof *options ||
      (options->flags & ~(SOFTMAP_RECOVER_DRY_RUN | SOFTMAP_RECOVER_DISCARD)) ||
      !!options->save_to + !!options->write_as + discard > 1)
    return fail(EINVAL);
  struct recover how = { name,    options->save_to,  options->write_as,
                         discard, options->progress, options->progress_arg };
  int error = begin(&mask);
  if (error)
    return fail(error);
  error = options->flags & SOFTMAP_RECOVER_DRY_RUN ? foretell(&how) : recover(&how);
  host_signals_set(&mask);
  return fail(error);
}
