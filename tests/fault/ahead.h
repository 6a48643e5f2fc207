/* ahead.h - opening ahead: what was stored to, and that a sync writes that and nothing else. */
#ifndef AHEAD_H
#define AHEAD_H

#include "t_engine.h"

static unsigned char *p;
static int fd;

/* ---- What was stored, and what is written ---------------------------------------------------- */

struct model {
  size_t npages;
  bool *stored;
  size_t count; /* of those stored to */
};

static inline struct model
model_of(size_t npages) {
  struct model model = { npages, calloc(npages, sizeof(bool)), 0 };

  T_OK(softmap_configure("tracker", "fault")); /* whatever the others are tested with */
  T_CHECK(model.stored != NULL);
  return model;
}

static inline void
store(struct model *model, size_t page) {
  unsigned char *at = p + t_pages(page) + page % t_page_size();

  PUT(at, GET(at) + 1);
  model->count += !model->stored[page];
  model->stored[page] = true;
}

/* Others change the file where nobody stored: that must survive. */
static inline void
change_others(const struct model *model) {
  for (size_t i = 0; i < model->npages; i++)
    if (!model->stored[i])
      T_PWRITE(fd, (off_t)t_pages(i) + 7, 1, 'o');
}

static inline void
check_others(const struct model *model) {
  for (size_t i = 0; i < model->npages; i++)
    if (!model->stored[i])
      T_FILE_BYTE(fd, (off_t)t_pages(i) + 7, 'o');
    else
      T_FILE_BYTE(fd, (off_t)t_pages(i) + (off_t)(i % t_page_size()),
                  GET(p + t_pages(i) + i % t_page_size()));
}

/* A sync writes exactly what was stored to. */
static inline void
sync_exactly(struct model *model) {
  uint64_t before = T_STATS().pages_written;

  engine_dirty_is(T_HERE, p, model->npages, model->stored);
  change_others(model);
  T_OK(msync(p, t_pages(model->npages), MS_SYNC));
  T_EQ(T_STATS().pages_written - before, model->count);
  check_others(model);
  T_NDIRTY(p, model->npages, 0);
  memset(model->stored, 0, model->npages * sizeof(bool));
  model->count = 0;
}

enum { MANY = 1000 };

/* Stores to the first 20 pages: some behind them are open. */
static inline void
begin_run(struct model *model) {
  for (size_t i = 0; i < 20; i++)
    store(model, i);
}

#endif
