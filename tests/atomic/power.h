/* power.h - a record of what the host was asked for, and the states that a power cut at some moment of it
 * may leave.
 */
#ifndef POWER_H
#define POWER_H

#include "atomic.h"

#include <sys/stat.h>

enum { PAGES = 4, SIZE_LACKS = 700, CHANGES_MAX = 64, PIECES_MAX = 256, SECTOR = 512, STATES = 4 };

/* ---- The record ------------------------------------------------------------------------------ */

static struct change {
  enum host_call call;
  bool of_file; /* else of the journal, or of its name */
  uint64_t offset;
  size_t len;
  unsigned char *bytes;
} changes[CHANGES_MAX];
static size_t nchanges;
static ino_t file_inode;
static char journal_name[64];

static bool
is_journal(const char *name) {
  return strncmp(name, ".softmap-", 9) == 0;
}

/* Of a descriptor: 1 the file, 0 the journal or its directory, -1 something else. */
static int
whose(const struct inject_change *seen) {
  struct stat stat;
  char path[64], target[T_PATH] = "";

  if (seen->name != NULL) {
    if (is_journal(seen->name))
      (void)snprintf(journal_name, sizeof journal_name, "%s", seen->name);
    return is_journal(seen->name) ? 0 : -1;
  }
  if (fstat(seen->fd, &stat) != 0)
    return -1;
  if (seen->call == HOST_CALL_flush_names)
    return 0;
  (void)snprintf(path, sizeof path, "/proc/thread-self/fd/%d", seen->fd);
  if (stat.st_ino == file_inode)
    return 1;
  if (readlink(path, target, sizeof target - 1) < 0)
    return -1;
  return strstr(target, "/.softmap-") != NULL ? 0 : -1;
}

static void
record(const struct inject_change *seen) {
  int who = whose(seen);
  struct change *change = &changes[nchanges];
  size_t done = 0;

  if (who < 0)
    return;
  if (nchanges == CHANGES_MAX)
    abort();
  *change = (struct change){ seen->call, who != 0, seen->offset, seen->len, NULL };
  if (seen->len != 0) {
    change->bytes = malloc(seen->len);
    for (const struct iovec *vec = seen->vec; done < seen->len; vec++) {
      size_t n = vec->iov_len < seen->len - done ? vec->iov_len : seen->len - done;

      memcpy(change->bytes + done, vec->iov_base, n);
      done += n;
    }
  }
  nchanges++;
}

/* ---- What may be lost ------------------------------------------------------------------------ */

/* A piece of a write, or a name made or taken away. */
static struct piece {
  enum host_call call;
  bool of_file;
  uint64_t offset;
  size_t len;
  const unsigned char *bytes;
  size_t from, until; /* asked for with change `from`; certain from change `until` on */
} pieces[PIECES_MAX];
static size_t npieces;

/* Which flush makes it certain, as if those of kind `without` had not been made? */
static size_t
flushed_by(size_t i, unsigned without) {
  enum host_call flush = changes[i].call == HOST_CALL_write || changes[i].call == HOST_CALL_resize
                             ? HOST_CALL_flush
                             : HOST_CALL_flush_names;
  unsigned kind = flush == HOST_CALL_flush_names ? 4 : changes[i].of_file ? 2 : 1;

  for (size_t k = i + 1; k < nchanges && (kind & without) == 0; k++)
    if (changes[k].call == flush && changes[k].of_file == changes[i].of_file)
      return k;
  return SIZE_MAX;
}

static void
cut_into_pieces(size_t size, unsigned without) {
  npieces = 0;
  for (size_t i = 0; i < nchanges; i++) {
    const struct change *change = &changes[i];
    size_t len = change->call == HOST_CALL_write ? change->len : 1;

    if (change->call == HOST_CALL_flush || change->call == HOST_CALL_flush_names)
      continue;
    for (size_t at = 0; at < len; at += size) {
      T_CHECK(npieces < PIECES_MAX);
      pieces[npieces++] = (struct piece){ change->call,
                                          change->of_file,
                                          change->offset + at,
                                          len - at < size ? len - at : size,
                                          change->bytes == NULL ? NULL : change->bytes + at,
                                          i,
                                          flushed_by(i, without) };
    }
  }
}

/* ---- A state after a cut --------------------------------------------------------------------- */

static char path[T_PATH], journal_path[T_PATH];
static int fd;
/* Before, after the first sync, after the second, after a plain one. */
static unsigned char states[STATES][PAGES << 16];
static size_t size;
static size_t returned[STATES]; /* changes when the sync that made the state had returned */

/* What is on storage when the record begins. */
static unsigned char base[PAGES << 16], base_journal[2 * PAGES << 16];
static ssize_t base_journal_len; /* -1: there is none */

static void
take_base(void) {
  int journal = open(journal_path, O_RDONLY);

  T_EQ(pread(fd, base, size, 0), size);
  base_journal_len = -1;
  if (journal >= 0) {
    base_journal_len = read(journal, base_journal, sizeof base_journal);
    (void)close(journal);
  }
}

/* The file and the journal's file, with those pieces of before the cut that `has` says. */
static void
lay_out(size_t cut, const bool *has) {
  bool named = base_journal_len >= 0;
  int journal = open(journal_path, O_RDWR | O_CREAT | O_TRUNC, 0600);

  T_CHECK(journal >= 0);
  T_EQ(pwrite(fd, base, size, 0), size);
  if (named)
    T_EQ(write(journal, base_journal, (size_t)base_journal_len), base_journal_len);
  for (size_t i = 0; i < npieces; i++) {
    const struct piece *piece = &pieces[i];

    if (piece->from >= cut)
      break;
    if (piece->call == HOST_CALL_open) { /* another file: nothing of the one before is in it */
      named |= has[i];
      T_OK(ftruncate(journal, 0));
    } else if (piece->call == HOST_CALL_unlink) {
      named &= !has[i];
    } else if (piece->call == HOST_CALL_resize) {
      if (has[i])
        T_OK(ftruncate(piece->of_file ? fd : journal, (off_t)piece->offset));
    } else if (has[i]) {
      T_EQ(pwrite(piece->of_file ? fd : journal, piece->bytes, piece->len, (off_t)piece->offset),
           piece->len);
    }
  }
  (void)close(journal);
  if (!named)
    T_OK(unlink(journal_path));
}

/* Which of the states has the file when it is mapped? -1: none. */
static int
mapped_state(size_t cut) {
  static unsigned char memory[PAGES << 16];
  const unsigned char *p = T_MAP(NULL, t_pages(PAGES), PROT_READ, MAP_SHARED, fd, 0);
  int least = 0, found = -1;

  memcpy(memory, p, size);
  T_OK(munmap((void *)(uintptr_t)p, t_pages(PAGES)));
  T_FILE_EQUALS(fd, 0, memory, size);
  T_EQ(journals(path), 0);
  for (int i = 1; i < STATES; i++)
    least = cut >= returned[i] ? i : least;
  for (int i = least; i < STATES; i++)
    if (memcmp(memory, states[i], size) == 0)
      found = i;
  return found;
}

struct tally {
  unsigned states, mixed, found[STATES];
};

static void
look(size_t cut, const bool *has, struct tally *tally) {
  int found;

  lay_out(cut, has);
  found = mapped_state(cut);
  tally->states++;
  if (found < 0)
    tally->mixed++;
  else
    tally->found[found]++;
}

static size_t
doubtful(size_t cut, size_t *which) {
  size_t n = 0;

  for (size_t i = 0; i < npieces; i++)
    if (pieces[i].from < cut && pieces[i].until >= cut)
      which[n++] = i;
  return n;
}

/* Every combination of what may be lost, or `samples` of them taken at random. */
static void
cut_at(size_t cut, unsigned samples, struct t_random *random, struct tally *tally) {
  size_t which[PIECES_MAX];
  size_t n = doubtful(cut, which);
  bool has[PIECES_MAX];
  bool all = n < 12 && (samples == 0 || n < 4);
  uint64_t count = all ? (uint64_t)1 << n : samples != 0 ? samples : 4096;

  for (uint64_t state = 0; state < count; state++) {
    unsigned kind = t_random_below(random, 3); /* few are lost, half, most */

    memset(has, true, sizeof has);
    for (size_t i = 0; i < n; i++)
      has[which[i]] = all         ? state >> i & 1
                      : kind == 0 ? t_random_below(random, 16) != 0
                      : kind == 1 ? t_random_below(random, 2) != 0
                                  : t_random_below(random, 16) == 0;
    look(cut, has, tally);
  }
}

static struct tally
cut_everywhere(size_t piece_size, unsigned samples, unsigned without) {
  struct t_random random = { 7 };
  struct tally tally = { 0 };

  cut_into_pieces(piece_size, without);
  for (size_t cut = 0; cut <= nchanges && (without == 0 || tally.mixed == 0); cut++)
    cut_at(cut, samples, &random, &tally);
  t_note("%u states, %u mixed; as before %u, after one sync %u, after two %u", tally.states,
         tally.mixed, tally.found[0], tally.found[1], tally.found[2]);
  return tally;
}

#endif
