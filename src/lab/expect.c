/* expect.c - is it as the script expects? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <softmap/softmap.h>

#include "lab/grammar.h"
#include "lab/world.h"
#include "tool/tool.h"

static void
compare_bytes(const char *what, const char *bytes, size_t n, struct frame *frame) {
  const struct step *step = frame->step;
  if (n == step->nbytes && memcmp(bytes, step->bytes, n) == 0)
    return;
  char *is = words_quote(bytes, n, 64);
  char *wanted = words_quote(step->bytes, step->nbytes, 64);
  frame->complaint = text_of("%s is %s, not %s", what, is, wanted);
  free(is);
  free(wanted);
}

static void
check_file(const struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  const struct snapshot *file = &world->files[step->file];
  if (!file->exists) {
    frame->complaint = text_of("there is no file");
    return;
  }
  uint64_t from = step->offset < file->size ? step->offset : file->size;
  uint64_t len = step->nbytes < file->size - from ? step->nbytes : file->size - from;
  compare_bytes("the file", file->bytes + from, len, frame);
}

static void
check_size(const struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  const struct snapshot *file = &world->files[step->file];
  if (file->exists && file->size == step->length)
    return;
  char *is = size_text(file->size, world->script->page_size);
  frame->complaint = text_of("the file has %s", file->exists ? is : "gone");
  free(is);
}

static void
check_error(const struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  bool is_error = step->verb == VERB_EXPECT_ERROR;
  int wanted = step->verb == VERB_EXPECT_OK ? 0 : step->value;
  int error = is_error ? wanted : 0, signal = is_error ? 0 : wanted;
  if (world->last_error == error && world->last_signal == signal)
    return;
  frame->complaint =
      text_of("the step before came to %s", world->last_error    ? error_name(world->last_error)
                                            : world->last_signal ? signal_name(world->last_signal)
                                                                 : "no error");
}

static bool
check_memory(struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  struct actor_request request = {
    .op = ACTOR_LOAD, .region = (uint32_t)step->mapping, .offset = step->offset, .len = step->nbytes
  };
  if (!actor_ask(world, step->process, &request))
    return false;
  if (world->reply->error)
    frame->complaint = text_of("there is no such mapping");
  else if (world->reply->signal)
    frame->complaint = text_of("loading raises %s", signal_name(world->reply->signal));
  else
    compare_bytes("memory", world->reply->bytes, world->reply->nbytes, frame);
  return true;
}

static char *
protection_text(unsigned prot) {
  return text_of("%c%c%c", prot & 1 ? 'r' : '-', prot & 2 ? 'w' : '-', prot & 4 ? 'x' : '-');
}

/* What was opened ahead is clean as far as a script can tell: as in the file. */
static bool
is_state(const struct actor_page *page, int wanted) {
  return page->state == wanted ||
         (page->state == SOFTMAP_PAGE_OPENED_AHEAD && wanted == SOFTMAP_PAGE_CLEAN);
}

/* State, or protection, of one page. */
static bool
check_page(struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  struct actor_request request = { .op = ACTOR_PAGES, .region = (uint32_t)step->mapping };
  if (!actor_ask(world, step->process, &request))
    return false;
  uint64_t file_page = step->offset / world->script->page_size;
  uint64_t i = file_page - world->reply->first;
  const struct actor_page *page = &world->reply->pages[i < PAGES_MAX ? i : 0];
  if (world->reply->error || i >= world->reply->npages || i >= PAGES_MAX || !page->is_mapped) {
    frame->complaint = text_of("page %llu isn't mapped", (unsigned long long)file_page);
  } else if (step->verb == VERB_EXPECT_PAGE && !is_state(page, step->value)) {
    frame->complaint =
        text_of("page %llu is %s", (unsigned long long)file_page,
                page->state < npage_state_names ? page_state_names[page->state] : "the host's");
  } else if (step->verb == VERB_EXPECT_ACTUAL && page->actual != step->prot) {
    char *is = protection_text(page->actual);
    frame->complaint = text_of("page %llu has %s", (unsigned long long)file_page, is);
    free(is);
  }
  return true;
}

bool
expect_check(struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  if (step->process >= 0 && !actor_is_alive(world, step->process)) {
    frame->complaint =
        text_of("process %s isn't alive any more", world->script->processes.name[step->process]);
    return true;
  }
  switch ((int)step->verb) {
  case VERB_EXPECT_FILE:
    check_file(world, frame);
    return true;
  case VERB_EXPECT_SIZE:
    check_size(world, frame);
    return true;
  case VERB_EXPECT_MEMORY:
    return check_memory(world, frame);
  case VERB_EXPECT_PAGE:
  case VERB_EXPECT_ACTUAL:
    return check_page(world, frame);
  default:
    check_error(world, frame);
    return true;
  }
}
