/* bench.h - what the cases of the benchmark share.
 *
 * A case compares sides: softmap's way, the floor (the least that anybody could do by hand for
 * the same pages and the same data, written here), sometimes a third.  Sides take turns within a
 * round, in an order that changes from round to round, so that a noisy neighbour hits all of them.
 * The first round warms up and isn't counted.
 */
#ifndef SOFTMAP_BENCH_H
#define SOFTMAP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
  const char *dir;    /* where files on a disk go */
  const char *memory; /* where files in memory go */
  const char *json;   /* NULL: none */
  const char *only;   /* run the case of this name; NULL: all */
  int rounds;
  bool is_quick;
};
extern struct options options;

/* ---- Measuring (measure.c) ----------------------------------------------------------------- */

#define ROUNDS_MAX 99
#define SIDES_MAX 10

double now_us(void);

/* One side of a comparison: prepares what it needs, and returns microseconds of what is compared. */
struct side {
  double (*run)(void *arg);
  void *arg;
};

struct samples {
  int count;
  double at[ROUNDS_MAX];
};

/* Run all sides in options.rounds rounds after a round of warming up. */
void measure(const struct side *sides, int nsides, struct samples *out);
double median(const struct samples *samples);
/* Quartile (1, 2 or 3) of the samples; 1 or 3 of the ratios of the rounds. */
double quartile(const struct samples *samples, int quarters);
double ratio_quartile(const struct samples *ours, const struct samples *floor, int quarters);

/* Reproducible: the same in every run. */
void shuffle(uint32_t *items, size_t n);

/* ---- Reporting (report.c) ------------------------------------------------------------------ */

struct row {
  const char *group; /* heading of the table; the same text for neighbours */
  const char *what;
  const char *floor; /* what it is compared with */
  const char *unit;  /* of one time, such as "us/page" */
  double per;        /* how many units a sample is */
  double goal;       /* of the ratio; 0: none */
  /* A point of the curve `what`, and of that of the floor: */
  const char *along; /* title of the axis; NULL: no curve */
  double x;
  const char *x_text; /* x as it is written on the axis */
};

void report_row(const struct row *row, const struct samples *ours, const struct samples *floor);
void report_end(void);

/* Facts of the machine as lines "name: value", and as members of a JSON object. */
void machine_start(void);
size_t machine_facts(const char *(**names)[2]);

/* ---- Files, memory, failing (support.c) ---------------------------------------------------- */

/* The benchmark can't go on: says why and exits with 1. */
_Noreturn void die(const char *what);
size_t page_size(void);
/* An unlinked file of npages pages of data, on storage. */
int file_of(const char *dir, size_t npages);
/* Softmap's mapping of such a file, shared and writable, filled whole and touched. */
char *map_file(int fd, size_t npages);
/* What softmap's mappings are made of: memory of a file in memory, all pages present. */
char *shared_memory(size_t npages);
/* Load a byte of every page. */
void touch(const char *at, size_t npages);
/* A file of so many bytes in memory, nothing but a hole. */
int sparse_file(size_t bytes);
/* Pages that softmap has written in this process, and faults that told it of stores. */
uint64_t pages_written(void);
uint64_t write_faults(void);

/* The bare way to notice stores (floor_fault.c): SIGSEGV opens one page with mprotect.  Between
 * bare_begin and as many bare_end the handler is this one. */
void bare_begin(void);
void bare_end(void);
void protect(char *at, size_t npages, int prot);

/* The kernel's own write watch (floor_watch.c): from now on; which pages, how many, and anew.  False:
 * it can't be had. */
bool raw_watch_begin(char *at, size_t npages);
size_t raw_watch_collect(const char *at, size_t npages);

/* ---- Processes of their own (worker.c) ------------------------------------------------------ */

struct worker {
  pid_t pid;
  int ask, answer; /* the parent's ends */
};

/* A child that serves until it is asked for the end, and then returns. */
struct worker worker_start(void (*serve)(void *arg, int asked, int answer), void *arg);
/* Asks, and returns the microseconds that it answers.  arg: a struct worker. */
double worker_ask(void *arg);
void worker_stop(const struct worker *worker);
/* In the child: false when it shall end. */
bool worker_is_asked(int asked);
void worker_answer(int answer, double us);

/* ---- Cases --------------------------------------------------------------------------------- */

void case_ahead(void);
void case_atomic(void);
void case_fault(void);
void case_fill(void);
void case_mappings(void);
void case_share(void);
void case_size(void);
void case_sync(void);
void case_sync_clean(void);
void case_sync_watched(void); /* a part of case_watch */
void case_threads(void);
void case_trackers(void);
void case_watch(void);

#endif
