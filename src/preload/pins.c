/* pins.c - pinning for the time of a system call. */
#include "preload/real.h"

#include "preload/pins.h"

#include <string.h>

#include "preload/report.h"

static size_t
page_rest(const void *addr) {
  size_t page = (size_t)softmap_page_size();
  return page - ((uintptr_t)addr & (page - 1));
}

/* As much from the start of the range as can be pinned. */
static size_t
pin_some(char *addr, size_t len, int prot) {
  if (softmap_pin(addr, len, prot) == 0)
    return len;
  size_t done = 0;
  while (done < len) {
    size_t part = page_rest(addr + done);
    part = part < len - done ? part : len - done;
    if (softmap_pin(addr + done, part, prot))
      break;
    done += part;
  }
  return done;
}

void
pins_add(struct pins *pins, const void *addr, size_t len, int prot) {
  if (!shim_touches(addr, len))
    return;
  int saved = errno;
  size_t done = pin_some((char *)(uintptr_t)addr, len, prot);
  errno = saved;
  if (!done)
    return;
  if (pins->n == 0)
    report_pinned();
  if (pins->n < PINS_MAX) {
    pins->at[pins->n].addr = (void *)(uintptr_t)addr;
    pins->at[pins->n++].len = done;
  }
}

void
pins_add_string(struct pins *pins, const char *string) {
  while (string && shim_touches(string, 1)) {
    size_t rest = page_rest(string);
    unsigned before = pins->n;
    pins_add(pins, string, rest, PROT_READ);
    if (pins->n == before || memchr(string, '\0', rest))
      return; /* the end, or a page that can't be read */
    string += rest;
  }
}

void
pins_add_strings(struct pins *pins, char *const *strings) {
  for (; strings; strings++) {
    pins_add(pins, strings, sizeof *strings, PROT_READ);
    if (!*strings)
      return;
    pins_add_string(pins, *strings);
  }
}

void
pins_add_iov(struct pins *pins, const struct iovec *iov, int n, int prot) {
  if (!iov || n <= 0 || n > 1024)
    return; /* the kernel says what is wrong */
  pins_add(pins, iov, (size_t)n * sizeof *iov, PROT_READ);
  for (int i = 0; i < n; i++)
    pins_add(pins, iov[i].iov_base, iov[i].iov_len, prot);
}

void
pins_add_message(struct pins *pins, const struct msghdr *message, int prot) {
  if (!message)
    return;
  pins_add(pins, message, sizeof *message, prot);
  pins_add(pins, message->msg_name, message->msg_namelen, prot);
  pins_add(pins, message->msg_control, message->msg_controllen, prot);
  pins_add_iov(pins, message->msg_iov, (int)message->msg_iovlen, prot);
}

void
pins_add_messages(struct pins *pins, const struct mmsghdr *messages, unsigned n, int prot) {
  if (!messages || n > 1024)
    return;
  pins_add(pins, messages, n * sizeof *messages, PROT_READ | PROT_WRITE); /* lengths come back */
  for (unsigned i = 0; i < n; i++)
    pins_add_message(pins, &messages[i].msg_hdr, prot);
}

void
pins_undo(struct pins *pins) {
  int saved = errno;
  for (unsigned i = 0; i < pins->n; i++)
    if (softmap_unpin(pins->at[i].addr, pins->at[i].len))
      break; /* it was unmapped meanwhile */
  pins->n = 0;
  errno = saved;
}
