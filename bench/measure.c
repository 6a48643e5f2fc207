/* measure.c - time, rounds and medians. */
#include "bench.h"

#include <stdlib.h>
#include <time.h>

double
now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Whose turn it is: the round begins with another side each time, and every other one goes
 * backwards, so that nobody always comes behind the same one. */
static int
side_of(int round, int turn, int nsides) {
  int begin = round / 2 % nsides;
  return round % 2 ? (begin + nsides - turn) % nsides : (begin + turn) % nsides;
}

void
measure(const struct side *sides, int nsides, struct samples *out) {
  for (int i = 0; i < nsides; i++)
    out[i].count = 0;
  for (int round = -1; round < options.rounds; round++)
    for (int turn = 0; turn < nsides; turn++) {
      int i = side_of(round + 1, turn, nsides);
      double us = sides[i].run(sides[i].arg);
      if (round >= 0)
        out[i].at[out[i].count++] = us;
    }
}

static int
compare(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Value at a quarter, two or three of the sorted samples; between two of them, their mean. */
double
quartile(const struct samples *samples, int quarters) {
  struct samples sorted = *samples;
  if (sorted.count == 0)
    return 0;
  qsort(sorted.at, (size_t)sorted.count, sizeof *sorted.at, compare);
  int at = quarters * (sorted.count - 1);
  double low = sorted.at[at / 4];
  double high = sorted.at[(at + 3) / 4];
  return at % 4 ? (low + high) / 2 : low;
}

double
median(const struct samples *samples) {
  return quartile(samples, 2);
}

double
ratio_quartile(const struct samples *ours, const struct samples *floor, int quarters) {
  struct samples ratios = { .count = ours->count };
  for (int i = 0; i < ours->count; i++)
    ratios.at[i] = ours->at[i] / floor->at[i];
  return quartile(&ratios, quarters);
}

void
shuffle(uint32_t *items, size_t n) {
  uint64_t state = 88172645463325252U;
  for (size_t i = n; i > 1; i--) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    size_t other = (size_t)(state % i);
    uint32_t item = items[i - 1];
    items[i - 1] = items[other];
    items[other] = item;
  }
}
