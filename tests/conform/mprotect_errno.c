/* mprotect_errno.c - what mprotect refuses, and how much of the range it had changed by then. */
#include "conform.h"

#define UNKNOWN_PROT 0x800

static void
mprotect_refuses_bad_arguments(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  const struct {
    const char *name;
    unsigned char *addr;
    size_t len;
    int prot;
    int want;
  } rows[] = {
    { "one byte off", p + 1, t_pages(1), PROT_READ, EINVAL },
    { "half a page off", p + t_page_size() / 2, t_pages(1), PROT_READ, EINVAL },
    { "aligned", p, t_pages(1), PROT_READ, 0 },
    { "length 0", p, 0, PROT_NONE, 0 },
    { "length 0, one byte off", p + 1, 0, PROT_NONE, EINVAL },
    { "a range that wraps", p, SIZE_MAX - 2 * t_page_size() + 1, PROT_READ, ENOMEM },
    { "unknown protection", p, t_pages(1), PROT_READ | UNKNOWN_PROT, EINVAL },
    { "unknown protection, length 0", p, 0, UNKNOWN_PROT, 0 },
    { "PROT_GROWSDOWN", p, t_pages(1), PROT_READ | PROT_GROWSDOWN, EINVAL },
    { "PROT_GROWSUP", p, t_pages(1), PROT_READ | PROT_GROWSUP, EINVAL },
    { "length 1", p + t_pages(1), 1, PROT_READ, 0 },
    { "past the mapping's end", p + t_pages(3), t_pages(1), PROT_READ, 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    T_ROW(rows[i].name, mprotect(rows[i].addr, rows[i].len, rows[i].prot), rows[i].want);
  T_MEM_OLD(p, t_pages(4), 0);
  T_STORE_FAULTS(p + t_pages(2) - 1, SIGSEGV, SEGV_ACCERR);
  T_STORES(p + t_pages(2), 's');
}

/* {prot, shared or private, open for writing or not} of one page each. */
static void
mprotect_needs_the_right_to_write_for_shared_writing_only(void) {
  char path[T_PATH];
  int rdwr = t_tmpfile(path, (off_t)t_pages(1));
  int rdonly = t_open(path, O_RDONLY);
  const struct {
    const char *name;
    int fd;
    int type;
    int prot;
    int want;
  } rows[] = {
    { "shared, read-only file, to write", rdonly, MAP_SHARED, PROT_WRITE, EACCES },
    { "shared, read-only file, to read and write", rdonly, MAP_SHARED, RW, EACCES },
    { "shared, read-only file, to read", rdonly, MAP_SHARED, PROT_READ, 0 },
    { "shared, read-only file, to nothing", rdonly, MAP_SHARED, PROT_NONE, 0 },
    { "private, read-only file, to read and write", rdonly, MAP_PRIVATE, RW, 0 },
    { "shared, writable file, to read and write", rdwr, MAP_SHARED, RW, 0 },
    { "shared, writable file, to write", rdwr, MAP_SHARED, PROT_WRITE, 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    unsigned char *p = T_MAP(NULL, t_pages(1), PROT_READ, rows[i].type, rows[i].fd, 0);
    bool is_writable = rows[i].want == 0 && (rows[i].prot & PROT_WRITE) != 0;

    T_ROW(rows[i].name, mprotect(p, t_pages(1), rows[i].prot), rows[i].want);
    if (is_writable)
      T_STORES(p, t_old_byte(0));
    else
      T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
    if (rows[i].want != 0)
      T_LOADS(p, t_old_byte(0));
  }
}

static void
parts_before_a_hole_are_changed_and_those_after_are_not(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(6));
  unsigned char *p = T_MAP(NULL, t_pages(6), RW, MAP_SHARED, fd, 0);

  p[0] = 'a';
  p[t_pages(5)] = 'f';
  T_OK(munmap(p + t_pages(2), t_pages(1)));
  T_ERR(mprotect(p, t_pages(6), PROT_READ), ENOMEM);
  T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
  T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
  T_STORES(p + t_pages(3), 'd');
  T_STORES(p + t_pages(5) + 1, 'g');
  T_OK(mprotect(p + t_pages(3), t_pages(3), PROT_READ));
  T_STORE_FAULTS(p + t_pages(3), SIGSEGV, SEGV_ACCERR);
  T_OK(munmap(p, t_pages(6)));
  T_FILE_BYTE(fd, 0, 'a');
  T_FILE_EQUALS(fd, (off_t)t_pages(5), "fg", 2);
}

static void
range_that_starts_or_ends_in_a_hole_is_refused(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_vacant(4);
  unsigned char *p = T_MAP(area + t_pages(1), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);

  T_ERR(mprotect(area, t_pages(3), PROT_READ), ENOMEM);
  T_STORES(p, 's');
  T_ERR(mprotect(area, t_pages(1), PROT_READ), ENOMEM);
  T_ERR(mprotect(p + t_pages(1), t_pages(2), PROT_READ), ENOMEM);
  T_STORES(p, 't');
  T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_ACCERR);
  T_OK(mprotect(p, t_pages(2), PROT_READ));
  T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
}

static void
parts_before_a_forbidden_mapping_are_changed(void) {
  char path[T_PATH];
  int rdwr = t_tmpfile(path, (off_t)t_pages(2));
  int rdonly = t_open(path, O_RDONLY);
  unsigned char *area = t_reserve(6);

  T_MAP(area, t_pages(2), PROT_READ, MAP_SHARED | MAP_FIXED, rdwr, 0);
  T_MAP(area + t_pages(2), t_pages(2), PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, 0);
  T_MAP(area + t_pages(4), t_pages(2), PROT_READ, MAP_SHARED | MAP_FIXED, rdwr, 0);
  T_ERR(mprotect(area, t_pages(6), RW), EACCES);
  T_STORES(area, 'w');
  T_STORES(area + t_pages(1), 'x');
  T_STORE_FAULTS(area + t_pages(2), SIGSEGV, SEGV_ACCERR);
  T_STORE_FAULTS(area + t_pages(4), SIGSEGV, SEGV_ACCERR);
  T_LOADS(area + t_pages(2), 'w');
  T_OK(mprotect(area, t_pages(2), RW));
  T_OK(mprotect(area + t_pages(4), t_pages(2), RW));
  T_STORES(area + t_pages(4) + 1, 'y');
  T_OK(msync(area, t_pages(6), MS_SYNC));
  T_FILE_EQUALS(rdonly, 0, "wy", 2);
  T_FILE_BYTE(rdonly, (off_t)t_pages(1), 'x');
}

static void
refused_call_changes_nothing(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  p[0] = 'd';
  T_ERR(mprotect(p + 1, t_pages(1), PROT_NONE), EINVAL);
  T_ERR(mprotect(p, t_pages(2), UNKNOWN_PROT), EINVAL);
  T_STORES(p + 1, 'e');
  T_STORES(p + t_pages(1), 'f');
  T_OK(mprotect(p, t_pages(2), PROT_NONE));
  T_LOAD_FAULTS(p, SIGSEGV, SEGV_ACCERR);
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 0, "de", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'f');
}

static const struct t_case cases[] = {
  T_CASE(mprotect_refuses_bad_arguments),
  T_CASE(mprotect_needs_the_right_to_write_for_shared_writing_only),
  T_CASE(parts_before_a_hole_are_changed_and_those_after_are_not),
  T_CASE(range_that_starts_or_ends_in_a_hole_is_refused),
  T_CASE(parts_before_a_forbidden_mapping_are_changed),
  T_CASE(refused_call_changes_nothing),
};

T_MAIN(cases)
