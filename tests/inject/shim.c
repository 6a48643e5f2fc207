/* shim.c - the matrix of the calls that only the shim and the command make: reads, writes and truncations of
 * a file that has a section, of this process or of others; recoveries.
 *
 * A read or write never fails on our behalf: what can't be brought together is as it would be without us.
 * Once the fault is gone it is brought together.
 */
#include "matrix.h"

#include "api/shim.h"

enum { FIRST = 1, COUNT = 4 }; /* pages that are read and written: dirty ones, clean ones */

static unsigned char *
page_at(size_t i) {
  return matrix.p + t_pages(i);
}

/* ---- Reading and writing ------------------------------------------------------------------------ */

static unsigned char bytes[(COUNT - 1) * 65536 + 1];

static size_t
span(void) {
  return t_pages(COUNT - 1) + 1;
}

/* The file is as it should be; and the mapping?  EIO: not yet, it is as it was.  What can't be filled now is
 * filled from the file later. */
static int
compare(unsigned char now) {
  int result = 0;

  for (size_t i = FIRST; i < FIRST + COUNT; i++) {
    unsigned char byte = now;
    struct t_fault fault = t_load(page_at(i), &byte);

    if (fault.signo != 0)
      result = EFAULT;
    else if (byte != now) {
      T_EQ(byte, matrix.model[i]);
      result = EIO;
    }
    matrix.model[i] = byte;
  }
  return result;
}

static int
write_by(int fd, bool tells_bytes) {
  struct shim_op op;
  struct iovec iov = { bytes, span() };
  unsigned char now = (unsigned char)(++matrix.value % 250 + 1);
  bool begun;

  memset(bytes, 0, sizeof bytes);
  for (size_t i = 0; i < COUNT; i++)
    bytes[t_pages(i)] = now;
  begun = shim_write_begin(&op, fd, t_pages(FIRST), span());
  T_EQ(pwrite(fd, bytes, span(), (off_t)t_pages(FIRST)), (ssize_t)span());
  if (begun)
    shim_write_end(&op, tells_bytes ? &iov : NULL, tells_bytes, t_pages(FIRST), (ssize_t)span());
  return compare(now);
}

static int
run_write(void) {
  return write_by(matrix.fd, true);
}

/* sendfile, say: nobody knows the bytes. */
static int
run_write_from_elsewhere(void) {
  return write_by(matrix.fd, false);
}

static int
run_write_only(void) {
  int fd = t_open(matrix.path, O_WRONLY);
  int result = write_by(fd, true);

  (void)close(fd);
  return result;
}

/* From the second one on bytes are read straight into the data. */
static void
written_before(void) {
  matrix_map();
  T_EQ(run_write(), 0);
}

static void
failed_read_into_the_data_is_made_good(void) {
  matrix.fd = t_tmpfile(matrix.path, (off_t)t_pages(MATRIX_PAGES));
  written_before();
  engine_inject(HOST_CALL_read, 1, 1, EIO);
  T_EQ(run_write(), 0); /* by a keeper */
  T_EQ(inject_fired(), 1);
  inject_disarm();
  T_OK(munmap(matrix.p, t_pages(MATRIX_PAGES)));
}

static int
run_read(void) {
  struct shim_op op;
  struct iovec iov = { bytes, span() };
  bool begun = shim_read_begin(&op, matrix.fd, t_pages(FIRST), span());
  ssize_t got = pread(matrix.fd, bytes, span(), (off_t)t_pages(FIRST));

  T_EQ(got, (ssize_t)span());
  if (begun)
    shim_read_end(&op, &iov, 1, t_pages(FIRST), got);
  for (size_t i = 0; i < COUNT; i++)
    if (bytes[t_pages(i)] != matrix.model[FIRST + i])
      return EIO;
  return 0;
}

/* ---- Sizes and storage -------------------------------------------------------------------------- */

static void
longer_file_stored(void) {
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(MATRIX_PAGES + 8)), 0);
  matrix_stored();
}

static int
run_truncate(void) {
  return shim_truncate(matrix.fd, t_pages(MATRIX_PAGES));
}

/* Cut off in the middle of a page, which is zero behind that when the file is longer again. */
static int
run_truncate_twice(void) {
  int error = shim_truncate(matrix.fd, t_pages(6) + 100);

  if (t_file_size(matrix.fd) == (off_t)t_pages(6) + 100) {
    matrix.npages = 7;
    for (size_t i = 7; i < MATRIX_PAGES; i++)
      matrix.model[i] = 0;
  }
  if (error == 0)
    error = shim_truncate(matrix.fd, t_pages(MATRIX_PAGES));
  if (error == 0)
    matrix.npages = MATRIX_PAGES;
  return error;
}

static int
run_write_dirty(void) {
  return shim_write_dirty(matrix.fd, 0, t_pages(MATRIX_PAGES));
}

static int
run_flush(void) {
  return shim_flush(matrix.fd, true);
}

/* ---- Of others ---------------------------------------------------------------------------------- */

/* Did what the dead have left get into the file?  Where the section could not be had the call is the program's
 * own, and that's no error. */
static int
written(int error) {
  for (size_t i = 0; i < MATRIX_PAGES; i++)
    if (matrix_file_byte(i) != matrix.model[i])
      return error != 0 && error != ENOENT ? error : EIO;
  return 0;
}

static int
run_write_dirty_of_others(void) {
  return written(shim_write_dirty(matrix.fd, 0, t_pages(MATRIX_PAGES)));
}

/* By a descriptor that can't be read. */
static int
run_write_only_of_others(void) {
  int fd = t_open(matrix.path, O_WRONLY);
  int error = shim_write_dirty(fd, 0, t_pages(MATRIX_PAGES));

  (void)close(fd);
  return written(error);
}

static int
run_flush_of_others(void) {
  return written(shim_flush(matrix.fd, false));
}

static int
run_truncate_of_others(void) {
  return written(shim_truncate(matrix.fd, t_pages(MATRIX_PAGES)));
}

static int
run_recover_write_as(void) {
  const struct softmap_recover_options options = { .size = sizeof options,
                                                   .write_as = matrix.path };

  return matrix_recover(&options);
}

/* Copied and kept, and then written. */
static int
run_recover_save_to(void) {
  char copy[T_PATH + 8];
  struct softmap_recover_options options = { .size = sizeof options, .save_to = copy };
  int error;

  (void)snprintf(copy, sizeof copy, "%s.copy", matrix.path);
  error = matrix_recover(&options);
  (void)unlink(copy);
  return error != 0 ? error : matrix_recover(NULL);
}

/* What is given up isn't in the file: written once more, by us. */
static int
run_recover_discard(void) {
  const struct softmap_recover_options options = { .size = sizeof options,
                                                   .flags = SOFTMAP_RECOVER_DISCARD };
  int error = matrix_recover(&options);

  for (size_t i = 0; i < MATRIX_PAGES; i++)
    matrix_write_byte(i);
  return error;
}

/* ---- All of them -------------------------------------------------------------------------------- */

SCENARIO(write, matrix_map, run_write, 10, EIO)
SCENARIO(write_again, written_before, run_write, 10, EIO)
SCENARIO(write_stored, matrix_stored, run_write, 10, EIO)
SCENARIO(write_unfilled, matrix_on_touch, run_write, 10, EIO, EFAULT)
SCENARIO(write_from_elsewhere, matrix_stored, run_write_from_elsewhere, 10, EIO)
SCENARIO(write_only, matrix_stored, run_write_only, 10, EIO)
SCENARIO(read, matrix_stored, run_read, 8, EIO)
SCENARIO(truncate, longer_file_stored, run_truncate, 10, ENOENT)
SCENARIO(truncate_twice, matrix_stored, run_truncate_twice, 10, ENOENT)
SCENARIO(write_dirty, matrix_stored, run_write_dirty, 10, 0)
SCENARIO(flush, matrix_stored, run_flush, 10, ENOENT)
SCENARIO(write_dirty_of_others, matrix_stored_by_the_dead, run_write_dirty_of_others, 10, EIO)
SCENARIO(write_only_of_others, matrix_stored_by_the_dead, run_write_only_of_others, 10, EIO)
SCENARIO(flush_of_others, matrix_stored_by_the_dead, run_flush_of_others, 10, EIO)
SCENARIO(truncate_of_others, matrix_stored_by_the_dead, run_truncate_of_others, 10, EIO)
SCENARIO(recover_write_as, matrix_stored_by_the_dead, run_recover_write_as, 10, ECANCELED)
SCENARIO(recover_save_to, matrix_stored_by_the_dead, run_recover_save_to, 10, ECANCELED)
SCENARIO(recover_discard, matrix_stored_by_the_dead, run_recover_discard, 10, 0)

static const struct t_case cases[] = {
  T_CASE(try_write),
  T_CASE(failed_read_into_the_data_is_made_good),
  T_CASE(try_write_again),
  T_CASE(try_write_stored),
  T_CASE(try_write_unfilled),
  T_CASE(try_write_from_elsewhere),
  T_CASE(try_write_only),
  T_CASE(try_read),
  T_CASE(try_truncate),
  T_CASE(try_truncate_twice),
  T_CASE(try_write_dirty),
  T_CASE(try_flush),
  OF_THE_DEAD(try_write_dirty_of_others),
  OF_THE_DEAD(try_write_only_of_others),
  OF_THE_DEAD(try_flush_of_others),
  OF_THE_DEAD(try_truncate_of_others),
  OF_THE_DEAD(try_recover_write_as),
  OF_THE_DEAD(try_recover_save_to),
  OF_THE_DEAD(try_recover_discard),
};
T_MAIN(cases)
