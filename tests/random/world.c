/* world.c - files, slots, comparing the sides, faults of the host. */
#include "world.h"

#include <stdarg.h>

struct shared *shared;
struct view views[SLOTS][SLOT_PAGES];
int fds[SIDES][FILES];

static unsigned char *base[SIDES][SLOTS];

unsigned char *
address(int side, unsigned slot, unsigned page) {
  return base[side][slot] + page * PAGE;
}

void
differ(const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  (void)vsnprintf(shared->text, sizeof shared->text, fmt, args);
  va_end(args);
  shared->failed = true;
  _exit(1);
}

void
same(const char *what, int soft, int kern) {
  if (soft != kern)
    differ("%s: softmap says %d, the kernel %d", what, soft, kern);
}

void
world_begin(void) {
  for (int f = 0; f < FILES; f++) {
    shared->size[f] = (size_t)(FILE_PAGES / 2 + f) * PAGE + (size_t)f * 100;
    for (size_t i = 0; i < shared->size[f]; i++)
      shared->model[f][i] = (unsigned char)(i / PAGE + i % 7 + 1);
    for (int side = 0; side < SIDES; side++) {
      char path[] = "random-XXXXXX";

      fds[side][f] = mkstemp(path);
      if (fds[side][f] < 0 || unlink(path) != 0 ||
          write(fds[side][f], shared->model[f], shared->size[f]) != (ssize_t)shared->size[f])
        differ("can't make a file: errno %d", errno);
    }
  }
  for (int side = 0; side < SIDES; side++)
    for (unsigned s = 0; s < SLOTS; s++) {
      base[side][s] = mmap(NULL, SLOT_PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (base[side][s] == MAP_FAILED)
        differ("can't reserve a slot: errno %d", errno);
    }
}

/* ---- Comparing ------------------------------------------------------------------------------- */

void
same_page(unsigned slot, unsigned page) {
  const struct view *view = &views[slot][page];
  const unsigned char *soft = address(SOFT, slot, page);
  const unsigned char *kern = address(KERN, slot, page);
  size_t offset = view->file_page * PAGE;
  size_t size = shared->size[view->file];
  size_t len = offset >= size ? 0 : size - offset < PAGE ? size - offset : PAGE;
  unsigned char byte;
  struct t_fault of_soft = t_load(soft, &byte);
  struct t_fault of_kern = t_load(kern, &byte);

  if (of_soft.signo == SIGBUS && inject_fired() != 0) { /* the fault came out */
    inject_disarm();
    of_soft = t_load(soft, &byte);
  }
  same("a load: signal", of_soft.signo, of_kern.signo);
  same("a load: si_code", of_soft.code, of_kern.code);
  if (of_soft.signo != 0)
    return;
  for (size_t i = 0; i < len; i++) {
    if (soft[i] != kern[i])
      differ("byte %zu of page %u of file %u is %d, the kernel's %d", i, view->file_page,
             view->file, soft[i], kern[i]);
    if (!view->is_private && soft[i] != shared->model[view->file][offset + i])
      differ("byte %zu of page %u of file %u is %d, the model's %d", i, view->file_page, view->file,
             soft[i], shared->model[view->file][offset + i]);
  }
}

void
same_files(void) {
  static unsigned char soft[FILE_BYTES];

  for (int f = 0; f < FILES; f++) {
    size_t size = shared->size[f];

    if (t_file_size(fds[SOFT][f]) != (off_t)size)
      differ("file %d has %jd bytes, wanted %zu", f, (intmax_t)t_file_size(fds[SOFT][f]), size);
    if (pread(fds[SOFT][f], soft, size, 0) != (ssize_t)size)
      differ("file %d can't be read: errno %d", f, errno);
    for (size_t i = 0; i < size; i++)
      if (soft[i] != shared->model[f][i])
        differ("byte %zu of page %zu of file %d is %d in the file, the model's %d", i % PAGE,
               i / PAGE, f, soft[i], shared->model[f][i]);
  }
}

/* ---- Faults of the host ---------------------------------------------------------------------- */

static bool is_armed;

/* Calls of the host whose failure a retry gets over. */
static const struct {
  enum host_call site;
  int error;
} faults[] = {
  { HOST_CALL_write, ENOSPC },   { HOST_CALL_write, EIO },
  { HOST_CALL_flush, EIO },      { HOST_CALL_read, EIO },
  { HOST_CALL_protect, ENOMEM }, { HOST_CALL_map, ENOMEM },
  { HOST_CALL_stat_fd, EIO },    { HOST_CALL_resize, ENOSPC },
  { HOST_CALL_open, EMFILE },    { HOST_CALL_byte_lock, ENOLCK },
  { HOST_CALL_advise, ENOMEM },  { HOST_CALL_byte_is_locked, ENOLCK },
};

void
arm_fault(const struct step *step) {
  size_t i = step->value % (sizeof faults / sizeof *faults);

  engine_inject(faults[i].site, 1 + step->page % 3, 1, faults[i].error);
  is_armed = true;
}

int
with_fault(int (*call)(void *arg), void *arg) {
  int result = call(arg);
  bool came = is_armed && inject_fired() != 0;

  inject_disarm();
  is_armed = false;
  if (came)
    shared->kept = FILES;
  if (came && result != 0)
    result = call(arg);
  return result;
}

int
with_kept(int (*call)(void *arg), void *arg) {
  int result = with_fault(call, arg);

  for (; result != 0 && shared->kept > 0; shared->kept--)
    result = call(arg);
  return result;
}
