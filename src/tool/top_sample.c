/* top_sample.c - looking at sections from outside: states of pages, and how they went on since. */
#include "tool/top.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const top_order_names[TOP_ORDERS] = { "dirty", "rate", "file" };

/* ---- Which ones ---------------------------------------------------------------------------- */

/* Whether a process has the section's data mapped. */
static bool
is_mapped_by(const char *pid, const char *name) {
  char *path = text_of("/proc/%s/maps", pid), *wanted = text_of("/%s/data", name);
  FILE *maps = fopen(path, "re");
  char *line = NULL;
  size_t room = 0;
  bool found = false;
  while (maps && !found && getline(&line, &room, maps) >= 0)
    found = strstr(line, wanted) != NULL;
  if (maps)
    (void)fclose(maps);
  free(line);
  free(wanted);
  free(path);
  return found;
}

static bool
is_number(const char *text) {
  return *text && strspn(text, "0123456789") == strlen(text);
}

static bool
is_chosen(const struct softmap_section *info, const struct top_choice *choice) {
  for (size_t i = 0; i < choice->n; i++)
    if (is_number(choice->operand[i]) ? is_mapped_by(choice->operand[i], info->name)
                                      : section_is_meant(info, choice->operand[i]))
      return true;
  return choice->n == 0;
}

/* ---- One section --------------------------------------------------------------------------- */

static void
count(struct top_section *section) {
  for (size_t i = 0; i < section->n; i++) {
    uint8_t state = section->state[i];
    bool is_dirty = state == SOFTMAP_PAGE_DIRTY || state == SOFTMAP_PAGE_WRITING;
    section->dirty += is_dirty;
    section->open += section->is_open[i];
    section->writing += state == SOFTMAP_PAGE_WRITING;
    section->unfilled += state == SOFTMAP_PAGE_UNFILLED || state == SOFTMAP_PAGE_FILLING;
  }
}

/* False: it is gone, or can't be read. */
static bool
look(struct top_section *section) {
  ssize_t n = softmap_section_view(section->info.name, 0, NULL, 0);
  if (n < 0)
    return false;
  section->npages = (uint64_t)n;
  size_t room = n < TOP_PAGES_MAX ? (size_t)n : TOP_PAGES_MAX;
  struct softmap_page *pages = need(calloc(room + 1, sizeof *pages));
  section->state = need(calloc(room + 1, 1));
  section->is_open = need(calloc(room + 1, 1));
  n = softmap_section_view(section->info.name, 0, pages, room);
  section->n = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
  for (size_t i = 0; i < section->n; i++) {
    section->state[i] = pages[i].state;
    section->is_open[i] = pages[i].open_elsewhere;
  }
  free(pages);
  count(section);
  return n >= 0;
}

static bool
is_clean(uint8_t state) {
  return state == SOFTMAP_PAGE_CLEAN || state == SOFTMAP_PAGE_UNFILLED ||
         state == SOFTMAP_PAGE_OPENED_AHEAD;
}

static void
find_rates(struct top_section *section, const struct top_sample *last, double seconds) {
  const struct top_section *old = NULL;
  uint64_t dirtied = 0, written = 0;
  section->dirtied = section->written = -1;
  for (size_t i = 0; i < last->n && !old; i++)
    if (strcmp(last->at[i].info.name, section->info.name) == 0)
      old = &last->at[i];
  if (!old || seconds <= 0)
    return;
  for (size_t i = 0; i < section->n && i < old->n; i++) {
    dirtied += is_clean(old->state[i]) && !is_clean(section->state[i]);
    written += !is_clean(old->state[i]) && is_clean(section->state[i]);
  }
  section->dirtied = (double)dirtied / seconds;
  section->written = (double)written / seconds;
}

/* ---- A sample ------------------------------------------------------------------------------ */

static double
now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
free_section(struct top_section *section) {
  free(section->state);
  free(section->is_open);
}

void
top_free(struct top_sample *sample) {
  for (size_t i = 0; i < sample->n; i++)
    free_section(&sample->at[i]);
  free(sample->at);
  *sample = (struct top_sample){ 0 };
}

int
top_take(struct top_sample *sample, const struct top_sample *last,
         const struct top_choice *choice) {
  struct section_list list;
  *sample = (struct top_sample){ .when = now() };
  int status = sections_read(&list);
  if (status != STATUS_OK)
    return status;
  sample->at = need(calloc(list.n + 1, sizeof *sample->at));
  for (size_t i = 0; i < list.n; i++) {
    struct top_section *section = &sample->at[sample->n];
    *section = (struct top_section){ .info = list.at[i] };
    if (list.at[i].flags & SOFTMAP_SECTION_DAMAGED || !is_chosen(&list.at[i], choice))
      continue;
    if (!look(section)) {
      free_section(section);
      continue;
    }
    find_rates(section, last, sample->when - last->when);
    sample->n++;
  }
  free(list.at);
  return STATUS_OK;
}

/* ---- Order --------------------------------------------------------------------------------- */

static enum top_order order_wanted;

static int
compare(const void *left, const void *right) {
  const struct top_section *a = left, *b = right;
  if (order_wanted == TOP_BY_DIRTY && a->dirty != b->dirty)
    return a->dirty > b->dirty ? -1 : 1;
  if (order_wanted == TOP_BY_RATE && a->dirtied + a->written != b->dirtied + b->written)
    return a->dirtied + a->written > b->dirtied + b->written ? -1 : 1;
  int by_path = strcmp(a->info.path, b->info.path);
  return by_path ? by_path : strcmp(a->info.name, b->info.name);
}

void
top_sort(struct top_sample *sample, enum top_order order) {
  order_wanted = order;
  qsort(sample->at, sample->n, sizeof *sample->at, compare);
}

/* ---- The map ------------------------------------------------------------------------------- */

size_t
top_scale(const struct top_section *section, size_t signs) {
  size_t scale = 1;
  while (section->n > scale * signs)
    scale *= 2;
  return scale;
}

char
top_sign(const struct top_section *section, size_t first, size_t n) {
  size_t dirty = 0, unfilled = 0, seen = 0;
  bool is_writing = false, is_open = false;
  for (size_t i = first; i < first + n && i < section->n; i++, seen++) {
    uint8_t state = section->state[i];
    dirty += !is_clean(state) && state != SOFTMAP_PAGE_FILLING;
    unfilled += state == SOFTMAP_PAGE_UNFILLED || state == SOFTMAP_PAGE_FILLING;
    is_writing |= state == SOFTMAP_PAGE_WRITING;
    is_open |= section->is_open[i] != 0;
  }
  if (is_writing)
    return 'W';
  if (dirty == 0)
    return unfilled == seen ? '_' : '.';
  if (n == 1)
    return is_open ? 'D' : 'd';
  size_t tenths = (dirty * 10 + seen - 1) / seen;
  return (char)('0' + (tenths > 9 ? 9 : tenths));
}
