/* view.c - view bytes and the host's protections, changed together. */
#include "core/rules.h"
#include "track/track.h"

static int
actual(const struct mapping *mapping, uint8_t view) {
  return rules_actual(view & VIEW_ASKED, mapping->is_shared, view & VIEW_SHOWN,
                      view & (VIEW_OPEN | VIEW_WATCHED));
}

/* A run of pages that are to get one protection. */
struct run {
  uint64_t first, end; /* trimmed to pages that change; empty if first == end */
  int prot;
};

static int
protect_run(const struct mapping *mapping, const struct run *run) {
  if (run->first == run->end)
    return 0;
  void *addr = (void *)mapping_address(mapping, run->first, host_config.page_shift);
  return host_protect(addr, (size_t)(run->end - run->first) << host_config.page_shift, run->prot);
}

struct change {
  const struct mapping *mapping;
  uint64_t first;
  const struct track_set *set;
  uint8_t clear, add;
};

static uint8_t
changed(const struct change *change, uint64_t page, uint8_t view) {
  if (change->set && !track_set_has(change->set, page - change->first))
    return view;
  return (uint8_t)((view & (uint8_t)~change->clear) | change->add);
}

/* Bring [from, to) to its new protection and, when the host did it, to its new views. */
static int
finish_run(const struct change *change, const struct run *run, uint64_t from, uint64_t to) {
  int error = protect_run(change->mapping, run);
  if (error)
    return error;
  for (uint64_t page = from; page < to; page++)
    if (!change->set || track_set_has(change->set, page - change->first))
      mapping_view_change(change->mapping, page, change->clear, change->add);
  return 0;
}

/* How many boundaries between areas there are from the page before `first` to the one behind. */
static int64_t
boundaries(const struct mapping *mapping, uint64_t first, uint64_t n) {
  uint64_t start = mapping->first;
  uint64_t end = start + mapping_npages(mapping, host_config.page_shift);
  uint64_t from = first > start ? first - 1 : first;
  uint64_t to = first + n < end ? first + n : end - 1;
  int64_t count = 0;
  int last = actual(mapping, mapping_view(mapping, from));
  for (uint64_t page = from + 1; page <= to; page++) {
    int now = actual(mapping, mapping_view(mapping, page));
    count += now != last;
    last = now;
  }
  return count;
}

int
view_change(const struct mapping *mapping, uint64_t first, uint64_t n, const struct track_set *set,
            uint8_t clear, uint8_t add) {
  struct change change = { mapping, first, set, clear, add };
  int64_t before = boundaries(mapping, first, n);
  struct run run = { first, first, -1 };
  uint64_t from = first;
  int error = 0;
  for (uint64_t page = first; page < first + n; page++) {
    uint8_t view = mapping_view(mapping, page);
    int prot = actual(mapping, changed(&change, page, view));
    if (prot != run.prot) {
      int run_error = finish_run(&change, &run, from, page);
      error = error ? error : run_error;
      run = (struct run){ page, page, prot };
      from = page;
    }
    if (prot != actual(mapping, view)) {
      if (run.first == run.end)
        run.first = page;
      run.end = page + 1;
    }
  }
  int run_error = finish_run(&change, &run, from, first + n);
  areas_add(mapping, boundaries(mapping, first, n) - before);
  return error ? error : run_error;
}
