/* journal.c - the journal of an atomic sync: written, replayed, removed.  models/atomic.pml plays it. */
#include "backing/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backing/file.h"
#include "backing/keeper.h"
#include "core/text.h"
#include "host/arena.h"
#include "trace/counters.h"

#define JOURNAL_MAGIC "softjrn\2"
#define MAGIC_VERSION 7 /* which byte of it */
#define JOURNAL_TABLE ((uint64_t)4096) /* where the table begins */
#define PATH_SIZE 4096

struct header {
  char magic[8];
  uint32_t page_size, reserved;
  uint64_t inode, birth_ns;
  uint64_t size; /* of the file: it isn't made longer */
  uint64_t count;
  struct stamp table;
  uint64_t reserved_too[2];
  struct stamp sum; /* of the header with this one 0 */
};

static bool
is_same(struct stamp a, struct stamp b) {
  return a.half[0] == b.half[0] && a.half[1] == b.half[1];
}

static struct stamp
sum_of_header(const struct header *header) {
  struct header copy = *header;
  copy.sum = (struct stamp){ { 0, 0 } };
  return stamp_of((const unsigned char *)&copy, sizeof copy);
}

static size_t
table_size(uint64_t count) {
  return (size_t)count * sizeof(struct journal_entry);
}

/* Where the pages begin. */
static uint64_t
pages_at(uint64_t count) {
  uint64_t page_size = host_config.page_size;
  return (JOURNAL_TABLE + table_size(count) + page_size - 1) / page_size * page_size;
}

/* ---- Where it is ----------------------------------------------------------------------------- */

/* The directory in which the file has its name now; ENOENT: not where it was opened.  O_PATH: to
 * look for a journal takes no right to read the directory. */
static int
open_directory(struct section *section, const struct host_stat *file, int *out) {
  char path[PATH_SIZE];
  struct host_stat there;
  int error = host_path_of(section->file_fd, path, sizeof path);
  if (!error)
    error = host_stat_path(path, &there);
  if (error)
    return error == ENOTDIR ? ENOENT : error;
  if (there.device != file->device || there.inode != file->inode)
    return ENOENT;
  char *slash = strrchr(path, '/');
  if (!slash)
    return ENOENT;
  slash[slash == path] = '\0';
  return host_open(out, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

static int
close_both(int fd, int error) {
  int close_error = host_close(fd);
  return error ? error : close_error;
}

int
journal_find(struct section *section, struct journal *journal) {
  struct text name = { 0 };
  *journal = (struct journal){ .section = section, .directory = -1 };
  int error = host_stat_fd(section->file_fd, &journal->file);
  if (error)
    return error;
  text_add(&name, ".softmap-");
  text_add_hex(&name, journal->file.inode);
  text_add(&name, "-");
  text_add_hex(&name, journal->file.birth_ns);
  memcpy(journal->name, name.at, name.len + 1);
  journal->is_in_section = journal->file.links == 0;
  if (!journal->is_in_section)
    return open_directory(section, &journal->file, &journal->directory);
  journal->directory = section->dir_fd;
  return 0;
}

bool
journal_may_exist(const struct journal *journal) {
  int fd;
  int error = host_open(&fd, journal->directory, journal->name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  if (!error)
    error = host_close(fd);
  return error != ENOENT;
}

int
journal_done(struct journal *journal) {
  return journal->is_in_section ? 0 : host_close(journal->directory);
}

static int
flush_names(const struct journal *journal) {
  int fd;
  int error = host_reopen(&fd, journal->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return error ? error : close_both(fd, host_flush_names(fd));
}

/* For good: nobody may meet it after the file was changed again.  What is on storage isn't whole any more
 * before the name goes: a name that has gone may come back after a crash, and if we are killed here
 * nobody knows that there is one to be flushed (models/atomic.pml, REMOVED_ONLY). */
static int
take_away(const struct journal *journal, int fd) {
  int error = host_resize(fd, 0);
  if (!error)
    error = host_flush(fd);
  if (!error)
    error = host_unlink(journal->directory, journal->name);
  return error == ENOENT ? 0 : error;
}

/* ---- From the journal to the file ------------------------------------------------------------ */

/* An opened journal whose table was read. */
struct open_journal {
  int fd;
  uint64_t count;
  struct journal_entry *entries;
};

static int
write_bytes(int fd, const unsigned char *from, uint64_t len, uint64_t offset) {
  while (len > 0) {
    struct iovec vec = { .iov_base = (void *)(uintptr_t)from, .iov_len = (size_t)len };
    size_t put;
    int error = host_write(fd, &vec, 1, offset, &put);
    if (error || put == 0)
      return error ? error : EIO;
    from += put;
    offset += put;
    len -= put;
  }
  return 0;
}

/* So many pages of the journal, from number `first` on, into the keeper's buffer. */
static int
read_pages(const struct open_journal *open, uint64_t first, uint64_t n) {
  size_t got, len = (size_t)n << host_config.page_shift;
  uint64_t at = pages_at(open->count) + (first << host_config.page_shift);
  int error = host_read(open->fd, keeper_buffer(), len, at, &got);
  return !error && got < len ? EIO : error;
}

static uint64_t
pages_at_once(uint64_t left) {
  uint64_t most = KEEPER_BUFFER >> host_config.page_shift;
  return left < most ? left : most;
}

/* Neighbours with one call, and nothing behind the end. */
static int
write_pages(const struct journal *journal, const struct journal_entry *entries, uint64_t n,
            uint64_t size) {
  const unsigned char *buffer = keeper_buffer();
  size_t page_size = host_config.page_size;
  int error = 0;
  for (uint64_t i = 0; i < n && !error;) {
    uint64_t offset = entries[i].offset, len = 0, from = i;
    do
      len += entries[i].length;
    while (entries[i++].length == page_size && i < n && entries[i].offset == offset + len);
    if (offset < size)
      error = write_bytes(journal->section->file_fd, buffer + from * page_size,
                          len < size - offset ? len : size - offset, offset);
    counter_add(COUNT_WRITES, 1);
    counter_add(COUNT_BYTES_WRITTEN, len);
  }
  return error;
}

/* To storage, and remove it.  Repeated as often as need be; the journal, and its name, are on storage. */
static int
carry_out(const struct journal *journal, const struct open_journal *open) {
  struct host_stat file;
  int error = file_make_writable(journal->section);
  if (!error)
    error = host_stat_fd(journal->section->file_fd, &file);
  for (uint64_t i = 0, n; i < open->count && !error; i += n) {
    n = pages_at_once(open->count - i);
    error = read_pages(open, i, n);
    if (!error)
      error = write_pages(journal, open->entries + i, n, file.size);
  }
  if (!error)
    error = host_flush(journal->section->file_fd);
  if (error) {
    counter_add(COUNT_WRITE_ERRORS, 1);
    return error;
  }
  counter_add(COUNT_FLUSHES, 1);
  return take_away(journal, open->fd);
}

/* ---- Replaying ------------------------------------------------------------------------------- */

/* Who could have put it there?  Nobody but who may write the file anyway, or ourselves. */
static bool
is_trusted(const struct journal *journal, const struct host_stat *stat) {
  return S_ISREG(stat->mode) && stat->links == 1 && !(stat->mode & 077) &&
         (stat->owner == host_user() || stat->owner == journal->file.owner || stat->owner == 0);
}

/* Is it of a user who can't have synced the file?  In a directory like /tmp anybody can put something
 * there: it must neither be believed nor be in the way. */
static bool
is_planted(const struct journal *journal, const struct host_stat *stat) {
  return !(journal->file.mode & (S_IWGRP | S_IWOTH)) && stat->owner != host_user() &&
         stat->owner != journal->file.owner && stat->owner != 0;
}

static bool
are_entries_good(const struct open_journal *open, uint64_t size) {
  size_t page_size = host_config.page_size;
  uint64_t behind = 0; /* the page before */
  for (uint64_t i = 0; i < open->count; i++) {
    const struct journal_entry *entry = &open->entries[i];
    if (entry->offset < behind || entry->offset & (page_size - 1) || entry->length == 0 ||
        entry->length > page_size || entry->offset >= size || entry->length > size - entry->offset)
      return false;
    behind = entry->offset + page_size;
  }
  return true;
}

static int
check_pages(const struct open_journal *open, bool *is_good) {
  size_t page_size = host_config.page_size;
  int error = 0;
  for (uint64_t i = 0, n; i < open->count && *is_good && !error; i += n) {
    n = pages_at_once(open->count - i);
    error = read_pages(open, i, n);
    for (uint64_t k = 0; k < n && !error; k++) {
      const unsigned char *page = (unsigned char *)keeper_buffer() + k * page_size;
      *is_good &= is_same(stamp_of(page, page_size), open->entries[i + k].sum);
    }
  }
  return error;
}

/* Of a softmap that isn't ours: only that one can tell whether it is whole. */
static bool
has_other_version(const struct header *header) {
  return memcmp(header->magic, JOURNAL_MAGIC, MAGIC_VERSION) == 0 &&
         header->magic[MAGIC_VERSION] != JOURNAL_MAGIC[MAGIC_VERSION];
}

/* EINVAL: it is of another file, machine or version. */
static int
check_header(const struct journal *journal, const struct header *header, uint64_t size,
             bool *is_good) {
  *is_good = false;
  if (has_other_version(header))
    return EINVAL;
  *is_good = memcmp(header->magic, JOURNAL_MAGIC, sizeof header->magic) == 0 &&
             is_same(header->sum, sum_of_header(header));
  if (!*is_good)
    return 0;
  if (header->inode != journal->file.inode || header->birth_ns != journal->file.birth_ns ||
      header->page_size != host_config.page_size || header->size > INT64_MAX)
    return EINVAL;
  uint64_t most = size >> host_config.page_shift;
  *is_good = header->count <= most && pages_at(header->count) <= size &&
             header->count <= (size - pages_at(header->count)) >> host_config.page_shift;
  return 0;
}

/* *is_good: all of it has arrived.  The table is then in memory. */
static int
check(const struct journal *journal, struct open_journal *open, uint64_t size, bool *is_good) {
  struct header header;
  size_t got;
  *is_good = false;
  int error = host_read(open->fd, &header, sizeof header, 0, &got);
  if (!error && got == sizeof header)
    error = check_header(journal, &header, size, is_good);
  if (error || !*is_good)
    return error;
  open->entries = arena_alloc(table_size(header.count) + 1);
  if (!open->entries)
    return ENOMEM;
  open->count = header.count;
  error = host_read(open->fd, open->entries, table_size(open->count), JOURNAL_TABLE, &got);
  *is_good = got == table_size(open->count) &&
             is_same(stamp_of((const unsigned char *)open->entries, got), header.table) &&
             are_entries_good(open, header.size);
  return error ? error : check_pages(open, is_good);
}

/* Whoever wrote it may have been killed before he flushed it: then storage has nothing of it yet
 * (models/atomic.pml, REPLAYED_AT_ONCE). */
static int
flush_and_carry_out(const struct journal *journal, const struct open_journal *open) {
  int error = host_flush(open->fd);
  if (!error)
    error = flush_names(journal);
  return error ? error : carry_out(journal, open);
}

static int
replay(struct journal *journal, struct open_journal *open, uint64_t size) {
  bool is_good = false;
  int error = check(journal, open, size, &is_good);
  if (!error)
    error = is_good ? flush_and_carry_out(journal, open) : take_away(journal, open->fd);
  if (open->entries)
    arena_free(open->entries, table_size(open->count) + 1);
  return error;
}

/* What has the name.  By a descriptor that needs no right, so that others' can be looked at. */
static int
open_found(const struct journal *journal, int there, int *out, uint64_t *size) {
  struct host_stat stat;
  int error = host_stat_fd(there, &stat);
  if (error)
    return error;
  if (is_planted(journal, &stat))
    return ENOENT;
  if (!is_trusted(journal, &stat))
    return EPERM;
  *size = stat.size;
  return host_reopen(out, there, O_RDWR | O_CLOEXEC);
}

int
journal_replay(struct journal *journal) {
  struct open_journal open = { .fd = -1 };
  uint64_t size = 0;
  int there;
  int error =
      host_open(&there, journal->directory, journal->name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  if (!error)
    error = close_both(there, open_found(journal, there, &open.fd, &size));
  if (error)
    return error == ENOENT ? 0 : error;
  return close_both(open.fd, replay(journal, &open, size));
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int
copy_pages(struct section *section, const struct open_journal *open) {
  size_t page_size = host_config.page_size;
  unsigned char *buffer = keeper_buffer();
  int error = 0;
  for (uint64_t i = 0, n; i < open->count && !error; i += n) {
    n = pages_at_once(open->count - i);
    for (uint64_t k = 0; k < n && !error; k++) {
      struct journal_entry *entry = &open->entries[i + k];
      unsigned char *page = buffer + k * page_size;
      size_t got = 0;
      error = data_read(section, page, page_size, entry->offset, &got);
      memset(page + got, 0, page_size - got);
      entry->sum = stamp_of(page, page_size);
    }
    if (!error)
      error = write_bytes(open->fd, buffer, n << host_config.page_shift,
                          pages_at(open->count) + (i << host_config.page_shift));
  }
  return error;
}

static int
copy_table(const struct journal *journal, const struct open_journal *open, uint64_t size) {
  struct header header = {
    .magic = JOURNAL_MAGIC,
    .page_size = (uint32_t)host_config.page_size,
    .inode = journal->file.inode,
    .birth_ns = journal->file.birth_ns,
    .size = size,
    .count = open->count,
    .table = stamp_of((const unsigned char *)open->entries, table_size(open->count)),
  };
  header.sum = sum_of_header(&header);
  int error = write_bytes(open->fd, (const unsigned char *)open->entries, table_size(open->count),
                          JOURNAL_TABLE);
  return error ? error : write_bytes(open->fd, (const unsigned char *)&header, sizeof header, 0);
}

/* The moment of truth is when the name is flushed, or a little before. */
static int
fill_and_flush(const struct journal *journal, const struct open_journal *open, uint64_t size) {
  int error = copy_pages(journal->section, open);
  if (!error)
    error = copy_table(journal, open, size);
  if (!error)
    error = host_flush(open->fd);
  return error ? error : flush_names(journal);
}

int
journal_write(struct journal *journal, struct journal_entry *entries, uint64_t count) {
  struct open_journal open = { .fd = -1, .count = count, .entries = entries };
  uint64_t size = entries[count - 1].offset + entries[count - 1].length;
  int error = host_open(&open.fd, journal->directory, journal->name,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (error)
    return error == EEXIST ? EBUSY : error; /* another user's: what we trust was replayed before */
  error = fill_and_flush(journal, &open, size);
  if (!error)
    error = carry_out(journal, &open);
  else if (take_away(journal, open.fd))
    host_yield(); /* stays: whoever comes next replays it if it is whole, or removes it */
  return close_both(open.fd, error);
}
