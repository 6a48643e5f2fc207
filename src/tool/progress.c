/* progress.c - a bar on standard error while something takes long.
 *
 * What the library tells, with signals blocked and now and then, is only noted there.  A thread draws
 * it, which doesn't hold the work up when the terminal is stopped. */
#include "tool/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 500, NEXT_MS = 100, BAR = 20, WIDTH_UNKNOWN = 80 };

void
progress_tell(void *arg, uint64_t done, uint64_t total) {
  struct progress *progress = arg;
  atomic_store(&progress->done, done);
  atomic_store(&progress->total, total);
}

static size_t
terminal_width(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
    return WIDTH_UNKNOWN;
  return size.ws_col;
}

static void
draw(const struct progress *progress) {
  uint64_t done = atomic_load(&progress->done), total = atomic_load(&progress->total);
  if (total == 0)
    return;
  if (done > total)
    done = total;
  /* Of long double: done * 100 might not fit. */
  unsigned percent = (unsigned)((long double)done * 100 / (long double)total);
  char bar[BAR + 1];
  for (unsigned i = 0; i < BAR; i++)
    bar[i] = i * 100 < percent * BAR ? '#' : '.';
  bar[BAR] = '\0';
  char *text = text_of("[%s] %3u%%  %" PRIu64 " of %" PRIu64 " pages", bar, percent, done, total);
  /* A line that wraps can't be drawn over. */
  bool has_room = columns(text) + 2 + columns(progress->title) < terminal_width();
  (void)fprintf(stderr, "\r%s%s%s\033[K", text, has_room ? "  " : "",
                has_room ? progress->title : "");
  (void)fflush(stderr);
  free(text);
}

static void
later(struct timespec *when, long ms) {
  (void)clock_gettime(CLOCK_MONOTONIC, when);
  when->tv_sec += ms / 1000;
  when->tv_nsec += ms % 1000 * 1000000;
  if (when->tv_nsec >= 1000000000) {
    when->tv_sec++;
    when->tv_nsec -= 1000000000;
  }
}

/* Waits; true when the work is over. */
static bool
wait_for_end(struct progress *progress, long ms) {
  struct timespec until;
  int error = 0;
  later(&until, ms);
  pthread_mutex_lock(&progress->lock);
  while (!progress->is_ended && !error)
    error = pthread_cond_clockwait(&progress->ended, &progress->lock, CLOCK_MONOTONIC, &until);
  bool is_over = progress->is_ended;
  pthread_mutex_unlock(&progress->lock);
  return is_over;
}

static void *
show(void *arg) {
  struct progress *progress = arg;
  if (wait_for_end(progress, FIRST_MS))
    return NULL;
  do
    if (progress->is_drawn)
      draw(progress);
  while (!wait_for_end(progress, NEXT_MS));
  if (progress->is_drawn)
    (void)fputs("\r\033[K", stderr);
  return NULL;
}

void
progress_begin(struct progress *progress, const char *title, bool is_quiet) {
  *progress = (struct progress){ .title = title,
                                 .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .ended = PTHREAD_COND_INITIALIZER };
  progress->is_drawn = !is_quiet && isatty(STDERR_FILENO);
  progress->has_thread = pthread_create(&progress->thread, NULL, show, progress) == 0;
}

void
progress_end(struct progress *progress) {
  if (!progress->has_thread)
    return;
  pthread_mutex_lock(&progress->lock);
  progress->is_ended = true;
  pthread_cond_signal(&progress->ended);
  pthread_mutex_unlock(&progress->lock);
  (void)pthread_join(progress->thread, NULL);
}
