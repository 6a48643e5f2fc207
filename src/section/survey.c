/* survey.c - what there is in the section directory. */
#include "section/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "host/arena.h"
#include "section/directory.h"
#include "section/files.h"
#include "section/outside.h"

#define CHUNK 4096

bool
survey_is_name(const char *name) {
  return name[0] && name[0] != '.' && strlen(name) < 64 && !strchr(name, '/');
}

static int
close_all(int fds[3], int error) {
  for (int i = 0; i < 3; i++) {
    int close_error = fds[i] >= 0 ? host_close(fds[i]) : 0;
    error = error ? error : close_error;
  }
  return error;
}

/* ---- Who is in it -------------------------------------------------------------------------- */

static int
read_record(int control_fd, uint32_t lane, struct lane_record *out) {
  size_t got;
  uint64_t offset = CONTROL_RECORDS + lane * sizeof *out;
  int error = host_read(control_fd, out, sizeof *out, offset, &got);
  return error ? error : got == sizeof *out ? 0 : EINVAL;
}

static int
count_lanes(int control_fd, struct survey *survey, bool *dead_writing) {
  uint32_t lanes = atomic_load(&survey->header.lanes);
  for (uint32_t lane = 0; lane < lanes; lane++) {
    struct lane_record record;
    bool is_alive;
    int error = host_byte_is_locked(control_fd, CONTROL_LOCK_LANE + lane, &is_alive);
    if (!error)
      error = read_record(control_fd, lane, &record);
    if (error)
      return error;
    survey->live += is_alive;
    survey->dead += !is_alive && atomic_load(&record.used);
    *dead_writing |= !is_alive && atomic_load(&record.writing);
  }
  return 0;
}

/* ---- Its file ------------------------------------------------------------------------------ */

bool
survey_is_same_file(const struct control *header, const struct host_stat *file) {
  return file->device == header->device && file->inode == header->inode &&
         file->birth_ns == header->birth_ns;
}

bool
survey_is_unchanged(const struct control *header, const struct host_stat *file, bool dead_writing) {
  struct host_identity identity;
  return !host_identity(&identity) && identity.boot[0] == header->boot[0] &&
         identity.boot[1] == header->boot[1] && file->size == atomic_load(&header->size) &&
         (dead_writing || file->mtime_ns == atomic_load(&header->mtime_ns));
}

static void
look_at_file(struct survey *survey, bool dead_writing) {
  struct host_stat file;
  const struct control *header = &survey->header;
  survey->is_gone = host_stat_path(header->path, &file) || !survey_is_same_file(header, &file);
  survey->is_changed = !survey->is_gone && !survey_is_unchanged(header, &file, dead_writing);
}

/* ---- One section --------------------------------------------------------------------------- */

/* Where nobody is alive: others may just be changing the size. */
static int
check_data(int data_fd, const struct control *header) {
  struct host_stat data;
  uint64_t npages =
      (atomic_load(&header->size) + host_config.page_size - 1) >> host_config.page_shift;
  int error = host_stat_fd(data_fd, &data);
  return error ? error : data.size >> host_config.page_shift < npages ? EINVAL : 0;
}

/* ENOENT also: it was removed, only not yet entirely. */
static int
look(const int fds[3], struct survey *survey) {
  struct host_stat stat;
  size_t got;
  int error = host_stat_fd(fds[1], &stat);
  if (!error)
    error = host_read(fds[1], &survey->header, sizeof survey->header, 0, &got);
  if (error)
    return error;
  if (got == sizeof survey->header && atomic_load(&survey->header.life) == LIFE_REMOVED)
    return ENOENT;
  if (got < sizeof survey->header || fds[2] < 0)
    return EINVAL;
  bool dead_writing = control_mtime_is_unsure(&survey->header);
  error = control_check(&survey->header, stat.size);
  if (!error)
    error = count_lanes(fds[1], survey, &dead_writing);
  if (!error)
    error = outside_count(fds, &survey->header, &survey->dirty_pages);
  if (!error && !survey->live)
    error = check_data(fds[2], &survey->header);
  if (!error)
    error = survey_count_watched(fds, &survey->header, &survey->dirty_pages);
  if (!error && !survey->live && survey->dirty_pages)
    look_at_file(survey, dead_writing);
  return error;
}

static int
survey_at(int root, const char *name, struct survey *out) {
  int fds[3];
  memset(out, 0, sizeof *out);
  memcpy(out->name, name, strlen(name) + 1);
  int error = files_open_named(root, name, O_RDONLY, fds);
  if (!error || (error == ENOENT && fds[1] >= 0))
    error = look(fds, out);
  error = close_all(fds, error);
  if (error == EINVAL || error == EPROTO || error == EPERM) {
    memset(&out->header, 0, sizeof out->header);
    out->damage = error == EPROTO ? EPROTO : EINVAL;
    out->live = out->dead = 0;
    out->dirty_pages = 0;
    error = 0;
  }
  return error;
}

int
survey_one(const char *name, struct survey *out) {
  int root;
  if (!survey_is_name(name))
    return ENOENT;
  int error = directory_look(&root);
  if (error)
    return error;
  error = survey_at(root, name, out);
  int close_error = host_close(root);
  return error ? error : close_error;
}

/* ---- All of them --------------------------------------------------------------------------- */

typedef char name_of[64];

struct names {
  name_of *at; /* in order */
  size_t count, max;
};

static int
count_name(const char *name, void *arg) {
  struct names *names = arg;
  names->max += survey_is_name(name);
  return 0;
}

static int
add_name(const char *name, void *arg) {
  struct names *names = arg;
  if (!survey_is_name(name) || names->count == names->max)
    return 0;
  size_t i = names->count++;
  for (; i > 0 && strcmp(names->at[i - 1], name) > 0; i--)
    memcpy(names->at[i], names->at[i - 1], sizeof *names->at);
  memcpy(names->at[i], name, strlen(name) + 1);
  return 0;
}

static int
read_names(int root, struct names *names) {
  *names = (struct names){ 0 };
  int error = host_list(root, count_name, names);
  if (error || names->max == 0)
    return error;
  names->at = arena_alloc(names->max * sizeof *names->at);
  return names->at ? host_list(root, add_name, names) : ENOMEM;
}

int
survey_each(int (*fn)(const struct survey *survey, void *arg), void *arg) {
  int root;
  struct names names;
  struct survey survey;
  int error = directory_look(&root);
  if (error)
    return error == ENOENT ? 0 : error;
  error = read_names(root, &names);
  for (size_t i = 0; i < names.count && !error; i++) {
    error = survey_at(root, names.at[i], &survey);
    if (!error)
      error = fn(&survey, arg);
    else if (error == ENOENT)
      error = 0; /* gone meanwhile */
  }
  arena_free(names.at, names.max * sizeof *names.at);
  int close_error = host_close(root);
  return error ? error : close_error;
}

/* ---- Its pages ----------------------------------------------------------------------------- */

/* n bytes, one a page, from where those of an extent are; what was never written is 0. */
static int
read_bytes(int control_fd, uint64_t offset, uint64_t n, uint8_t *out) {
  size_t got;
  int error = host_read(control_fd, out, (size_t)n, offset, &got);
  if (!error)
    memset(out + got, 0, (size_t)n - got);
  return error;
}

static int
add_open(int control_fd, uint32_t lane, unsigned extent, uint64_t from, uint64_t n, uint8_t *open) {
  uint8_t bytes[CHUNK];
  bool is_alive;
  int error = host_byte_is_locked(control_fd, CONTROL_LOCK_LANE + lane, &is_alive);
  for (uint64_t done = 0; done < n && is_alive && !error; done += CHUNK) {
    uint64_t count = n - done < CHUNK ? n - done : CHUNK;
    error = read_bytes(control_fd, control_lane_offset(extent, lane) + from + done, count, bytes);
    for (uint64_t i = 0; i < count && !error; i++)
      open[done + i] |= (bytes[i] & LANE_OPEN) != 0;
  }
  return error;
}

static int
read_pages(int control_fd, uint32_t lanes, uint64_t first, uint64_t n, uint8_t *states,
           uint8_t *open) {
  int error = 0;
  memset(open, 0, (size_t)n);
  for (uint64_t page = first; page < first + n && !error;) {
    unsigned k = extent_of(page);
    uint64_t end = extent_first(k + 1) < first + n ? extent_first(k + 1) : first + n;
    uint64_t from = page - extent_first(k);
    error = read_bytes(control_fd, control_extent_offset(k) + from, end - page,
                       states + (page - first));
    for (uint32_t lane = 0; lane < lanes && !error; lane++)
      error = add_open(control_fd, lane, k, from, end - page, open + (page - first));
    page = end;
  }
  return error;
}

/* What their twins say. */
static int
ask_twins(const int fds[3], const struct control *header, uint64_t first, uint64_t n,
          uint8_t *states, const uint8_t *open) {
  struct outside outside;
  int error = outside_begin(&outside, fds, header);
  for (uint64_t i = 0; i < n && !error; i++) {
    if (!page_is_doubtful(states[i]))
      continue;
    if (outside_is_stored(&outside, first + i, states[i]))
      states[i] = PAGE_DIRTY;
    else if (!open[i])
      states[i] = page_not_stored(states[i]);
  }
  return outside_end(&outside, error);
}

int
survey_pages(const char *name, uint64_t first, uint64_t n, uint8_t *states, uint8_t *open) {
  struct control header;
  struct host_stat stat;
  size_t got;
  int fds[3];
  int root;
  int error = survey_is_name(name) ? directory_look(&root) : ENOENT;
  if (error)
    return error;
  error = files_open_named(root, name, O_RDONLY, fds);
  if (!error)
    error = host_stat_fd(fds[1], &stat);
  if (!error)
    error = host_read(fds[1], &header, sizeof header, 0, &got);
  if (!error)
    error = got < sizeof header ? EINVAL : control_check(&header, stat.size);
  if (!error)
    error = read_pages(fds[1], atomic_load(&header.lanes), first, n, states, open);
  if (!error)
    error = ask_twins(fds, &header, first, n, states, open);
  error = close_all(fds, error == EPERM ? EINVAL : error);
  int close_error = host_close(root);
  return error ? error : close_error;
}
