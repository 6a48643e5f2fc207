/* exit.c - what a program stored is in the file once it has ended, however it ended. */
#include "conform.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *program;
static unsigned char *mapped;

static unsigned char *
map_whole(const char *path, int type) {
  int fd = t_open(path, O_RDWR);
  unsigned char *p = T_MAP(NULL, t_pages(4), RW, type, fd, 0);

  T_OK(close(fd));
  T_CHECK(t_mappings_served() > 0);
  return p;
}

static void
store(void) {
  PUT(mapped, 's');
  PUT(mapped + t_pages(3) + 1, 't');
}

/* Runs fn(path) in a child that ends as wanted; then the file holds the stores of store(). */
static void
stores_survive(void (*fn)(void *), int end) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(4));

  T_IN_CHILD(fn, path, end);
  T_FILE_BYTE(fd, 0, 's');
  T_FILE_OLD(fd, 1, t_pages(3));
  T_FILE_BYTE(fd, (off_t)t_pages(3) + 1, 't');
  T_FILE_OLD(fd, (off_t)t_pages(3) + 2, t_pages(1) - 2);
}

/* ---- The program itself, started anew ---- */

static void
start_anew(const char *how, void *path) {
  const char *emulator = t_emulator();

  if (emulator != NULL)
    (void)execl(emulator, emulator, program, how, (char *)path, (char *)NULL);
  else
    (void)execl(program, program, how, (char *)path, (char *)NULL);
  t_fail(T_HERE, "can't start %s: errno %d", program, errno);
}

static void
start_and_return(void *path) {
  start_anew("--return", path);
}

static void
start_and_store_in_destructor(void *path) {
  start_anew("--destructor", path);
}

static bool stores_in_destructor;

__attribute__((destructor)) static void
last_words(void) {
  if (stores_in_destructor)
    store();
}

static int
started(const char *how, const char *path) {
  mapped = map_whole(path, MAP_SHARED);
  if (strcmp(how, "--destructor") == 0)
    stores_in_destructor = true;
  else
    store();
  return 0;
}

static void
stores_survive_the_return_from_main(void) {
  stores_survive(start_and_return, T_EXITED(0));
}

static void
stores_of_a_destructor_survive(void) {
  stores_survive(start_and_store_in_destructor, T_EXITED(0));
}

/* ---- exit ---- */

static void
store_and_exit(void *path) {
  mapped = map_whole(path, MAP_SHARED);
  store();
  exit(5);
}

static void
stores_survive_exit(void) {
  stores_survive(store_and_exit, T_EXITED(5));
}

static void *
store_and_exit_in_thread(void *path) {
  store_and_exit(path);
  return NULL;
}

static void
exit_from_a_thread(void *path) {
  pthread_t thread;

  T_EQ(pthread_create(&thread, NULL, store_and_exit_in_thread, path), 0);
  (void)pthread_join(thread, NULL);
}

static void
stores_survive_exit_from_a_thread(void) {
  stores_survive(exit_from_a_thread, T_EXITED(5));
}

static void *
store_in_thread(void *unused) {
  store();
  return unused;
}

static void
end_of_the_last_thread(void *path) {
  pthread_t thread;

  mapped = map_whole(path, MAP_SHARED);
  T_EQ(pthread_create(&thread, NULL, store_in_thread, NULL), 0);
  pthread_exit(NULL);
}

static void
stores_survive_the_end_of_the_last_thread(void) {
#ifdef __SANITIZE_THREAD__
  t_skip("ThreadSanitizer has a thread of its own, which never ends");
#endif
#ifndef __GLIBC__
  t_skip("musl 1.2.3: in a forked child the first thread never lets go of the list of threads");
#endif
  (void)alarm(10); /* where a thread of a library lives on, the process never ends */
  stores_survive(end_of_the_last_thread, T_EXITED(0));
}

static void
store_at_exit(void *path) {
  T_EQ(atexit(store), 0);
  mapped = map_whole(path, MAP_SHARED);
}

static void
stores_of_an_exit_handler_survive(void) {
  stores_survive(store_at_exit, T_EXITED(0));
}

static void
store_under_protection_and_exit(void *path) {
  mapped = map_whole(path, MAP_SHARED);
  PUT(mapped, 's');
  T_OK(msync(mapped, t_pages(4), MS_SYNC));
  store();
  T_OK(mprotect(mapped, t_pages(4), PROT_NONE));
  exit(0);
}

static void
stores_under_a_protection_survive_exit(void) {
  stores_survive(store_under_protection_and_exit, T_EXITED(0));
}

static void
store_privately_and_exit(void *path) {
  mapped = map_whole(path, MAP_PRIVATE);
  store();
  exit(0);
}

static void
private_stores_do_not_survive_exit(void) {
  char path[T_PATH];
  int fd = t_tmpfile(path, (off_t)t_pages(4));

  T_IN_CHILD(store_privately_and_exit, path, T_EXITED(0));
  T_FILE_OLD(fd, 0, t_pages(4));
}

static void
stores_to_many_files_survive_exit(void) {
  enum { FILES = 40 };
  static char paths[FILES][T_PATH];
  static int fds[FILES];
  pid_t pid;

  for (int i = 0; i < FILES; i++)
    fds[i] = t_tmpfile(paths[i], (off_t)t_pages(4));
  pid = t_fork();
  if (pid == 0) {
    for (int i = 0; i < FILES; i++) {
      mapped = map_whole(paths[i], MAP_SHARED);
      store();
    }
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  for (int i = 0; i < FILES; i++) {
    T_FILE_BYTE(fds[i], 0, 's');
    T_FILE_BYTE(fds[i], (off_t)t_pages(3) + 1, 't');
  }
}

/* ---- Ends that no library sees ---- */

static void
store_and_leave_at_once(void *path) {
  mapped = map_whole(path, MAP_SHARED);
  store();
  _exit(0);
}

static void
stores_survive_an_immediate_exit(void) {
  stores_survive(store_and_leave_at_once, T_EXITED(0));
}

static void
store_and_be_killed(void *path) {
  mapped = map_whole(path, MAP_SHARED);
  store();
  (void)raise(SIGKILL);
}

static void
stores_survive_being_killed(void) {
  stores_survive(store_and_be_killed, T_KILLED(SIGKILL));
}

static void
store_and_abort(void *path) {
  mapped = map_whole(path, MAP_SHARED);
  store();
  abort();
}

static void
stores_survive_abort(void) {
  stores_survive(store_and_abort, T_KILLED(SIGABRT));
}

static void
store_and_become_another_program(void *path) {
  mapped = map_whole(path, MAP_SHARED);
  store();
  (void)execl("/bin/true", "true", (char *)NULL);
}

static void
stores_survive_exec(void) {
  stores_survive(store_and_become_another_program, T_EXITED(0));
}

#define UNSEEN "a library alone doesn't see this end; whoever comes next writes"

static const struct t_case cases[] = {
  T_CASE_MAPS_NOTHING(stores_survive_the_return_from_main),
  T_CASE_MAPS_NOTHING(stores_of_a_destructor_survive),
  T_CASE_MAPS_NOTHING(stores_survive_exit),
  T_CASE_MAPS_NOTHING(stores_survive_exit_from_a_thread),
  T_CASE_MAPS_NOTHING(stores_survive_the_end_of_the_last_thread),
  T_CASE_MAPS_NOTHING(stores_of_an_exit_handler_survive),
  T_CASE_MAPS_NOTHING(stores_under_a_protection_survive_exit),
  T_CASE_MAPS_NOTHING(private_stores_do_not_survive_exit),
  T_CASE_MAPS_NOTHING(stores_to_many_files_survive_exit),
  T_CASE_SHIM_ONLY(stores_survive_an_immediate_exit, UNSEEN),
  T_CASE_SHIM_ONLY(stores_survive_being_killed, UNSEEN),
  T_CASE_SHIM_ONLY(stores_survive_abort, UNSEEN),
  T_CASE_SHIM_ONLY(stores_survive_exec, UNSEEN),
};

int
main(int argc, char **argv) {
  program = argv[0];
  if (argc == 3 && strncmp(argv[1], "--", 2) == 0)
    return started(argv[1], argv[2]);
  return t_run(cases, sizeof cases / sizeof cases[0], argc, argv);
}
