/* host_posix_table.c - descriptor tables: leaving the process's own, and passing descriptors from
 * one table to another.
 *
 * A descriptor kept in a table of its own is out of reach of the program's closefrom, and closing
 * it there keeps the record locks that the program holds on the file: their owner is the table.
 */
#include "host/host_linux.h"

#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/host.h"
#include "host/inject.h"

#define MESSAGE_MAX 64    /* bytes beside the descriptors */
#define RETRY_NS 1000000U /* a nap while the receiver's queue is full */
#define RETRY_TIMES 2000

/* ---- Leaving ------------------------------------------------------------------------------- */

/* Descriptors the calling thread's table has room for: none has a higher number. */
static unsigned
table_size(void) {
  char text[4096];
  const char *line = NULL;
  unsigned size = 0;
  if (host_read_small("/proc/thread-self/status", text, sizeof text) == 0)
    line = strstr(text, "\nFDSize:\t");
  if (line == NULL)
    return 65536;
  for (line += sizeof "\nFDSize:\t" - 1; *line >= '0' && *line <= '9'; line++)
    size = size * 10 + (unsigned)(*line - '0');
  return size;
}

static int
leave_slowly(void) {
  unsigned size = table_size();
  int error = raw_error(raw1(SYS_unshare, CLONE_FILES));
  if (error != 0)
    return error;
  for (unsigned fd = 0; fd < size; fd++)
    raw1(SYS_close, fd);
  return 0;
}

int
host_table_leave(void) {
  int error = inject_before(HOST_CALL_table_leave);
  if (error != 0)
    return error;
  error = raw_error(raw3(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE));
  if (error != 0)
    error = leave_slowly(); /* before 5.9, or a sandbox that doesn't know it */
  inject_after(HOST_CALL_table_leave);
  return error;
}

/* ---- Messages with descriptors ------------------------------------------------------------- */

union control {
  struct cmsghdr header; /* for its alignment */
  char bytes[CMSG_SPACE(HOST_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

/* What a message brought besides its bytes. */
struct arrival {
  int fds[sizeof(union control) / sizeof(int)]; /* what the kernel can put there */
  int nfds;
  pid_t sender; /* 0: not told */
  bool is_cut;  /* the bytes or the descriptors didn't fit, or the table is full */
};

static void
close_all(const int *fds, int n) {
  for (int i = 0; i < n; i++)
    raw1(SYS_close, fds[i]);
}

/* The queue of a receiver that is being drained empties soon; one that isn't must not hold us. */
static int
send_message(int fd, const struct msghdr *message) {
  for (int i = 0;; i++) {
    int error = raw_error(raw3(SYS_sendmsg, fd, message, MSG_NOSIGNAL | MSG_DONTWAIT));
    if (error == EINTR)
      continue;
    if ((error != EAGAIN && error != ETOOMANYREFS) || i == RETRY_TIMES)
      return error;
    if (i < 16)
      host_yield();
    else
      host_nap(RETRY_NS);
  }
}

static int
send_with_fds(int socket_fd, const struct host_inbox_address *to, const void *bytes, size_t len,
              const int *fds, int n) {
  union control control;
  struct iovec vec = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
  size_t fds_size = (size_t)n * sizeof(int);
  struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1 };

  memset(&control, 0, sizeof control);
  if (to != NULL) {
    message.msg_name = (void *)(uintptr_t)to->bytes;
    message.msg_namelen = to->length;
  }
  message.msg_control = control.bytes;
  message.msg_controllen = (__typeof__(message.msg_controllen))CMSG_SPACE(fds_size);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = (__typeof__(control.header.cmsg_len))CMSG_LEN(fds_size);
  memcpy(CMSG_DATA(&control.header), fds, fds_size);
  return send_message(socket_fd, &message);
}

/* Not CMSG_NXTHDR, which doesn't compile without warnings everywhere. */
static void
read_control(char *bytes, size_t size, struct arrival *arrival) {
  struct cmsghdr *part;
  for (size_t at = 0; at + CMSG_LEN(0) <= size; at += CMSG_ALIGN(part->cmsg_len)) {
    part = (struct cmsghdr *)(void *)(bytes + at);
    if (part->cmsg_len < CMSG_LEN(0))
      break;
    size_t part_size = part->cmsg_len - CMSG_LEN(0);
    if (part->cmsg_level != SOL_SOCKET)
      continue;
    if (part->cmsg_type == SCM_RIGHTS) {
      arrival->nfds = (int)(part_size / sizeof(int));
      memcpy(arrival->fds, CMSG_DATA(part), part_size);
    } else if (part->cmsg_type == SCM_CREDENTIALS) {
      struct ucred credentials;
      memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
      arrival->sender = credentials.pid;
    }
  }
}

/* ENODATA: nothing queued.  Never blocks.  Nothing received at all: the peer of a channel is
 * closed, or somebody sent an inbox an empty message. */
static int
receive_message(int fd, void *bytes, size_t size, size_t *got, struct arrival *arrival) {
  union control control;
  struct iovec vec = { .iov_base = bytes, .iov_len = size };
  struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1 };
  long result;

  memset(&control, 0, sizeof control);
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  *arrival = (struct arrival){ .nfds = 0 };
  do
    result = raw3(SYS_recvmsg, fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (result == -EINTR);
  int error = raw_error(result);
  if (error == EAGAIN || error == ECONNRESET)
    return ENODATA;
  if (error != 0)
    return error;
  read_control(control.bytes, message.msg_controllen, arrival);
  arrival->is_cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  *got = (size_t)result;
  return 0;
}

/* ---- Channels ------------------------------------------------------------------------------ */

int
host_channel(int out[2]) {
  int fds[2];
  int error = inject_before(HOST_CALL_channel);
  if (error != 0)
    return error;
  error = raw_error(raw4(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
  if (error == 0) {
    out[0] = fds[0];
    out[1] = fds[1];
  }
  inject_after(HOST_CALL_channel);
  return error;
}

int
host_send_fds(int channel, const void *msg, size_t len, const int *fds, int n) {
  int error = inject_before(HOST_CALL_send_fds);
  if (error != 0)
    return error;
  error = EINVAL;
  if (len > 0 && len <= MESSAGE_MAX && n > 0 && n <= HOST_FDS_MAX)
    error = send_with_fds(channel, NULL, msg, len, fds, n);
  inject_after(HOST_CALL_send_fds);
  return error;
}

static int
receive_exactly(int channel, void *msg, size_t len, int *fds, int n) {
  char bytes[MESSAGE_MAX];
  struct arrival arrival;
  size_t got = 0;
  if (len == 0 || len > MESSAGE_MAX || n <= 0 || n > HOST_FDS_MAX)
    return EINVAL;
  int error = receive_message(channel, bytes, sizeof bytes, &got, &arrival);
  if (error != 0)
    return error;
  if (got == 0 && arrival.nfds == 0)
    return ENODATA; /* closed: we send no empty message */
  if (arrival.is_cut || got != len || arrival.nfds != n) {
    close_all(arrival.fds, arrival.nfds);
    return arrival.is_cut ? EMFILE : EBADMSG;
  }
  memcpy(msg, bytes, len);
  memcpy(fds, arrival.fds, (size_t)n * sizeof(int));
  return 0;
}

int
host_receive_fds(int channel, void *msg, size_t len, int *fds, int n) {
  int error = inject_before(HOST_CALL_receive_fds);
  if (error != 0)
    return error;
  error = receive_exactly(channel, msg, len, fds, n);
  inject_after(HOST_CALL_receive_fds);
  return error;
}

/* ---- Inboxes ------------------------------------------------------------------------------- */

/* Binding a bare family makes the kernel choose an abstract name that nobody has. */
static int
bind_anywhere(int fd, struct host_inbox_address *address) {
  const sa_family_t family = AF_UNIX;
  const int on = 1;
  struct sockaddr_un name;
  socklen_t length = sizeof name;
  _Static_assert(sizeof name <= sizeof address->bytes, "an address fits");

  int error = raw_error(raw5(SYS_setsockopt, fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  if (error == 0)
    error = raw_error(raw3(SYS_bind, fd, &family, sizeof family));
  if (error == 0)
    error = raw_error(raw3(SYS_getsockname, fd, &name, &length));
  if (error != 0)
    return error;
  *address = (struct host_inbox_address){ .length = length };
  memcpy(address->bytes, &name, sizeof name);
  return 0;
}

int
host_inbox(int *out, struct host_inbox_address *address) {
  int error = inject_before(HOST_CALL_inbox);
  if (error != 0)
    return error;
  long fd = raw3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  error = raw_error(fd);
  if (error == 0) {
    error = bind_anywhere((int)fd, address);
    if (error == 0)
      *out = (int)fd;
    else
      raw1(SYS_close, fd);
  }
  inject_after(HOST_CALL_inbox);
  return error;
}

int
host_inbox_post(const struct host_inbox_address *address, uint64_t ticket, int fd) {
  int error = inject_before(HOST_CALL_inbox_post);
  if (error != 0)
    return error;
  long from = raw3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  error = raw_error(from);
  if (error == 0) {
    error = send_with_fds((int)from, address, &ticket, sizeof ticket, &fd, 1);
    raw1(SYS_close, from);
  }
  inject_after(HOST_CALL_inbox_post);
  return error;
}

/* Anybody in the network namespace can send to an abstract name; the kernel vouches for the
 * sender's process. */
static int
take_own(int inbox, uint64_t *ticket, int *fd) {
  for (;;) {
    struct arrival arrival;
    uint64_t bytes = 0;
    size_t got = 0;
    int error = receive_message(inbox, &bytes, sizeof bytes, &got, &arrival);
    if (error != 0)
      return error;
    bool is_own = arrival.sender == (pid_t)raw0(SYS_getpid);
    if (is_own && !arrival.is_cut && got == sizeof bytes && arrival.nfds == 1) {
      *ticket = bytes;
      *fd = arrival.fds[0];
      return 0;
    }
    close_all(arrival.fds, arrival.nfds);
    if (is_own && arrival.is_cut)
      return EMFILE;
  }
}

int
host_inbox_take(int inbox, uint64_t *ticket, int *fd) {
  int error = inject_before(HOST_CALL_inbox_take);
  if (error != 0)
    return error;
  error = take_own(inbox, ticket, fd);
  inject_after(HOST_CALL_inbox_take);
  return error;
}
