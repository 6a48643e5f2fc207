/* serve.c - deciding what a fault is, and doing it.
 *
 * SIGSEGV: a page not filled, not shown, closed, or past the end; or the program's own mistake.
 * SIGBUS: past the end, where the file may have grown since; or no room for the data.
 * The kernel's word whether it was a load or a store isn't needed: a page that is shown and
 * closed can be loaded, so a fault on it is a store.
 */
#include "fault/serve.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "backing/fill.h"
#include "space/space.h"
#include "trace/counters.h"
#include "trace/ring.h"
#include "track/readers.h"
#include "track/track.h"

#include "fault/rules.h" /* last: poisons names that other headers use */

/* Pages that a fill on touch takes along, at most; and at least, when memory areas run short. */
#define FILL_RUN_MAX 256
#define FILL_RUN_START 4
#define FILL_RUN_PRESSED 16

struct fault {
  const struct mapping *mapping;
  uint64_t page;
  uintptr_t addr;
  uintptr_t instruction; /* 0: unknown on this machine */
};

static uintptr_t
instruction_of(const void *context) {
#if defined(__x86_64__)
  return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__i386__)
  return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_EIP];
#elif defined(__aarch64__)
  return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
  (void)context;
  return 0;
#endif
}

/* ---- Filling ------------------------------------------------------------------------------- */

/* How many pages to fill from this one on: more and more while touches follow each other. */
static uint64_t
fill_run(const struct fault *fault) {
  struct section *section = fault->mapping->section;
  uint64_t run = 1;
  if (fault->page == atomic_load(&section->fill_next)) {
    run = (uint64_t)atomic_load(&section->fill_run) * 2;
    run = run < FILL_RUN_START ? FILL_RUN_START : run;
  }
  if (areas_above(2) && run < FILL_RUN_PRESSED)
    run = FILL_RUN_PRESSED;
  return run < FILL_RUN_MAX ? run : FILL_RUN_MAX;
}

static enum served
serve_unfilled(const struct fault *fault) {
  const struct mapping *mapping = fault->mapping;
  struct section *section = mapping->section;
  uint64_t end = mapping->first + mapping_npages(mapping, host_config.page_shift);
  uint64_t exist = section_npages(section);
  uint64_t run = fill_run(fault);
  uint64_t first = areas_above(2) ? fault->page / FILL_RUN_PRESSED * FILL_RUN_PRESSED : fault->page;
  if (first < mapping->first)
    first = mapping->first;
  end = end < exist ? end : exist;
  uint64_t n = end - first < run ? end - first : run;
  counter_add(COUNT_FAULTS_FILL, 1);
  if (fill_from_anywhere(section, first, n))
    return SERVED_BUS;
  atomic_store(&section->fill_next, first + n);
  atomic_store(&section->fill_run, (uint32_t)n);
  return track_show(mapping, first, n) == ENOMEM ? SERVED_BUS : SERVED;
}

/* ---- Opening and showing ------------------------------------------------------------------- */

static enum served
serve_past_end(const struct fault *fault, uint8_t view) {
  bool exists;
  int follow_error = section_follow_to(fault->mapping->section, fault->page, &exists);
  if (exists)
    return SERVED; /* by now */
  if (follow_error)
    return SERVED_BUS; /* the data may be longer already, but what is stored there isn't looked after yet */
  if (fault->mapping->is_shared && (view & VIEW_SHOWN) && !(view & VIEW_ASKED & PROT_WRITE))
    return SERVED_FOREIGN; /* a store that wasn't asked for */
  if (!fault->mapping->is_shared || !(view & VIEW_SHOWN)) {
    if (view & VIEW_SHOWN)
      return SERVED_FOREIGN;
    section_bits_take(fault->mapping->section, fault->page, 1);
    int error = view_change(fault->mapping, fault->page, 1, NULL, 0, VIEW_SHOWN);
    section_bits_drop(fault->mapping->section, fault->page, 1);
    return error ? SERVED_BUS : SERVED;
  }
  int error = track_open_past_end(fault->mapping, fault->page);
  return error && error != EAGAIN ? SERVED_BUS : SERVED; /* the host raises its own SIGBUS */
}

/* Another thread opened it already; or the program executes what it may not. */
static enum served
serve_open(const struct fault *fault) {
  uintptr_t mask = ~(uintptr_t)(host_config.page_size - 1);
  if ((fault->instruction & mask) == (fault->addr & mask))
    return SERVED_FOREIGN;
  counter_add(COUNT_FAULTS_SPURIOUS, 1);
  return track_open(fault->mapping, fault->page) == ENOMEM ? SERVED_BUS : SERVED;
}

static enum served
serve_filled(const struct fault *fault, uint8_t view) {
  const struct mapping *mapping = fault->mapping;
  if (!(view & VIEW_SHOWN)) /* filled by others, or hidden */
    return track_show(mapping, fault->page, 1) ? SERVED_BUS : SERVED;
  if (!mapping->is_shared || !(view & VIEW_ASKED & PROT_WRITE))
    return SERVED_FOREIGN;
  if (view & (VIEW_OPEN | VIEW_WATCHED))
    return serve_open(fault);
  int error = track_open(mapping, fault->page);
  if (error == ENOMEM) {
    areas_relieve(mapping);
    error = track_open(mapping, fault->page);
  }
  counter_add(COUNT_FAULTS_WRITE, 1);
  trace_note(TRACE_STORE, mapping->section->trace, fault->page, 1);
  return error && error != EAGAIN ? SERVED_BUS : SERVED;
}

/* ---- Which case ---------------------------------------------------------------------------- */

/* Too many memory areas: make ours merge, first here, then everywhere. */
static void
relieve(const struct mapping *mapping) {
  areas_relieve(mapping);
  uintptr_t addr = 0;
  while (areas_above(3) && (mapping = space_at_or_after(addr))) {
    areas_relieve(mapping);
    addr = mapping->end;
  }
}

static enum served
serve_segv(const struct fault *fault) {
  struct section *section = fault->mapping->section;
  uint8_t view = mapping_view(fault->mapping, fault->page);
  if (!(view & VIEW_ASKED))
    return SERVED_FOREIGN; /* PROT_NONE holds */
  if (!atomic_load(&section->has_lane) || !host_lineage_same())
    return SERVED_BUS; /* a forked child that could not join */
  if (areas_above(4))
    relieve(fault->mapping);
  if (fault->page >= section_npages(section))
    return serve_past_end(fault, view);
  if (!page_is_filled(atomic_load(section_state(section, fault->page))))
    return serve_unfilled(fault);
  return serve_filled(fault, view);
}

/* The host found nothing behind the page: does the file have it by now? */
static enum served
serve_bus(const struct fault *fault) {
  struct section *section = fault->mapping->section;
  counter_add(COUNT_FAULTS_PAST_END, 1);
  if (!atomic_load(&section->has_lane) || !host_lineage_same())
    return SERVED_FOREIGN;
  bool exists = fault->page < section_npages(section);
  if (exists)
    return SERVED_FOREIGN;
  int error = section_follow_to(section, fault->page, &exists);
  return exists && !error ? SERVED : SERVED_FOREIGN;
}

static enum served
serve_at(int sig, uintptr_t addr, uintptr_t instruction) {
  uint32_t side = readers_enter();
  const struct mapping *mapping = space_find(addr);
  enum served served = SERVED_FOREIGN;
  if (mapping) {
    struct fault fault = { mapping, 0, addr, instruction };
    fault.page = mapping->first + ((addr - mapping->start) >> host_config.page_shift);
    served = sig == SIGBUS ? serve_bus(&fault) : serve_segv(&fault);
  }
  readers_leave(side);
  if (!mapping && space_changed())
    served = SERVED; /* look again when the map has settled */
  return served;
}

enum served
serve(int sig, const siginfo_t *info, const void *context) {
  enum served served =
    serve_at(sig, (uintptr_t)info->si_addr, instruction_of(context));
  if (served == SERVED_FOREIGN)
    counter_add(COUNT_FAULTS_FOREIGN, 1);
  return served;
}
