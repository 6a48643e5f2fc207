/* stopped.c - a process stopped while it follows a file's size: who needs the new size waits until it goes
 * on, and nobody else does. (Stopped in all else it holds up nobody: kills.c, kill_storm.c.)
 */
#include "sections.h"

#include "section/control.h"

#include <poll.h>
#include <pthread.h>

enum { PAGES = 4, MORE_PAGES = 6, MOMENT_MS = 100 };

static char path[T_PATH];
static int fd;
static struct t_meeting go;

/* ---- The victim ------------------------------------------------------------------------------ */

static void *
release(void *arg) {
  t_wait(&go);
  inject_release(1);
  return arg;
}

/* The next change of the size of one of its files waits in the middle, until it is told to go on:
 * there it will be stopped. */
static intmax_t
victim_holds_resize(intmax_t from, intmax_t to, const char *text) {
  struct inject_rule rule = { .call = HOST_CALL_resize, .nth = 1, .times = 1, .hold = 1 };
  pthread_t thread;

  (void)text;
  go = (struct t_meeting){ { (int)from, (int)to } };
  inject_arm(&rule);
  T_EQ(pthread_create(&thread, NULL, release, NULL), 0);
  return pthread_detach(thread);
}

/* Does somebody change the section's size? */
static bool
size_is_being_changed(int control_fd) {
  struct flock lock = {
    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = CONTROL_LOCK_RESIZE, .l_len = 1
  };

  T_OK(fcntl(control_fd, F_GETLK, &lock));
  return lock.l_type != F_UNLCK;
}

static void
stop_in_the_middle(const struct t_stranger *victim) {
  char control[T_PATH * 2];
  int control_fd;

  (void)snprintf(control, sizeof control, "%s/%s/control", getenv("SOFTMAP_DIR"),
                 T_THE_SECTION().name);
  control_fd = t_open(control, O_RDWR);
  t_ask_begin(T_HERE, victim, stranger_load, (intmax_t)t_pages(PAGES + 1), 0, NULL);
  while (!size_is_being_changed(control_fd))
    (void)poll(NULL, 0, 1);
  T_STOP(victim->pid);
  T_CHECK(size_is_being_changed(control_fd));
  (void)close(control_fd);
}

/* ---- The other ------------------------------------------------------------------------------- */

static bool
has_answered(const struct t_stranger *s, int ms) {
  struct pollfd answer = { .fd = s->fd, .events = POLLIN };
  int n = poll(&answer, 1, ms);

  T_CHECK(n >= 0);
  return n > 0;
}

static void
stopped_while_the_file_becomes_longer(void) {
  struct t_stranger victim;
  struct t_stranger other;

  go = t_meeting();
  fd = t_tmpfile(path, (off_t)t_pages(PAGES));
  victim = T_STRANGER_WITH(path, MORE_PAGES, S_SHARED);
  other = T_STRANGER_WITH(path, MORE_PAGES, S_SHARED);
  T_OK(S_STORE(victim, 0, 'v'));
  T_OK(S_STORE(other, t_pages(1), 'o'));
  T_OK(ftruncate(fd, (off_t)t_pages(MORE_PAGES)));
  T_OK(S_ASK(victim, victim_holds_resize, go.fd[0], go.fd[1]));
  stop_in_the_middle(&victim);
  T_EQ(S_LOAD(other, 0), 'v');
  T_OK(S_STORE(other, t_pages(2), 'p')); /* the first to this page */
  t_ask_begin(T_HERE, &other, stranger_sync, 0, 0, NULL);
  T_CHECK(!has_answered(&other, MOMENT_MS));
  T_OK(kill(victim.pid, SIGCONT));
  t_ping(&go);
  T_EQ(t_answer(T_HERE, &victim), 0);
  T_OK(t_answer(T_HERE, &other));
  T_EQ(S_LOAD(other, t_pages(PAGES)), 0);
  T_FILE_BYTE(fd, 0, 'v');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'o');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'p');
  T_DISMISS(victim);
  T_DISMISS(other);
}

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(stopped_while_the_file_becomes_longer),
};
T_MAIN(cases)
