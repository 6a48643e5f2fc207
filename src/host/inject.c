/* inject.c - fail, shorten or end at the nth call of the host layer; empty unless
 * SOFTMAP_INJECT is defined.
 *
 * The environment variable SOFTMAP_TEST_INJECT arms a rule at host_start():
 *
 *     CALL:NTH:TIMES:ACTION    map:3:1:ENOMEM   write:1:*:short=100   flush:2:1:kill_after
 *
 * TIMES is a number or *, persistently; ACTION is the name or number of an errno, kill,
 * kill_after, stop_after, or short=BYTES.  (hold: by inject_arm only.)
 *
 * Reached from the fault handler through the host's functions, so: atomics and initial-exec
 * thread-local variables only.
 */
#include "host/host_linux.h"

#include "host/inject.h"

#ifdef SOFTMAP_INJECT

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"

/* What a site's call now under way in this thread is to do when it gets there. */
struct pending {
  uint32_t shorten;
  int end_signal; /* when the call is done; 0: none */
};

static const char *const names[] = {
#define X(name) #name,
  HOST_CALLS(X)
#undef X
};

static _Atomic uint32_t is_armed;
static _Atomic uint32_t rule_call, rule_nth, rule_times, rule_shorten, rule_kill;
static _Atomic uint32_t rule_hold, released;
static _Atomic int rule_error, rule_end_signal;
static _Atomic uint32_t calls[HOST_CALL_COUNT];
static _Atomic uint32_t fired;
static __thread struct pending pending __attribute__((tls_model("initial-exec")));

static uint32_t
get(_Atomic uint32_t *word) {
  return atomic_load_explicit(word, memory_order_relaxed);
}

static void
set(_Atomic uint32_t *word, uint32_t value) {
  atomic_store_explicit(word, value, memory_order_relaxed);
}

/* By this thread: another one might take the signal, and we go on for a moment. */
static void
signal_process(int signo) {
  raw3(SYS_tgkill, raw0(SYS_getpid), raw0(SYS_gettid), signo);
}

/* ---- Rules --------------------------------------------------------------------------------- */

void
inject_arm(const struct inject_rule *rule) {
  inject_disarm();
  for (int i = 0; i < HOST_CALL_COUNT; i++)
    set(&calls[i], 0);
  set(&fired, 0);
  set(&rule_call, (uint32_t)rule->call);
  set(&rule_nth, rule->nth);
  set(&rule_times, rule->times);
  set(&rule_shorten, rule->shorten);
  set(&rule_kill, rule->kill != 0);
  int end_signal = rule->kill_after ? SIGKILL : rule->stop_after ? SIGSTOP : 0;
  atomic_store_explicit(&rule_end_signal, end_signal, memory_order_relaxed);
  set(&rule_hold, rule->hold != 0);
  set(&released, 0);
  atomic_store_explicit(&rule_error, rule->error, memory_order_relaxed);
  atomic_store_explicit(&is_armed, 1, memory_order_release);
}

void
inject_disarm(void) {
  atomic_store_explicit(&is_armed, 0, memory_order_release);
}

uint32_t
inject_fired(void) {
  return get(&fired);
}

uint32_t
inject_calls(enum host_call call) {
  return get(&calls[call]);
}

const char *
inject_name(enum host_call call) {
  return call < HOST_CALL_COUNT ? names[call] : "?";
}

void
inject_release(uint32_t n) {
  atomic_store(&released, n);
  host_wake(&released, INT_MAX);
}

static void
wait_for_release(uint32_t turn) {
  uint32_t now;
  while ((now = atomic_load(&released)) < turn)
    host_wait(&released, now, 0);
}

/* ---- Sites --------------------------------------------------------------------------------- */

int
inject_before(enum host_call call) {
  uint32_t n = atomic_fetch_add_explicit(&calls[call], 1, memory_order_relaxed) + 1;
  if (atomic_load_explicit(&is_armed, memory_order_acquire) == 0)
    return 0;
  if (get(&rule_call) != (uint32_t)call || n < get(&rule_nth))
    return 0;
  if (n - get(&rule_nth) >= get(&rule_times))
    return 0;
  uint32_t turn = atomic_fetch_add_explicit(&fired, 1, memory_order_relaxed) + 1;
  if (get(&rule_hold))
    wait_for_release(turn);
  if (get(&rule_kill))
    signal_process(SIGKILL);
  int error = atomic_load_explicit(&rule_error, memory_order_relaxed);
  if (error != 0)
    return error;
  pending.shorten = get(&rule_shorten);
  pending.end_signal = atomic_load_explicit(&rule_end_signal, memory_order_relaxed);
  return 0;
}

void
inject_after(enum host_call call) {
  if (get(&rule_call) != (uint32_t)call)
    return;
  int signo = pending.end_signal;
  pending = (struct pending){ .shorten = 0 };
  if (signo)
    signal_process(signo);
}

size_t
inject_shorten(enum host_call call, size_t len) {
  if (get(&rule_call) != (uint32_t)call || pending.shorten == 0)
    return len;
  return len < pending.shorten ? len : pending.shorten;
}

/* ---- From the environment ------------------------------------------------------------------ */

static const struct {
  const char *name;
  int value;
} errors[] = {
#define E(name)                                                                                    \
  { #name, name }
  E(EACCES), E(EAGAIN),    E(EBADF),  E(EBUSY),  E(EDQUOT),       E(EEXIST), E(EFAULT),
  E(EFBIG),  E(EINTR),     E(EINVAL), E(EIO),    E(EMFILE),       E(ENFILE), E(ENODATA),
  E(ENODEV), E(ENOENT),    E(ENOMEM), E(ENOSPC), E(ENOSYS),       E(ENXIO),  E(EOPNOTSUPP),
  E(EPERM),  E(EOVERFLOW), E(EROFS),  E(ESTALE), E(ECONNREFUSED), E(ESRCH),
#undef E
};

/* Reads a number up to the end of text; false if there is something else. */
static bool
parse_number(const char *text, uint32_t *out) {
  uint64_t value = 0;
  if (*text == '\0')
    return false;
  for (; *text >= '0' && *text <= '9'; text++) {
    value = value * 10 + (uint64_t)(*text - '0');
    if (value > UINT32_MAX)
      return false;
  }
  *out = (uint32_t)value;
  return *text == '\0';
}

static bool
parse_call(const char *text, enum host_call *out) {
  for (int i = 0; i < HOST_CALL_COUNT; i++)
    if (strcmp(text, names[i]) == 0) {
      *out = (enum host_call)i;
      return true;
    }
  return false;
}

static bool
parse_error(const char *text, int *out) {
  uint32_t value = 0;
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (strcmp(text, errors[i].name) == 0) {
      *out = errors[i].value;
      return true;
    }
  if (!parse_number(text, &value) || value == 0 || value > 4095)
    return false;
  *out = (int)value;
  return true;
}

static bool
parse_action(const char *text, struct inject_rule *rule) {
  if (strcmp(text, "kill") == 0)
    rule->kill = 1;
  else if (strcmp(text, "kill_after") == 0)
    rule->kill_after = 1;
  else if (strcmp(text, "stop_after") == 0)
    rule->stop_after = 1;
  else if (strncmp(text, "short=", 6) == 0)
    return parse_number(text + 6, &rule->shorten) && rule->shorten != 0;
  else
    return parse_error(text, &rule->error);
  return true;
}

/* Cuts text at its colons. */
static bool
parse_rule(char *text, struct inject_rule *rule) {
  char *part[4];
  for (int i = 0; i < 4; i++) {
    part[i] = text;
    text = strchr(text, ':');
    if ((text == NULL) != (i == 3))
      return false;
    if (text != NULL)
      *text++ = '\0';
    else
      break;
  }
  *rule = (struct inject_rule){ .times = UINT32_MAX };
  return parse_call(part[0], &rule->call) && parse_number(part[1], &rule->nth) && rule->nth != 0 &&
         (strcmp(part[2], "*") == 0 || (parse_number(part[2], &rule->times) && rule->times != 0)) &&
         parse_action(part[3], rule);
}

void (*inject_record)(const struct inject_change *change);

void
inject_changed(enum host_call call, int fd, const char *name, const struct iovec *vec,
               uint64_t offset, size_t len) {
  struct inject_change change = { call, fd, name, vec, offset, len };
  if (inject_record)
    inject_record(&change);
}

void
inject_configure(void) {
  static const char complaint[] = "softmap: bad SOFTMAP_TEST_INJECT\n";
  struct inject_rule rule;
  char copy[128];
  // NOLINTNEXTLINE(concurrency-mt-unsafe): tests set it before they start threads
  const char *text = getenv("SOFTMAP_TEST_INJECT");
  if (text == NULL || *text == '\0')
    return;
  size_t len = strlen(text);
  if (len < sizeof copy) {
    memcpy(copy, text, len + 1);
    if (parse_rule(copy, &rule)) {
      inject_arm(&rule);
      return;
    }
  }
  host_message(complaint, sizeof complaint - 1);
  _exit(99); /* a test build: the test is wrong */
}

#else
/* ISO C wants something in every file. */
typedef int inject_is_not_built;
#endif
