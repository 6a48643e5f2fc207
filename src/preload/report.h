/* report.h - what all processes of one `softmap run` did together: memory that the launcher makes
 * and they share.  Included by src/tool, too. */
#ifndef PRELOAD_REPORT_H
#define PRELOAD_REPORT_H

#include <stdatomic.h>
#include <stdint.h>

/* Where it is: "/proc/PID/fd/NUMBER" of the launcher. */
#define REPORT_VARIABLE "SOFTMAP_REPORT_AT"
#define REPORT_MAGIC 0x736f66746d617031u

enum { REPORT_REFUSALS = 64, REPORT_PATH = 200, REPORT_COUNTERS = 32 };

/* What the host or softmap refused to map, once each. */
struct report_refusal {
  _Atomic uint32_t state; /* 0: free; 1: being filled in; 2: to be read */
  uint32_t error;
  uint32_t by_softmap; /* 0: the host did, and softmap mapped it; 1: softmap did */
  _Atomic uint32_t count;
  char path[REPORT_PATH];
};

struct report {
  uint64_t magic;
  _Atomic uint64_t counters[REPORT_COUNTERS]; /* struct softmap_stats without what isn't monotonic */
  _Atomic uint64_t processes; /* that mapped something with softmap */
  _Atomic uint64_t pinned;    /* system calls that met memory of ours */
  _Atomic uint64_t coherent;  /* reads and writes that met a section */
  struct report_refusal refusals[REPORT_REFUSALS];
};

void report_begin(void);
/* mmap of fd was refused. */
void report_refusal(int fd, int error, int by_softmap);
void report_pinned(void);
void report_coherent(void);

#endif
