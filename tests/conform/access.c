/* access.c - what a protection forbids faults with the right signal, code and address; what it
 * allows doesn't. */
#include "conform.h"

#include <string.h>

static void
read_only_mapping_faults_on_write(void) {
  static const int types[] = { MAP_SHARED, MAP_PRIVATE };

  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(3));
    unsigned char *p = T_MAP(NULL, t_pages(3), PROT_READ, types[i], fd, 0);

    T_MEM_OLD(p, t_pages(3), 0);
    T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
    T_STORE_FAULTS(p + t_pages(1) + 123, SIGSEGV, SEGV_ACCERR);
    T_STORE_FAULTS(p + t_pages(3) - 1, SIGSEGV, SEGV_ACCERR);
    T_MEM_OLD(p, t_pages(3), 0);
    T_OK(msync(p, t_pages(3), MS_SYNC));
    T_FILE_OLD(fd, 0, t_pages(3));
  }
}

/* The first touch of a page is the forbidden one. */
static void
read_only_page_never_read_faults_on_write(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), PROT_READ, MAP_SHARED, fd, 0);

  T_STORE_FAULTS(p + t_pages(2) + 5, SIGSEGV, SEGV_ACCERR);
  T_MEM_OLD(p, t_pages(3), 0);
  T_FILE_OLD(fd, 0, t_pages(3));
}

static void
inaccessible_mapping_faults_on_every_access(void) {
  static const int types[] = { MAP_SHARED, MAP_PRIVATE };

  for (size_t i = 0; i < 2; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(2));
    unsigned char *p = T_MAP(NULL, t_pages(2), PROT_NONE, types[i], fd, 0);

    T_LOAD_FAULTS(p, SIGSEGV, SEGV_ACCERR);
    T_STORE_FAULTS(p + 1, SIGSEGV, SEGV_ACCERR);
    T_LOAD_FAULTS(p + t_pages(2) - 1, SIGSEGV, SEGV_ACCERR);
    T_OK(mprotect(p, t_pages(2), PROT_READ));
    T_MEM_OLD(p, t_pages(2), 0);
    T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
  }
}

static void
writable_mapping_reads_and_writes(void) {
  static const int prots[] = { PROT_READ | PROT_WRITE, PROT_WRITE,
                               PROT_READ | PROT_WRITE | PROT_EXEC };

  for (size_t i = 0; i < sizeof prots / sizeof prots[0]; i++) {
    int fd = t_tmpfile(NULL, (off_t)t_pages(2));
    unsigned char *p = mmap(NULL, t_pages(2), prots[i], MAP_SHARED, fd, 0);

    if (p == MAP_FAILED && errno == EPERM && (prots[i] & PROT_EXEC) != 0)
      continue;
    T_CHECK(p != MAP_FAILED);
    T_STORES(p, 'w');
    T_STORES(p + t_pages(1), 'x');
    T_OK(msync(p, t_pages(2), MS_SYNC));
    T_FILE_BYTE(fd, 0, 'w');
    T_FILE_OLD(fd, 1, t_pages(1) - 1);
    T_FILE_BYTE(fd, (off_t)t_pages(1), 'x');
  }
}

/* What the host says of the memory around a mapping and after it. */
static void
unmapped_neighbours_fault_as_unmapped(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_vacant(4);
  unsigned char *p = T_MAP(area + t_pages(1), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);

  p[0] = 'n';
  T_LOAD_FAULTS(p - 1, SIGSEGV, SEGV_MAPERR);
  T_STORE_FAULTS(p + t_pages(2), SIGSEGV, SEGV_MAPERR);
  T_LOADS(p, 'n');
  T_OK(munmap(p, t_pages(2)));
  T_LOAD_FAULTS(p, SIGSEGV, SEGV_MAPERR);
  T_STORE_FAULTS(p + t_pages(1), SIGSEGV, SEGV_MAPERR);
  T_FILE_BYTE(fd, 0, 'n');
}

static void
reading_changes_nothing_in_the_file(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);

  T_MEM_OLD(p, t_pages(4), 0);
  T_PWRITE(fd, (off_t)t_pages(1), t_pages(1), 'o');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_OK(munmap(p, t_pages(4)));
  T_FILE_OLD(fd, 0, t_pages(1));
  T_FILE_ALL(fd, (off_t)t_pages(1), t_pages(1), 'o');
  T_FILE_OLD(fd, (off_t)t_pages(2), t_pages(2));
}

/* The smallest function a processor can return from. */
static const unsigned char return_42[] = {
#if defined(__x86_64__) || defined(__i386__)
  0xb8, 42, 0, 0, 0, 0xc3
#elif defined(__aarch64__)
  0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6
#else
  0
#endif
};

static void
code_in_a_mapped_file_runs(void) {
  int fd = t_sparse_file(NULL, (off_t)t_pages(1));
  int (*function)(void);
  unsigned char *p;

  if (sizeof return_42 == 1)
    t_skip("no code for this processor");
  T_CHECK(pwrite(fd, return_42, sizeof return_42, 0) == (ssize_t)sizeof return_42);
  for (int i = 0; i < 2; i++) {
    p = mmap(NULL, t_pages(1), PROT_READ | PROT_EXEC, i == 0 ? MAP_PRIVATE : MAP_SHARED, fd, 0);
    if (p == MAP_FAILED && errno == EPERM)
      t_skip("a file system here is mounted noexec");
    T_CHECK(p != MAP_FAILED);
    memcpy(&function, &p, sizeof p);
    T_EQ(function(), 42);
    T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
  }
}

static const struct t_case cases[] = {
  T_CASE(read_only_mapping_faults_on_write),
  T_CASE(read_only_page_never_read_faults_on_write),
  T_CASE(inaccessible_mapping_faults_on_every_access),
  T_CASE(writable_mapping_reads_and_writes),
  T_CASE(unmapped_neighbours_fault_as_unmapped),
  T_CASE(reading_changes_nothing_in_the_file),
  T_CASE(code_in_a_mapped_file_runs),
};

T_MAIN(cases)
