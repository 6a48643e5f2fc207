/* check.c - a check that fails says where and what, and ends the process with 1. */
#include "t.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local struct t_at last;
static int rows_failed;

static void say(const char *before, const char *fmt, va_list args) T_PRINTF(2, 0);

/* One write for a line: lines of several processes don't mix, and nothing waits in a buffer that
 * fork would copy. */
static void
say(const char *before, const char *fmt, va_list args) {
  char line[1024];
  size_t used = (size_t)snprintf(line, sizeof line, "# %s", before);
  int more = vsnprintf(line + used, sizeof line - used - 1, fmt, args);

  used += more < 0 ? 0 : (size_t)more;
  if (used > sizeof line - 2)
    used = sizeof line - 2;
  line[used++] = '\n';
  if (write(STDOUT_FILENO, line, used) < 0)
    _exit(99);
}

void
t_note(const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  say("", fmt, args);
  va_end(args);
}

void
t_fail(struct t_at at, const char *fmt, ...) {
  char before[256];
  va_list args;

  (void)snprintf(before, sizeof before, "%s:%d: ", at.file, at.line);
  va_start(args, fmt);
  say(before, fmt, args);
  va_end(args);
  exit(1);
}

void
t_row_fail(struct t_at at, const char *row, const char *fmt, ...) {
  char before[256];
  va_list args;

  rows_failed++;
  (void)snprintf(before, sizeof before, "%s:%d: row \"%s\": ", at.file, at.line, row);
  va_start(args, fmt);
  say(before, fmt, args);
  va_end(args);
}

int
t_rows_failed(void) {
  return rows_failed;
}

struct t_at
t_last_check(void) {
  return last;
}

static const struct {
  int err;
  const char *name;
} names[] = {
  { EACCES, "EACCES" },   { EAGAIN, "EAGAIN" },
  { EBADF, "EBADF" },     { EBUSY, "EBUSY" },
  { EEXIST, "EEXIST" },   { EFAULT, "EFAULT" },
  { EINVAL, "EINVAL" },   { EIO, "EIO" },
  { ENODEV, "ENODEV" },   { ENOENT, "ENOENT" },
  { ENOMEM, "ENOMEM" },   { ENOSPC, "ENOSPC" },
  { ENOSYS, "ENOSYS" },   { EOPNOTSUPP, "EOPNOTSUPP" },
  { EPERM, "EPERM" },     { EOVERFLOW, "EOVERFLOW" },
  { ETXTBSY, "ETXTBSY" }, { 0, "success" },
};

const char *
t_errno_name(int err, char buf[32]) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].err == err)
      return names[i].name;
  (void)snprintf(buf, 32, err == T_ERRNO_UNTOUCHED ? "no errno set" : "errno %d", err);
  return buf;
}

void
t_true(struct t_at at, const char *text, bool ok) {
  last = at;
  if (!ok)
    t_fail(at, "not true: %s", text);
}

void
t_eq(struct t_at at, const char *text, intmax_t got, intmax_t want) {
  last = at;
  if (got != want)
    t_fail(at, "%s is %jd (%#jx), wanted %jd (%#jx)", text, got, (uintmax_t)got, want,
           (uintmax_t)want);
}

void
t_ok(struct t_at at, const char *text, intmax_t result) {
  char buf[32];
  int err = errno;

  last = at;
  if (result == -1)
    t_fail(at, "%s failed with %s", text, t_errno_name(err, buf));
  if (err != T_ERRNO_UNTOUCHED)
    t_fail(at, "%s succeeded, but set errno to %s", text, t_errno_name(err, buf));
}

void
t_err(struct t_at at, const char *text, intmax_t result, int want_errno) {
  char got[32];
  char want[32];
  int err = errno;

  last = at;
  if (result != -1)
    t_fail(at, "%s returned %jd, wanted %s", text, result, t_errno_name(want_errno, want));
  if (err != want_errno)
    t_fail(at, "%s failed with %s, wanted %s", text, t_errno_name(err, got),
           t_errno_name(want_errno, want));
}

void
t_row(struct t_at at, const char *row, intmax_t result, int want_errno) {
  char got_buf[32];
  char want_buf[32];
  int got = result == -1 ? errno : 0;

  last = at;
  if (got != want_errno)
    t_row_fail(at, row, "%s, wanted %s", t_errno_name(got, got_buf),
               t_errno_name(want_errno, want_buf));
  else if (got == 0 && errno != T_ERRNO_UNTOUCHED)
    t_row_fail(at, row, "success, but errno was set to %s", t_errno_name(errno, got_buf));
}
