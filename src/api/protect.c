/* protect.c - mprotect. */
#include <sys/mman.h>

#include "api/call.h"
#include "core/rules.h"
#include "signal/install.h"

static int
protect_piece(const struct piece *piece, int prot) {
  if (!piece->mapping)
    return host_protect((void *)piece->start, piece->end - piece->start, prot);
  if (prot & (PROT_GROWSDOWN | PROT_GROWSUP))
    return EINVAL; /* no stack */
  if ((prot & PROT_WRITE) && piece->mapping->is_shared && !piece->mapping->may_write)
    return EACCES;
  return space_protect(piece->mapping, piece->start, piece->end, prot);
}

int
softmap_mprotect(void *addr, size_t len, int prot) {
  uintptr_t at = (uintptr_t)addr;
  uintptr_t end;
  if (call_is_foreign(addr, len))
    return fail(host_protect(addr, len, prot));
  call_round_start(&at, &len);
  int error = rules_protect(at, len, prot, call_page_size(), &end);
  if (error || call_is_orphan())
    return fail(error ? error : EIO);
  if (!process_is_started())
    return fail(host_protect(addr, len, prot));
  struct space_call call;
  struct piece piece;
  space_lock(&call);
  error = signals_install();
  while (!error && piece_next(&at, end, &piece))
    error = protect_piece(&piece, prot);
  space_unlock(&call);
  return fail(error);
}
