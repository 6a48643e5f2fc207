/* host_descriptors.h - looks at descriptors, for the tests of tables and inboxes. */
#ifndef HOST_DESCRIPTORS_H
#define HOST_DESCRIPTORS_H

#include "host_test.h"

#include <sys/socket.h>
#include <sys/stat.h>

static int file; /* what is sent around */

__attribute__((unused)) static bool
is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

__attribute__((unused)) static int
count_open(void) {
  int n = 0;
  for (int fd = 0; fd < 1024; fd++)
    n += is_open(fd);
  return n;
}

__attribute__((unused)) static bool
is_same_file(int a, int b) {
  struct stat x, y;
  return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* As a stranger may: n copies of file, with eight bytes. */
__attribute__((unused)) static int
send_copies(int socket_fd, const void *name, socklen_t name_len, int n) {
  char control[CMSG_SPACE(200 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
  char bytes[8] = { 0 };
  struct iovec vec = { bytes, sizeof bytes };
  struct msghdr message = { .msg_name = (void *)(uintptr_t)name,
                            .msg_namelen = name_len,
                            .msg_iov = &vec,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  if (part == NULL)
    return EINVAL;
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
  for (int i = 0; i < n; i++)
    memcpy(CMSG_DATA(part) + (size_t)i * sizeof(int), &file, sizeof(int));
  return sendmsg(socket_fd, &message, 0) == sizeof bytes ? 0 : errno;
}

__attribute__((unused)) static int
make_file(void **state) {
  (void)state;
  file = new_file("file", 0);
  return host_start();
}

#endif
