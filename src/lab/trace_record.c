/* trace_record.c - a trace as a recording: the states of the pages are played anew, event by event.
 *
 * A page is dirty when a store opens it, or stays so when it was written and kept; and clean when it was
 * written.  What stood before the first event isn't known, and taken for clean.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <softmap/softmap.h>

#include "lab/trace.h"
#include "tool/tool.h"

/* One process and file. */
struct view {
  bool is_there, is_private;
  bool is_mapped[PAGES_MAX], is_open[PAGES_MAX];
};

struct play {
  const struct trace *trace;
  struct script *script;
  struct recording *recording;
  uint32_t pid[NAMES_MAX];
  uint8_t state[NAMES_MAX][PAGES_MAX]; /* of files */
  uint64_t npages[NAMES_MAX];
  uint64_t shown[NAMES_MAX]; /* pages of files, up to the last one that anything happened to */
  struct view view[NAMES_MAX][NAMES_MAX]; /* of processes, of files */
  int file_of[TRACE_FILES];               /* number in the pictures; -1: too many */
  size_t per_frame;
};

/* ---- Names --------------------------------------------------------------------------------- */

/* Letters that a name of a script may have. */
static void
set_name(struct names *names, const char *text) {
  if (names->n == NAMES_MAX)
    return;
  size_t n = 0;
  for (; *text && n < NAME_LENGTH_MAX; text++) {
    names->name[names->n][n] = '_';
    if (*text > ' ' && *text < 0x7f)
      names->name[names->n][n] = *text;
    n++;
  }
  names->name[names->n++][n] = '\0';
}

static void
name_files(struct play *play) {
  for (size_t i = 0; i < TRACE_FILES; i++) {
    play->file_of[i] = -1;
    if (!play->trace->path[i] || play->script->files.n == NAMES_MAX)
      continue;
    const char *slash = strrchr(play->trace->path[i], '/');
    play->file_of[i] = (int)play->script->files.n;
    set_name(&play->script->files, slash ? slash + 1 : play->trace->path[i]);
  }
}

/* The process of this id, a new one if need be; -1: too many. */
static int
process_of(struct play *play, uint32_t pid) {
  for (size_t i = 0; i < play->script->processes.n; i++)
    if (play->pid[i] == pid)
      return (int)i;
  if (play->script->processes.n == NAMES_MAX)
    return -1;
  char *name = text_of("%u", pid);
  play->pid[play->script->processes.n] = pid;
  set_name(&play->script->processes, name);
  free(name);
  return (int)play->script->processes.n - 1;
}

/* ---- Events -------------------------------------------------------------------------------- */

enum { PAGES_SHOWN_MIN = 4 };

static uint64_t
event_end(const struct trace_event *event) {
  uint64_t first = event->first < PAGES_MAX ? event->first : PAGES_MAX;
  return event->npages < PAGES_MAX - first ? first + event->npages : PAGES_MAX;
}

static void
find_shown(struct play *play) {
  for (size_t i = 0; i < NAMES_MAX; i++)
    play->shown[i] = PAGES_SHOWN_MIN;
  for (size_t i = 0; i < play->trace->n; i++) {
    const struct trace_event *event = &play->trace->event[i];
    int file = play->file_of[event->file];
    if (file >= 0 && (event->kind == TRACE_STORE || event->kind == TRACE_WRITE) &&
        event_end(event) > play->shown[file])
      play->shown[file] = event_end(event);
  }
}

static void
play_pages(struct play *play, const struct trace_event *event, int process, int file,
           struct frame *frame) {
  struct view *view = &play->view[process][file];
  for (uint64_t page = event->first; page < event_end(event); page++) {
    switch (event->kind) {
    case TRACE_MAP:
    case TRACE_MAP_PRIVATE:
      view->is_there = view->is_mapped[page] = true;
      view->is_private = event->kind == TRACE_MAP_PRIVATE;
      break;
    case TRACE_UNMAP:
      view->is_mapped[page] = view->is_open[page] = false;
      break;
    case TRACE_FILL:
      play->state[file][page] = SOFTMAP_PAGE_CLEAN;
      break;
    case TRACE_STORE:
      play->state[file][page] = SOFTMAP_PAGE_DIRTY;
      view->is_open[page] = true;
      break;
    case TRACE_WRITE:
      play->state[file][page] = SOFTMAP_PAGE_CLEAN;
      view->is_open[page] = false;
      frame->written[file][page / 8] |= (uint8_t)(1u << (page % 8));
      break;
    case TRACE_KEPT:
      play->state[file][page] = SOFTMAP_PAGE_DIRTY;
      break;
    default:
      break;
    }
  }
}

/* The child has its parent's mappings, closed in both. */
static void
play_fork(struct play *play, int child, uint32_t parent_pid) {
  int parent = process_of(play, parent_pid);
  if (parent < 0 || parent == child)
    return;
  for (size_t file = 0; file < NAMES_MAX; file++) {
    memset(play->view[parent][file].is_open, 0, sizeof play->view[parent][file].is_open);
    play->view[child][file] = play->view[parent][file];
  }
}

static void
play_event(struct play *play, const struct trace_event *event, struct frame *frame) {
  int process = process_of(play, event->pid), file = play->file_of[event->file];
  if (process >= 0 && event->kind == TRACE_FORK)
    play_fork(play, process, (uint32_t)event->first);
  if (process < 0 || file < 0)
    return;
  if (event->kind == TRACE_SIZE)
    play->npages[file] = event->npages < PAGES_MAX ? event->npages : PAGES_MAX;
  play_pages(play, event, process, file, frame);
  frame->faults += event->kind == TRACE_STORE;
}

/* ---- Frames -------------------------------------------------------------------------------- */

static void
add_row(struct play *play, int process, int file, struct frame *frame) {
  const struct view *view = &play->view[process][file];
  uint64_t low = PAGES_MAX, end = 0;
  for (uint64_t page = 0; page < play->shown[file]; page++)
    if (view->is_mapped[page]) {
      low = page < low ? page : low;
      end = page + 1;
    }
  if (low >= end)
    return;
  frame->rows = need(reallocarray(frame->rows, frame->nrows + 1, sizeof *frame->rows));
  struct row *row = &frame->rows[frame->nrows++];
  *row = (struct row){ .process = process,
                       .mapping = file,
                       .file = file,
                       .first = low,
                       .is_private = view->is_private,
                       .n = (size_t)(end - low),
                       .page = need(calloc((size_t)(end - low), sizeof *row->page)) };
  for (uint64_t page = low; page < end; page++)
    row->page[page - low] = (struct actor_page){
      .is_mapped = view->is_mapped[page],
      .state = page < play->npages[file] ? play->state[file][page] : SOFTMAP_PAGE_PAST_END,
      .asked = PROT_READ | PROT_WRITE,
      .actual = (uint8_t)(view->is_open[page] ? PROT_READ | PROT_WRITE : PROT_READ),
    };
}

static char *
event_text(const struct play *play, const struct trace_event *event) {
  int file = play->file_of[event->file];
  const char *name = file < 0 ? "" : play->script->files.name[file];
  const char *kind = trace_kind_name(event->kind);
  unsigned long long first = event->first, last = event->first + event->npages - 1;
  if (event->kind == TRACE_FORK)
    return text_of("%u: forked by %llu", event->pid, first);
  if (event->npages == 0 || event->kind == TRACE_SIZE)
    return event->kind == TRACE_SIZE ? text_of("%u: %s has %llu pages", event->pid, name, last + 1)
                                     : text_of("%u: %s %s", event->pid, kind, name);
  return first == last ? text_of("%u: %s %s %llu", event->pid, kind, name, first)
                       : text_of("%u: %s %s %llu-%llu", event->pid, kind, name, first, last);
}

static void
fill_step(struct play *play, const struct trace_event *event, size_t n, struct step *step) {
  struct script *script = play->script;
  char *text = event_text(play, event);
  if (n > 1) {
    char *longer = text_of("%s and %zu more", text, n - 1);
    free(text);
    text = longer;
  }
  *step = (struct step){ .verb = VERB_SHOW,
                         .text = script_own(script, text),
                         .place = { "", 1, 1 },
                         .process = process_of(play, event->pid),
                         .file = play->file_of[event->file],
                         .other_process = -1,
                         .mapping = play->file_of[event->file],
                         .other_mapping = -1 };
  if (event->kind == TRACE_SYNC)
    step->verb = VERB_SYNC;
}

static void
make_frame(struct play *play, size_t from, size_t n, struct frame *frame, struct step *step) {
  const struct trace *trace = play->trace;
  for (size_t i = from; i < from + n; i++)
    play_event(play, &trace->event[i], frame);
  fill_step(play, &trace->event[from], n, step);
  for (size_t process = 0; process < play->script->processes.n; process++)
    for (size_t file = 0; file < play->script->files.n; file++)
      if (play->view[process][file].is_there)
        add_row(play, (int)process, (int)file, frame);
  for (size_t file = 0; file < play->script->files.n; file++) {
    uint64_t npages =
        play->npages[file] < play->shown[file] ? play->npages[file] : play->shown[file];
    frame->size[file] = npages * trace->page_size;
    frame->exists[file] = frame->size[file] > 0;
  }
}

void
trace_record(const struct trace *trace, struct script *script, struct recording *recording,
             size_t frames_max) {
  struct play *play = need(calloc(1, sizeof *play));
  *script = (struct script){ .path = "", .page_size = trace->page_size };
  *play = (struct play){ .trace = trace, .script = script, .recording = recording };
  memset(play->state, SOFTMAP_PAGE_CLEAN, sizeof play->state);
  name_files(play);
  find_shown(play);
  script->mappings = script->files;
  play->per_frame = (trace->n + frames_max - 1) / (frames_max ? frames_max : 1);
  play->per_frame += play->per_frame == 0;
  size_t n = (trace->n + play->per_frame - 1) / play->per_frame;
  script->steps = need(calloc(n + 1, sizeof *script->steps));
  script->n = n;
  *recording = (struct recording){ .script = script,
                                   .engine = "trace",
                                   .n = n,
                                   .frames = need(calloc(n + 1, sizeof *recording->frames)) };
  for (size_t i = 0; i < n; i++) {
    size_t from = i * play->per_frame;
    size_t left = trace->n - from;
    recording->frames[i].number = i + 1;
    recording->frames[i].step = &script->steps[i];
    make_frame(play, from, left < play->per_frame ? left : play->per_frame, &recording->frames[i],
               &script->steps[i]);
  }
  free(play);
}
