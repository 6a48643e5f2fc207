/* remap.c - mremap. */
#include <stdarg.h>
#include <sys/mman.h>

#include "api/call.h"
#include "core/rules.h"
#include "signal/install.h"

#define REMAP_DONTUNMAP 4 /* MREMAP_DONTUNMAP, which not every libc shows */

static size_t
round_up(size_t len) {
  return (len + host_config.page_size - 1) & ~(host_config.page_size - 1);
}

/* What stands where the mapping is to go. */
static int
clear_target(const struct rules_remap *asked, struct mapping **cut) {
  if (!(asked->flags & MREMAP_FIXED))
    return 0;
  space_change_begin();
  int error = space_cut(asked->new_addr, asked->new_addr + round_up(asked->new_len), cut);
  if (!error && *cut)
    error = host_unmap((void *)asked->new_addr, round_up(asked->new_len));
  space_change_end();
  return error;
}

static int
shrink(const struct rules_remap *asked, struct mapping **cut) {
  uintptr_t from = asked->old_addr + round_up(asked->new_len);
  uintptr_t to = asked->old_addr + round_up(asked->old_len);
  space_change_begin();
  int error = space_cut(from, to, cut);
  if (!error && (error = host_unmap((void *)from, to - from)))
    space_restore(*cut);
  space_change_end();
  return error;
}

/* Chain a list of cut mappings behind another one. */
static void
append(struct mapping **list, struct mapping *more) {
  while (*list)
    list = &(*list)->next_cut;
  *list = more;
}

static int
remap_ours(struct mapping *mapping, const struct rules_remap *asked, void **out,
           struct mapping **cut) {
  uintptr_t end = asked->old_addr + round_up(asked->old_len);
  bool is_fixed = asked->flags & MREMAP_FIXED;
  size_t old_len = round_up(asked->old_len);
  size_t new_len = round_up(asked->new_len);
  if (!is_fixed && asked->old_len && new_len <= old_len) {
    *out = (void *)asked->old_addr;
    return new_len < old_len ? shrink(asked, cut) : 0;
  }
  struct move move = {
    .mapping = mapping,
    .start = asked->old_addr,
    .end = end,
    .new_len = new_len,
    .may_move = asked->flags & MREMAP_MAYMOVE,
    .fixed = is_fixed ? (void *)asked->new_addr : NULL,
    .is_copy = asked->old_len == 0,
  };
  if (move.is_copy)
    move.end = move.start;
  return space_move(&move, out, cut);
}

static int
check_ours(const struct mapping *mapping, const struct rules_remap *asked) {
  if (asked->old_addr + round_up(asked->old_len) > mapping->end)
    return EFAULT;
  if ((asked->old_len == 0 && !mapping->is_shared) || (asked->flags & REMAP_DONTUNMAP))
    return EINVAL;
  return 0;
}

static int
remap(const struct rules_remap *asked, void **out) {
  struct space_call call;
  struct mapping *target = NULL, *cut = NULL;
  space_lock(&call);
  struct mapping *mapping = space_find(asked->old_addr);
  int error = signals_install();
  if (!error && mapping)
    error = check_ours(mapping, asked);
  if (!error)
    error = clear_target(asked, &target);
  if (!error)
    error = mapping ? remap_ours(mapping, asked, out, &cut)
                    : host_remap(out, (void *)asked->old_addr, asked->old_len, asked->new_len,
                                 asked->flags, (void *)asked->new_addr);
  space_unlock(&call);
  append(&cut, target);
  space_discard(cut);
  return error;
}

void *
softmap_mremap(void *old_addr, size_t old_len, size_t new_len, int flags, ...) {
  void *new_addr = NULL;
  if (flags & (MREMAP_FIXED | REMAP_DONTUNMAP)) {
    va_list args;
    va_start(args, flags);
    new_addr = va_arg(args, void *);
    va_end(args);
  }
  struct rules_remap asked = { (uintptr_t)old_addr, (uintptr_t)new_addr, old_len, new_len, flags,
                               call_page_size() };
  void *out = MAP_FAILED;
  if (call_is_foreign(old_addr, old_len) &&
      (!(flags & MREMAP_FIXED) || call_is_foreign(new_addr, new_len)))
    return fail(host_remap(&out, old_addr, old_len, new_len, flags, new_addr)) ? MAP_FAILED : out;
  if (call_is_orphan())
    return fail(EIO) ? MAP_FAILED : out;
  if (!process_is_started())
    return fail(host_remap(&out, old_addr, old_len, new_len, flags, new_addr)) ? MAP_FAILED : out;
  int error = rules_remap(&asked);
  if (!error)
    error = remap(&asked, &out);
  return fail(error) ? MAP_FAILED : out;
}
