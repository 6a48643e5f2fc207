/* coherence.c - system calls and mappings see each other at once. Only the shim can do that for
 * softmap: the library alone doesn't see the calls. */
#include "conform.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static unsigned char *
map_new(char *path, int *fd, size_t npages) {
  *fd = t_tmpfile(path, (off_t)t_pages(npages));
  return T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, *fd, 0);
}

static void
store_is_seen_by_read_at_once(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_new(path, &fd, 2);
  int other = t_open(path, O_RDONLY);

  PUT(p + 5, 's');
  T_FILE_BYTE(fd, 5, 's');
  T_FILE_BYTE(other, 5, 's');
  PUT(p + 6, 't');
  T_FILE_BYTE(other, 6, 't');
}

static void
read_in_child(void *path) {
  T_FILE_BYTE(t_open(path, O_RDONLY), 5, 's');
}

static void
store_is_seen_by_read_in_another_process(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_new(path, &fd, 2);

  PUT(p + 5, 's');
  T_IN_CHILD(read_in_child, path, T_EXITED(0));
}

static void
write_is_seen_in_the_mapping_at_once(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_new(path, &fd, 2);
  int other = t_open(path, O_RDWR);

  T_MEM_OLD(p, t_pages(2), 0);
  T_PWRITE(other, 10, 10, 'w');
  T_MEM_ALL(p + 10, 10, 'w');
  PUT(p + 12, 's');
  T_PWRITE(fd, 13, 1, 'x');
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, 10, "wwsx", 4);
  T_EQ(lseek(other, 20, SEEK_SET), 20);
  T_EQ(write(other, "abc", 3), 3);
  T_LOADS(p + 22, 'c');
  T_MEM_OLD(p + 23, t_pages(2) - 23, 23);
}

static void
write_in_child(void *path) {
  T_PWRITE(t_open(path, O_RDWR), 7, 3, 'c');
}

static void
write_in_another_process_is_seen_at_once(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_new(path, &fd, 1);

  T_MEM_OLD(p, t_pages(1), 0);
  T_IN_CHILD(write_in_child, path, T_EXITED(0));
  T_MEM_ALL(p + 7, 3, 'c');
}

static void
truncation_is_seen_at_once(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_new(path, &fd, 3);

  PUT(p + t_pages(2), 'd');
  T_OK(ftruncate(fd, (off_t)t_pages(1) + 10));
  T_LOAD_FAULTS(p + t_pages(2), SIGBUS, BUS_ADRERR);
  T_MEM_OLD(p + t_pages(1), 10, (off_t)t_pages(1));
  T_MEM_ALL(p + t_pages(1) + 10, t_pages(1) - 10, 0);
  T_OK(ftruncate(fd, (off_t)t_pages(3)));
  T_MEM_ALL(p + t_pages(2), t_pages(1), 0);
  (void)t_open(path, O_RDWR | O_TRUNC);
  T_LOAD_FAULTS(p, SIGBUS, BUS_ADRERR);
  T_FILE_SIZE(fd, 0);
}

static void
growth_inside_the_last_page_is_seen_at_once(void) {
  int fd = t_tmpfile(NULL, 100);
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  T_LOADS(p + 120, 0);
  T_PWRITE(fd, 100, 50, 'g');
  T_LOADS(p + 120, 'g');
}

/* ---- Mapped memory as a buffer of system calls ---- */

static void
call_may_read_into_a_mapping(void) {
  int from = t_tmpfile(NULL, (off_t)t_pages(3));
  int fd;
  unsigned char *p = map_new(NULL, &fd, 3);
  struct iovec parts[2] = { { p + t_pages(2), 10 }, { p + 5, 10 } };

  T_EQ(pread(from, p + 100, t_pages(1), 1), (ssize_t)t_pages(1));
  T_MEM_OLD(p + 100, t_pages(1), 1);
  T_EQ(preadv(from, parts, 2, 7), 20);
  T_MEM_OLD(p + t_pages(2), 10, 7);
  T_MEM_OLD(p + 5, 10, 17);
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_EQUALS(fd, 0, p, t_pages(3));
}

static void
call_may_write_from_a_mapping(void) {
  int to = t_sparse_file(NULL, 0);
  int fd;
  unsigned char *p = map_new(NULL, &fd, 3);

  PUT(p + t_pages(1), 's');
  T_EQ(write(to, p, t_pages(3)), (ssize_t)t_pages(3));
  T_FILE_OLD(to, 0, t_pages(1));
  T_FILE_BYTE(to, (off_t)t_pages(1), 's');
  T_FILE_OLD(to, (off_t)t_pages(1) + 1, t_pages(2) - 1);
}

static void
sockets_and_pipes_may_use_a_mapping(void) {
  int sockets[2];
  int pipe_fd[2];
  int fd;
  unsigned char *p = map_new(NULL, &fd, 2);

  T_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
  T_OK(pipe(pipe_fd));
  T_EQ(send(sockets[0], p, 50, 0), 50);
  T_EQ(recv(sockets[1], p + t_pages(1), 100, 0), 50);
  T_MEM_OLD(p + t_pages(1), 50, 0);
  T_EQ(write(pipe_fd[1], p + 7, 20), 20);
  T_EQ(read(pipe_fd[0], p + 60, 20), 20);
  T_MEM_OLD(p + 60, 20, 7);
  T_OK(munmap(p, t_pages(2)));
  T_FILE_OLD(fd, 0, 60);
}

static void
path_may_lie_in_a_mapping(void) {
  int fd;
  unsigned char *p = map_new(NULL, &fd, 1);
  int opened;

  memcpy(p, "/dev/null", 10);
  T_OK(msync(p, t_pages(1), MS_SYNC));
  opened = open((const char *)p, O_RDONLY);
  T_CHECK(opened >= 0);
}

static void
file_may_be_written_from_its_own_mapping(void) {
  int fd;
  unsigned char *p = map_new(NULL, &fd, 4);

  PUT(p, 'a');
  T_EQ(pwrite(fd, p, t_pages(1), (off_t)t_pages(2)), (ssize_t)t_pages(1));
  T_LOADS(p + t_pages(2), 'a');
  T_MEM_OLD(p + t_pages(2) + 1, t_pages(1) - 1, 1);
  T_EQ(pread(fd, p + t_pages(1), t_pages(1), (off_t)t_pages(2)), (ssize_t)t_pages(1));
  T_LOADS(p + t_pages(1), 'a');
}

/* ---- stdio ---- */

static void
stdio_and_the_mapping_see_each_other(void) {
  char path[T_PATH];
  int fd;
  unsigned char *p = map_new(path, &fd, 2);
  FILE *stream = fopen(path, "r+");
  char text[4] = "";

  T_CHECK(stream != NULL);
  PUT(p, 's');
  T_EQ(fread(text, 1, 1, stream), 1);
  T_EQ(text[0], 's');
  T_EQ(fseek(stream, 100, SEEK_SET), 0);
  T_EQ(fwrite("xyz", 1, 3, stream), 3);
  T_EQ(fclose(stream), 0);
  T_LOADS(p + 101, 'y');
}

#define CALLS_UNSEEN "the library alone doesn't see reads and writes of the file"
#define NEEDS_PIN "the library alone needs softmap_pin around the call"

static const struct t_case cases[] = {
  T_CASE_SHIM_ONLY(store_is_seen_by_read_at_once, CALLS_UNSEEN),
  T_CASE_SHIM_ONLY(store_is_seen_by_read_in_another_process, CALLS_UNSEEN),
  T_CASE_SHIM_ONLY(write_is_seen_in_the_mapping_at_once, CALLS_UNSEEN),
  T_CASE_SHIM_ONLY(write_in_another_process_is_seen_at_once, CALLS_UNSEEN),
  T_CASE_SHIM_ONLY(truncation_is_seen_at_once, CALLS_UNSEEN),
  T_CASE_SHIM_ONLY(growth_inside_the_last_page_is_seen_at_once, CALLS_UNSEEN),
  T_CASE_SHIM_ONLY(call_may_read_into_a_mapping, NEEDS_PIN),
  T_CASE_SHIM_ONLY(call_may_write_from_a_mapping, NEEDS_PIN),
  T_CASE_SHIM_ONLY(sockets_and_pipes_may_use_a_mapping, NEEDS_PIN),
  T_CASE_SHIM_ONLY(path_may_lie_in_a_mapping, NEEDS_PIN),
  T_CASE_SHIM_ONLY(file_may_be_written_from_its_own_mapping, NEEDS_PIN),
  T_CASE_SHIM_ONLY(stdio_and_the_mapping_see_each_other, CALLS_UNSEEN),
};

T_MAIN(cases)
