/* recover.c - recovering a section in which nobody is alive.
 *
 * We become its only member for as long as it takes, so a program that maps the file meanwhile
 * shares what it finds.  Then it is like a last member's leaving.
 */
#include "backing/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backing/keeper.h"
#include "backing/writeback.h"
#include "host/arena.h"
#include "section/announce.h"
#include "section/directory.h"
#include "section/files.h"
#include "section/kind.h"
#include "section/lane.h"
#include "section/survey.h"

#define STEP ((uint64_t)1 << 10) /* pages */

/* A recovery at work.  In steps, each a keeper's job: in between the caller's thread, which has the
 * program's descriptors, tells of the progress. */
struct work {
  const struct recover *recover;
  struct section_key key;
  struct section *section;
  enum { WORK_NOTHING, WORK_WRITE_BACK, WORK_COPY_DIRTY, WORK_COPY_ALL } kind;
  int to; /* where copies go */
  uint64_t page, npages;
};

/* ---- Copying ------------------------------------------------------------------------------- */

/* n bytes of the data, or of the file where the section never read them. */
static int
read_contents(struct section *section, uint64_t page, size_t len, size_t *got) {
  *got = len;
  if (page_is_filled(atomic_load(section_state(section, page))))
    return data_read(section, keeper_buffer(), len, page << host_config.page_shift, got);
  memset(keeper_buffer(), 0, len);
  size_t read = 0;
  if (section->file_fd < 0)
    return 0;
  return data_read_file(section, keeper_buffer(), len, page << host_config.page_shift, &read);
}

static int
write_bytes(int fd, size_t len, uint64_t offset) {
  for (size_t done = 0; done < len;) {
    struct iovec vec = { (char *)keeper_buffer() + done, len - done };
    size_t put;
    int error = host_write(fd, &vec, 1, offset + done, &put);
    if (error || put == 0)
      return error ? error : EIO;
    done += put;
  }
  return 0;
}

static int
copy_page(struct work *work, uint64_t page) {
  struct section *section = work->section;
  uint64_t size = atomic_load(&section->control->size);
  uint64_t offset = page << host_config.page_shift;
  size_t page_size = host_config.page_size;
  size_t len = size - offset < page_size ? (size_t)(size - offset) : page_size;
  if (work->kind == WORK_COPY_DIRTY && !page_is_stored(atomic_load(section_state(section, page))))
    return 0;
  int error = read_contents(section, page, len, &len);
  return error ? error : write_bytes(work->to, len, offset);
}

static int
begin_copy(struct work *work, const char *path, int flags) {
  int error = host_open(&work->to, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0666);
  if (!error && work->kind == WORK_COPY_ALL)
    error = host_resize(work->to, atomic_load(&work->section->control->size));
  return error;
}

/* ---- Beginning ----------------------------------------------------------------------------- */

/* What is written or given up isn't dirty any more: the section can go. */
static void
give_up(struct section *section) {
  uint64_t npages = section_npages(section);
  for (uint64_t page = 0; page < npages; page++) {
    atomic_store(section_state(section, page), PAGE_CLEAN);
    if (page % SUMMARY_PAGES == SUMMARY_PAGES - 1 || page == npages - 1)
      summary_settle(section, page);
  }
}

/* By the name in its header, if the same file is still there. */
static int
open_file(struct section *section, const struct control *header) {
  struct host_stat file;
  int fd;
  int error =
      host_open(&fd, AT_FDCWD, header->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
  if (error)
    return error == ENOENT || error == ENOTDIR || error == ELOOP ? ESTALE : error;
  error = host_stat_fd(fd, &file);
  if (!error && !survey_is_same_file(header, &file))
    error = ESTALE;
  if (error) {
    int close_error = host_close(fd);
    return close_error ? close_error : error;
  }
  section->file_fd = fd;
  section->file_is_writable = true;
  return 0;
}

/* We are in it, alone: what is to be done? */
static int
choose(struct work *work) {
  const struct recover *recover = work->recover;
  struct section *section = work->section;
  struct lane_census others;
  enum life_left left;
  int file_error = open_file(section, section->control);
  int error = life_judge(section, &others, &left);
  if (error || others.members)
    return error ? error : EBUSY;
  if (recover->discard)
    return 0;
  if (left == LIFE_LEFT_DAMAGED)
    return EINVAL;
  work->npages = section_npages(section);
  if (recover->save_to || recover->write_as) {
    work->kind = recover->save_to ? WORK_COPY_ALL : WORK_COPY_DIRTY;
    return recover->save_to ? begin_copy(work, recover->save_to, O_EXCL)
                            : begin_copy(work, recover->write_as, 0);
  }
  bool is_atomic = atomic_load(&section->control->atomic);
  if (left == LIFE_LEFT_CLEAN && !is_atomic)
    return 0;
  work->kind = WORK_WRITE_BACK;
  if (file_error || (left == LIFE_LEFT_CHANGED && !is_atomic)) /* whose dirt is given up */
    return file_error ? file_error : ECANCELED;
  return announce(section, true);
}

static int
enter(struct work *work) {
  struct lane_census others;
  struct section *section = work->section;
  int error = files_open(section);
  if (!error)
    error = life_arrive(section);
  if (error)
    return error == EPERM ? EINVAL : error;
  error = lane_look(section, &others);
  if (!error && others.staying)
    error = EBUSY;
  kind_doubt(section); /* who joins us now looks first */
  if (!error)
    error = lane_enter(section);
  if (!error)
    error = choose(work);
  if (error == EINVAL)
    life_leave_as_it_is(section);
  else if (error)
    life_leave_behind(section);
  return error;
}

static int
is_ours(struct section *section, void *arg) {
  return strcmp(section->name, arg) == 0 ? EBUSY : 0;
}

static int
begin_job(void *arg) {
  struct work *work = arg;
  const char *name = work->recover->name;
  int error = section_each(is_ours, (void *)(uintptr_t)name);
  if (error)
    return error;
  work->section = section_new(&work->key, name);
  if (!work->section)
    return ENOMEM;
  while ((error = enter(work)) == EAGAIN)
    section_drop(work->section);
  return error;
}

/* ---- Going on and ending ------------------------------------------------------------------- */

static int
step_job(void *arg) {
  struct work *work = arg;
  uint64_t n = work->npages - work->page < STEP ? work->npages - work->page : STEP;
  int error = 0;
  if (work->kind == WORK_WRITE_BACK)
    error = writeback(work->section, work->page, n, false);
  else
    for (uint64_t i = 0; i < n && !error; i++)
      error = copy_page(work, work->page + i);
  work->page += n;
  return error;
}

static int
finish(struct work *work) {
  struct section *section = work->section;
  if (work->kind == WORK_WRITE_BACK)
    return writeback(section, 0, work->npages, true);
  int error = work->to >= 0 ? host_flush(work->to) : 0;
  if (!error && work->kind != WORK_COPY_ALL)
    give_up(section);
  return error;
}

static int
finish_job(void *arg) {
  struct work *work = arg;
  int error = finish(work);
  if (error || work->kind == WORK_COPY_ALL)
    life_leave_behind(work->section);
  else
    while (!error && life_leave(work->section) == EAGAIN) /* somebody came, stored, and died */
      error = writeback(work->section, 0, work->npages, true);
  return error;
}

static int
drop_job(void *arg) {
  struct work *work = arg;
  struct section *section = work->section;
  int error = work->to >= 0 ? host_close(work->to) : 0;
  if (!section)
    return error;
  int fd = atomic_exchange(&section->file_fd, -1);
  int close_error = fd >= 0 ? host_close(fd) : 0;
  if (atomic_load(&section->has_lane))
    life_leave_behind(section);
  announce_end(section);
  section_drop(section);
  arena_free(section, sizeof *section);
  return error ? error : close_error;
}

static int
carry_out(struct work *work) {
  int error = keeper_run(begin_job, work);
  while (!error && work->kind != WORK_NOTHING && work->page < work->npages) {
    error = keeper_run(step_job, work);
    if (!error && work->recover->progress)
      work->recover->progress(work->recover->progress_arg, work->page, work->npages);
  }
  if (!error)
    error = keeper_run(finish_job, work);
  int drop_error = keeper_run(drop_job, work);
  return error ? error : drop_error;
}

/* ---- What can't be entered ----------------------------------------------------------------- */

static int
discard_damaged_job(void *arg) {
  const struct work *work = arg;
  const char *name = work->recover->name;
  bool is_alive = false;
  int fds[3];
  int root;
  int error = section_each(is_ours, (void *)(uintptr_t)name); /* of our own lock nobody tells us */
  if (!error)
    error = directory_open(&root);
  if (error)
    return error;
  int open_error = files_open_named(root, name, O_RDWR, fds);
  for (uint32_t lane = 0; fds[1] >= 0 && lane < LANE_MAX && !error && !is_alive; lane++)
    error = host_byte_is_locked(fds[1], CONTROL_LOCK_LANE + lane, &is_alive);
  if (!error && is_alive)
    error = EBUSY;
  if (!error)
    error = fds[0] >= 0 ? files_remove_named(root, name, fds[0]) : host_unlink(root, name);
  if (error == EISDIR) /* nothing that we make; what is in it isn't ours */
    error = EACCES;
  for (int i = 0; i < 3; i++)
    if (fds[i] >= 0 && host_close(fds[i]) && !error)
      error = EIO;
  return error == ENOENT && !open_error ? 0 : error;
}

int
recover(const struct recover *recover) {
  struct survey survey;
  struct work work = { .recover = recover, .to = -1 };
  int error = survey_one(recover->name, &survey);
  if (error)
    return error;
  work.key = (struct section_key){ survey.header.device, survey.header.inode };
  if (survey.damage && !recover->discard)
    return survey.damage;
  section_lock_all();
  error = survey.damage ? keeper_run(discard_damaged_job, &work) : carry_out(&work);
  section_unlock_all();
  return error;
}
