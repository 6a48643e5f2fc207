/* player.c - playing a sequence: each step on softmap and on the kernel, then the comparison. */
#include "act.h"

#include <pthread.h>

/* ---- Contents -------------------------------------------------------------------------------- */

/* Bytes [from, from + len) of a page that exist. */
static size_t
some_bytes(const struct act *act, size_t *from) {
  const struct view *view = &views[act->slot][act->page];
  size_t offset = view->file_page * PAGE;
  size_t size = shared->size[view->file];
  size_t len = 1 + act->step->pages % 40;

  *from = ((size_t)act->step->value * 16 + act->step->file_page) % (PAGE - 40);
  if (offset + *from >= size)
    return 0;
  return size - offset - *from < len ? size - offset - *from : len;
}

static void
store(struct act *act) {
  const struct view *view = &views[act->slot][act->page];
  unsigned char value = (unsigned char)(act->step->value ^ shared->at);
  size_t from;
  size_t len = some_bytes(act, &from);

  if (!view->is_mapped || len == 0)
    return;
  for (size_t i = 0; i < len; i++) {
    struct t_fault soft = t_store(act->at[SOFT] + from + i, value);
    struct t_fault kern = t_store(act->at[KERN] + from + i, value);

    if (soft.signo == SIGBUS && inject_fired() != 0) { /* the fault came out */
      inject_disarm();
      soft = t_store(act->at[SOFT] + from + i, value);
    }
    same("a store: signal", soft.signo, kern.signo);
    same("a store: si_code", soft.code, kern.code);
    if (soft.signo != 0)
      return;
    if (!view->is_private)
      shared->model[view->file][view->file_page * PAGE + from + i] = value;
  }
}

static void
load(struct act *act) {
  for (unsigned i = 0; i < act->n; i++)
    if (views[act->slot][act->page + i].is_mapped)
      same_page(act->slot, act->page + i);
}

static int
soft_sync(void *arg) {
  const struct act *act = arg;

  return softmap_msync(act->at[SOFT], act->n * PAGE, act->flags) == 0 ? 0 : errno;
}

/* What was synced is in the file. */
static void
sync_range(struct act *act, int flags) {
  unsigned char bytes[4096];

  if (!act_all(act, is_mapped))
    return;
  act->flags = flags;
  same("msync", with_kept(soft_sync, act),
       msync(act->at[KERN], act->n * PAGE, flags) == 0 ? 0 : errno);
  for (unsigned i = 0; i < act->n; i++) {
    const struct view *view = &views[act->slot][act->page + i];
    size_t offset = view->file_page * PAGE;
    ssize_t n = view->is_private ? 0 : pread(fds[SOFT][view->file], bytes, PAGE, (off_t)offset);

    if (n > 0 && memcmp(bytes, shared->model[view->file] + offset, (size_t)n) != 0)
      differ("page %u of file %u isn't in the file after msync", view->file_page, view->file);
  }
}

static int
soft_sync_all(void *arg) {
  (void)arg;
  return softmap_sync_all() == 0 ? 0 : errno;
}

static void
advise(struct act *act) {
  static const int advices[] = { MADV_DONTNEED, MADV_WILLNEED, MADV_SEQUENTIAL };
  int advice = advices[act->step->value % 3];

  inject_disarm();
  if (act_all(act, is_mapped))
    same("madvise", softmap_madvise(act->at[SOFT], act->n * PAGE, advice) == 0 ? 0 : errno,
         madvise(act->at[KERN], act->n * PAGE, advice) == 0 ? 0 : errno);
}

static void
pin(struct act *act) {
  if (act_all(act, is_mapped) && softmap_pin(act->at[SOFT], act->n * PAGE, PROT_READ) == 0 &&
      softmap_unpin(act->at[SOFT], act->n * PAGE) != 0)
    differ("unpin: errno %d", errno);
}

/* What processes that were killed have left goes to who maps the file, if nobody changed that. */
static void
adopt(int f) {
  void *p = softmap_mmap(NULL, FILE_BYTES, RW, MAP_SHARED, fds[SOFT][f], 0);

  if (p == MAP_FAILED ||
      (softmap_msync(p, FILE_BYTES, MS_SYNC) != 0 && softmap_msync(p, FILE_BYTES, MS_SYNC) != 0))
    differ("adopting file %d: errno %d", f, errno);
  (void)softmap_munmap(p, FILE_BYTES);
}

static void
truncate_file(struct act *act) {
  int f = act->step->file % FILES;
  size_t old = shared->size[f];
  size_t size = (size_t)(1 + act->step->pages % (FILE_PAGES - 1)) * PAGE;

  if (act->step->value % 3 == 0)
    size += act->step->value;
  inject_disarm();
  if (shared->has_killed)
    adopt(f);
  if (ftruncate(fds[SOFT][f], (off_t)size) != 0 || ftruncate(fds[KERN][f], (off_t)size) != 0)
    differ("ftruncate: errno %d", errno);
  if (size > old)
    memset(shared->model[f] + old, 0, size - old);
  shared->size[f] = size;
  same("sync_all", with_kept(soft_sync_all, NULL), 0); /* sees it, if it has the file mapped */
  adopt(f);
}

/* ---- Threads and processes ------------------------------------------------------------------- */

struct storer {
  const struct act *act;
  unsigned char value;
  size_t from;
};

static void *
store_in_thread(void *arg) {
  const struct storer *storer = arg;

  for (unsigned i = 0; i < storer->act->n; i++)
    for (size_t k = 0; k < 20; k++)
      PUT(storer->act->at[SOFT] + i * PAGE + storer->from + k, storer->value);
  return NULL;
}

/* Two threads store into the same pages, while a third one syncs. */
static void
threads(struct act *act) {
  struct storer storers[2];
  pthread_t ids[2];

  inject_disarm(); /* a store that can't be served ends a thread */
  for (unsigned i = 0; i < act->n; i++) {
    const struct view *view = &views[act->slot][act->page + i];

    if (!view->is_mapped || view->is_private || view->prot != RW ||
        (size_t)(view->file_page + 1) * PAGE > shared->size[view->file])
      return;
  }
  for (size_t t = 0; t < 2; t++) {
    storers[t] =
        (struct storer){ act, (unsigned char)(act->step->value + t + shared->at), t * 2000 + 8 };
    if (pthread_create(&ids[t], NULL, store_in_thread, &storers[t]) != 0)
      differ("no thread");
  }
  act->flags = MS_SYNC;
  same("msync", with_kept(soft_sync, act), 0);
  for (size_t t = 0; t < 2; t++) {
    (void)pthread_join(ids[t], NULL);
    for (unsigned i = 0; i < act->n; i++) {
      const struct view *view = &views[act->slot][act->page + i];

      memset(act->at[KERN] + i * PAGE + storers[t].from, storers[t].value, 20);
      memset(shared->model[view->file] + view->file_page * PAGE + storers[t].from, storers[t].value,
             20);
    }
  }
}

static void play_steps(const struct step *steps, size_t n, unsigned depth);

/* Returns when the child has ended. */
static void
fork_child(const struct step *steps, size_t n, unsigned depth) {
  pid_t pid;
  int status;

  if (depth == DEPTH_MAX)
    return;
  inject_disarm();
  pid = fork();
  if (pid < 0)
    differ("fork: errno %d", errno);
  if (pid == 0) {
    shared->at++;
    play_steps(steps, n, depth + 1);
    exit(0);
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  if (shared->failed)
    _exit(1);
  if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
      !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
    differ("a child ended with status %#x", (unsigned)status);
}

/* False: this process has no more to do. */
static bool
do_step(const struct step *step) {
  struct act act = act_of(step);

  switch ((enum op)(step->op % OP_COUNT)) {
  case OP_MAP:
    act_map(&act);
    break;
  case OP_STORE:
    store(&act);
    break;
  case OP_LOAD:
    load(&act);
    break;
  case OP_SYNC:
    sync_range(&act, MS_SYNC);
    break;
  case OP_SYNC_ASYNC:
    sync_range(&act, MS_ASYNC);
    break;
  case OP_SYNC_INVALIDATE:
    sync_range(&act, MS_SYNC | MS_INVALIDATE);
    break;
  case OP_SYNC_ALL:
    same("sync_all", with_kept(soft_sync_all, NULL), 0);
    break;
  case OP_UNMAP:
    act_unmap(&act);
    break;
  case OP_PROTECT:
    act_protect(&act);
    break;
  case OP_MOVE:
    act_move(&act);
    break;
  case OP_ADVISE:
    advise(&act);
    break;
  case OP_PIN:
    pin(&act);
    break;
  case OP_TRUNCATE:
    truncate_file(&act);
    break;
  case OP_THREADS:
    threads(&act);
    break;
  case OP_FAULT:
    arm_fault(step);
    return true;
  case OP_EXIT:
  case OP_KILL:
    return false;
  case OP_FORK:
  case OP_COUNT:
  default:
    break;
  }
  inject_disarm();
  return true;
}

static void
play_steps(const struct step *steps, size_t n, unsigned depth) {
  while (shared->at < n) {
    const struct step *step = &steps[shared->at];

    if (step->op % OP_COUNT == OP_FORK) {
      fork_child(steps, n, depth);
    } else if (!do_step(step) && depth > 0) {
      shared->has_killed |= step->op % OP_COUNT == OP_KILL;
      if (step->op % OP_COUNT == OP_KILL)
        (void)raise(SIGKILL);
      return;
    }
    if (shared->at < n)
      shared->at++;
  }
}

/* ---- A whole sequence ------------------------------------------------------------------------ */

/* What processes that were killed have left is adopted by who maps the file. */
static void
finish(void) {
  inject_disarm();
  for (unsigned s = 0; s < SLOTS; s++)
    for (unsigned page = 0; page < SLOT_PAGES; page++)
      if (views[s][page].is_mapped)
        same_page(s, page);
  for (int f = 0; f < FILES; f++)
    adopt(f);
  same_files();
}

bool
play(const struct step *steps, size_t n, size_t *at, char *text, size_t size) {
  pid_t pid;
  int status;
  bool ok;

  shared = mmap(NULL, sizeof *shared, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED)
    return false;
  pid = fork();
  if (pid == 0) {
    t_limit_this_process(30);
    t_catch_faults();
    if (n > 0 && steps[0].value % 2 != 0)
      (void)softmap_configure("fill", "touch");
    world_begin();
    play_steps(steps, n, 0);
    finish();
    exit(0);
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  ok = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !shared->failed;
  if (!ok)
    (void)snprintf(text, size, "%s (status %#x)", shared->failed ? shared->text : "it died",
                   (unsigned)status);
  *at = shared->at;
  (void)munmap(shared, sizeof *shared);
  return ok;
}
