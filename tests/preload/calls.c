/* calls.c - system calls that read the program's memory, or fill it, on a mapped file: on pages that
 * were never touched, that are closed, and that are open; the memory lies across two pages. */
#include "conform.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { LEN = 24 };

/* ---- Calls that read ------------------------------------------------------------------------ */

static int pipe_fd[2], pair[2];

/* The bytes that came out at the other end. */
static const char *
came(int fd) {
  static char got[LEN + 1];
  memset(got, 0, sizeof got);
  return read(fd, got, LEN) < 0 ? "nothing" : got;
}

static const char *
call_write(char *p) {
  return write(pipe_fd[1], p, LEN) == LEN ? came(pipe_fd[0]) : "failed";
}
static const char *
call_writev(char *p) {
  struct iovec iov[2] = { { p, 10 }, { p + 10, LEN - 10 } };
  return writev(pipe_fd[1], iov, 2) == LEN ? came(pipe_fd[0]) : "failed";
}
static const char *
call_send(char *p) {
  return send(pair[0], p, LEN, 0) == LEN ? came(pair[1]) : "failed";
}
static const char *
call_sendto(char *p) {
  return sendto(pair[0], p, LEN, 0, NULL, 0) == LEN ? came(pair[1]) : "failed";
}
static const char *
call_sendmsg(char *p) {
  struct iovec iov = { p, LEN };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
  return sendmsg(pair[0], &message, 0) == LEN ? came(pair[1]) : "failed";
}
static const char *
call_fwrite(char *p) {
  FILE *file = fopen("stream", "w+");
  size_t n = file ? fwrite(p, 1, LEN, file) : 0;
  static char got[LEN + 1];
  if (n == LEN && fseek(file, 0, SEEK_SET) == 0 && fread(got, 1, LEN, file) == LEN) {
    (void)fclose(file);
    return got;
  }
  return "failed";
}
/* As a path: of the directory that the test makes. */
static const char *
path_of(int result, const char *p) {
  return result >= 0 ? p : "failed";
}
static const char *
call_open(char *p) {
  int fd = open(p, O_RDONLY | O_CREAT, 0600);
  int result = fd < 0 ? -1 : close(fd);
  return path_of(result | unlink(p), p);
}
static const char *
call_mkdir(char *p) {
  return path_of(mkdir(p, 0700) | access(p, F_OK) | rmdir(p), p);
}
static const char *
call_symlink(char *p) {
  return path_of(symlink(p, "link") | unlink("link"), p);
}
static const char *
call_rename(char *p) {
  return path_of(mkdir(p, 0700) | rename(p, "renamed") | rename("renamed", p) | rmdir(p), p);
}
static const char *
call_exec(char *p) {
  char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                         (char *)(uintptr_t) "printf %s \"$1\" >&9", (char *)(uintptr_t) "sh", p, NULL };
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    (void)dup2(pipe_fd[1], 9);
    (void)execv("/bin/sh", argv);
    _exit(1);
  }
  return waitpid(pid, &status, 0) == pid && status == 0 ? came(pipe_fd[0]) : "failed";
}

/* ---- Calls that fill ------------------------------------------------------------------------ */

static const char text[LEN + 1] = "abcdefghijklmnopqrstuvwx";

static ssize_t
fill_read(char *p) {
  return write(pipe_fd[1], text, LEN) == LEN ? read(pipe_fd[0], p, LEN) : -1;
}
static ssize_t
fill_readv(char *p) {
  struct iovec iov[2] = { { p, 10 }, { p + 10, LEN - 10 } };
  return write(pipe_fd[1], text, LEN) == LEN ? readv(pipe_fd[0], iov, 2) : -1;
}
static ssize_t
fill_recv(char *p) {
  return send(pair[0], text, LEN, 0) == LEN ? recv(pair[1], p, LEN, 0) : -1;
}
static ssize_t
fill_recvfrom(char *p) {
  return send(pair[0], text, LEN, 0) == LEN ? recvfrom(pair[1], p, LEN, 0, NULL, NULL) : -1;
}
static ssize_t
fill_recvmsg(char *p) {
  struct iovec iov = { p, LEN };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
  return send(pair[0], text, LEN, 0) == LEN ? recvmsg(pair[1], &message, 0) : -1;
}
static ssize_t
fill_pread(char *p) {
  int fd = open("text", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ssize_t n = write(fd, text, LEN) == LEN ? pread(fd, p, LEN, 0) : -1;
  return close(fd) == 0 ? n : -1;
}
static ssize_t
fill_readlink(char *p) {
  ssize_t n = symlink(text, "to") == 0 ? readlink("to", p, LEN) : -1;
  return unlink("to") == 0 ? n : -1;
}
static ssize_t
fill_fread(char *p) {
  FILE *file = fopen("text", "w+");
  ssize_t n = -1;
  if (file && fwrite(text, 1, LEN, file) == LEN && fseek(file, 0, SEEK_SET) == 0)
    n = (ssize_t)fread(p, 1, LEN, file);
  return file && fclose(file) == 0 ? n : -1;
}

/* Structures: is what was filled in what a call on the stack says? */
#define SAME(type, call_with)                                                                      \
  type *in_map = (type *)(void *)p, on_stack;                                                      \
  memset(&on_stack, 0, sizeof on_stack);                                                           \
  type *to = &on_stack;                                                                            \
  int first = (call_with);                                                                         \
  to = in_map;                                                                                     \
  return first >= 0 && (call_with) == first && memcmp(in_map, &on_stack, sizeof on_stack) == 0

static bool
same_stat(char *p) {
  SAME(struct stat, stat(".", to));
}
static bool
same_fstat(char *p) {
  SAME(struct stat, fstat(pipe_fd[0], to));
}
static bool
same_uname(char *p) {
  SAME(struct utsname, uname(to));
}
static bool
same_rlimit(char *p) {
  SAME(struct rlimit, getrlimit(RLIMIT_NOFILE, to));
}
static bool
same_fionread(char *p) {
  SAME(int, ioctl(pipe_fd[0], FIONREAD, to));
}
static bool
fills_pipe(char *p) {
  int *fds = (int *)(void *)p;
  return pipe(fds) == 0 && fds[0] > 2 && fds[1] > 2 && close(fds[0]) == 0 && close(fds[1]) == 0;
}
static bool
fills_status(char *p) {
  int *status = (int *)(void *)p;
  pid_t pid = fork();
  if (pid == 0)
    _exit(7);
  return waitpid(pid, status, 0) == pid && WEXITSTATUS(*status) == 7;
}
static bool
fills_poll(char *p) {
  struct pollfd *fds = (struct pollfd *)(void *)p;
  *fds = (struct pollfd){ .fd = pipe_fd[1], .events = POLLOUT };
  return poll(fds, 1, 0) == 1 && fds->revents == POLLOUT;
}
static bool
fills_random(char *p) {
  return getrandom(p, LEN, 0) == LEN;
}
static bool
fills_names(char *p) {
  int fd = open(".", O_RDONLY | O_DIRECTORY);
  ssize_t n = getdents64(fd, p, 600);
  return close(fd) == 0 && n > 0;
}
static bool
fills_cwd(char *p) {
  char other[600];
  return getcwd(p, sizeof other) == p && getcwd(other, sizeof other) && strcmp(p, other) == 0;
}
static bool
fills_name(char *p) {
  struct sockaddr_un *name = (struct sockaddr_un *)(void *)p;
  socklen_t len = sizeof *name;
  return getsockname(pair[0], (struct sockaddr *)name, &len) == 0 && name->sun_family == AF_UNIX;
}

/* ---- All of them, in each state of the pages ------------------------------------------------- */

enum state { UNTOUCHED, CLOSED, OPEN, STATES };
static const char *const state_names[] = { "untouched", "closed", "open" };

/* Memory across two pages, which hold `bytes`, in a state. */
static char *
memory(enum state state, const char *bytes) {
  size_t page = t_page_size();
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  if (bytes)
    T_EQ(pwrite(fd, bytes, strlen(bytes) + 1, (off_t)page - 8), (ssize_t)strlen(bytes) + 1);
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  T_OK(close(fd));
  if (state != UNTOUCHED) {
    PUT(p, 1);
    PUT(p + page, GET(p + page));
    if (state == CLOSED)
      T_OK(msync(p, t_pages(4), MS_SYNC));
  }
  return (char *)p + page - 8;
}

static void
begin(void) {
  T_OK(pipe(pipe_fd));
  T_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
}

static void
calls_may_read_mapped_memory(void) {
  static const struct {
    const char *name;
    const char *(*call)(char *p);
  } rows[] = {
    { "write", call_write },     { "writev", call_writev },   { "send", call_send },
    { "sendto", call_sendto },   { "sendmsg", call_sendmsg }, { "fwrite", call_fwrite },
    { "open", call_open },       { "mkdir", call_mkdir },     { "symlink", call_symlink },
    { "rename", call_rename },   { "exec", call_exec },
  };
  begin();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (enum state state = UNTOUCHED; state < STATES; state++) {
      const char *got = rows[i].call(memory(state, text));
      if (strcmp(got, text) != 0)
        t_row_fail(T_HERE, rows[i].name, "%s: %s", state_names[state], got);
    }
}

static void
calls_may_fill_mapped_memory(void) {
  static const struct {
    const char *name;
    ssize_t (*call)(char *p);
  } rows[] = {
    { "read", fill_read },         { "readv", fill_readv },     { "recv", fill_recv },
    { "recvfrom", fill_recvfrom }, { "recvmsg", fill_recvmsg }, { "pread", fill_pread },
    { "readlink", fill_readlink }, { "fread", fill_fread },
  };
  begin();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (enum state state = UNTOUCHED; state < STATES; state++) {
      char *p = memory(state, NULL);
      ssize_t n = rows[i].call(p);
      if (n != LEN || memcmp(p, text, LEN) != 0)
        t_row_fail(T_HERE, rows[i].name, "%s: %zd bytes", state_names[state], n);
      T_MEM_OLD((unsigned char *)p + LEN, 100, (off_t)t_page_size() - 8 + LEN); /* and no more */
    }
}

static void
calls_may_fill_structures_in_mapped_memory(void) {
  static const struct {
    const char *name;
    bool (*call)(char *p);
  } rows[] = {
    { "stat", same_stat },         { "fstat", same_fstat },       { "uname", same_uname },
    { "getrlimit", same_rlimit },  { "ioctl", same_fionread },    { "pipe", fills_pipe },
    { "waitpid", fills_status },   { "poll", fills_poll },        { "getrandom", fills_random },
    { "getdents64", fills_names }, { "getcwd", fills_cwd },       { "getsockname", fills_name },
  };
  begin();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (enum state state = UNTOUCHED; state < STATES; state++)
      if (!rows[i].call(memory(state, NULL)))
        t_row_fail(T_HERE, rows[i].name, "%s", state_names[state]);
}

/* ---- While another thread syncs -------------------------------------------------------------- */

static unsigned char *shared;
static _Atomic int is_done;

static void *
sync_all_the_time(void *arg) {
  while (!is_done)
    T_OK(msync(shared, t_pages(4), MS_ASYNC));
  return arg;
}

static void
calls_may_fill_memory_that_another_thread_syncs(void) {
  pthread_t thread;
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  shared = T_MAP(NULL, t_pages(4), RW, MAP_SHARED, fd, 0);
  begin();
  T_EQ(pthread_create(&thread, NULL, sync_all_the_time, NULL), 0);
  for (int i = 0; i < 2000; i++) {
    char *p = (char *)shared + t_page_size() - 8;
    memset(p, 0, LEN);
    T_EQ(send(pair[0], text, LEN, 0), LEN);
    T_EQ(recv(pair[1], p, LEN, 0), LEN);
    T_CHECK(memcmp(p, text, LEN) == 0);
  }
  is_done = 1;
  T_EQ(pthread_join(thread, NULL), 0);
  T_OK(msync(shared, t_pages(4), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_page_size() - 8, text, LEN);
}

/* ---- What must go on being refused ----------------------------------------------------------- */

static void
calls_on_protected_memory_and_past_the_end_are_refused(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  char *p = (char *)T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  begin();
  T_ERR(write(pipe_fd[1], p + t_pages(1), 1), EFAULT);
  T_EQ(write(pipe_fd[1], text, LEN), LEN);
  T_ERR(read(pipe_fd[0], p + t_pages(2), LEN), EFAULT);
  T_OK(mprotect(p, t_page_size(), PROT_READ));
  T_ERR(read(pipe_fd[0], p, LEN), EFAULT);
  T_EQ(write(pipe_fd[1], p, 1), 1);
  T_OK(mprotect(p, t_page_size(), PROT_NONE));
  T_ERR(write(pipe_fd[1], p, 1), EFAULT);
  T_OK(mprotect(p, t_page_size(), RW));
  T_EQ(read(pipe_fd[0], p, LEN), LEN);
}

/* ---- What the shim can't do ------------------------------------------------------------------ */

static void
raw_system_call_sees_a_store(void) {
  char got[LEN];
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  char *p = (char *)T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  T_EQ(syscall(SYS_pread64, fd, got, LEN, 0L), LEN);
  T_MEM_OLD((unsigned char *)got, LEN, 0);
  memcpy(p, text, LEN);
  T_EQ(pread(fd, got, LEN, 0), LEN);
  T_CHECK(memcmp(got, text, LEN) == 0);
  T_EQ(syscall(SYS_pread64, fd, got, LEN, 0L), LEN);
  T_CHECK(memcmp(got, text, LEN) == 0);
}

static void
file_read_into_its_own_place_keeps_stores(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  char *p = (char *)T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);
  memcpy(p, text, LEN);
  T_EQ(pread(fd, p, LEN, 0), LEN);
  T_CHECK(memcmp(p, text, LEN) == 0);
}

static const struct t_case cases[] = {
  T_CASE(calls_may_read_mapped_memory),
  T_CASE(calls_may_fill_mapped_memory),
  T_CASE(calls_may_fill_structures_in_mapped_memory),
  T_CASE(calls_may_fill_memory_that_another_thread_syncs),
  T_CASE(calls_on_protected_memory_and_past_the_end_are_refused),
  T_CASE_DIVERGES(raw_system_call_sees_a_store, "it doesn't pass libc's functions"),
  T_CASE_DIVERGES(file_read_into_its_own_place_keeps_stores, "the file's bytes are read"),
};

T_MAIN(cases)
