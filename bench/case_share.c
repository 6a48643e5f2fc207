/* case_share.c - a section that unrelated processes share: a first store where eight have the file
 * mapped against one, and joining the section of a large sparse file. */
#include "bench.h"

#include <sys/mman.h>
#include <unistd.h>

#include <softmap/softmap.h>

#include "pattern.h"

#define SHARERS 8
#define SPARSE_BYTES ((size_t)1 << 30)
#define LIMIT_US 1000.0 /* of joining */

/* ---- First stores -------------------------------------------------------------------------- */

struct file {
  int fd;
  size_t npages;
  struct pattern pattern;
};

/* Has the file mapped and lets others work. */
static void
have_file(void *arg, int asked, int answer) {
  const struct file *file = arg;
  map_file(file->fd, file->npages);
  while (worker_is_asked(asked))
    worker_answer(answer, 0);
}

static void
store_each(void *arg, int asked, int answer) {
  const struct file *file = arg;
  char *at = map_file(file->fd, file->npages);
  while (worker_is_asked(asked)) {
    if (softmap_msync(at, file->npages * page_size(), MS_ASYNC) != 0)
      die("softmap_msync");
    double from = now_us();
    pattern_store(&file->pattern, at);
    worker_answer(answer, now_us() - from);
  }
}

static void
compare_stores(void) {
  size_t npages = options.is_quick ? 4096 : 16384;
  struct pattern pattern = pattern_random(npages, npages / 4);
  struct file shared = { file_of(options.memory, npages), npages, pattern };
  struct file alone = { file_of(options.memory, npages), npages, pattern };
  struct worker workers[SHARERS + 1];
  for (int i = 0; i < SHARERS - 1; i++)
    workers[i] = worker_start(have_file, &shared);
  workers[SHARERS - 1] = worker_start(store_each, &shared);
  workers[SHARERS] = worker_start(store_each, &alone);
  for (int i = 0; i < SHARERS - 1; i++)
    worker_ask(&workers[i]); /* has it by now */
  struct side sides[] = { { worker_ask, &workers[SHARERS - 1] },
                          { worker_ask, &workers[SHARERS] } };
  struct samples samples[2];
  measure(sides, 2, samples);
  struct row row = { .group = "first stores among several processes, tracker fault",
                     .what = "8 processes",
                     .floor = "one process",
                     .unit = "us/store",
                     .per = (double)pattern.count,
                     .goal = 1.1 };
  report_row(&row, &samples[0], &samples[1]);
  for (int i = 0; i <= SHARERS; i++)
    worker_stop(&workers[i]);
  pattern_free(&pattern);
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
  while (worker_is_asked(asked))
    worker_answer(answer, 0);
}

static void
join(void *arg, int asked, int answer) {
  const int *fd = arg;
  begin();
  while (worker_is_asked(asked)) {
    double from = now_us();
    void *at = map_sparse(*fd);
    worker_answer(answer, now_us() - from);
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
  int fd = sparse_file(SPARSE_BYTES);
  struct worker stays = worker_start(stay, &fd);
  struct worker joins = worker_start(join, &fd);
  worker_ask(&stays);
  struct side sides[] = { { worker_ask, &joins }, { limit, NULL } };
  struct samples samples[2];
  measure(sides, 2, samples);
  struct row row = { .group = "joining a section that another process has",
                     .what = "1 GiB, sparse",
                     .floor = "1 ms",
                     .unit = "us/call",
                     .per = 1,
                     .goal = 1 };
  report_row(&row, &samples[0], &samples[1]);
  worker_stop(&joins);
  worker_stop(&stays);
  close(fd);
}

void
case_share(void) {
  compare_stores();
  measure_joining();
}
