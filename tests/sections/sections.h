/* sections.h - what the tests of sections share: strangers with injection, barriers, looking at what
 * is left and recovering it.
 */
#ifndef SECTIONS_H
#define SECTIONS_H

#include "t_engine.h"
#include "t_strangers.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>

/* ---- Services -------------------------------------------------------------------------------- */

enum { KILL_AFTER = 1 << 16 };

/* From now on the nth call of the site ends the stranger: instead of the call, or after it. */
static inline intmax_t
stranger_arm_kill(intmax_t site, intmax_t nth, const char *text) {
  struct inject_rule rule = { .call = (enum host_call)site,
                              .nth = (uint32_t)nth & (KILL_AFTER - 1),
                              .times = 1,
                              .kill = (nth & KILL_AFTER) == 0,
                              .kill_after = (nth & KILL_AFTER) != 0 };

  (void)text;
  inject_arm(&rule);
  return 0;
}

/* ... or stops it, after the call. */
static inline intmax_t
stranger_arm_stop(intmax_t site, intmax_t nth, const char *text) {
  struct inject_rule rule = {
    .call = (enum host_call)site, .nth = (uint32_t)nth, .times = 1, .stop_after = 1
  };

  (void)text;
  inject_arm(&rule);
  return 0;
}

/* The stranger was asked: is it stopped? Otherwise it has answered. */
static inline bool
has_stopped(struct t_at at, const struct t_stranger *s) {
  struct pollfd answer = { .fd = s->fd, .events = POLLIN };
  int status;
  pid_t pid;

  do {
    if (poll(&answer, 1, 1) < 0)
      t_fail(at, "poll: errno %d", errno);
    pid = waitpid(s->pid, &status, WNOHANG | WUNTRACED);
    if (pid < 0 || (pid > 0 && !WIFSTOPPED(status)))
      t_fail(at, "waitpid: %d, status %#x", (int)pid, (unsigned)status);
  } while (pid == 0 && answer.revents == 0);
  return pid != 0;
}
#define T_HAS_STOPPED(s) has_stopped(T_HERE, &(s))

static inline intmax_t
stranger_configure(intmax_t a, intmax_t b, const char *name_value) {
  char name[T_PATH];
  char *value;

  (void)a;
  (void)b;
  (void)snprintf(name, sizeof name, "%s", name_value);
  value = strchr(name, '=');
  *value++ = '\0';
  return softmap_configure(name, value);
}
#define S_CONFIGURE(s, name_value) t_ask(T_HERE, &(s), stranger_configure, 0, 0, name_value)

/* Is the page said to be open elsewhere? */
static inline bool
open_elsewhere(const unsigned char *p) {
  struct softmap_page page;

  T_EQ(softmap_pages(p, 1, &page, 1), 1);
  return page.open_elsewhere != 0;
}

/* The rule that is armed holds for this mapping alone. */
static inline intmax_t
stranger_map_and_disarm(intmax_t npages, intmax_t how, const char *path) {
  intmax_t result = stranger_map(npages, how, path);

  inject_disarm();
  return result;
}

/* Asked to map all of the file, and stopped behind the nth call of the site? Its answer is still to be
 * taken. */
static inline bool
maps_and_stops(struct t_at at, const struct t_stranger *s, const char *path, size_t npages,
               enum host_call site, uint32_t nth) {
  S_ASK(*s, stranger_arm_stop, site, nth);
  t_ask_begin(at, s, stranger_map_and_disarm, (intmax_t)npages, S_SHARED, path);
  return has_stopped(at, s);
}
#define T_MAPS_AND_STOPS(s, path, npages, site, nth)                                               \
  maps_and_stops(T_HERE, &(s), path, npages, site, nth)

/* ---- Barriers in common memory: who comes last lets all go -------------------------------------- */

struct barrier {
  _Atomic unsigned come, round;
};

static inline void
barrier_wait(struct barrier *barrier, unsigned members) {
  unsigned round = atomic_load(&barrier->round);

  if (atomic_fetch_add(&barrier->come, 1) + 1 == members) {
    atomic_store(&barrier->come, 0);
    atomic_fetch_add(&barrier->round, 1);
    return;
  }
  while (atomic_load(&barrier->round) == round)
    (void)sched_yield();
}

/* ---- What is left ---------------------------------------------------------------------------- */

/* Entries of the section directory, whatever they are; name gets one of them. */
static inline unsigned
entries_left(char name[256]) {
  DIR *dir = opendir(getenv("SOFTMAP_DIR"));
  unsigned count = 0;

  name[0] = '\0';
  T_CHECK(dir != NULL);
  for (struct dirent *e; (e = readdir(dir)) != NULL;)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
      (void)snprintf(name, 256, "%s", e->d_name);
      count++;
    }
  (void)closedir(dir);
  return count;
}

static inline void
nothing_left(struct t_at at) {
  char name[256];
  unsigned count = entries_left(name);

  if (count != 0)
    t_fail(at, "%u entries left in the section directory, one is %s", count, name);
}
#define T_NOTHING_LEFT() nothing_left(T_HERE)

/* A section of a new file comes and goes: who makes one sweeps away what killed makers left
 * half-made. */
static inline void
sweep(struct t_at at, const struct t_stranger *s) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(1));

  if (t_ask(at, s, stranger_map, 1, S_SHARED, path) != 0 ||
      t_ask(at, s, stranger_unmap, 0, 0, NULL) != 0)
    t_fail(at, "a new file can't be mapped: errno %d", errno);
  (void)close(fd);
}
#define T_SWEEP(s) sweep(T_HERE, &(s))

/* The only section there is. */
static inline struct softmap_section
the_section(struct t_at at) {
  struct softmap_section section = { .name = "" };
  ssize_t n = softmap_sections(&section, 1);

  if (n != 1)
    t_fail(at, "softmap_sections: %zd, errno %d; wanted one", n, errno);
  return section;
}
#define T_THE_SECTION() the_section(T_HERE)

static inline int
recover_with(const char *name, uint32_t flags, const char *save_to, const char *write_as) {
  struct softmap_recover_options options = {
    .size = sizeof options, .flags = flags, .save_to = save_to, .write_as = write_as
  };

  return softmap_recover(name, &options);
}

/* All sections there are, each to its own file; returns how many. */
static inline size_t
recover_all(struct t_at at) {
  struct softmap_section sections[64];
  ssize_t n = softmap_sections(sections, 64);

  if (n < 0 || n > 64)
    t_fail(at, "softmap_sections: %zd, errno %d", n, errno);
  for (ssize_t i = 0; i < n; i++)
    if (softmap_recover(sections[i].name, NULL) != 0)
      t_fail(at, "softmap_recover(%s), of %s, %u alive, %u dead, flags %#x: errno %d",
             sections[i].name, sections[i].path, sections[i].live, sections[i].dead,
             sections[i].flags, errno);
  return (size_t)n;
}
#define T_RECOVER_ALL() recover_all(T_HERE)

/* A section of a new file that a killed stranger leaves: its first `stored` pages begin with
 * `value`, not synced. */
static inline void
leave_dirt(char path[T_PATH], size_t npages, size_t stored, unsigned char value) {
  int fd = t_tmpfile(path, (off_t)t_pages(npages));
  struct t_stranger s = T_STRANGER_WITH(path, npages, S_SHARED);

  T_OK(S_ASK(s, stranger_store_pages, stored, value));
  T_KILL_STRANGER(s);
  (void)close(fd);
}

#endif
