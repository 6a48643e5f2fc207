/* coherent.c - the shim's reads and writes of files that have a section.
 *
 * A section of another process is joined for the time of the call: its dirty pages can be read, and
 * its memory changed, by members only.
 */
#include "backing/coherent.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "api/call.h"
#include "api/shim.h"
#include "backing/file.h"
#include "backing/keeper.h"
#include "backing/writeback.h"
#include "core/text.h"
#include "section/directory.h"
#include "section/files.h"
#include "section/lane.h"
#include "section/registry.h"

/* ---- The section of a file ------------------------------------------------------------------ */

static struct section *
hold_own(const struct host_stat *stat) {
  struct section_key key = { stat->device, stat->inode };
  if (!process_is_started() || call_is_orphan())
    return NULL;
  section_lock_all();
  struct section *section = registry_find(&key);
  if (section && atomic_load(&section->has_lane))
    section_hold(section);
  else
    section = NULL;
  section_unlock_all();
  return section;
}

static bool
is_somewhere(const struct host_stat *stat) {
  struct host_stat found;
  struct text path = { 0 };
  text_add(&path, directory_path());
  text_add(&path, "/");
  section_name_of(stat, &path);
  return !host_stat_path(path.at, &found);
}

bool
shim_has_section(int fd) {
  struct host_stat stat;
  return !host_stat_fd(fd, &stat) && S_ISREG(stat.mode) && is_somewhere(&stat);
}

void
shim_forget(int fd) {
  static const struct softmap_recover_options discard = { .size = sizeof discard,
                                                          .flags = SOFTMAP_RECOVER_DISCARD };
  struct host_stat stat;
  struct text name = { 0 };
  if (host_stat_fd(fd, &stat))
    return;
  section_name_of(&stat, &name);
  if (softmap_recover(name.at, &discard))
    return; /* processes are alive in it, or it is gone */
}

struct joining {
  struct section_key key;
  uint64_t ticket;
  struct section *section;
};

/* A descriptor that can't be read is of no use for a section. */
static int
join_job(void *arg) {
  struct joining *joining = arg;
  int fd, flags, readable;
  int error = keeper_take(joining->ticket, &fd);
  if (error)
    return error;
  error = host_open_flags(fd, &flags);
  if (!error && (flags & O_ACCMODE) != O_WRONLY)
    return section_obtain(fd, &joining->key, &joining->section);
  if (!error)
    error = host_reopen(&readable, fd, O_RDWR | O_CLOEXEC);
  if (host_close(fd))
    host_yield(); /* closed all the same, as far as we can see to it */
  return error ? error : section_obtain(readable, &joining->key, &joining->section);
}

static struct section *
hold_others(int fd, const struct host_stat *stat) {
  struct joining joining = { .key = { stat->device, stat->inode } };
  struct space_call call;
  if (process_start() || call_is_orphan())
    return NULL;
  space_lock(&call);
  int error = keeper_post(fd, &joining.ticket);
  if (!error)
    error = keeper_run(join_job, &joining);
  space_unlock(&call);
  return error ? NULL : joining.section;
}

static int
prepare_job(void *arg) {
  return coherent_prepare(arg);
}

/* Hold the section of the file behind fd, up to date with its size.  All signals are blocked. */
static struct section *
hold(int fd) {
  struct host_stat stat;
  if (host_stat_fd(fd, &stat) || !S_ISREG(stat.mode))
    return NULL;
  struct section *section = hold_own(&stat);
  if (!section && is_somewhere(&stat))
    section = hold_others(fd, &stat);
  if (!section)
    return NULL;
  if (!coherent_is_prepared(section, stat.size) && keeper_run(prepare_job, section)) {
    section_release(section);
    return NULL;
  }
  return section;
}

static bool
begin(struct shim_op *op, struct coherent *state, int fd) {
  host_signals_block(&op->mask);
  *state = (struct coherent){ .section = hold(fd) };
  op->section = state->section;
  if (!state->section)
    host_signals_set(&op->mask);
  return state->section;
}

static void
save(struct shim_op *op, const struct coherent *state) {
  op->first = state->first;
  op->npages = state->npages;
  op->dirty_first = state->dirty_first;
  op->dirty_end = state->dirty_end;
  op->claimed = state->claimed;
  op->fence = state->fence;
}

static struct coherent
restore(const struct shim_op *op) {
  return (struct coherent){ op->section,     op->first,     op->npages, op->claimed,
                            op->dirty_first, op->dirty_end, op->fence };
}

/* ---- Reading ------------------------------------------------------------------------------- */

struct work {
  struct coherent *state;
  const struct iovec *iov;
  int n;
  uint64_t offset, len;
  bool rest;
};

static int
lay_over_job(void *arg) {
  const struct work *work = arg;
  return coherent_lay_over(work->state, work->iov, work->n, work->offset, work->len);
}

static int
gather_job(void *arg) {
  const struct work *work = arg;
  return coherent_gather(work->state, work->offset, work->len);
}

/* What was stored to and isn't marked is marked. */
static void
gather(struct coherent *state, uint64_t offset, uint64_t len) {
  struct work work = { .state = state, .offset = offset, .len = len };
  if (coherent_is_watched(state, offset, len) && keeper_run(gather_job, &work))
    host_yield(); /* what the file has is the best we have */
}

bool
shim_read_begin(struct shim_op *op, int fd, uint64_t offset, uint64_t len) {
  struct coherent state;
  if (!begin(op, &state, fd))
    return false;
  gather(&state, offset, len);
  coherent_look(&state, offset, len);
  save(op, &state);
  host_signals_set(&op->mask); /* nothing is held that another could wait for */
  return true;
}

void
shim_read_end(struct shim_op *op, const struct iovec *iov, int n, uint64_t offset, ssize_t got) {
  struct coherent state = restore(op);
  struct work work = { &state, iov, n, offset, got > 0 ? (uint64_t)got : 0, false };
  host_signals_block(&op->mask);
  if (got > 0)
    gather(&state, offset, work.len);
  if (got > 0 && coherent_must_lay_over(&state, offset, work.len) &&
      keeper_run(lay_over_job, &work))
    host_yield(); /* what the file has is the best we have */
  section_release(state.section);
  host_signals_set(&op->mask);
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* The call between may read memory of ours that isn't filled by itself (stdio copies).  Such a
 * fault doesn't wait for what we hold: that stays readable. */
static void
let_faults_through(void) {
  sigset_t most;
  sigfillset(&most);
  sigdelset(&most, SIGSEGV);
  sigdelset(&most, SIGBUS);
  host_signals_set(&most);
}

static int
unwatch_job(void *arg) {
  const struct work *work = arg;
  return coherent_unwatch(work->state, work->offset, work->len);
}

bool
shim_write_begin(struct shim_op *op, int fd, uint64_t offset, uint64_t len) {
  struct coherent state;
  if (!begin(op, &state, fd))
    return false;
  struct work work = { .state = &state, .offset = offset, .len = len };
  if (coherent_is_watched(&state, offset, len) && keeper_run(unwatch_job, &work))
    host_yield(); /* what is watched is treated as what is not clean */
  if (coherent_hold(&state, offset, len))
    host_yield(); /* no memory to hold them: they are treated as those that are not clean */
  save(op, &state);
  op->fd = fd;
  let_faults_through();
  return true;
}

static int
settle_job(void *arg) {
  struct work *work = arg;
  return coherent_settle(work->state, work->offset, work->len, &work->rest);
}

static int
store_job(void *arg) {
  const struct work *work = arg;
  return coherent_store(work->state, work->iov, work->n, work->offset, work->len);
}

void
shim_write_end(struct shim_op *op, const struct iovec *iov, int n, uint64_t offset, ssize_t put) {
  struct coherent state = restore(op);
  struct work work = { &state, iov, n, offset, put > 0 ? (uint64_t)put : 0, false };
  sigset_t most;
  host_signals_block(&most);
  int error = 0;
  if (!coherent_settle_here(&state, op->fd, offset, work.len, &work.rest))
    error = keeper_run(settle_job, &work);
  (void)error; /* the call itself has succeeded; what could not be brought over is filled again */
  while (work.len && work.rest) {
    coherent_wait(&state, offset, work.len);
    error = keeper_run(store_job, &work);
    work.rest = error == EAGAIN;
  }
  coherent_free(&state);
  section_release(state.section);
  host_signals_set(&op->mask);
}

/* ---- Other calls --------------------------------------------------------------------------- */

struct sync_request {
  struct section *section;
  uint64_t first, npages;
};

static int
sync_job(void *arg) {
  const struct sync_request *request = arg;
  if (atomic_load(&request->section->control->atomic))
    return 0; /* no sync, and only a sync writes: what reads the file sees that of before */
  return writeback(request->section, request->first, request->npages, false);
}

int
shim_write_dirty(int fd, uint64_t offset, uint64_t len) {
  sigset_t mask;
  int error = 0;
  host_signals_block(&mask);
  struct section *section = hold(fd);
  if (section) {
    uint64_t first = offset >> host_config.page_shift;
    uint64_t end = len < UINT64_MAX - offset ? ((offset + len - 1) >> host_config.page_shift) + 1
                                             : UINT64_MAX >> host_config.page_shift;
    struct sync_request request = { section, first, len ? end - first : 0 };
    error = keeper_run(sync_job, &request);
    section_release(section);
  }
  host_signals_set(&mask);
  return error;
}

/* ---- Descriptors of the caller's ------------------------------------------------------------- */

/* A descriptor on its way, or that has come, to the keepers' table. */
struct parcel {
  struct section *section;
  uint64_t ticket;
  int fd;
};

/* It may be another file's by now. */
static int
accept_job(void *arg) {
  struct parcel *parcel = arg;
  struct host_stat stat;
  int error = keeper_take(parcel->ticket, &parcel->fd);
  if (error)
    return error;
  error = host_stat_fd(parcel->fd, &stat);
  if (!error && stat.device == parcel->section->key.device &&
      stat.inode == parcel->section->key.inode)
    return 0;
  int close_error = host_close(parcel->fd);
  return error ? error : close_error ? close_error : ENOENT;
}

/* Nobody else can map or unmap meanwhile: so it doesn't wait for a disk. */
static int
hand_over(struct parcel *parcel, int fd) {
  struct space_call call;
  space_lock(&call);
  int error = keeper_post(fd, &parcel->ticket);
  if (!error)
    error = keeper_run(accept_job, parcel);
  space_unlock(&call);
  return error;
}

struct flushing {
  struct parcel parcel;
  int (*flush)(int fd);
};

/* Where no descriptor could be had the mappings are flushed through ours, and the call goes on. */
static int
flush_job(void *arg) {
  const struct flushing *flushing = arg;
  if (flushing->parcel.fd < 0) {
    int error = writeback(flushing->parcel.section, 0, UINT64_MAX >> host_config.page_shift, true);
    return error ? error : ENOENT;
  }
  int error = writeback_through(flushing->parcel.section, flushing->flush, flushing->parcel.fd);
  int close_error = host_close(flushing->parcel.fd);
  return error ? error : close_error;
}

int
shim_flush(int fd, bool data_only) {
  sigset_t mask;
  int error = ENOENT;
  host_signals_block(&mask);
  struct flushing flushing = { { .section = hold(fd) }, data_only ? host_flush : host_flush_all };
  if (flushing.parcel.section) {
    if (hand_over(&flushing.parcel, fd))
      flushing.parcel.fd = -1;
    error = keeper_run(flush_job, &flushing);
    section_release(flushing.parcel.section);
  }
  host_signals_set(&mask);
  return error;
}

/* ---- Sizes --------------------------------------------------------------------------------- */

struct truncation {
  struct section *section;
  uint64_t ticket, size;
};

static int
truncate_job(void *arg) {
  const struct truncation *truncation = arg;
  struct section *section = truncation->section;
  int fd;
  int error = keeper_take(truncation->ticket, &fd);
  if (error)
    return error;
  lane_note_writing(section, true);
  error = section_truncate(section, fd, truncation->size);
  if (!error)
    error = file_remember(section, section->file_fd);
  lane_note_writing(section, false);
  int close_error = host_close(fd);
  return error ? error : close_error;
}

int
shim_truncate(int fd, uint64_t size) {
  sigset_t mask;
  struct space_call call;
  int error = ENOENT;
  host_signals_block(&mask);
  struct section *section = hold(fd);
  if (section) {
    struct truncation truncation = { .section = section, .size = size };
    space_lock(&call); /* for the hand-over */
    error = keeper_post(fd, &truncation.ticket);
    if (!error)
      error = keeper_run(truncate_job, &truncation);
    space_unlock(&call);
    section_release(section);
  }
  host_signals_set(&mask);
  return error;
}
