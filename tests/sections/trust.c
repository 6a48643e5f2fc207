/* trust.c - what is found in the section directory isn't believed: it may be corrupt, cut off, of
 * another version, somebody else's, or made to harm. The file isn't mapped then, with an errno and one
 * line; nothing is ever written through it; nothing crashes or hangs.
 */
#include "planted.h"

enum { NOBODY = 65534 };

/* ---- What is done to the rest of a killed process ---------------------------------------------- */

#define PUT_MEMBER(type, member, value)                                                            \
  put(control, offsetof(struct control, member), &(type){ value }, sizeof(type))

static void
no_change(void) {
}
static void
control_empty(void) {
  T_OK(truncate(control, 0));
}
static void
control_short(void) {
  T_OK(truncate(control, 100));
}
static void
control_without_states(void) {
  T_OK(truncate(control, (off_t)CONTROL_HEAD_SIZE - 1));
}
static void
control_missing(void) {
  T_OK(unlink(control));
}
static void
data_short(void) {
  T_OK(truncate(data, (off_t)t_pages(1)));
}
static void
data_missing(void) {
  T_OK(unlink(data));
}
static void
other_magic(void) {
  put(control, 0, "softmop", 7);
}
static void
later_version(void) {
  PUT_MEMBER(uint32_t, version, CONTROL_VERSION + 1);
}
static void
version_nought(void) {
  PUT_MEMBER(uint32_t, version, 0);
}
static void
other_page_size(void) {
  PUT_MEMBER(uint32_t, page_size, (uint32_t)t_page_size() * 2);
}
static void
page_size_nought(void) {
  PUT_MEMBER(uint32_t, page_size, 0);
}
static void
size_of_all_bits(void) {
  PUT_MEMBER(uint64_t, size, UINT64_MAX);
}
static void
size_huge(void) {
  PUT_MEMBER(uint64_t, size, (uint64_t)1 << 60);
}
static void
size_more_than_data(void) {
  PUT_MEMBER(uint64_t, size, (uint64_t)1 << 32);
}
static void
lanes_huge(void) {
  PUT_MEMBER(uint32_t, lanes, UINT32_MAX);
}
static void
twins_huge(void) {
  PUT_MEMBER(uint32_t, twins, UINT32_MAX);
}
static void
path_without_end(void) {
  char long_path[sizeof((struct control *)0)->path];

  memset(long_path, 'x', sizeof long_path);
  put(control, offsetof(struct control, path), long_path, sizeof long_path);
}
static void
of_another_file(void) {
  PUT_MEMBER(uint64_t, inode, 1);
}
static void
header_of_ones(void) {
  unsigned char bytes[4096];

  memset(bytes, 0xff, sizeof bytes);
  put(control, 0, bytes, sizeof bytes);
}
static void
put_states(uint8_t state) {
  unsigned char bytes[PAGES];

  memset(bytes, state, sizeof bytes);
  put(control, control_extent_offset(0), bytes, sizeof bytes);
}
static void
states_of_no_meaning(void) {
  put_states(page_in_hand(PAGE_CLEAN, 31));
}
static void
states_in_nobodys_hand(void) {
  put_states(page_in_hand(PAGE_WRITING_AGAIN, 31));
}

/* ---- ... and what is put in its place ----------------------------------------------------------- */

static void
dir_is_link(void) {
  char away[T_PATH + 128];

  (void)snprintf(away, sizeof away, "%s.away", dir);
  T_OK(rename(dir, away));
  T_OK(symlink(away, dir));
}
static void
control_is_link(void) {
  char away[T_PATH + 128];

  (void)snprintf(away, sizeof away, "%s/other", dir);
  T_OK(rename(control, away));
  T_OK(symlink(away, control));
}
static void
data_is_link_to_the_file(void) {
  T_OK(unlink(data));
  T_OK(symlink(path, data));
}
static void
dir_is_file(void) {
  t_remove_directory(dir);
  (void)close(open(dir, O_CREAT | O_RDWR, 0600));
}
static void
control_is_pipe(void) {
  T_OK(unlink(control));
  T_OK(mkfifo(control, 0600));
}
static void
data_is_pipe(void) {
  T_OK(unlink(data));
  T_OK(mkfifo(data, 0600));
}
static void
control_is_directory(void) {
  T_OK(unlink(control));
  T_OK(mkdir(control, 0700));
}
static void
control_has_two_names(void) {
  char other[T_PATH + 128];

  (void)snprintf(other, sizeof other, "%s/other", dir);
  T_OK(link(control, other));
}
static void
others_may_write_dir(void) {
  T_OK(chmod(dir, 0777));
}
static void
others_may_write_control(void) {
  T_OK(chmod(control, 0666));
}
static void
others_may_read_data(void) {
  T_OK(chmod(data, 0644));
}
static void
dir_of_another_user(void) {
  T_OK(chown(dir, NOBODY, NOBODY));
}
static void
control_of_another_user(void) {
  T_OK(chown(control, NOBODY, NOBODY));
}
static void
data_of_another_user(void) {
  T_OK(chown(data, NOBODY, NOBODY));
}

/* ---- Rows ------------------------------------------------------------------------------------ */

struct row {
  const char *name;
  void (*change)(void);
  int error;        /* of softmap_recover; 0: the control, maps, with what was stored */
  bool looks_sound; /* to those who only look */
  bool stays;       /* isn't ours to remove */
};

static void
is_good(void) {
  errno = 0;
  T_EQ(T_STDERR_OF(map_it, NULL, text), 0);
  T_CHECK(p != MAP_FAILED);
  T_EQ(GET(p), 'd');
  T_OK(munmap(p, t_pages(PAGES)));
  T_FILE_BYTE(fd, 0, 'd');
  T_NOTHING_LEFT();
}

/* Told as damaged, or, if it looks sound, with what there is. */
static void
is_told(const struct row *row) {
  struct softmap_page pages[PAGES];
  struct softmap_section seen[4];
  ssize_t n = softmap_sections(seen, 4);

  if (n < 1 || n > 2)
    t_fail(T_HERE, "softmap_sections: %zd, errno %d", n, errno);
  for (ssize_t i = 0; i < n; i++)
    if (strcmp(seen[i].name, base_name()) == 0)
      T_EQ((seen[i].flags & SOFTMAP_SECTION_DAMAGED) != 0, !row->looks_sound);
  if (row->looks_sound)
    T_EQ(softmap_section_view(base_name(), 0, pages, PAGES), PAGES);
  else
    T_ERR(softmap_section_view(base_name(), 0, pages, PAGES), row->error);
}

static void
is_refused(const struct row *row) {
  size_t lines;

  errno = 0;
  lines = T_STDERR_OF(map_it, NULL, text);
  if (p != MAP_FAILED)
    t_fail(T_HERE, "it was mapped, and reads %#x", GET(p));
  T_EQ(errno, EBUSY);
  if (lines != 1 || strncmp(text, "softmap: ", 9) != 0 || strstr(text, path) == NULL)
    t_fail(T_HERE, "%zu lines: %s", lines, text);
  T_FILE_OLD(fd, 0, t_pages(PAGES));
  other_file_can_be_mapped();
  is_told(row);
  T_ERR(recover_with(base_name(), SOFTMAP_RECOVER_DRY_RUN, NULL, NULL), row->error);
  T_ERR(softmap_recover(base_name(), NULL), row->error);
  T_ROW("discarded", recover_with(base_name(), SOFTMAP_RECOVER_DISCARD, NULL, NULL),
        row->stays ? EACCES : 0);
  T_EQ(access(dir, F_OK), row->stays ? 0 : -1);
  T_FILE_OLD(fd, 0, t_pages(PAGES));
}

static void
clear_up(void) {
  char away[T_PATH + 128];

  (void)snprintf(away, sizeof away, "%s.away", dir);
  (void)unlink(dir);
  t_remove_directory(dir);
  t_remove_directory(away);
}

static void
run_row(void *arg) {
  const struct row *row = arg;

  (void)alarm(SECONDS_A_ROW);
  leave_a_rest();
  row->change();
  if (row->error == 0)
    is_good();
  else
    is_refused(row);
  clear_up();
  exit(0); /* whatever other rows came to */
}

static void
run_rows(const struct row *rows, size_t n) {
  const char *only = getenv("T_ROW");

  for (size_t i = 0; i < n; i++) {
    if (only != NULL && strcmp(only, rows[i].name) != 0)
      continue;
    T_ROW_IN_CHILD(rows[i].name, run_row, (void *)(uintptr_t)&rows[i], T_EXITED(0));
    t_remove_directory(getenv("SOFTMAP_DIR")); /* also of one that failed */
    T_OK(mkdir(getenv("SOFTMAP_DIR"), 0700));
  }
}

#define ROW(fn, error)                                                                             \
  { #fn, fn, error, false, false }
#define ROW_STAYS(fn)                                                                              \
  { #fn, fn, EINVAL, false, true }

static void
headers(void) {
  static const struct row rows[] = {
    { "no_change: the control", no_change, 0, false, false },
    ROW(control_empty, EINVAL),
    ROW(control_short, EINVAL),
    ROW(control_without_states, EINVAL),
    ROW(other_magic, EINVAL),
    ROW(later_version, EPROTO),
    ROW(version_nought, EPROTO),
    ROW(other_page_size, EPROTO),
    ROW(page_size_nought, EPROTO),
    ROW(size_of_all_bits, EINVAL),
    ROW(size_huge, EINVAL),
    ROW(size_more_than_data, EINVAL),
    ROW(lanes_huge, EINVAL),
    ROW(twins_huge, EINVAL),
    ROW(path_without_end, EINVAL),
    { "of_another_file", of_another_file, ESTALE, true, false },
    ROW(header_of_ones, EINVAL),
    { "states_in_nobodys_hand: dirt", states_in_nobodys_hand, 0, false, false },
    ROW(states_of_no_meaning, EINVAL),
    ROW(data_short, EINVAL),
  };

  run_rows(rows, sizeof rows / sizeof *rows);
}

static void
entries(void) {
  static const struct row rows[] = {
    { "no_change: the control", no_change, 0, false, false },
    ROW(control_missing, EINVAL),
    ROW(data_missing, EINVAL),
    ROW(dir_is_link, EINVAL),
    ROW(dir_is_file, EINVAL),
    ROW(control_is_link, EINVAL),
    ROW(control_is_pipe, EINVAL),
    ROW_STAYS(control_is_directory),
    ROW(control_has_two_names, EINVAL),
    ROW(data_is_link_to_the_file, EINVAL),
    ROW(data_is_pipe, EINVAL),
    ROW_STAYS(others_may_write_dir),
    ROW(others_may_write_control, EINVAL),
    ROW(others_may_read_data, EINVAL),
  };

  run_rows(rows, sizeof rows / sizeof *rows);
}

static void
other_users(void) {
  static const struct row rows[] = {
    { "no_change: the control", no_change, 0, false, false },
    ROW_STAYS(dir_of_another_user),
    ROW(control_of_another_user, EINVAL),
    ROW(data_of_another_user, EINVAL),
  };

  if (geteuid() != 0)
    t_skip("only root can give files away");
  run_rows(rows, sizeof rows / sizeof *rows);
}

/* ---- The section directory itself -------------------------------------------------------------- */

static char top[T_PATH];

/* All that looks into it; mapping says why it can't. */
static void
use_directory(void *arg) {
  struct softmap_page page;

  (void)arg;
  T_ERR(AS_RESULT(mmap(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0)) == -1 ? -1 : 0, EACCES);
  T_ERR(softmap_sections(NULL, 0), EACCES);
  T_ERR(softmap_section_view("a-name", 0, &page, 1), EACCES);
  T_ERR(softmap_recover("a-name", NULL), EACCES);
  T_ERR(recover_with("a-name", SOFTMAP_RECOVER_DISCARD, NULL, NULL), EACCES);
}

static void
directory_is_refused(void *arg) {
  size_t lines;

  (void)arg;
  T_OK(softmap_configure("dir", top));
  lines = T_STDERR_OF(use_directory, NULL, text);
  if (lines != 1 || strstr(text, top) == NULL)
    t_fail(T_HERE, "%zu lines: %s", lines, text);
}

static void
new_top(const char *name, mode_t mode) {
  (void)snprintf(top, sizeof top, "%.200s/%s", getenv("T_DIR"), name);
  T_OK(mkdir(top, 0700));
  T_OK(chmod(top, mode));
}

static void
directories(void) {
  char target[T_PATH];

  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  new_top("for-others", 0777);
  T_ROW_IN_CHILD("others may write", directory_is_refused, NULL, T_EXITED(0));
  new_top("for-readers", 0755);
  T_ROW_IN_CHILD("others may read", directory_is_refused, NULL, T_EXITED(0));
  new_top("target", 0700);
  memcpy(target, top, sizeof target);
  (void)snprintf(top, sizeof top, "%.200s/link", getenv("T_DIR"));
  T_OK(symlink(target, top));
  T_ROW_IN_CHILD("a symbolic link", directory_is_refused, NULL, T_EXITED(0));
  if (geteuid() == 0) {
    new_top("somebody-elses", 0700);
    T_OK(chown(top, NOBODY, NOBODY));
    T_ROW_IN_CHILD("of another user", directory_is_refused, NULL, T_EXITED(0));
  }
  T_OK(softmap_configure("dir", target)); /* the control */
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  T_EQ(softmap_sections(NULL, 0), 1);
  T_OK(munmap(p, t_pages(PAGES)));
}

/* Has our directory's name and an open descriptor of the file. */
static void
as_nobody(void *arg) {
  T_OK(setgid(NOBODY));
  T_OK(setuid(NOBODY));
  directory_is_refused(arg);
  T_ERR(open(control, O_RDWR), EACCES);
}

static void
another_user_gets_nothing(void) {
  if (geteuid() != 0)
    t_skip("only root can become another user");
  leave_a_rest();
  (void)snprintf(top, sizeof top, "%s", getenv("SOFTMAP_DIR"));
  T_IN_CHILD(as_nobody, NULL, T_EXITED(0));
  is_good();
}

static const struct t_case cases[] = {
  T_CASE_WITH(headers, T_MAPS_NOTHING | T_KILLS),
  T_CASE_WITH(entries, T_MAPS_NOTHING | T_KILLS),
  T_CASE_WITH(other_users, T_MAPS_NOTHING | T_KILLS),
  T_CASE(directories),
  T_CASE(another_user_gets_nothing),
};
T_MAIN(cases)
