/* mapper.c - an ordinary program for the scripts of this folder: maps a file shared and does what its
 * words say, one after the other.
 *
 *   mapper FILE WORD...
 *     store OFFSET TEXT    into the mapping
 *     load OFFSET LEN      from it, to standard output
 *     pread OFFSET LEN     from the file, to standard output
 *     pwrite OFFSET TEXT   into the file
 *     sync                 msync
 *     fsync, fdatasync     of the file
 *     ready                says "ready", and waits for a byte on standard input
 *     fork                 a child does the rest; this process waits, and exits as it did
 *     vfork WORD...        the rest is done by mapper, started by vfork and execve without environment
 *     spawn WORD...        the same by posix_spawnp with an environment of its own
 *     shell COMMAND        system()
 *     exec WORD...         goes on as mapper with these words
 *     noexec               tries to go on as a program that isn't there
 *     end HOW              _exit, quick_exit, abort, kill
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *map;
static int fd;
static char **words; /* those not done yet */
static char *program;

_Noreturn static void
die(const char *what) {
  perror(what);
  exit(99);
}

static char *
word(void) {
  if (!*words)
    die("a word is missing");
  return *words++;
}

static void
show(const char *from, size_t len) {
  (void)fwrite(from, 1, len, stdout);
  (void)fputc('\n', stdout);
  (void)fflush(stdout);
}

static int
wait_for(pid_t pid) {
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) != pid)
    die("child");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The rest in another program: argv for mapper on the same file. */
static char **
rest_of(char *path) {
  size_t n = 0;
  while (words[n])
    n++;
  char **argv = calloc(n + 3, sizeof *argv);
  if (!argv)
    die("calloc");
  argv[0] = program;
  argv[1] = path;
  memcpy(argv + 2, words, n * sizeof *argv);
  return argv;
}

static int
rest_by_vfork(char *path) {
  char *const no_environment[] = { NULL };
  char **argv = rest_of(path);
  pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): it is what is tested */
  if (pid == 0) {
    (void)execve(program, argv, no_environment);
    _exit(98);
  }
  return wait_for(pid);
}

static int
rest_by_spawn(char *path) {
  char *const other[] = { (char *)(uintptr_t) "OTHER=1", NULL };
  pid_t pid;
  if (posix_spawnp(&pid, program, NULL, NULL, rest_of(path), other))
    die("posix_spawnp");
  return wait_for(pid);
}

_Noreturn static void
end(const char *how) {
  if (strcmp(how, "_exit") == 0)
    _exit(0);
  if (strcmp(how, "quick_exit") == 0)
    quick_exit(0);
  if (strcmp(how, "abort") == 0)
    abort();
  (void)raise(SIGKILL);
  die(how);
}

static void
do_word(const char *what, char *path) {
  if (strcmp(what, "store") == 0) {
    char *to = map + atol(word());
    const char *from = word();
    memcpy(to, from, strlen(from));
  } else if (strcmp(what, "load") == 0) {
    const char *from = map + atol(word());
    show(from, (size_t)atol(word()));
  } else if (strcmp(what, "pread") == 0) {
    char bytes[100];
    off_t at = atol(word());
    ssize_t n = pread(fd, bytes, (size_t)atol(word()), at);
    show(bytes, n < 0 ? 0 : (size_t)n);
  } else if (strcmp(what, "pwrite") == 0) {
    off_t at = atol(word());
    const char *from = word();
    if (pwrite(fd, from, strlen(from), at) < 0)
      die("pwrite");
  } else if (strcmp(what, "sync") == 0) {
    if (msync(map, 4096, MS_SYNC))
      die("msync");
  } else if (strcmp(what, "fsync") == 0) {
    if (fsync(fd))
      die("fsync");
  } else if (strcmp(what, "fdatasync") == 0) {
    if (fdatasync(fd))
      die("fdatasync");
  } else if (strcmp(what, "ready") == 0) {
    show("ready", 5);
    (void)getchar();
  } else if (strcmp(what, "fork") == 0) {
    pid_t pid = fork();
    if (pid)
      exit(wait_for(pid));
  } else if (strcmp(what, "vfork") == 0) {
    exit(rest_by_vfork(path));
  } else if (strcmp(what, "spawn") == 0) {
    exit(rest_by_spawn(path));
  } else if (strcmp(what, "shell") == 0) {
    exit(WEXITSTATUS(system(word())));
  } else if (strcmp(what, "exec") == 0) {
    (void)execv(program, rest_of(path));
    die("execv");
  } else if (strcmp(what, "noexec") == 0) {
    (void)execl("/nonexistent/program", "program", (char *)NULL);
  } else if (strcmp(what, "end") == 0) {
    end(word());
  } else {
    die(what);
  }
}

int
main(int argc, char **argv) {
  struct stat stat_;
  if (argc < 2)
    return 99;
  program = argv[0];
  fd = open(argv[1], O_RDWR);
  if (fd < 0 || fstat(fd, &stat_) != 0)
    die(argv[1]);
  map = mmap(NULL, (size_t)stat_.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    die("mmap");
  words = argv + 2;
  while (*words)
    do_word(word(), argv[1]);
  return 0;
}
