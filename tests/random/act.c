/* act.c - the steps that change mappings, on both sides. */
#include "act.h"

struct act
act_of(const struct step *step) {
  static const int prots[] = { RW, RW, RW, PROT_READ, PROT_NONE, RW };
  struct act act = { .step = step, .slot = step->slot % SLOTS, .page = step->page % SLOT_PAGES };

  act.n = 1 + step->pages % (SLOT_PAGES - act.page);
  act.prot = prots[step->value % 6];
  for (int side = 0; side < SIDES; side++)
    act.at[side] = address(side, act.slot, act.page);
  return act;
}

bool
act_all(const struct act *act, bool (*is)(const struct view *view)) {
  for (unsigned i = 0; i < act->n; i++)
    if (!is(&views[act->slot][act->page + i]))
      return false;
  return true;
}

bool
is_ours(const struct view *view) {
  return !view->is_lost;
}

bool
is_mapped(const struct view *view) {
  return view->is_mapped;
}

/* ---- Mapping --------------------------------------------------------------------------------- */

static int
soft_map(void *arg) {
  const struct act *act = arg;
  off_t offset = (off_t)((act->step->file_page % FILE_PAGES) * PAGE);
  void *p = softmap_mmap(act->at[SOFT], act->n * PAGE, act->prot, act->flags,
                         fds[SOFT][act->step->file % FILES], offset);

  return p == MAP_FAILED ? errno : 0;
}

void
act_map(struct act *act) {
  off_t offset = (off_t)((act->step->file_page % FILE_PAGES) * PAGE);
  bool is_private = act->step->value % 8 == 7;
  int kern = 0;

  if (!act_all(act, is_ours))
    return;
  act->flags = (is_private ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED;
  if (mmap(act->at[KERN], act->n * PAGE, act->prot, act->flags, fds[KERN][act->step->file % FILES],
           offset) == MAP_FAILED)
    kern = errno;
  same("mmap", with_fault(soft_map, act), kern);
  for (unsigned i = 0; i < act->n; i++)
    views[act->slot][act->page + i] =
        (struct view){ true,
                       is_private,
                       false,
                       (uint8_t)(act->step->file % FILES),
                       (uint8_t)(act->step->file_page % FILE_PAGES + i),
                       (uint8_t)act->prot,
                       1 + (unsigned)shared->at };
}

/* Addresses that were given back are kept from others. */
static void
reserve(unsigned slot, unsigned page, unsigned n) {
  for (unsigned i = page; i < page + n; i++) {
    struct view *view = &views[slot][i];

    if (view->is_lost)
      continue;
    *view = (struct view){ .is_mapped = false };
    for (int side = 0; side < SIDES; side++)
      if (mmap(address(side, slot, i), PAGE, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
          errno == EEXIST)
        view->is_lost = true;
  }
}

static int
soft_unmap(void *arg) {
  const struct act *act = arg;

  return softmap_munmap(act->at[SOFT], act->n * PAGE) == 0 ? 0 : errno;
}

void
act_unmap(struct act *act) {
  if (!act_all(act, is_ours) || !act_all(act, is_mapped))
    return;
  same("munmap", with_fault(soft_unmap, act),
       munmap(act->at[KERN], act->n * PAGE) == 0 ? 0 : errno);
  reserve(act->slot, act->page, act->n);
}

static int
soft_protect(void *arg) {
  const struct act *act = arg;

  return softmap_mprotect(act->at[SOFT], act->n * PAGE, act->prot) == 0 ? 0 : errno;
}

void
act_protect(struct act *act) {
  if (!act_all(act, is_mapped))
    return;
  same("mprotect", with_fault(soft_protect, act),
       mprotect(act->at[KERN], act->n * PAGE, act->prot) == 0 ? 0 : errno);
  for (unsigned i = 0; i < act->n; i++)
    views[act->slot][act->page + i].prot = (uint8_t)act->prot;
}

static int
soft_move(void *arg) {
  const struct act *act = arg;
  void *p = softmap_mremap(act->at[SOFT], act->n * PAGE, act->n * PAGE,
                           MREMAP_MAYMOVE | MREMAP_FIXED, act->to);

  return p == MAP_FAILED ? errno : 0;
}

/* One mapping, shared, to another slot. */
void
act_move(struct act *act) {
  unsigned to = (act->slot + 1 + act->step->value % (SLOTS - 1)) % SLOTS;
  const struct view *first = &views[act->slot][act->page];
  struct act there = *act;

  there.slot = to;
  if (!act_all(act, is_mapped) || !act_all(&there, is_ours))
    return;
  for (unsigned i = 0; i < act->n; i++) {
    const struct view *view = &first[i];

    if (view->is_private || view->file != first->file || view->prot != first->prot ||
        view->file_page != first->file_page + i || view->made != first->made)
      return;
  }
  act->to = address(SOFT, to, act->page);
  if (mremap(act->at[KERN], act->n * PAGE, act->n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
             address(KERN, to, act->page)) == MAP_FAILED)
    differ("the kernel's mremap: errno %d", errno);
  same("mremap", with_fault(soft_move, act), 0);
  memcpy(&views[to][act->page], first, act->n * sizeof *first);
  for (unsigned i = 0; i < act->n; i++)
    views[to][act->page + i].made = 1 + (unsigned)shared->at;
  reserve(act->slot, act->page, act->n);
}
