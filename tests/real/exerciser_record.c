/* exerciser_record.c - chance that can be repeated, and what operations gave. */
#include "exerciser.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t state, digest, count, trace_from = UINT64_MAX;
static const char *process = "";

void
chance_seed(uint64_t seed) {
  state = seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
  for (int i = 0; i < 8; i++)
    (void)chance();
}

/* xorshift64* (Vigna 2014). */
uint64_t
chance(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1du;
}

size_t
chance_below(size_t n) {
  return (size_t)((chance() >> 16) % n);
}

static bool
is_traced(void) {
  return count >= trace_from;
}

void
record_trace(uint64_t from) {
  trace_from = from;
}

void
record_begin(const char *who) {
  process = who;
  digest = 0xcbf29ce484222325u;
}

static void
add(const void *bytes, size_t n) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < n; i++)
    digest = (digest ^ at[i]) * 0x100000001b3u;
}

void
record_op(const char *name) {
  count++;
  add(name, strlen(name));
  if (is_traced())
    (void)fprintf(stderr, "\n%s%" PRIu64 " %s", process, count, name);
}

void
record_number(const char *what, int64_t number) {
  add(&number, sizeof number);
  if (is_traced())
    (void)fprintf(stderr, " %s=%" PRId64, what, number);
}

void
record_call(int64_t result) {
  record_number("gives", result);
  if (result == -1)
    record_number("errno", errno);
}

void
record_bytes(const void *bytes, size_t n) {
  uint64_t before = digest;
  add(bytes, n);
  if (is_traced())
    (void)fprintf(stderr, " bytes=%zu:%08x", n, (unsigned)(digest ^ before));
}

uint64_t
record_digest(void) {
  return digest;
}

void
record_join(uint64_t other) {
  record_number("joined", (int64_t)other);
}
