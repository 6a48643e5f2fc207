/* sent_signals.c - SIGSEGV and SIGBUS that somebody sends are no faults: they reach the program's
 * handler as the host delivers them, while softmap's is in front. And signals interrupt no call of mmap's
 * family. */
#include "conform.h"

#include <sched.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t calls;
static volatile sig_atomic_t last_code;
static volatile pid_t last_pid;
static unsigned char *mapped;
static int mapped_fd;

static void
install(int signo, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  (void)sigemptyset(&action.sa_mask);
  T_OK(sigaction(signo, &action, NULL));
}

/* Maps a file after the handlers were installed, and stores to it. */
static void
begin(void) {
  mapped_fd = t_tmpfile(NULL, (off_t)t_pages(1));
  mapped = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, mapped_fd, 0);
  PUT(mapped, 'm');
}

/* The mapping still works. */
static void
end(void) {
  T_OK(msync(mapped, t_pages(1), MS_SYNC));
  PUT(mapped + 1, 'n');
  T_OK(msync(mapped, t_pages(1), MS_SYNC));
  T_FILE_EQUALS(mapped_fd, 0, "mn", 2);
}

static void
look_and_return(int signo, siginfo_t *info, void *context) {
  (void)signo;
  (void)context;
  calls++;
  last_code = info->si_code;
  last_pid = info->si_pid;
}

static void
signals_that_are_sent_reach_the_handler(void) {
  static const int signals[] = { SIGSEGV, SIGBUS };

  for (size_t i = 0; i < 2; i++)
    install(signals[i], look_and_return, 0);
  begin();
  for (int i = 0; i < 2; i++) {
    T_OK(kill(getpid(), signals[i]));
    T_EQ(calls, 2 * i + 1);
    T_EQ(last_code, SI_USER);
    T_EQ(last_pid, getpid());
    T_OK(raise(signals[i]));
    T_EQ(calls, 2 * i + 2);
    T_EQ(last_code, SI_TKILL);
  }
  end();
}

/* The child sends until the parent, who was waiting, says that it was woken. */
static void
sent_signal_interrupts_a_call(void) {
  struct t_meeting never = t_meeting();
  struct t_meeting done = t_meeting();
  char byte;
  pid_t pid;

  install(SIGSEGV, look_and_return, 0);
  begin();
  T_EQ(fcntl(done.fd[0], F_SETFL, O_NONBLOCK), 0);
  pid = t_fork();
  if (pid == 0) {
    while (read(done.fd[0], &byte, 1) != 1) {
      (void)kill(getppid(), SIGSEGV);
      (void)sched_yield();
    }
    _exit(0);
  }
  T_ERR(read(never.fd[0], &byte, 1), EINTR);
  T_CHECK(calls > 0);
  t_ping(&done);
  T_REAP(pid, T_EXITED(0));
  end();
}

static void
call_goes_on_after_a_handler_with_sa_restart(void) {
  struct t_meeting byte_comes = t_meeting();
  char byte;
  pid_t pid;

  install(SIGSEGV, look_and_return, SA_RESTART);
  begin();
  pid = t_fork();
  if (pid == 0) {
    for (int i = 0; i < 100; i++) {
      (void)kill(getppid(), SIGSEGV);
      (void)sched_yield();
    }
    t_ping(&byte_comes);
    _exit(0);
  }
  T_EQ(read(byte_comes.fd[0], &byte, 1), 1);
  T_CHECK(calls > 0);
  T_REAP(pid, T_EXITED(0));
  end();
}

/* A timer that goes off again and again, with a handler that lets calls be interrupted. */
static void
no_call_of_the_family_is_interrupted(void) {
  struct itimerval often = { { 0, 300 }, { 0, 300 } };
  struct itimerval never = { { 0, 0 }, { 0, 0 } };
  unsigned char *p;
  int fd = t_tmpfile(NULL, (off_t)t_pages(16));
  unsigned char i = 0;

  install(SIGVTALRM, look_and_return, 0); /* counts what this process uses of the processor */
  T_OK(setitimer(ITIMER_VIRTUAL, &often, NULL));
  while (calls < 5) {
    i++;
    p = T_MAP(NULL, t_pages(16), RW, MAP_SHARED, fd, 0);
    memset(p, i, t_pages(16));
    T_OK(msync(p, t_pages(16), MS_SYNC));
    T_OK(mprotect(p, t_pages(8), PROT_READ));
    p = T_REMAP(p, t_pages(16), t_pages(8), 0);
    T_OK(msync(p, t_pages(8), MS_SYNC | MS_INVALIDATE));
    T_OK(munmap(p, t_pages(8)));
  }
  T_OK(setitimer(ITIMER_VIRTUAL, &never, NULL));
  T_FILE_ALL(fd, 0, t_pages(16), i);
}

static const struct t_case cases[] = {
  T_CASE(signals_that_are_sent_reach_the_handler),
  T_CASE(sent_signal_interrupts_a_call),
  T_CASE(call_goes_on_after_a_handler_with_sa_restart),
  T_CASE(no_call_of_the_family_is_interrupted),
};

T_MAIN(cases)
