/* worker.c - processes that do a part of a case, asked over pipes.  They are made before softmap is used, so
 * that each comes to a file on its own. */
#include "bench.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GO_ON = 1, END = 2 }; /* what a worker is asked for */

struct worker
worker_start(void (*serve)(void *arg, int asked, int answer), void *arg) {
  int ask[2], answer[2];
  if (pipe(ask) != 0 || pipe(answer) != 0)
    die("pipe");
  struct worker worker = { .ask = ask[1], .answer = answer[0] };
  worker.pid = fork();
  if (worker.pid < 0)
    die("fork");
  if (worker.pid == 0) {
    close(ask[1]);
    close(answer[0]);
    serve(arg, ask[0], answer[1]);
    exit(0);
  }
  close(ask[0]);
  close(answer[1]);
  return worker;
}

double
worker_ask(void *arg) {
  const struct worker *worker = arg;
  const char byte = GO_ON;
  double us;
  if (write(worker->ask, &byte, 1) != 1 || read(worker->answer, &us, sizeof us) != sizeof us)
    die("a worker");
  return us;
}

void
worker_stop(const struct worker *worker) {
  const char byte = END;
  int status;
  if (write(worker->ask, &byte, 1) != 1 || waitpid(worker->pid, &status, 0) != worker->pid ||
      status != 0)
    die("a worker's end");
  close(worker->ask);
  close(worker->answer);
}

bool
worker_is_asked(int asked) {
  char byte;
  return read(asked, &byte, 1) == 1 && byte == GO_ON;
}

void
worker_answer(int answer, double us) {
  if (write(answer, &us, sizeof us) != sizeof us)
    die("answering");
}
