/* case_share.c - a section that unrelated processes share: a first store where eight have the file
 * mapped against one, and joining the section of a large sparse file.
 *
 * All processes are made before softmap is used, so that each comes to the file on its own.
 */
#include "bench.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <softmap/softmap.h>

#define SHARERS 8
#define SPARSE_BYTES ((size_t)1 << 30)
#define LIMIT_US 1000.0 /* of joining */

struct worker {
  pid_t pid;
  int ask, answer; /* the parent's ends */
};

/* ---- Workers ------------------------------------------------------------------------------- */

enum { GO_ON = 1, END = 2 }; /* what a worker is asked for */

/* The child serves until it is asked for the end. */
static struct worker
start(void (*serve)(void *arg, int asked, int answer), void *arg) {
  int ask[2], answer[2];
  if (pipe(ask) != 0 || pipe(answer) != 0)
    die("pipe");
  struct worker worker = { .ask = ask[1], .answer = answer[0] };
  worker.pid = fork();
  if (worker.pid < 0)
    die("fork");
  if (worker.pid == 0) {
    close(ask[1]);
    close(answer[0]);
    serve(arg, ask[0], answer[1]);
    exit(0);
  }
  close(ask[0]);
  close(answer[1]);
  return worker;
}

/* Asks, and returns the microseconds that it answers. */
static double
ask(void *arg) {
  const struct worker *worker = arg;
  const char byte = GO_ON;
  double us;
  if (write(worker->ask, &byte, 1) != 1 || read(worker->answer, &us, sizeof us) != sizeof us)
    die("a worker");
  return us;
}

static void
stop(const struct worker *worker) {
  const char byte = END;
  int status;
  if (write(worker->ask, &byte, 1) != 1 || waitpid(worker->pid, &status, 0) != worker->pid ||
      status != 0)
    die("a worker's end");
  close(worker->ask);
  close(worker->answer);
}

static bool
is_asked(int asked) {
  char byte;
  return read(asked, &byte, 1) == 1 && byte == GO_ON;
}

static void
answer_with(int answer, double us) {
  if (write(answer, &us, sizeof us) != sizeof us)
    die("answering");
}

/* ---- First stores -------------------------------------------------------------------------- */

struct file {
  int fd;
  size_t npages;
  uint32_t *pages; /* in the order of the stores */
};

/* Has the file mapped and lets others work. */
static void
have_file(void *arg, int asked, int answer) {
  const struct file *file = arg;
  map_file(file->fd, file->npages);
  while (is_asked(asked))
    answer_with(answer, 0);
}

static void
store_each(void *arg, int asked, int answer) {
  const struct file *file = arg;
  char *at = map_file(file->fd, file->npages);
  size_t count = file->npages / 4;
  while (is_asked(asked)) {
    if (softmap_msync(at, file->npages * page_size(), MS_ASYNC) != 0)
      die("softmap_msync");
    double from = now_us();
    for (size_t i = 0; i < count; i++)
      ++*(volatile char *)(at + file->pages[i] * page_size());
    answer_with(answer, now_us() - from);
  }
}

static struct file
new_file(size_t npages) {
  struct file file = { file_of(options.memory, npages), npages, malloc(npages * sizeof(uint32_t)) };
  if (!file.pages)
    die("malloc");
  for (size_t i = 0; i < npages; i++)
    file.pages[i] = (uint32_t)i;
  shuffle(file.pages, npages);
  return file;
}

static void
compare_stores(void) {
  size_t npages = options.is_quick ? 4096 : 16384;
  struct file shared = new_file(npages);
  struct file alone = new_file(npages);
  struct worker workers[SHARERS + 1];
  for (int i = 0; i < SHARERS - 1; i++)
    workers[i] = start(have_file, &shared);
  workers[SHARERS - 1] = start(store_each, &shared);
  workers[SHARERS] = start(store_each, &alone);
  for (int i = 0; i < SHARERS - 1; i++)
    ask(&workers[i]); /* has it by now */
  struct side sides[] = { { ask, &workers[SHARERS - 1] }, { ask, &workers[SHARERS] } };
  struct samples samples[2];
  measure(sides, 2, samples);
  struct row row = { "sections shared by processes",
                     "first store, 8 processes",
                     "the same with one",
                     "us/fault",
                     (double)npages / 4,
                     1.1 };
  report_row(&row, &samples[0], &samples[1]);
  for (int i = 0; i <= SHARERS; i++)
    stop(&workers[i]);
  free(shared.pages);
  free(alone.pages);
  close(shared.fd);
  close(alone.fd);
}

/* ---- Joining ------------------------------------------------------------------------------- */

static void *
map_sparse(int fd) {
  void *at = softmap_mmap(NULL, SPARSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    die("softmap_mmap");
  return at;
}

/* As in a program that uses softmap already, with its defaults. */
static void
begin(void) {
  if (softmap_configure("fill", "auto") != 0)
    die("softmap_configure");
  map_file(file_of(options.memory, 1), 1);
}

static void
stay(void *arg, int asked, int answer) {
  const int *fd = arg;
  begin();
  char *at = map_sparse(*fd);
  for (size_t i = 0; i < SPARSE_BYTES; i += SPARSE_BYTES / 64)
    at[i] = 1;
  while (is_asked(asked))
    answer_with(answer, 0);
}

static void
join(void *arg, int asked, int answer) {
  const int *fd = arg;
  begin();
  while (is_asked(asked)) {
    double from = now_us();
    void *at = map_sparse(*fd);
    answer_with(answer, now_us() - from);
    if (softmap_munmap(at, SPARSE_BYTES) != 0)
      die("softmap_munmap");
  }
}

static double
limit(void *arg) {
  (void)arg;
  return LIMIT_US;
}

static void
measure_joining(void) {
  int fd = file_of(options.memory, 1);
  if (ftruncate(fd, (off_t)SPARSE_BYTES) != 0)
    die("ftruncate");
  struct worker stays = start(stay, &fd);
  struct worker joins = start(join, &fd);
  ask(&stays);
  struct side sides[] = { { ask, &joins }, { limit, NULL } };
  struct samples samples[2];
  measure(sides, 2, samples);
  struct row row = { "sections shared by processes", "joining 1 GiB, sparse", "1 ms", "us", 1, 1 };
  report_row(&row, &samples[0], &samples[1]);
  stop(&joins);
  stop(&stays);
  close(fd);
}

void
case_share(void) {
  compare_stores();
  measure_joining();
}
