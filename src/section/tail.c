/* tail.c - the last page of a file that becomes longer or shorter: its bytes, and its stamp. */
#include "section/tail.h"

#include <string.h>

#include "backing/keeper.h"
#include "section/stamp.h"

static unsigned char *
tail_copy(void) {
  return (unsigned char *)keeper_buffer() + KEEPER_BUFFER / 2;
}

int
tail_begin(struct section *section, uint64_t page, struct tail *tail) {
  bool stored;
  size_t got;
  tail->page = page;
  tail->is_stamped = false;
  if (!stamp_is_wanted(section) || !page_is_filled(atomic_load(section_state(section, page))))
    return 0;
  int error = judge_page(section, page, &stored);
  if (error || stored)
    return error;
  error =
      data_read(section, tail_copy(), host_config.page_size, page << host_config.page_shift, &got);
  if (error || got < host_config.page_size)
    return error;
  struct stamp was = stamp_get(section, page);
  struct stamp now = stamp_of(tail_copy(), host_config.page_size);
  tail->is_stamped = was.half[0] == now.half[0] && was.half[1] == now.half[1];
  if (!tail->is_stamped)
    section_mark(section, page);
  return 0;
}

int
tail_put(struct section *section, const struct tail *tail, const unsigned char *from, size_t len,
         uint64_t offset) {
  if (tail->is_stamped)
    memcpy(tail_copy() + (offset - (tail->page << host_config.page_shift)), from, len);
  return data_write(section, section->resize_fence, from, len, offset);
}

void
tail_end(struct section *section, const struct tail *tail) {
  if (tail->is_stamped)
    stamp_set(section, tail->page, stamp_of(tail_copy(), host_config.page_size));
}
