/* matrix.h - every public call, failed at every call of the host that it makes. */
#ifndef MATRIX_H
#define MATRIX_H

#include "t_engine.h"

enum { MATRIX_PAGES = 12 };

/* What a scenario works on; made anew for each cell. */
struct matrix {
  char path[T_PATH];
  int fd;
  unsigned char *p;                  /* the mapping, or NULL */
  unsigned char *other;              /* a second one, or NULL */
  unsigned char *place;              /* addresses to move to */
  size_t npages;                     /* mapped at p */
  unsigned char model[MATRIX_PAGES]; /* first byte of each page */
  unsigned value;                    /* of the next stores */
};
extern struct matrix matrix;

struct scenario {
  const char *name;
  void (*prepare)(void);
  int (*run)(void);     /* 0 or an errno; called again if it failed */
  unsigned least_cells; /* so that the matrix can't silently shrink */
  int may[4];           /* errors other than the one injected */
  bool leaves_hole;     /* if it fails, as on the host */
};

/* Tries every cell: site, nth call, error or short count, once and from there on. */
void matrix_try(const struct scenario *scenario);

/* For scenarios. */
void matrix_map(void);   /* p: all of the file */
void matrix_store(void); /* into some of its pages; without a mapping: somebody else does */

#endif
