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
  void (*end)(void);                 /* what to do behind the last cell, or NULL */
};
extern struct matrix matrix;

struct scenario {
  const char *name;
  void (*prepare)(void); /* or NULL */
  int (*run)(void);      /* 0 or an errno; called again if it failed */
  unsigned least_cells;  /* so that the matrix can't silently shrink */
  int may[4];            /* errors other than the one injected */
  bool leaves_hole;      /* if it fails, as on the host */
};

/* Tries every cell: site, nth call, error or short count, once and from there on. */
void matrix_try(const struct scenario *scenario);
/* Every cell of one site, also of calls that come later than matrix_try looks in make check. */
void matrix_try_site(const struct scenario *scenario, enum host_call site);

/* The case try_CALL.  One macro, of # and ## alone: a call such as mmap is itself a macro of
 * <softmap/mman.h>, which another one in between would expand. */
#define SCENARIO(call, how, what, least, ...)                                                      \
  static void try_##call(void) {                                                                   \
    static const struct scenario scenario = {                                                      \
      .name = #call, .prepare = how, .run = what, .least_cells = least, .may = { __VA_ARGS__ }     \
    };                                                                                             \
    matrix_try(&scenario);                                                                         \
  }

/* The same with matrix_try_site. */
#define SCENARIO_AT(site, call, how, what, least, ...)                                             \
  static void try_##call(void) {                                                                   \
    static const struct scenario scenario = {                                                      \
      .name = #call, .prepare = how, .run = what, .least_cells = least, .may = { __VA_ARGS__ }     \
    };                                                                                             \
    matrix_try_site(&scenario, HOST_CALL_##site);                                                  \
  }

/* In the table of cases: the process that was killed had the mapping, and this one has none. */
#define OF_THE_DEAD(fn) T_CASE_WITH(fn, T_MAPS_NOTHING | T_KILLS)

/* ---- matrix_steps.c: before the call ----------------------------------------------------------- */

void matrix_map(void); /* p: all of the file */
void matrix_map_with(int flags);
void matrix_store(void);    /* into some of its pages; without a mapping: somebody else does */
void matrix_stored(void);   /* mapped and stored to */
void matrix_on_touch(void); /* mapped, to be filled on touch */
/* p: mapped when the file had so many bytes; now it is as long as ever, with new bytes behind them. */
void matrix_map_growing(off_t size);
/* A process does this and is killed. */
void matrix_killed(void (*prepare)(void));
/* One that was killed had stored; nobody living has the file mapped. */
void matrix_stored_by_the_dead(void);

/* The first byte of a page of the file, and what it should be. */
unsigned char matrix_file_byte(size_t page);
void matrix_write_byte(size_t page);

/* ---- matrix_steps.c: the call; 0 or an errno --------------------------------------------------- */

/* What a call returned that says -1 and errno. */
int matrix_result(intmax_t result);

/* All of the file, all of p. */
int matrix_mmap(void);
int matrix_mmap_with(int flags);
int matrix_munmap(void);
int matrix_msync(void);
int matrix_msync_with(int flags);
int matrix_msync_invalidate(void);
int matrix_look_at_pages(void);
int matrix_look_at_section(void);
/* What is recovered already isn't there any more. */
int matrix_recover(const struct softmap_recover_options *options);

/* A signal says what an errno can't.  EFAULT: the fault was ours, and could not be served. */
int matrix_load_page(size_t page);
int matrix_store_page(size_t page, unsigned char byte);

#endif
