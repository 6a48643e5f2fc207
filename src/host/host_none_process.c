/* host_none_process.c - the second half of host_none.c: threads, processes, signals, words. */
#include <errno.h>

#include "host/host.h"

void
host_wait(_Atomic uint32_t *word, uint32_t expect, uint64_t timeout_ns) {
  (void)word;
  (void)expect;
  (void)timeout_ns;
}

void
host_wake(_Atomic uint32_t *word, int nthreads) {
  (void)word;
  (void)nthreads;
}

void
host_yield(void) {
}

void
host_nap(uint64_t ns) {
  (void)ns;
}

uint64_t
host_now_ns(void) {
  return 0;
}

int
host_thread_count(unsigned *out) {
  (void)out;
  return ENOSYS;
}

int
host_robust_locks(uintptr_t *out, size_t max, size_t *n) {
  (void)out;
  (void)max;
  (void)n;
  return ENOSYS;
}

int
host_copy_memory(const struct iovec *to, int nto, const struct iovec *from, int nfrom,
                 size_t *done) {
  (void)to, (void)nto, (void)from, (void)nfrom, (void)done;
  return EOPNOTSUPP;
}

int
host_thread_start(void *(*fn)(void *), void *arg, const char *name) {
  (void)fn;
  (void)arg;
  (void)name;
  return ENOSYS;
}

bool
host_is_stopped(const struct host_identity *process) {
  (void)process;
  return false;
}

int
host_watch_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  (void)prepare;
  (void)parent;
  (void)child;
  return ENOSYS;
}

bool
host_lineage_same(void) {
  return true;
}

void
host_lineage_renew(void) {
}

bool
host_is_vfork_child(void) {
  return false;
}

int
host_identity(struct host_identity *out) {
  (void)out;
  return ENOSYS;
}

uid_t
host_user(void) {
  return 0;
}

void
host_use_sigaction(int (*function)(int, const struct sigaction *, struct sigaction *)) {
  (void)function;
}

int
host_signal_action(int sig, const struct sigaction *new_action, struct sigaction *old_action) {
  (void)sig;
  (void)new_action;
  (void)old_action;
  return ENOSYS;
}

void
host_signals_block(sigset_t *old) {
  (void)old;
}

void
host_signals_set(const sigset_t *mask) {
  (void)mask;
}

bool
host_signals_any_open(const sigset_t *mask) {
  (void)mask;
  return true;
}

void
host_signal_raise(int sig) {
  (void)sig;
}

void
host_message(const char *text, size_t len) {
  (void)text;
  (void)len;
}
