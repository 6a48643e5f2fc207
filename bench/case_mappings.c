/* case_mappings.c - a first store with 10,000 mappings against one with one.
 *
 * Groups of three pages, the middle one of each is stored to, in random order: as one mapping, or
 * as a mapping a group.  The host splits areas in the same way in both.  Each side lives in a
 * process of its own.  The bare loop, in the same two ways, shows the host's part in it.
 */
#include "bench.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <softmap/softmap.h>

#define GROUP_PAGES 3

struct worker {
  size_t ngroups;
  bool is_split; /* a mapping a group */
  bool is_bare;
  char **middle; /* of each group, in the order of the stores */
  char *at;      /* the only mapping */
  int fd;
  pid_t pid;
  int ask, answer; /* the parent's ends */
};

/* ---- In the worker ------------------------------------------------------------------------- */

static char *
map_groups(const struct worker *worker, size_t first, size_t count) {
  size_t bytes = GROUP_PAGES * page_size();
  int prot = PROT_READ | PROT_WRITE;
  off_t offset = (off_t)(first * bytes);
  char *at = worker->is_bare
                 ? mmap(NULL, count * bytes, prot, MAP_SHARED, worker->fd, offset)
                 : softmap_mmap(NULL, count * bytes, prot, MAP_SHARED, worker->fd, offset);
  if (at == MAP_FAILED)
    die("mapping a group");
  touch(at, count * GROUP_PAGES);
  return at;
}

/* The host places mappings downwards; offsets that ascend keep it from joining them. */
static void
set_up(struct worker *worker) {
  uint32_t *order = malloc(worker->ngroups * sizeof *order);
  worker->middle = malloc(worker->ngroups * sizeof *worker->middle);
  if (!order || !worker->middle)
    die("malloc");
  for (size_t i = 0; i < worker->ngroups; i++)
    order[i] = (uint32_t)i;
  shuffle(order, worker->ngroups);
  if (!worker->is_split)
    worker->at = map_groups(worker, 0, worker->ngroups);
  for (size_t i = 0; i < worker->ngroups; i++) {
    size_t skip = i * GROUP_PAGES * page_size();
    char *group = worker->is_split ? map_groups(worker, i, 1) : worker->at + skip;
    worker->middle[order[i]] = group + page_size();
  }
  free(order);
}

/* What was open is closed, one call a group: the host's memory is the same in all workers. */
static void
close_pages(const struct worker *worker) {
  if (worker->is_bare) {
    size_t bytes = GROUP_PAGES * page_size();
    if (!worker->is_split)
      protect(worker->at, worker->ngroups * GROUP_PAGES, PROT_READ);
    for (size_t i = 0; worker->is_split && i < worker->ngroups; i++)
      if (mprotect(worker->middle[i] - page_size(), bytes, PROT_READ) != 0)
        die("mprotect");
  } else if (softmap_sync_all() != 0) {
    die("softmap_sync_all");
  }
}

static double
store(const struct worker *worker) {
  close_pages(worker);
  if (worker->is_bare)
    bare_begin();
  double start = now_us();
  for (size_t i = 0; i < worker->ngroups; i++)
    ++*(volatile char *)worker->middle[i];
  double us = now_us() - start;
  if (worker->is_bare)
    bare_end();
  return us;
}

static _Noreturn void
work(struct worker *worker, int asked, int answer) {
  char go;
  set_up(worker);
  while (read(asked, &go, 1) == 1) {
    double us = store(worker);
    if (write(answer, &us, sizeof us) != sizeof us)
      break;
  }
  exit(0);
}

/* ---- In the parent ------------------------------------------------------------------------- */

static void
start(struct worker *worker) {
  int ask[2], answer[2];
  worker->fd = file_of(options.memory, worker->ngroups * GROUP_PAGES);
  if (pipe(ask) != 0 || pipe(answer) != 0)
    die("pipe");
  worker->pid = fork();
  if (worker->pid < 0)
    die("fork");
  if (worker->pid == 0) {
    close(ask[1]);
    close(answer[0]);
    work(worker, ask[0], answer[1]);
  }
  close(ask[0]);
  close(answer[1]);
  close(worker->fd);
  worker->ask = ask[1];
  worker->answer = answer[0];
}

static double
run(void *arg) {
  const struct worker *worker = arg;
  double us;
  if (write(worker->ask, "", 1) != 1 || read(worker->answer, &us, sizeof us) != sizeof us)
    die("a worker ended");
  return us;
}

/* Workers that were started later have copies of our end of the pipe: the last one ends first. */
static void
stop(const struct worker *worker) {
  int status;
  close(worker->ask);
  close(worker->answer);
  if (waitpid(worker->pid, &status, 0) != worker->pid || status != 0)
    die("a worker failed");
}

void
case_mappings(void) {
  size_t n = options.is_quick ? 1000 : 10000;
  struct worker workers[] = {
    { .ngroups = n, .is_split = true },
    { .ngroups = n },
    { .ngroups = n, .is_split = true, .is_bare = true },
    { .ngroups = n, .is_bare = true },
  };
  struct side sides[4];
  struct samples samples[4];
  for (int i = 0; i < 4; i++) {
    start(&workers[i]);
    sides[i] = (struct side){ run, &workers[i] };
  }
  measure(sides, 4, samples);
  for (int i = 3; i >= 0; i--)
    stop(&workers[i]);
  const char *many = options.is_quick ? "1,000 mappings" : "10,000 mappings";
  struct row row = { "number of mappings", many, "one mapping", "us/fault", (double)n, 1.1 };
  report_row(&row, &samples[0], &samples[1]);
  row = (struct row){ row.group, "the bare loop's own", "one mapping", "us/fault", (double)n, 0 };
  report_row(&row, &samples[2], &samples[3]);
}
