/* pins.h - memory that a system call is about to read or fill.
 *
 * The kernel doesn't fault our pages in: a call that meets one that is closed or not filled fails
 * with EFAULT or transfers less.  So what lies in mappings of ours is pinned for the time of the
 * call, and no byte of it is touched.  What can't be pinned (past the end of the file, protected by
 * the program) is left to the kernel to refuse.
 */
#ifndef PRELOAD_PINS_H
#define PRELOAD_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "api/shim.h"

/* More than that at once stay pinned: their pages are dirty until the process ends. */
enum { PINS_MAX = 40 };

struct pins {
  unsigned n;
  struct {
    void *addr;
    size_t len;
  } at[PINS_MAX];
};

/* Declare pins that are undone when the wrapper is left, by cancellation, too. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares a variable. */
#define PINS(pins) __attribute__((cleanup(pins_undo))) struct pins pins; pins.n = 0

void pins_add(struct pins *pins, const void *addr, size_t len, int prot);
void pins_add_string(struct pins *pins, const char *string);
void pins_add_strings(struct pins *pins, char *const *strings); /* ends in NULL */
void pins_add_iov(struct pins *pins, const struct iovec *iov, int n, int prot);
void pins_add_message(struct pins *pins, const struct msghdr *message, int prot);
void pins_add_messages(struct pins *pins, const struct mmsghdr *messages, unsigned n, int prot);
void pins_undo(struct pins *pins);

/* In a wrapper, where its pins are called `pins`.  A socket address is a union of pointers. */
#define IN(addr, len) pins_add(&pins, (addr), (size_t)(len), PROT_READ)
#define OUT(addr, len) pins_add(&pins, (addr), (size_t)(len), PROT_READ | PROT_WRITE)
#define OUT_ONE(addr) OUT(addr, sizeof *(addr))
#define IN_ONE(addr) IN(addr, sizeof *(addr))
#define PATH(string) pins_add_string(&pins, (string))
/* A value-result length beside a buffer. */
#define OUT_SIZED(addr, len) (OUT_ONE(len), (len) ? OUT(addr, *(len)) : (void)0)

#endif
