/* files.c - making, opening and removing a section's directory. */
#include "section/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/text.h"
#include "section/directory.h"
#include "section/lane.h"

#define CONTROL_NAME "control"
#define DATA_NAME "data"
#define TWINS_NAME "twins"
#define PASSING_PREFIX ".new-"

/* The birth tells a file from a later one with its inode number. */
void
section_name_of(const struct host_stat *file, struct text *name) {
  text_add_hex(name, file->device);
  text_add(name, "-");
  text_add_hex(name, file->inode);
  text_add(name, "-");
  text_add_hex(name, file->birth_ns);
}

/* ---- Opening ------------------------------------------------------------------------------- */

static int
check(int fd, mode_t type) {
  struct host_stat stat;
  int error = host_stat_fd(fd, &stat);
  if (error || stat.links == 0) /* removed since we opened it */
    return error ? error : ENOENT;
  if ((stat.mode & S_IFMT) != type || stat.owner != host_user() || (stat.mode & 077) ||
      (type == S_IFREG && stat.links != 1))
    return EPERM;
  return 0;
}

/* O_NONBLOCK: a pipe in its place would let us wait for ever. */
static int
open_checked(int *out, int directory, const char *name, int flags, mode_t type) {
  int error = host_open(out, directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
  if (error)
    return error == ELOOP || error == ENOTDIR || error == EISDIR || error == ENXIO ? EPERM : error;
  error = check(*out, type);
  if (error && !host_close(*out))
    *out = -1;
  return error;
}

static int
has_entry(const char *name, void *arg) {
  (void)name;
  (void)arg;
  return EINVAL;
}

/* The control file is the last one to be removed: without it there is nothing else. */
static int
without_control(int directory) {
  int error = host_list(directory, has_entry, NULL);
  return error ? error : ENOENT;
}

int
files_open_named(int root, const char *name, int flags, int out[3]) {
  out[0] = out[1] = out[2] = -1;
  int error = open_checked(&out[0], root, name, O_RDONLY | O_DIRECTORY, S_IFDIR);
  if (!error)
    error = open_checked(&out[1], out[0], CONTROL_NAME, flags, S_IFREG);
  if (error == ENOENT && out[0] >= 0)
    error = without_control(out[0]);
  if (!error)
    error = open_checked(&out[2], out[0], DATA_NAME, flags, S_IFREG);
  return error;
}

int
files_open(struct section *section) {
  int root;
  int fds[3];
  int error = directory_open(&root);
  if (error)
    return error;
  error = files_open_named(root, section->name, O_RDWR, fds);
  section->dir_fd = fds[0];
  section->control_fd = fds[1];
  section->data_fd = fds[2];
  if (error == ENOENT && section->control_fd >= 0)
    return 0; /* no data: being removed, as its header will say */
  return error;
}

int
files_open_twins(struct section *section, int *out) {
  int fd;
  int error =
      host_open(&fd, section->dir_fd, TWINS_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error;
  error = check(fd, S_IFREG);
  if (!error)
    *out = fd;
  else if (host_close(fd))
    return EBADF;
  return error;
}

int
files_look_twins(int directory, int *out) {
  return open_checked(out, directory, TWINS_NAME, O_RDONLY, S_IFREG);
}

/* ---- Removing ------------------------------------------------------------------------------ */

/* All but the control file, which goes last: without it the directory counts as empty. */
static int
remove_entry(const char *name, void *arg) {
  const int *directory = arg;
  if (strcmp(name, CONTROL_NAME) == 0)
    return 0;
  int error = host_unlink(*directory, name);
  return error == ENOENT ? 0 : error;
}

static int
empty(int directory) {
  int error = host_list(directory, remove_entry, &directory);
  if (!error)
    error = host_unlink(directory, CONTROL_NAME);
  return error == ENOENT ? 0 : error;
}

int
files_remove_named(int root, const char *name, int directory) {
  int error = empty(directory);
  if (!error)
    error = host_remove_dir(root, name);
  return error == ENOENT || error == EEXIST ? 0 : error; /* others were faster, or made a new one */
}

void
files_remove(struct section *section) {
  int root;
  if (directory_open(&root) || files_remove_named(root, section->name, section->dir_fd))
    host_yield(); /* whoever comes next finds it removed for good, and tries again */
}

/* ---- Sweeping ------------------------------------------------------------------------------ */

/* Does the name still lead to this directory? */
static bool
is_named(int root, const char *name, int directory) {
  struct host_stat here, there;
  int fd;
  if (open_checked(&fd, root, name, O_RDONLY | O_DIRECTORY, S_IFDIR))
    return false;
  bool is_same = !host_stat_fd(fd, &there) && !host_stat_fd(directory, &here) &&
                 here.device == there.device && here.inode == there.inode;
  return !host_close(fd) && is_same;
}

/* A maker claims the first lane before it gives the directory its name: while we have that lane, it
 * can't.  It may have done so since we opened the directory, and have left a section that lives on.
 * models/sweep.pml plays it. */
static int
sweep(int root, const char *name) {
  int directory, control;
  int error = open_checked(&directory, root, name, O_RDONLY | O_DIRECTORY, S_IFDIR);
  if (error)
    return error;
  error = open_checked(&control, directory, CONTROL_NAME, O_RDWR, S_IFREG);
  if (error == ENOENT)
    error = host_remove_dir(root, name);
  else if (!error) {
    error = host_byte_lock(control, CONTROL_LOCK_LANE);
    if (!error && is_named(root, name, directory))
      error = files_remove_named(root, name, directory);
    int close_error = host_close(control);
    error = error ? error : close_error;
  }
  int close_error = host_close(directory);
  return error ? error : close_error;
}

static int
sweep_entry(const char *name, void *arg) {
  const int *root = arg;
  if (strncmp(name, PASSING_PREFIX, sizeof PASSING_PREFIX - 1) == 0 && sweep(*root, name))
    return 0; /* its maker is at work */
  return 0;
}

void
files_sweep(int root) {
  if (host_list(root, sweep_entry, &root))
    host_yield(); /* a rest more or less */
}

/* ---- Making -------------------------------------------------------------------------------- */

static int
make_passing(int root, struct text *name, int *directory) {
  static unsigned count; /* under the sections lock */
  struct host_identity identity;
  int error = host_identity(&identity);
  if (error)
    return error;
  *name = (struct text){ 0 };
  text_add(name, PASSING_PREFIX);
  text_add_number(name, identity.pid);
  text_add(name, "-");
  text_add_number(name, count++);
  error = host_make_dir(root, name->at, 0700);
  if (error)
    return error == EEXIST ? EAGAIN : error; /* of a dead process with our pid */
  error = host_open(directory, root, name->at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  return error == ENOENT ? EAGAIN : error; /* swept away */
}

/* The control file with its header, and our lane: the first one, or somebody sweeps. */
static int
make_control(struct section *section, const struct host_stat *file) {
  int error = host_open(&section->control_fd, section->dir_fd, CONTROL_NAME,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (!error)
    error = extent_map_head(section);
  if (error)
    return error;
  control_init(section->control, file, host_config.page_size);
  if (host_path_of(section->file_fd, section->control->path, sizeof section->control->path))
    section->control->path[0] = '\0';
  error = lane_claim(section);
  if (!error && section->lane != 0)
    return EAGAIN;
  return error ? error : lane_enter(section);
}

static int
make_data(struct section *section) {
  int error = host_open(&section->data_fd, section->dir_fd, DATA_NAME,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error;
  return host_resize(section->data_fd, section_npages_all(section) << host_config.page_shift);
}

int
files_make(struct section *section, const struct host_stat *file) {
  int root;
  struct text passing;
  int error = directory_open(&root);
  if (error)
    return error;
  files_sweep(root);
  error = make_passing(root, &passing, &section->dir_fd);
  if (error)
    return error;
  error = make_control(section, file);
  if (!error)
    error = make_data(section);
  if (!error)
    error = host_rename(root, passing.at, section->name);
  if (error && files_remove_named(root, passing.at, section->dir_fd))
    host_yield();                          /* swept later */
  return error == ENOENT ? EAGAIN : error; /* swept away */
}
