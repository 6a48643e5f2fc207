/* steps.c - doing one step. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/grammar.h"
#include "lab/world.h"
#include "tool/tool.h"

/* ---- Asking the step's process ------------------------------------------------------------- */

/* How a process ended, if it did. */
static char *
end_text(const struct world *world, int process) {
  const struct actor_reply *reply = world->reply;
  const char *name = world->script->processes.name[process];
  if (reply->signal)
    return text_of("process %s was ended by %s", name, signal_name(reply->signal));
  return text_of("process %s ended with status %d", name, (int)reply->value);
}

static bool
ask(struct world *world, struct actor_request *request, struct frame *frame) {
  const struct step *step = frame->step;
  if (!actor_ask(world, step->process, request))
    return false;
  frame->error = world->reply->error;
  frame->signal = world->reply->signal;
  frame->faults = world->reply->faults;
  if (!actor_is_alive(world, step->process))
    frame->outcome = end_text(world, step->process);
  return true;
}

/* The length of a mapping's range, to its end if the step doesn't say. */
static bool
range_length(struct world *world, const struct step *step, uint64_t *out) {
  struct actor_request request = { .op = ACTOR_PAGES, .region = (uint32_t)step->mapping };
  if (step->has_length) {
    *out = step->length;
    return true;
  }
  bool ok = actor_ask(world, step->process, &request);
  uint64_t len = world->reply->npages * world->script->page_size;
  *out = len > step->offset ? len - step->offset : 0;
  return ok;
}

static void
put_bytes(struct actor_request *request, const char *bytes, size_t n) {
  request->nbytes = (uint32_t)n;
  memcpy(request->bytes, bytes, n);
}

static void
put_path(struct world *world, struct actor_request *request, int file) {
  char *path = file_path(world, file);
  (void)snprintf(request->bytes, sizeof request->bytes, "%s", path);
  free(path);
}

/* ---- Steps of a process -------------------------------------------------------------------- */

static bool
do_map(struct world *world, struct actor_request *request, struct frame *frame) {
  const struct step *step = frame->step;
  struct actor *actor = &world->actors[step->process];
  uint64_t size = world->files[step->file].size;
  request->op = ACTOR_MAP;
  request->flags = step->is_private ? MAP_PRIVATE : MAP_SHARED;
  request->prot =
      step->prot <= (PROT_READ | PROT_WRITE | PROT_EXEC) ? step->prot : PROT_READ | PROT_WRITE;
  request->len = step->has_length ? step->length : size > step->offset ? size - step->offset : 0;
  put_path(world, request, step->file);
  if (!ask(world, request, frame))
    return false;
  if (frame->error == 0) {
    actor->region[step->mapping].file = step->file;
    actor->region[step->mapping].is_private = step->is_private;
  }
  return true;
}

static bool
do_load(struct world *world, struct actor_request *request, struct frame *frame) {
  request->op = ACTOR_LOAD;
  request->len = frame->step->length;
  if (!ask(world, request, frame))
    return false;
  if (!frame->error && !frame->signal && !frame->outcome)
    frame->outcome = words_quote(world->reply->bytes, world->reply->nbytes, 64);
  return true;
}

static bool
do_range(struct world *world, struct actor_request *request, struct frame *frame) {
  const struct step *step = frame->step;
  request->op = step->verb == VERB_PROTECT ? ACTOR_PROTECT
                : step->verb == VERB_SYNC  ? ACTOR_SYNC
                                           : ACTOR_UNMAP;
  request->prot = step->prot;
  request->flags = (step->is_async ? MS_ASYNC : MS_SYNC) |
                   (step->is_invalidating ? (unsigned)MS_INVALIDATE : 0u);
  if (step->is_midway)
    put_bytes(request, step->bytes, step->nbytes);
  return range_length(world, step, &request->len) && ask(world, request, frame);
}

static bool
do_fork(struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  bool ok = actor_fork(world, step->process, step->other_process);
  frame->error = world->reply->error;
  frame->faults = world->reply->faults;
  return ok;
}

static bool
do_exec(struct world *world, struct actor_request *request, struct frame *frame) {
  struct actor *actor = &world->actors[frame->step->process];
  request->op = ACTOR_EXEC;
  for (int i = 0; i < NAMES_MAX; i++)
    actor->region[i].file = -1;
  return ask(world, request, frame);
}

/* Without an answer: the process is gone then. */
static bool
do_exit(struct world *world, struct actor_request *request, struct frame *frame) {
  request->op = ACTOR_EXIT;
  return ask(world, request, frame);
}

static bool
do_fail(struct world *world, struct actor_request *request, struct frame *frame) {
  const struct step *step = frame->step;
  request->op = ACTOR_FAIL;
  request->value = step->value;
  request->after = step->after;
  request->times = step->times;
  put_bytes(request, step->name, strlen(step->name));
  bool ok = ask(world, request, frame);
  if (frame->error == EOPNOTSUPP) {
    frame->error = 0;
    frame->is_skipped = true;
    frame->outcome = text_of("the host can't be told to fail");
  }
  return ok;
}

static bool
do_option(struct world *world, struct actor_request *request, struct frame *frame) {
  const struct step *step = frame->step;
  request->op = ACTOR_OPTION;
  (void)snprintf(request->bytes, sizeof request->bytes, "%s%c%s", step->name, '\0',
                 step->option_value);
  return ask(world, request, frame);
}

static bool
do_of_process(struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  struct actor_request request = {
    .region = step->mapping >= 0 ? (uint32_t)step->mapping : UINT32_MAX,
    .other = step->other_mapping >= 0 ? (uint32_t)step->other_mapping : UINT32_MAX,
    .offset = step->offset,
    .other_offset = step->other_offset,
    .len = step->length
  };
  switch ((int)step->verb) {
  case VERB_MAP:
    return do_map(world, &request, frame);
  case VERB_STORE:
    request.op = ACTOR_STORE;
    put_bytes(&request, step->bytes, step->nbytes);
    return ask(world, &request, frame);
  case VERB_LOAD:
    return do_load(world, &request, frame);
  case VERB_PROTECT:
  case VERB_SYNC:
  case VERB_UNMAP:
    return do_range(world, &request, frame);
  case VERB_REMAP:
    request.op = ACTOR_REMAP;
    return ask(world, &request, frame);
  case VERB_PIN:
  case VERB_UNPIN:
    request.op = step->verb == VERB_PIN ? ACTOR_PIN : ACTOR_UNPIN;
    return ask(world, &request, frame);
  case VERB_FORK:
    return do_fork(world, frame);
  case VERB_EXEC:
    return do_exec(world, &request, frame);
  case VERB_EXIT:
    return do_exit(world, &request, frame);
  case VERB_FAIL:
    return do_fail(world, &request, frame);
  case VERB_GROW:
    request.op = ACTOR_GROW;
    put_path(world, &request, step->file);
    return ask(world, &request, frame);
  default:
    return do_option(world, &request, frame);
  }
}

/* ---- Steps of nobody ----------------------------------------------------------------------- */

static int
do_read(struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  const struct snapshot *file = &world->files[step->file];
  if (!file->exists)
    return ENOENT;
  uint64_t from = step->offset < file->size ? step->offset : file->size;
  uint64_t len = step->length < file->size - from ? step->length : file->size - from;
  frame->outcome = words_quote(file->bytes + from, len, 64);
  return 0;
}

static int
do_unlink(struct world *world, int file) {
  char *path = file_path(world, file);
  int error = unlink(path) < 0 ? errno : 0;
  free(path);
  return error;
}

static bool
do_kill(struct world *world, struct frame *frame) {
  int status, process = frame->step->other_process;
  if (!actor_is_alive(world, process))
    return true; /* it was ended by a step that went wrong */
  bool ok = actor_end(world, process, SIGKILL, &status);
  *world->reply = (struct actor_reply){ .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                                        .value = WIFEXITED(status) ? WEXITSTATUS(status) : 0 };
  frame->outcome = end_text(world, process);
  return ok;
}

/* By a process that comes for that only, under a name that no script can give. */
static bool
do_recover(struct world *world, struct frame *frame) {
  struct actor_request request = { .op = ACTOR_RECOVER };
  int status, helper = (int)world->script->processes.n;
  if (helper == NAMES_MAX) {
    (void)script_error(&frame->step->place, "recover needs one process less in the script");
    return false;
  }
  put_path(world, &request, frame->step->file);
  if (!actor_start(world, helper) || !actor_ask(world, helper, &request))
    return false;
  frame->error = world->reply->error;
  return actor_end(world, helper, SIGKILL, &status);
}

bool
step_do(struct world *world, struct frame *frame) {
  const struct step *step = frame->step;
  if (step->process >= 0 && !actor_is_alive(world, step->process)) {
    frame->is_skipped = true;
    frame->complaint =
        text_of("process %s isn't alive any more", world->script->processes.name[step->process]);
    return true;
  }
  switch ((int)step->verb) {
  case VERB_PROCESS:
    return actor_start(world, step->other_process);
  case VERB_KILL:
    return do_kill(world, frame);
  case VERB_RECOVER:
    return do_recover(world, frame);
  case VERB_CREATE:
    frame->error = file_create(world, step);
    return true;
  case VERB_WRITE:
    frame->error = file_write(world, step);
    return true;
  case VERB_READ:
    frame->error = do_read(world, frame);
    return true;
  case VERB_TRUNCATE:
    frame->error = file_truncate(world, step);
    return true;
  case VERB_UNLINK:
    frame->error = do_unlink(world, step->file);
    return true;
  case VERB_SHOW:
    return true;
  default:
    return do_of_process(world, frame);
  }
}
