/* open.c - coming and going: a process's section objects and their files.
 *
 * Its directory and files are files.c's business, who is in it life.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "backing/keeper.h"
#include "backing/writeback.h"
#include "core/text.h"
#include "section/announce.h"
#include "section/directory.h"
#include "section/files.h"
#include "section/kind.h"
#include "section/lane.h"
#include "section/registry.h"
#include "section/say.h"
#include "section/stamp.h"
#include "section/twins.h"
#include "section/window.h"
#include "trace/ring.h"

static void
close_fd(int *fd) {
  if (*fd >= 0 && !host_close(*fd))
    *fd = -1;
}

static void
close_file_fd(_Atomic int *fd) {
  int old = atomic_exchange(fd, -1);
  close_fd(&old);
}

/* ---- Making and joining -------------------------------------------------------------------- */

void
section_drop(struct section *section) {
  window_close(section);
  inlet_close(section);
  fence_drop(section);
  stamp_drop(section);
  twins_drop(section);
  extent_unmap_all(section);
  close_fd(&section->data_fd);
  close_file_fd(&section->own_fd);
  close_fd(&section->old_fd[0]);
  close_fd(&section->old_fd[1]);
  close_fd(&section->control_fd); /* and with it our locks */
  close_fd(&section->dir_fd);
  atomic_store(&section->nextents, 0);
  atomic_store(&section->has_lane, false);
  memset(section->extent, 0, sizeof section->extent);
}

/* Room in the section directory is what users run out of. */
int
section_say_no_room(int error) {
  if (error != ENOSPC && error != EDQUOT && error != EFBIG)
    return error;
  struct text text = { 0 };
  text_add(&text, "softmap: section directory ");
  text_add(&text, directory_path());
  text_add(&text, ": ");
  text_add_error(&text, error);
  text_add(&text, error == EFBIG ? "; RLIMIT_FSIZE (ulimit -f) is too small for the file's copy\n"
                                 : "; set SOFTMAP_DIR to a directory with more room\n");
  say_later(&text);
  return ENOMEM;
}

/* EAGAIN: others came or went meanwhile. */
static int
join_or_make(struct section *section, bool *left) {
  struct host_stat file;
  *left = false;
  int error = files_open(section);
  if (!error)
    return life_join(section, left);
  section_drop(section);
  if (error == EPERM)
    return say_refused(section, ": what is in the way of its section is not ours");
  if (error == EINVAL)
    return say_refused(section, ": its section is damaged; 'softmap recover' tells more");
  if (error == ENOENT)
    error = host_stat_fd(section->file_fd, &file);
  if (!error)
    error = files_make(section, &file);
  return error == EEXIST ? EAGAIN : section_say_no_room(error);
}

struct section *
section_new(const struct section_key *key, const char *name) {
  struct section *section = arena_alloc(sizeof *section);
  if (!section)
    return NULL;
  section->key = *key;
  section_forget_fds(section);
  section->sync_lock.rank = LOCK_SYNC;
  section->resize_lock.rank = LOCK_RESIZE;
  section->peers_lock.rank = LOCK_PEERS;
  section->stamps_lock.rank = LOCK_STAMPS;
  memcpy(section->name, name, strlen(name) + 1);
  return section;
}

static int
create(int fd, bool is_writable, const struct host_stat *file, struct section **out) {
  struct section_key key = { file->device, file->inode };
  struct text name = { 0 };
  if (control_pages(file->size, host_config.page_size) > SECTION_PAGES_MAX)
    return EOVERFLOW;
  section_name_of(file, &name);
  struct section *section = section_new(&key, name.at);
  if (!section)
    return ENOMEM;
  section->file_fd = fd;
  section->file_is_writable = is_writable;
  bool left;
  int error = announce(section, is_writable);
  while (!error && (error = join_or_make(section, &left)) == EAGAIN) {
    section_drop(section);
    error = 0;
  }
  if (!error)
    error = kind_settle(section);
  if (!error)
    error = registry_add(section);
  if (error) {
    if (atomic_load(&section->has_lane))
      life_leave_behind(section);
    section_drop(section);
    announce_end(section);
    arena_free(section, sizeof *section);
    return error;
  }
  if (left && writeback(section, 0, section_npages_all(section), true))
    host_yield(); /* what can't be written stays dirty, for a sync to say */
  *out = section;
  return 0;
}

/* Another descriptor of a file that we have: keep the more useful one. */
static int
attach(struct section *section, int fd, bool is_writable) {
  if (section->file_is_writable || !is_writable)
    return host_close(fd);
  int error = announce(section, true);
  if (!error)
    error = data_change_file(section, fd);
  if (error && host_close(fd))
    return EBADF;
  section->file_is_writable = !error;
  return error;
}

int
section_obtain(int fd, const struct section_key *expected, struct section **out) {
  struct host_stat stat;
  int flags;
  int error = host_stat_fd(fd, &stat);
  if (!error)
    error = host_open_flags(fd, &flags);
  if (!error && (stat.device != expected->device || stat.inode != expected->inode))
    error = EBADF; /* the number was given to another file meanwhile */
  bool is_new = false;
  section_lock_all();
  if (!error) {
    bool is_writable = (flags & O_ACCMODE) == O_RDWR;
    struct section *section = registry_find(expected);
    if (section) {
      lock_take(&section->sync_lock); /* which uses the descriptor */
      life_come_back(section);
      error = attach(section, fd, is_writable);
      lock_drop(&section->sync_lock);
      is_new = true; /* given away */
    } else {
      error = create(fd, is_writable, &stat, &section);
      is_new = !error;
      if (is_new)
        section->trace = trace_file(section->control->path);
    }
    if (!error) {
      atomic_fetch_add(&section->users, 1);
      *out = section;
    }
  }
  section_unlock_all();
  if (!is_new && host_close(fd))
    return error ? error : EBADF;
  return error;
}

/* ---- Leaving ------------------------------------------------------------------------------- */

void
section_hold(struct section *section) {
  atomic_fetch_add(&section->users, 1);
}

void
section_abandon(struct section *section) {
  if (atomic_load(&section->has_lane))
    life_end(section);
}

/* Leave for good, or EAGAIN: dead processes have left dirt to us. */
static int
part(struct section *section, bool behind) {
  if (atomic_load(&section->has_lane)) {
    if (behind)
      life_leave_behind(section);
    else if (life_leave(section) == EAGAIN)
      return EAGAIN;
  }
  registry_remove(section);
  section_drop(section);
  announce_end(section);
  close_file_fd(&section->file_fd);
  arena_free(section, sizeof *section);
  return 0;
}

/* Without the sections lock while it is written: other files can be mapped meanwhile. */
static int
release_job(void *arg) {
  struct section *section = arg;
  for (int naps = 0; naps < 200 && atomic_load(&section->users) == 1 && lane_awaits_child(section);
       naps++)
    host_nap(1000000);
  for (;;) {
    int error = writeback(section, 0, section_npages_all(section), false);
    bool behind = error == EACCES && !section->file_is_writable; /* not our dirt */
    section_lock_all();
    bool is_last = atomic_load(&section->users) == 1;
    /* A child that has just been forked has no lane yet, and ours stands for it.  Should it never
     * come, the section stays with us, without users, to the end or to the next one. */
    bool waits = is_last && lane_awaits_child(section);
    int part_error = is_last && !waits && (!error || behind) ? part(section, behind) : 0;
    if (part_error != EAGAIN && (!is_last || waits || (error && !behind))) {
      atomic_fetch_sub(&section->users, 1);
      if (error)
        atomic_store(&section->pending_error, error);
    }
    section_unlock_all();
    if (part_error != EAGAIN)
      return behind ? 0 : error;
  }
}

void
section_release(struct section *section) {
  uint32_t users = atomic_load(&section->users);
  while (users > 1)
    if (atomic_compare_exchange_weak(&section->users, &users, users - 1))
      return;
  if (keeper_run(release_job, section))
    return; /* kept, and remembered */
}
