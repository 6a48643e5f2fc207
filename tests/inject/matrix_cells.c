/* matrix_cells.c - the cells of the matrix: one fault each, and what must hold after it.
 *
 * The error comes out, or the call succeeds all the same; a retry after the fault is gone succeeds; what
 * was stored is in memory and, after a sync, in the file, with nothing else; and no memory area, no
 * descriptor of any thread and no memory of ours is left when all is unmapped.
 */
#include "host_errors.h"
#include "matrix.h"

#include <dirent.h>

#include "host/arena.h"

struct matrix matrix;

struct cell {
  const struct scenario *scenario;
  struct host_fault fault;
};

/* What may leak. */
struct held {
  size_t areas, descriptors, memory;
};

/* The cells of a scenario. */
struct cells {
  const struct scenario *scenario;
  struct held held; /* before the next one */
};

static unsigned tried, fired, failed;

/* ---- What is held ---------------------------------------------------------------------------- */

static size_t
lines_of(const char *path) {
  static char text[1 << 16];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  size_t lines = 0;
  ssize_t n;

  while ((n = read(file, text, sizeof text)) > 0)
    for (ssize_t i = 0; i < n; i++)
      lines += text[i] == '\n';
  (void)close(file);
  return lines;
}

static size_t
entries_of(const char *path, bool (*count)(const char *name, size_t *total), size_t *total) {
  DIR *dir = opendir(path);
  const struct dirent *entry;
  size_t n = 0;

  while (dir != NULL && (entry = readdir(dir)) != NULL)
    if (entry->d_name[0] != '.')
      n += count == NULL || count(entry->d_name, total);
  if (dir != NULL)
    (void)closedir(dir);
  return n;
}

/* Each thread's table: the keepers have one of their own. */
static bool
count_of_thread(const char *name, size_t *total) {
  char path[320];

  (void)snprintf(path, sizeof path, "/proc/self/task/%s/fd", name);
  *total += entries_of(path, NULL, NULL);
  return true;
}

static struct held
held_now(void) {
  struct held held = { .memory = arena_in_use() };

  held.areas = lines_of("/proc/self/maps");
  (void)entries_of("/proc/self/task", count_of_thread, &held.descriptors);
  return held;
}

/* ---- One cell -------------------------------------------------------------------------------- */

static void
complain(const struct cell *cell, const char *what, long got, long want) {
  char text[HOST_FAULT_TEXT];

  t_row_fail(T_HERE, cell->scenario->name, "%s: %s %ld, wanted %ld",
             host_fault_text(&cell->fault, text), what, got, want);
  failed++;
}

static void
begin(const struct scenario *scenario) {
  T_EQ(ftruncate(matrix.fd, (off_t)t_pages(MATRIX_PAGES)), 0);
  for (size_t i = 0; i < MATRIX_PAGES; i++) {
    matrix.model[i] = (unsigned char)(i + 1);
    matrix_write_byte(i);
  }
  matrix.p = matrix.other = NULL;
  matrix.npages = MATRIX_PAGES;
  if (scenario->prepare != NULL)
    scenario->prepare();
}

static bool
is_right(const struct scenario *scenario, int result, int error) {
  bool is = result == 0 || result == error || result == ENOMEM;

  for (size_t i = 0; i < sizeof scenario->may / sizeof *scenario->may; i++)
    is |= scenario->may[i] != 0 && result == scenario->may[i];
  return is;
}

static void
check_memory(const struct cell *cell) {
  unsigned char byte;

  for (size_t i = 0; matrix.p != NULL && i < matrix.npages; i++) {
    struct t_fault fault = t_load(matrix.p + t_pages(i), &byte);

    if (fault.signo != 0)
      complain(cell, "a load: signal", fault.signo, 0);
    else if (byte != matrix.model[i])
      complain(cell, "memory holds", byte, matrix.model[i]);
  }
}

static void
check_contents(const struct cell *cell) {
  check_memory(cell);
  /* An error that could not be reported earlier comes first. */
  if (softmap_sync_all() != 0 && softmap_sync_all() != 0)
    complain(cell, "sync_all: errno", errno, 0);
  for (size_t i = 0; i < MATRIX_PAGES; i++) {
    unsigned char byte = matrix_file_byte(i);

    if (byte != matrix.model[i])
      complain(cell, "the file holds", byte, matrix.model[i]);
  }
  if (t_file_size(matrix.fd) != (off_t)t_pages(MATRIX_PAGES))
    complain(cell, "size of the file", (long)t_file_size(matrix.fd), (long)t_pages(MATRIX_PAGES));
}

static void
end(void) {
  if (matrix.p != NULL)
    T_OK(munmap(matrix.p, t_pages(matrix.npages)));
  if (matrix.other != NULL)
    T_OK(munmap(matrix.other, t_pages(MATRIX_PAGES)));
}

/* A call that could not close or unmap has left something by right. */
static void
check_held(const struct cell *cell, struct held *before) {
  struct held now = held_now();

  if (now.areas > before->areas && cell->fault.site != HOST_CALL_unmap)
    complain(cell, "memory areas", (long)now.areas, (long)before->areas);
  if (now.descriptors > before->descriptors && cell->fault.site != HOST_CALL_close)
    complain(cell, "descriptors", (long)now.descriptors, (long)before->descriptors);
  if (now.memory > before->memory)
    complain(cell, "bytes of memory", (long)now.memory, (long)before->memory);
  *before = now;
}

static void
try_cell(const struct cell *cell, struct held *before) {
  struct inject_rule rule = host_fault_rule(&cell->fault);
  int result;

  begin(cell->scenario);
  inject_arm(&rule);
  result = cell->scenario->run();
  tried++;
  fired += inject_fired() != 0;
  inject_disarm();
  if (!is_right(cell->scenario, result, cell->fault.error))
    complain(cell, "errno", result, cell->fault.error);
  if (!cell->scenario->leaves_hole)
    check_memory(cell); /* a call that failed has changed nothing */
  if (result != 0 && (result = cell->scenario->run()) != 0)
    complain(cell, "again: errno", result, 0);
  check_contents(cell);
  end();
  check_held(cell, before);
}

/* ---- All cells of a scenario ----------------------------------------------------------------- */

static void
count_calls(const struct scenario *scenario, uint32_t counts[HOST_CALL_COUNT]) {
  struct cell control = { scenario, HOST_FAULT_NONE };
  struct inject_rule none = host_fault_rule(&control.fault);

  begin(scenario);
  inject_arm(&none);
  if (scenario->run() != 0)
    complain(&control, "without a fault: errno", errno, 0);
  host_count_calls(counts);
  inject_disarm();
  check_contents(&control);
  end();
}

static void
try_fault(const struct host_fault *fault, void *arg) {
  struct cells *cells = arg;
  struct cell cell = { cells->scenario, *fault };

  try_cell(&cell, &cells->held);
}

/* Of one site, or of all (HOST_CALL_COUNT). */
static void
try_calls(const struct scenario *scenario, enum host_call only, uint32_t most, uint32_t in_full) {
  uint32_t counts[HOST_CALL_COUNT];
  struct cells cells = { .scenario = scenario };
  unsigned sites = 0;

  matrix.fd = t_tmpfile(matrix.path, (off_t)t_pages(MATRIX_PAGES));
  tried = fired = failed = 0;
  count_calls(scenario, counts);
  count_calls(scenario, counts); /* what the first one starts or keeps isn't counted */
  for (int site = 0; site < HOST_CALL_COUNT; site++) {
    if (only != HOST_CALL_COUNT && site != (int)only)
      counts[site] = 0;
    sites += counts[site] != 0 && host_errors[site][0] != 0;
  }
  cells.held = held_now();
  host_faults_try(counts, most, in_full, try_fault, &cells);
  t_note("%s: %u sites, %u cells, %u fired, %u failed", scenario->name, sites, tried, fired,
         failed);
  if (fired < scenario->least_cells)
    t_fail(T_HERE, "%s: only %u cells, wanted %u", scenario->name, fired, scenario->least_cells);
  if (matrix.end != NULL)
    matrix.end();
  (void)close(matrix.fd);
}

void
matrix_try(const struct scenario *scenario) {
  try_calls(scenario, HOST_CALL_COUNT, engine_scale(6, 1000, 1000), engine_scale(2, 1000, 1000));
}

void
matrix_try_site(const struct scenario *scenario, enum host_call site) {
  try_calls(scenario, site, 1000, 1000);
}
