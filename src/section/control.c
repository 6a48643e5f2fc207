/* control.c - the layout of a control file, and its header.  Mapping it is section/extent.c. */
#include "section/control.h"

#include <errno.h>
#include <string.h>

uint64_t
control_extent_offset(unsigned extent) {
  uint64_t offset = CONTROL_RECORDS + LANE_MAX * sizeof(struct lane_record);
  for (unsigned i = 0; i < extent; i++)
    offset += extent_pages(i) * (1 + LANE_MAX) + extent_summary_size(i);
  return offset;
}

uint64_t
control_lane_offset(unsigned extent, uint32_t lane) {
  return control_extent_offset(extent) + extent_pages(extent) + extent_summary_size(extent) +
         extent_pages(extent) * lane;
}

void
control_note_past_end(struct control *control, uint64_t first, uint64_t end) {
  uint64_t low = atomic_load(&control->past_low);
  while (first < low && !atomic_compare_exchange_weak(&control->past_low, &low, first))
    ;
  uint64_t high = atomic_load(&control->past_high);
  while (end > high && !atomic_compare_exchange_weak(&control->past_high, &high, end))
    ;
}

int
control_reserve(int control_fd, uint64_t end) {
  struct host_stat stat;
  int error = host_stat_fd(control_fd, &stat);
  if (error || stat.size >= end)
    return error;
  /* A write lengthens and never shortens: no race with others who do the same. */
  char zero = 0;
  struct iovec vec = { .iov_base = &zero, .iov_len = 1 };
  size_t put;
  return host_write(control_fd, &vec, 1, end - 1, &put);
}

void
control_init(struct control *control, const struct host_stat *file, size_t page_size) {
  struct host_identity identity = { 0 };
  if (host_identity(&identity))
    memset(&identity, 0, sizeof identity);
  memcpy(control->magic, CONTROL_MAGIC, sizeof control->magic);
  control->version = CONTROL_VERSION;
  control->page_size = (uint32_t)page_size;
  control->device = file->device;
  control->inode = file->inode;
  control->birth_ns = file->birth_ns;
  control->boot[0] = identity.boot[0];
  control->boot[1] = identity.boot[1];
  control->owner = host_user();
  atomic_store(&control->past_low, UINT64_MAX);
  atomic_store(&control->size, file->size);
  atomic_store(&control->mtime_ns, file->mtime_ns);
}

int
control_check(const struct control *control, uint64_t control_size) {
  if (control_size < CONTROL_HEAD_SIZE ||
      memcmp(control->magic, CONTROL_MAGIC, sizeof control->magic) != 0)
    return EINVAL;
  if (control->version != CONTROL_VERSION || control->page_size != host_config.page_size)
    return EPROTO;
  uint64_t size = atomic_load(&control->size);
  if (size > INT64_MAX || control_pages(size, control->page_size) > SECTION_PAGES_MAX ||
      atomic_load(&control->lanes) > LANE_MAX ||
      atomic_load(&control->twins) > TWINS_MAX ||
      !memchr(control->path, '\0', sizeof control->path))
    return EINVAL;
  return 0;
}
