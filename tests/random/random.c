/* random.c - random sequences, compared with the kernel's own mmap; what differs is shrunk to the
 * shortest sequence that still does, and printed.
 *
 *     random            seeds that are always the same
 *     random SEED       sequences from this one on
 */
#include "world.h"

enum { STEPS_MAX = 120 };

static const char *const names[OP_COUNT] = {
  [OP_MAP] = "map",
  [OP_STORE] = "store",
  [OP_LOAD] = "load",
  [OP_SYNC] = "sync",
  [OP_SYNC_ASYNC] = "sync async",
  [OP_SYNC_INVALIDATE] = "sync invalidate",
  [OP_SYNC_ALL] = "sync all",
  [OP_UNMAP] = "unmap",
  [OP_PROTECT] = "protect",
  [OP_MOVE] = "move",
  [OP_ADVISE] = "advise",
  [OP_PIN] = "pin",
  [OP_TRUNCATE] = "truncate",
  [OP_THREADS] = "threads",
  [OP_FORK] = "fork",
  [OP_EXIT] = "exit",
  [OP_KILL] = "kill",
  [OP_FAULT] = "fault",
};

void
say_step(const struct step *step, char *line, size_t size) {
  unsigned page = step->page % SLOT_PAGES;

  (void)snprintf(line, size, "%-16s slot %u pages %u+%u, file %u page %u, value %u",
                 names[step->op % OP_COUNT], step->slot % SLOTS, page,
                 1 + step->pages % (SLOT_PAGES - page), step->file % FILES,
                 step->file_page % FILE_PAGES, step->value);
}

/* ---- Generating ------------------------------------------------------------------------------ */

/* How often each comes, of 100 and some. */
static const uint8_t weights[OP_COUNT] = {
  [OP_MAP] = 14,     [OP_STORE] = 24,     [OP_LOAD] = 12,
  [OP_SYNC] = 7,     [OP_SYNC_ASYNC] = 3, [OP_SYNC_INVALIDATE] = 3,
  [OP_SYNC_ALL] = 2, [OP_UNMAP] = 6,      [OP_PROTECT] = 7,
  [OP_MOVE] = 5,     [OP_ADVISE] = 2,     [OP_PIN] = 2,
  [OP_TRUNCATE] = 3, [OP_THREADS] = 3,    [OP_FORK] = 2,
  [OP_EXIT] = 1,     [OP_KILL] = 1,       [OP_FAULT] = 5,
};

static uint8_t
some_op(struct t_random *random) {
  unsigned sum = 0;
  unsigned pick;
  uint8_t op = 0;

  for (int i = 0; i < OP_COUNT; i++)
    sum += weights[i];
  pick = t_random_below(random, sum);
  while (pick >= weights[op])
    pick -= weights[op++];
  return op;
}

static size_t
generate(uint64_t seed, struct step steps[STEPS_MAX]) {
  struct t_random random = { seed * 2654435761u + 1 };
  size_t n;

  for (int i = 0; i < 4; i++)
    (void)t_random_next(&random);
  n = 20 + t_random_below(&random, STEPS_MAX - 20);
  for (size_t i = 0; i < n; i++) {
    steps[i].op = i == 0 ? OP_MAP : some_op(&random);
    steps[i].slot = (uint8_t)t_random_next(&random);
    steps[i].page = (uint8_t)t_random_next(&random);
    steps[i].pages = (uint8_t)t_random_next(&random);
    steps[i].file = (uint8_t)t_random_next(&random);
    steps[i].file_page = (uint8_t)t_random_next(&random);
    steps[i].value = (uint8_t)t_random_next(&random);
  }
  return n;
}

/* ---- Shrinking ------------------------------------------------------------------------------- */

static bool
still_differs(const struct step *steps, size_t n) {
  char text[320];
  size_t at;

  for (int tries = 0; tries < 3; tries++) /* threads have their moods */
    if (!play(steps, n, &at, text, sizeof text))
      return true;
  return false;
}

/* Leave out runs of steps, long ones first, as long as it still differs. */
static size_t
shrink(struct step *steps, size_t n) {
  struct step fewer[STEPS_MAX];

  for (size_t run = n / 2; run > 0; run = run > 1 ? run / 2 : 0)
    for (size_t from = 0; from + run <= n;) {
      memcpy(fewer, steps, from * sizeof *steps);
      memcpy(fewer + from, steps + from + run, (n - from - run) * sizeof *steps);
      if (still_differs(fewer, n - run)) {
        n -= run;
        memcpy(steps, fewer, n * sizeof *steps);
      } else {
        from += run;
      }
    }
  return n;
}

static void
print(const struct step *steps, size_t n) {
  char line[160];

  for (size_t i = 0; i < n; i++) {
    say_step(&steps[i], line, sizeof line);
    t_note("%3zu  %s", i, line);
  }
}

/* True: no difference; *count receives the steps. */
static bool
try_seed(uint64_t seed, size_t *count) {
  struct step steps[STEPS_MAX];
  char text[320];
  size_t n = generate(seed, steps);
  size_t at;

  *count += n;
  if (play(steps, n, &at, text, sizeof text))
    return true;
  t_note("seed %llu, step %zu of %zu: %s", (unsigned long long)seed, at, n, text);
  n = shrink(steps, n);
  if (!play(steps, n, &at, text, sizeof text))
    t_note("the shortest: step %zu: %s", at, text);
  print(steps, n);
  return false;
}

/* ---- Running --------------------------------------------------------------------------------- */

static int
run(uint64_t seed, size_t wanted) {
  size_t count = 0;
  unsigned failed = 0;
  uint64_t first = seed;

  while (count < wanted && failed < 3)
    failed += !try_seed(seed++, &count);
  t_note("%zu operations, seeds %llu to %llu, %u differ", count, (unsigned long long)first,
         (unsigned long long)seed - 1, failed);
  return failed != 0;
}

int
main(int argc, char **argv) {
  char sections[T_PATH];
  size_t wanted = engine_scale(6000, 1000000, 5000000);
  struct t_random fresh;
  int failed = 0;

  t_sections_begin(sections);
  if (argc > 1) {
    failed = run(strtoull(argv[1], NULL, 0), argc > 2 ? strtoull(argv[2], NULL, 0) : wanted);
  } else if (engine_scale(0, 0, 1) != 0) {
    fresh = t_random_start();
    failed = run(fresh.state << 20, wanted);
  } else { /* four, far from each other */
    for (uint64_t part = 0; part < 4; part++)
      failed |= run((part + 1) << 32, wanted / (engine_scale(4, 1, 1)));
  }
  failed |= !t_sections_end(sections, false);
  return failed;
}
