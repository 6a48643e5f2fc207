/* report.c - counting for `softmap run --report`. */
#include "preload/real.h"

#include "preload/report.h"

#include <string.h>

#include "api/shim.h"

static struct report *report;

void
report_begin(void) {
  const char *path = getenv(REPORT_VARIABLE); /* NOLINT(concurrency-mt-unsafe): one thread yet */
  if (!path)
    return;
  int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return; /* the launcher is gone: nobody will read it */
  void *at = shim_host_mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  (void)close(fd);
  if (at == MAP_FAILED)
    return;
  struct report *found = at;
  if (found->magic != REPORT_MAGIC)
    return;
  report = found;
  shim_count_in(report->counters);
}

static bool
is_it(const struct report_refusal *refusal, const char *path, int error, int by_softmap) {
  return (int)refusal->error == error && (int)refusal->by_softmap == by_softmap &&
         strncmp(refusal->path, path, sizeof refusal->path - 1) == 0;
}

void
report_refusal(int fd, int error, int by_softmap) {
  char link[32], path[REPORT_PATH] = "";
  if (!report)
    return;
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (REAL(readlink)(link, path, sizeof path - 1) < 0)
    path[0] = '\0';
  for (int i = 0; i < REPORT_REFUSALS; i++) {
    struct report_refusal *refusal = &report->refusals[i];
    uint32_t none = 0;
    if (atomic_load(&refusal->state) == 2 && is_it(refusal, path, error, by_softmap)) {
      atomic_fetch_add(&refusal->count, 1);
      return;
    }
    if (!atomic_compare_exchange_strong(&refusal->state, &none, 1))
      continue;
    refusal->error = (uint32_t)error;
    refusal->by_softmap = (uint32_t)by_softmap;
    atomic_store(&refusal->count, 1);
    memcpy(refusal->path, path, sizeof path);
    atomic_store(&refusal->state, 2);
    return;
  }
}

void
report_pinned(void) {
  if (report)
    atomic_fetch_add_explicit(&report->pinned, 1, memory_order_relaxed);
}

void
report_coherent(void) {
  if (report)
    atomic_fetch_add_explicit(&report->coherent, 1, memory_order_relaxed);
}
