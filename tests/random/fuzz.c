/* fuzz.c - an entry for libFuzzer on the same player: clang -fsanitize=fuzzer makes the sequences.
 * make fuzz-random builds it. */
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 120 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct step steps[STEPS];
  size_t n = size / sizeof *steps < STEPS ? size / sizeof *steps : STEPS;
  char text[320];
  size_t at;

  if (n == 0)
    return 0;
  memcpy(steps, data, n * sizeof *steps);
  if (play(steps, n, &at, text, sizeof text))
    return 0;
  (void)fprintf(stderr, "step %zu: %s\n", at, text);
  abort();
}
