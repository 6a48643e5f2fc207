/* meet.c - pipes at which processes and threads meet, instead of sleeping. */
#include "t.h"

#include <fcntl.h>
#include <unistd.h>

struct t_meeting
t_meeting(void) {
  struct t_meeting m;

  if (pipe(m.fd) != 0)
    t_fail(T_HERE, "pipe: errno %d", errno);
  return m;
}

void
t_ping(const struct t_meeting *m) {
  ssize_t n;

  while ((n = write(m->fd[1], "", 1)) < 0 && errno == EINTR)
    continue;
  if (n != 1)
    t_fail(T_HERE, "nobody is there to be pinged: errno %d", errno);
}

void
t_wait(const struct t_meeting *m) {
  char byte;
  ssize_t n;

  while ((n = read(m->fd[0], &byte, 1)) < 0 && errno == EINTR)
    continue;
  if (n != 1)
    t_fail(T_HERE, "who should have pinged is gone");
}
