/* announce.c - saying, and hearing, who has sections in other section directories. */
#include "section/announce.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/text.h"
#include "section/directory.h"
#include "section/say.h"

#define PLACE "/dev/shm"
#define PREFIX "softmap-open-"
#define ALIVE 0 /* bytes of an announcement: its process lives */
#define FIRST 16
#define DIRECTORIES 4 /* section directories that a process has used; the variable rarely changes */

/* Ours, one a section directory. */
static struct announcement {
  struct text name;
  struct text directory; /* "-" and the identity of the section directory */
  int place, fd;
} announcements[DIRECTORIES];
static unsigned count;

/* Two files with the same number: a refusal without need, once in 10^18. */
static uint64_t
byte_of(const struct section *section) {
  uint64_t number = section->key.device * 0x9e3779b97f4a7c15U ^ section->key.inode;
  number = (number ^ number >> 31) * 0xbf58476d1ce4e5b9U;
  return FIRST + (number >> 3) * 2;
}

/* ---- Ours ---------------------------------------------------------------------------------- */

static int
complain(const char *path) {
  struct text text = { 0 };
  text_add(&text, "softmap: ");
  text_add(&text, path);
  text_add(&text, ": belongs to another user; who has a file mapped can't be told from it\n");
  say_later(&text);
  return EACCES;
}

static int
open_place(int *out) {
  struct text path = { 0 };
  struct host_stat stat;
  text_add(&path, PLACE "/" PREFIX);
  text_add_number(&path, host_user());
  int error = host_make_dir(AT_FDCWD, path.at, 0755);
  if (error && error != EEXIST)
    return error;
  error = host_open(out, AT_FDCWD, path.at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (error == ELOOP || error == ENOTDIR)
    return complain(path.at);
  if (error)
    return error;
  error = host_stat_fd(*out, &stat);
  if (!error && stat.owner != host_user())
    error = complain(path.at);
  if (!error && (stat.mode & 0777) != 0755)
    error = host_set_mode(*out, 0755);
  if (error && host_close(*out))
    return error;
  return error;
}

/* What others of ours left that were killed. */
static int
sweep(const char *name, void *arg) {
  const int *place = arg;
  int fd;
  bool is_alive = true;
  if (host_open(&fd, *place, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0))
    return 0;
  int error = host_byte_is_locked(fd, ALIVE, &is_alive);
  if (!error && !is_alive)
    error = host_unlink(*place, name);
  int close_error = host_close(fd);
  return error == ENOENT ? 0 : error ? error : close_error;
}

/* Seen by others only when its lock is there: who sweeps takes it for a dead one's otherwise. */
static int
publish(struct announcement *own) {
  struct text passing = { 0 };
  text_add(&passing, ".");
  text_add(&passing, own->name.at);
  int error = host_unlink(own->place, passing.at); /* of a dead process with our pid */
  if (error && error != ENOENT)
    return error;
  error = host_open(&own->fd, own->place, passing.at,
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error;
  error = host_byte_share(own->fd, ALIVE);
  if (!error)
    error = host_set_mode(own->fd, 0644);
  if (!error)
    error = host_rename(own->place, passing.at, own->name.at);
  if (error && host_close(own->fd))
    return error;
  return error == ENOENT ? EAGAIN : error; /* swept away */
}

static int
make(struct announcement *own, const struct text *directory) {
  struct host_identity identity;
  *own = (struct announcement){ .directory = *directory };
  int error = host_identity(&identity);
  if (error)
    return error;
  text_add_number(&own->name, identity.pid);
  text_add(&own->name, "-");
  text_add_hex(&own->name, identity.start_ticks);
  text_add(&own->name, "-");
  text_add_hex(&own->name, host_now_ns()); /* no name comes twice: who sweeps removes by name */
  text_add(&own->name, directory->at);
  error = open_place(&own->place);
  if (error)
    return error;
  error = host_list(own->place, sweep, &own->place);
  if (!error)
    do
      error = publish(own);
    while (error == EAGAIN);
  if (error && host_close(own->place))
    return error;
  return error;
}

static int
name_directory(struct text *out) {
  int fd;
  struct host_stat stat;
  int error = directory_open(&fd);
  if (!error)
    error = host_stat_fd(fd, &stat);
  if (error)
    return error;
  *out = (struct text){ 0 };
  text_add(out, "-");
  text_add_hex(out, stat.device);
  text_add(out, ".");
  text_add_hex(out, stat.inode);
  return 0;
}

static int
obtain(struct announcement **out) {
  struct text directory;
  int error = name_directory(&directory);
  for (unsigned i = 0; i < count && !error; i++)
    if (strcmp(announcements[i].directory.at, directory.at) == 0) {
      *out = &announcements[i];
      return 0;
    }
  if (!error)
    error = count < DIRECTORIES ? make(&announcements[count], &directory) : EMFILE;
  if (!error)
    *out = &announcements[count++];
  return error;
}

static int
say_it(struct section *section, bool may_write) {
  if (!section->announced) {
    int error = obtain(&section->announced);
    if (error)
      return error;
  }
  int error = host_byte_share(section->announced->fd, byte_of(section));
  if (!error && may_write)
    error = host_byte_share(section->announced->fd, byte_of(section) + 1);
  return error;
}

/* ---- Others -------------------------------------------------------------------------------- */

struct look {
  struct section *section;
  const struct host_stat *file;
  struct text own_directory;
  uint64_t byte;
  uid_t user;
  int place;
};

/* Who can't have opened the file doesn't have it, whatever it says. */
static bool
is_believed(const struct look *look) {
  return look->user == 0 || look->user == look->file->owner || (look->file->mode & 077) != 0;
}

static int
say_busy(const struct look *look) {
  struct text why = { 0 };
  text_add(&why, ": ");
  if (look->user == host_user())
    text_add(&why, "mapped with another section directory (SOFTMAP_DIR)");
  else {
    text_add(&why, "mapped by a process of user ");
    text_add_number(&why, look->user);
    text_add(&why, ", who can't share it with you");
  }
  return say_refused(look->section, why.at);
}

static bool
ends_with(const char *name, const struct text *end) {
  size_t len = strlen(name);
  return len >= end->len && strcmp(name + len - end->len, end->at) == 0;
}

static int
look_at_process(const char *name, void *arg) {
  const struct look *look = arg;
  struct host_stat stat;
  int fd;
  bool has_it = false;
  if (name[0] == '.' || ends_with(name, &look->own_directory))
    return 0;
  if (host_open(&fd, look->place, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0))
    return 0; /* it ended, or isn't what an announcement looks like */
  int error = host_stat_fd(fd, &stat);
  if (!error && (stat.mode & S_IFMT) == S_IFREG && stat.owner == look->user)
    error = host_byte_is_locked(fd, look->byte, &has_it);
  int close_error = host_close(fd);
  if (error || close_error)
    return error ? error : close_error;
  return has_it ? say_busy(look) : 0;
}

static bool
read_user(const char *name, uid_t *out) {
  uint64_t number = 0;
  if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
    return false;
  name += sizeof PREFIX - 1;
  if (!*name)
    return false;
  for (; *name >= '0' && *name <= '9' && number < UINT32_MAX; name++)
    number = number * 10 + (uint64_t)(*name - '0');
  *out = (uid_t)number;
  return !*name && number <= UINT32_MAX;
}

static int
look_at_user(const char *name, void *arg) {
  struct look *look = arg;
  struct host_stat stat;
  struct text path = { 0 };
  if (!read_user(name, &look->user) || !is_believed(look))
    return 0;
  text_add(&path, PLACE "/");
  text_add(&path, name);
  if (host_open(&look->place, AT_FDCWD, path.at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                0))
    return 0;
  int error = host_stat_fd(look->place, &stat);
  if (!error && stat.owner == look->user)
    error = host_list(look->place, look_at_process, look);
  int close_error = host_close(look->place);
  return error ? error : close_error;
}

/* Two that only read don't disturb each other. */
static int
look_at_others(struct section *section, bool may_write) {
  struct host_stat file;
  struct look look = { .section = section, .file = &file };
  int place;
  int error = name_directory(&look.own_directory);
  if (!error)
    error = host_stat_fd(section->file_fd, &file);
  if (error)
    return error;
  look.byte = byte_of(section) + !may_write;
  error = host_open(&place, AT_FDCWD, PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (error)
    return error == ENOENT || error == EACCES ? 0 : error;
  error = host_list(place, look_at_user, &look);
  int close_error = host_close(place);
  return error ? error : close_error;
}

/* ---- Both ---------------------------------------------------------------------------------- */

static bool
has_no_place(int error) {
  return error == ENOENT || error == ENOTDIR || error == EROFS || error == EPERM ||
         error == ENOSPC || error == EDQUOT;
}

static void
take_back(struct section *section, unsigned i) {
  if (section->announced && host_byte_unlock(section->announced->fd, byte_of(section) + i))
    host_yield(); /* others are refused for longer than they need */
}

int
announce(struct section *section, bool may_write) {
  bool was_announced = section->announced != NULL;
  int error = say_it(section, may_write);
  if (!error || has_no_place(error))
    error = look_at_others(section, may_write);
  if (error && was_announced)
    take_back(section, 1);
  else if (error)
    announce_end(section);
  return error;
}

void
announce_end(struct section *section) {
  take_back(section, 0);
  take_back(section, 1);
  section->announced = NULL;
}

void
announce_forget(void) {
  count = 0;
}

void
announce_again(struct section *section) {
  section->announced = NULL;
  if (say_it(section, section->file_is_writable))
    host_yield(); /* as where there is no /dev/shm */
}

void
announce_end_all(void) {
  while (count > 0) {
    const struct announcement *own = &announcements[--count];
    if (host_unlink(own->place, own->name.at) || host_close(own->place) || host_close(own->fd))
      continue; /* swept by whoever comes next */
  }
}
