/* matrix_steps.c - what the scenarios of several matrices are made of: situations, and calls. */
#include "matrix.h"

/* ---- Before the call ----------------------------------------------------------------------------- */

void
matrix_map_with(int flags) {
  matrix.npages = MATRIX_PAGES;
  matrix.p = T_MAP(NULL, t_pages(MATRIX_PAGES), RW, flags, matrix.fd, 0);
}

void
matrix_map(void) {
  matrix_map_with(MAP_SHARED);
}

void
matrix_store(void) {
  matrix.value++;
  for (size_t i = 0; i < MATRIX_PAGES; i += i % 3 + 1) {
    matrix.model[i] = (unsigned char)(matrix.value % 250 + 1);
    if (matrix.p != NULL)
      PUT(matrix.p + t_pages(i), matrix.model[i]);
  }
}

void
matrix_stored(void) {
  matrix_map();
  matrix_store();
}

void
matrix_on_touch(void) {
  T_OK(softmap_configure("fill", "touch"));
  matrix_map();
}

void
matrix_map_growing(off_t size) {
  T_EQ(ftruncate(matrix.fd, size), 0);
  matrix_map();
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(MATRIX_PAGES)), 0);
  for (size_t i = 0; i < MATRIX_PAGES; i++)
    if ((off_t)t_pages(i) >= size) {
      matrix.model[i] = (unsigned char)(i + 50);
      matrix_write_byte(i);
    }
}

void
matrix_killed(void (*prepare)(void)) {
  pid_t pid;

  T_CHECK(softmap_sections(NULL, 0) >=
          0); /* reads the environment, as the shim does when it is loaded */
  pid = t_fork();
  if (pid == 0) {
    prepare();
    (void)raise(SIGKILL);
  }
  T_REAP(pid, T_KILLED(SIGKILL));
}

void
matrix_stored_by_the_dead(void) {
  matrix_killed(matrix_stored);
  matrix_store();
}

unsigned char
matrix_file_byte(size_t page) {
  unsigned char byte;

  T_EQ(pread(matrix.fd, &byte, 1, (off_t)t_pages(page)), 1);
  return byte;
}

void
matrix_write_byte(size_t page) {
  T_EQ(pwrite(matrix.fd, &matrix.model[page], 1, (off_t)t_pages(page)), 1);
}

/* ---- The call ------------------------------------------------------------------------------------ */

int
matrix_result(intmax_t result) {
  return result == -1 ? errno : 0;
}

int
matrix_mmap_with(int flags) {
  void *p = mmap(NULL, t_pages(MATRIX_PAGES), RW, flags, matrix.fd, 0);

  if (p == MAP_FAILED)
    return errno;
  matrix.p = p;
  return 0;
}

int
matrix_mmap(void) {
  return matrix_mmap_with(MAP_SHARED);
}

int
matrix_munmap(void) {
  int result = matrix_result(munmap(matrix.p, t_pages(MATRIX_PAGES)));

  if (result == 0)
    matrix.p = NULL;
  return result;
}

int
matrix_msync_with(int flags) {
  return matrix_result(msync(matrix.p, t_pages(MATRIX_PAGES), flags));
}

int
matrix_msync(void) {
  return matrix_msync_with(MS_SYNC);
}

int
matrix_msync_invalidate(void) {
  return matrix_msync_with(MS_SYNC | MS_INVALIDATE);
}

int
matrix_look_at_pages(void) {
  struct softmap_page pages[MATRIX_PAGES];

  return matrix_result(softmap_pages(matrix.p, t_pages(MATRIX_PAGES), pages, MATRIX_PAGES));
}

int
matrix_look_at_section(void) {
  struct softmap_section section;
  struct softmap_page pages[MATRIX_PAGES];
  ssize_t n = softmap_sections(&section, 1);

  if (n != 1)
    return n < 0 ? errno : ENOENT;
  return matrix_result(softmap_section_view(section.name, 0, pages, MATRIX_PAGES));
}

int
matrix_recover(const struct softmap_recover_options *options) {
  struct softmap_section section;
  ssize_t n = softmap_sections(&section, 1);

  if (n <= 0)
    return n < 0 ? errno : 0;
  return matrix_result(softmap_recover(section.name, options));
}

static int
fault_result(struct t_fault fault) {
  return fault.signo == 0 ? 0 : fault.signo == SIGBUS ? EFAULT : EINVAL;
}

int
matrix_load_page(size_t page) {
  unsigned char byte;

  return fault_result(t_load(matrix.p + t_pages(page), &byte));
}

int
matrix_store_page(size_t page, unsigned char byte) {
  int result = fault_result(t_store(matrix.p + t_pages(page), byte));

  if (result == 0)
    matrix.model[page] = byte;
  return result;
}
