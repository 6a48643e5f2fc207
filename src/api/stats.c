/* stats.c - softmap_stats. */
#include <stdatomic.h>

#include "api/call.h"
#include "section/section.h"
#include "trace/counters.h"

int
softmap_stats(struct softmap_stats *stats) {
  if (stats->size != sizeof *stats)
    return fail(EINVAL);
  struct softmap_stats now = {
    .size = sizeof *stats,
    .mappings_made = counter_get(COUNT_MAPPINGS_MADE),
    .mappings_passed = counter_get(COUNT_MAPPINGS_PASSED),
    .faults_write = counter_get(COUNT_FAULTS_WRITE),
    .faults_fill = counter_get(COUNT_FAULTS_FILL),
    .faults_spurious = counter_get(COUNT_FAULTS_SPURIOUS),
    .faults_past_end = counter_get(COUNT_FAULTS_PAST_END),
    .faults_foreign = counter_get(COUNT_FAULTS_FOREIGN),
    .pages_filled = counter_get(COUNT_PAGES_FILLED),
    .pages_written = counter_get(COUNT_PAGES_WRITTEN),
    .bytes_written = counter_get(COUNT_BYTES_WRITTEN),
    .writes = counter_get(COUNT_WRITES),
    .flushes = counter_get(COUNT_FLUSHES),
    .write_errors = counter_get(COUNT_WRITE_ERRORS),
    .files_grown = counter_get(COUNT_FILES_GROWN),
    .files_shrunk = counter_get(COUNT_FILES_SHRUNK),
    .changed_outside = counter_get(COUNT_CHANGED_OUTSIDE),
    .closed_early = counter_get(COUNT_CLOSED_EARLY),
  };
  if (process_is_started() && !call_is_orphan()) {
    struct space_call call;
    space_lock(&call);
    now.mappings_now = space_count();
    now.sections_now = section_count();
    space_unlock(&call);
  }
  *stats = now;
  return 0;
}
