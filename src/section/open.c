/* open.c - coming and going: a process's section objects and their files.
 *
 * A section's files appear under their final name only when their header is whole and their
 * maker's lane is locked; so whoever finds them sees a living lane, or a dead process's rest.
 * Names are removed only with the gate of the control file locked that the name leads to.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "backing/keeper.h"
#include "backing/writeback.h"
#include "core/text.h"
#include "section/directory.h"
#include "section/registry.h"
#include "section/say.h"

#define DATA_ENDING ".data"
#define CONTROL_ENDING ".control"

struct names {
  struct text control, data;
};

static void
names_of(const struct section *section, struct names *names) {
  memset(names, 0, sizeof *names);
  text_add(&names->control, section->name);
  text_add(&names->control, CONTROL_ENDING);
  text_add(&names->data, section->name);
  text_add(&names->data, DATA_ENDING);
}

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

/* ---- What a dead process left -------------------------------------------------------------- */

static void
say_refused(const char *path, const char *why) {
  struct text text = { 0 };
  text_add(&text, "softmap: ");
  text_add(&text, path);
  text_add(&text, why);
  say_later(&text);
}

/* Remove the names, if they still lead to this control file; its gate is locked. */
static int
remove_names(int directory, const struct names *names, int control_fd) {
  int fd;
  int error = host_open(&fd, directory, names->control.at, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (error)
    return error == ENOENT ? 0 : error;
  struct host_stat named = { 0 }, ours = { 0 };
  error = host_stat_fd(fd, &named);
  if (!error)
    error = host_stat_fd(control_fd, &ours);
  bool is_same = !error && named.inode == ours.inode && named.device == ours.device;
  /* Of a file that we hold locks on, closing any descriptor drops them: the names go first. */
  if (is_same) {
    error = host_unlink(directory, names->data.at);
    if (!error || error == ENOENT)
      error = host_unlink(directory, names->control.at);
  }
  int close_error = host_close(fd);
  return error ? error : close_error;
}

static int
gate_take(int control_fd) {
  for (;;) {
    int error = host_byte_lock(control_fd, CONTROL_LOCK_GATE);
    if (error != EAGAIN)
      return error;
    host_nap(100000);
  }
}

/* Is a lane of this control file alive? */
static int
any_lane_alive(int control_fd, const struct control *control, bool *out) {
  *out = false;
  uint32_t lanes = atomic_load(&control->lanes);
  int error = 0;
  for (uint32_t lane = 0; lane <= lanes && lane < LANE_MAX && !error && !*out; lane++)
    error = host_byte_is_locked(control_fd, CONTROL_LOCK_LANE + lane, out);
  return error;
}

/* What is there under our name?  0: nothing any more, try again. */
static int
judge_existing(int directory, const struct names *names, int fd, const char *path) {
  struct host_stat stat;
  struct control control;
  size_t got;
  bool alive = false, dirty = true;
  int error = host_stat_fd(fd, &stat);
  if (!error && stat.owner != host_user()) {
    say_refused(path, ": its section belongs to another user\n");
    return EBUSY;
  }
  if (!error)
    error = host_read(fd, &control, sizeof control, 0, &got);
  if (!error)
    error = any_lane_alive(fd, &control, &alive);
  if (error)
    return error;
  if (alive) {
    say_refused(path, ": mapped by another process; sharing between processes that are not "
                      "parent and child is not built yet\n");
    return EBUSY;
  }
  if (got == sizeof control && !control_check(&control, stat.size) && atomic_load(&control.ready))
    error = control_has_dirt(fd, &control, &dirty);
  else
    dirty = got == sizeof control && atomic_load(&control.ready);
  if (error)
    return error;
  if (dirty) {
    say_refused(path, ": a process that died left pages of it unwritten; they are kept in the "
                      "section directory\n");
    return EBUSY;
  }
  error = gate_take(fd);
  return error ? error : remove_names(directory, names, fd);
}

static int
deal_with_existing(int directory, const struct names *names, const char *path) {
  int fd;
  int error =
    host_open(&fd, directory, names->control.at, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
  if (error)
    return error == ENOENT ? 0 : error;
  error = judge_existing(directory, names, fd, path);
  int close_error = host_close(fd);
  return error ? error : close_error;
}

/* ---- Making -------------------------------------------------------------------------------- */

/* The control file, whole and with our lane locked, under a passing name; then its own. */
static int
make_control(struct section *section, int directory, const struct names *names,
             const struct host_stat *file) {
  struct host_identity identity;
  int error = host_identity(&identity);
  if (error)
    return error;
  struct text passing = { 0 };
  text_add(&passing, ".new-");
  text_add_number(&passing, identity.pid);
  text_add(&passing, "-");
  text_add(&passing, section->name);
  error = host_unlink(directory, passing.at); /* of a process that died and had our pid */
  if (error && error != ENOENT)
    return error;
  error = host_open(&section->control_fd, directory, passing.at,
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error;
  error = extent_map_head(section);
  if (!error) {
    control_init(section->control, file, host_config.page_size);
    if (host_path_of(section->file_fd, section->control->path, sizeof section->control->path))
      section->control->path[0] = '\0';
    error = lane_claim(section);
  }
  if (!error)
    error = host_link(directory, passing.at, names->control.at);
  int unlink_error = host_unlink(directory, passing.at);
  return error ? error : unlink_error;
}

static int
make_data(struct section *section, int directory, const struct names *names) {
  int error = host_open(&section->data_fd, directory, names->data.at,
                        O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error;
  error = host_resize(section->data_fd, section_npages(section) << host_config.page_shift);
  if (!error)
    atomic_store(&section->control->ready, 1);
  return error;
}

static void
undo_make(struct section *section) {
  window_close(section);
  extent_unmap_all(section);
  close_fd(&section->data_fd);
  close_file_fd(&section->own_fd);
  close_fd(&section->old_fd[0]);
  close_fd(&section->old_fd[1]);
  close_fd(&section->control_fd); /* and with it our locks */
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

static int
make(struct section *section, const struct host_stat *file) {
  int directory;
  int error = directory_open(&directory);
  if (error)
    return error;
  struct names names;
  names_of(section, &names);
  error = make_control(section, directory, &names, file);
  if (!error) {
    error = make_data(section, directory, &names);
    if (error && remove_names(directory, &names, section->control_fd))
      host_yield(); /* the rest is found and removed by who maps the file next */
  }
  if (error) {
    undo_make(section);
    if (error == EEXIST) {
      struct text path = { 0 };
      char file_path[400];
      text_add(&path, host_path_of(section->file_fd, file_path, sizeof file_path) ? section->name
                                                                                  : file_path);
      error = deal_with_existing(directory, &names, path.at);
      return error ? error : EAGAIN;
    }
    return section_say_no_room(error);
  }
  return 0;
}

static struct section *
section_new(const struct section_key *key, uint64_t birth_ns) {
  struct section *section = arena_alloc(sizeof *section);
  if (!section)
    return NULL;
  section->key = *key;
  section_forget_fds(section);
  section->sync_lock.rank = LOCK_SYNC;
  section->resize_lock.rank = LOCK_RESIZE;
  section->peers_lock.rank = LOCK_PEERS;
  struct text name = { 0 };
  text_add_hex(&name, key->device);
  text_add(&name, "-");
  text_add_hex(&name, key->inode);
  text_add(&name, "-"); /* tells a file from a later one with its inode number */
  text_add_hex(&name, birth_ns);
  memcpy(section->name, name.at, name.len + 1);
  return section;
}

static int
create(int fd, bool is_writable, const struct host_stat *file, struct section **out) {
  struct section_key key = { file->device, file->inode };
  struct section *section = section_new(&key, file->birth_ns);
  if (!section)
    return ENOMEM;
  section->file_fd = fd;
  section->file_is_writable = is_writable;
  int error;
  do
    error = make(section, file);
  while (error == EAGAIN);
  if (!error) {
    error = registry_add(section);
    if (error)
      undo_make(section);
  }
  if (error)
    arena_free(section, sizeof *section);
  else
    *out = section;
  return error;
}

/* Another descriptor of a file that we have: keep the more useful one. */
static int
attach(struct section *section, int fd, bool is_writable) {
  if (section->file_is_writable || !is_writable)
    return host_close(fd);
  int error = data_change_file(section, fd);
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
      error = attach(section, fd, is_writable);
      lock_drop(&section->sync_lock);
      is_new = true; /* given away */
    } else {
      error = create(fd, is_writable, &stat, &section);
      is_new = !error;
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

/* Give up our part; the last process out takes the names away. */
static void
leave(struct section *section) {
  int directory;
  struct names names;
  bool others = true;
  names_of(section, &names);
  if (!gate_take(section->control_fd)) {
    lane_give_back(section);
    if (!lane_others_alive(section, &others) && !others && !directory_open(&directory)) {
      atomic_store(&section->control->removed, 1);
      if (remove_names(directory, &names, section->control_fd))
        host_yield(); /* whoever maps the file next removes a clean rest */
    }
  }
  undo_make(section);
  close_file_fd(&section->file_fd);
}

void
section_abandon(struct section *section) {
  int directory;
  struct names names;
  bool others = true;
  names_of(section, &names);
  if (!atomic_load(&section->has_lane) || section_has_dirt(section) || gate_take(section->control_fd))
    return;
  if (!lane_others_alive(section, &others) && !others && !directory_open(&directory)) {
    atomic_store(&section->control->removed, 1);
    if (remove_names(directory, &names, section->control_fd))
      return; /* a clean rest, removed by whoever maps the file next */
  }
  if (others && host_byte_unlock(section->control_fd, CONTROL_LOCK_GATE))
    host_yield(); /* the end of the process does it */
}

static int
release_job(void *arg) {
  struct section *section = arg;
  /* Without the sections lock: other files can be mapped while this one is written. */
  int error = writeback(section, 0, section_npages(section), false);
  section_lock_all();
  bool is_last = atomic_fetch_sub(&section->users, 1) == 1;
  if (is_last && !error) {
    registry_remove(section);
    leave(section);
    arena_free(section, sizeof *section);
  } else if (error) {
    atomic_store(&section->pending_error, error);
  }
  section_unlock_all();
  return error;
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
