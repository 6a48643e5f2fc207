/* The bytes of the page protocol: each transition alone, then threads against each other.
 *
 * The race plays two processes with two threads each on one page.  What the host does to a page
 * is played too: `writable` is its protection, and closing waits for stores that are under way, as
 * mprotect does.  The numbers of rounds are fixed, so that nothing here depends on time.
 */
#include "core/page.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- Each transition ----------------------------------------------------------------------- */

static const char *const state_name[PAGE_STATE_COUNT] = {
  "unfilled", "filling", "clean", "written", "flushing", "dirty", "writing", "writing again",
};

static void
mark_makes_filled_pages_dirty(void **unused) {
  static const uint8_t want[PAGE_STATE_COUNT] = {
    [PAGE_UNFILLED] = PAGE_UNFILLED,     [PAGE_FILLING] = PAGE_FILLING,
    [PAGE_CLEAN] = PAGE_DIRTY,           [PAGE_WRITTEN] = PAGE_DIRTY,
    [PAGE_FLUSHING] = PAGE_DIRTY,        [PAGE_DIRTY] = PAGE_DIRTY,
    [PAGE_WRITING] = PAGE_WRITING_AGAIN, [PAGE_WRITING_AGAIN] = PAGE_WRITING_AGAIN,
  };
  (void)unused;
  for (unsigned from = 0; from < PAGE_STATE_COUNT; from++) {
    page_byte state = (uint8_t)from;
    bool marked = page_mark(&state);
    if (atomic_load(&state) != want[from] || marked != page_is_dirty(want[from]))
      fail_msg("%s became %s", state_name[from], state_name[atomic_load(&state)]);
  }
}

static void
mark_keeps_the_hand(void **unused) {
  (void)unused;
  for (uint32_t lane = 0; lane < PAGE_HANDS; lane++) {
    page_byte state = page_in_hand(PAGE_WRITING, lane);
    assert_true(page_mark(&state));
    assert_int_equal(atomic_load(&state), page_in_hand(PAGE_WRITING_AGAIN, lane));
    state = page_in_hand(PAGE_FILLING, lane);
    assert_false(page_mark(&state));
    assert_int_equal(atomic_load(&state), page_in_hand(PAGE_FILLING, lane));
  }
}

/* Whose work others took over can't end what is in another hand by now. */
static void
only_the_hand_ends_a_write(void **unused) {
  static const uint8_t kinds[] = { PAGE_WRITING, PAGE_WRITING_AGAIN };
  (void)unused;
  for (size_t k = 0; k < sizeof kinds; k++)
    for (uint32_t lane = 0; lane < PAGE_HANDS; lane++) {
      uint8_t in_hand = page_in_hand((enum page_state)kinds[k], lane);
      page_byte state = in_hand;
      assert_false(page_end_write(&state, lane + 1, true, false));
      assert_int_equal(atomic_load(&state), in_hand);
      assert_int_equal(page_end_write(&state, lane, true, false), kinds[k] == PAGE_WRITING);
    }
}

static void
taking_over_wants_the_hand_seen(void **unused) {
  static const struct {
    const char *name;
    uint8_t is, seen, want;
  } rows[] = {
    { "written", PAGE_WRITING, PAGE_WRITING, PAGE_DIRTY },
    { "stored to since", PAGE_WRITING_AGAIN, PAGE_WRITING, PAGE_DIRTY },
    { "filled: takes more than one step", PAGE_FILLING, PAGE_FILLING, PAGE_FILLING },
    { "in another hand", PAGE_WRITING | 1 << PAGE_KIND_BITS, PAGE_WRITING,
      PAGE_WRITING | 1 << PAGE_KIND_BITS },
    { "filled by another", PAGE_FILLING | 1 << PAGE_KIND_BITS, PAGE_FILLING,
      PAGE_FILLING | 1 << PAGE_KIND_BITS },
    { "ended", PAGE_WRITTEN, PAGE_WRITING, PAGE_WRITTEN },
    { "in no hand", PAGE_DIRTY, PAGE_DIRTY, PAGE_DIRTY },
  };
  (void)unused;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    page_byte state = rows[i].is;
    page_take_over(&state, rows[i].seen);
    if (atomic_load(&state) != rows[i].want)
      fail_msg("%s: %u", rows[i].name, atomic_load(&state));
  }
}

static void
which_bytes_are_states(void **unused) {
  unsigned count = 0;
  (void)unused;
  for (unsigned byte = 0; byte < 256; byte++)
    count += page_is_state((uint8_t)byte);
  assert_int_equal(count, PAGE_STATE_COUNT + 4 * (PAGE_HANDS - 1) + 6 /* doubtful */);
  assert_false(page_is_state(PAGE_CLEAN | 1 << PAGE_KIND_BITS));
}

static void
states_say_filled_and_dirty(void **unused) {
  static const struct {
    uint8_t state;
    bool filled, dirty;
  } rows[] = {
    { PAGE_UNFILLED, false, false }, { PAGE_FILLING, false, false },
    { PAGE_CLEAN, true, false },     { PAGE_WRITTEN, true, false },
    { PAGE_FLUSHING, true, false },  { PAGE_DIRTY, true, true },
    { PAGE_WRITING, true, true },    { PAGE_WRITING_AGAIN, true, true },
  };
  (void)unused;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (page_is_filled(rows[i].state) != rows[i].filled ||
        page_is_dirty(rows[i].state) != rows[i].dirty)
      fail_msg("%s", state_name[rows[i].state]);
}

static void
step_wants_the_state_named(void **unused) {
  (void)unused;
  for (unsigned is = 0; is < PAGE_STATE_COUNT; is++) {
    for (unsigned from = 0; from < PAGE_STATE_COUNT; from++) {
      page_byte state = (uint8_t)is;
      bool stepped = page_step(&state, (uint8_t)from, PAGE_STATE_COUNT);
      if (stepped != (is == from) || atomic_load(&state) != (stepped ? PAGE_STATE_COUNT : is))
        fail_msg("is %s, from %s", state_name[is], state_name[from]);
    }
  }
}

static void
end_write_is_clean_only_if_nothing_came_between(void **unused) {
  static const struct {
    const char *name;
    uint8_t state;
    bool written, open_somewhere;
    uint8_t want;
  } rows[] = {
    { "control", PAGE_WRITING, true, false, PAGE_WRITTEN },
    { "write failed", PAGE_WRITING, false, false, PAGE_DIRTY },
    { "open in a lane", PAGE_WRITING, true, true, PAGE_DIRTY },
    { "marked meanwhile", PAGE_WRITING_AGAIN, true, false, PAGE_DIRTY },
    { "all of it", PAGE_WRITING_AGAIN, false, true, PAGE_DIRTY },
  };
  (void)unused;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    page_byte state = rows[i].state;
    bool clean = page_end_write(&state, 0, rows[i].written, rows[i].open_somewhere);
    if (atomic_load(&state) != rows[i].want || clean != (rows[i].want == PAGE_WRITTEN))
      fail_msg("%s: %s", rows[i].name, state_name[atomic_load(&state)]);
  }
}

static void
bit_leaves_the_rest_of_the_lane(void **unused) {
  (void)unused;
  for (unsigned rest = 0; rest < 256; rest += 2) {
    page_byte lane = (uint8_t)rest;
    assert_true(page_bit_try(&lane));
    assert_int_equal(atomic_load(&lane), rest | LANE_BIT);
    assert_false(page_bit_try(&lane));
    assert_int_equal(atomic_load(&lane), rest | LANE_BIT);
    page_bit_drop(&lane);
    assert_int_equal(atomic_load(&lane), rest);
  }
}

/* ---- Threads ------------------------------------------------------------------------------- */

enum { PROCESSES = 2, THREADS = 2, STORERS = PROCESSES * THREADS, ROUNDS = 20000 };

static uint32_t
next_random(uint32_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 17;
  *seed ^= *seed << 5;
  return *seed;
}

/* A place where another thread may come between. */
static void
point(uint32_t *seed) {
  if (next_random(seed) % 4 == 0)
    sched_yield();
}

static void
take_bit(page_byte *lane) {
  while (!page_bit_try(lane))
    sched_yield();
}

/* Starts n threads on consecutive elements of args; returns when all are done. */
static void
run_threads(void *(*run)(void *), void *args, size_t size, size_t n) {
  pthread_t thread[STORERS];
  for (size_t i = 0; i < n; i++)
    assert_int_equal(pthread_create(&thread[i], NULL, run, (char *)args + i * size), 0);
  for (size_t i = 0; i < n; i++)
    assert_int_equal(pthread_join(thread[i], NULL), 0);
}

struct counting {
  page_byte *lane;
  unsigned *count; /* plain: the bit alone keeps it right */
  uint32_t seed;
};

static void *
count_under_bit(void *arg) {
  struct counting *counting = arg;
  for (int i = 0; i < ROUNDS; i++) {
    take_bit(counting->lane);
    unsigned count = *counting->count;
    point(&counting->seed);
    *counting->count = count + 1;
    atomic_fetch_xor(counting->lane, LANE_OPEN);
    page_bit_drop(counting->lane);
  }
  return NULL;
}

static void
bit_admits_one_thread(void **unused) {
  (void)unused;
  page_byte lane = LANE_FILLING;
  unsigned count = 0;
  struct counting counting[STORERS];
  for (uint32_t i = 0; i < STORERS; i++)
    counting[i] = (struct counting){ &lane, &count, i + 1 };
  run_threads(count_under_bit, counting, sizeof counting[0], STORERS);
  assert_int_equal(count, STORERS * ROUNDS);
  assert_int_equal(atomic_load(&lane), LANE_FILLING);
}

/* ---- Stores against write-back -------------------------------------------------------------- */

struct process {
  page_byte lane;
  atomic_bool writable;
  atomic_bool storing[THREADS];
};

struct world {
  page_byte state;
  struct process process[PROCESSES];
  _Atomic uint32_t memory[STORERS]; /* the page: a number a thread */
  _Atomic uint32_t file[STORERS];
};

struct storer {
  struct world *world;
  struct process *process;
  unsigned slot, thread;
  uint32_t seed;
  unsigned lost; /* stores that weren't in the file after a sync */
};

/* As the host closes a page: when it returns no store is under way. */
static void
make_read_only(struct process *process) {
  atomic_store(&process->writable, false);
  for (int i = 0; i < THREADS; i++)
    while (atomic_load(&process->storing[i]))
      sched_yield();
}

static void
handle_fault(struct storer *me) {
  take_bit(&me->process->lane);
  atomic_fetch_or(&me->process->lane, LANE_OPEN);
  point(&me->seed);
  page_mark(&me->world->state);
  point(&me->seed);
  atomic_store(&me->process->writable, true);
  page_bit_drop(&me->process->lane);
}

static void
store(struct storer *me, uint32_t value) {
  atomic_bool *storing = &me->process->storing[me->thread];
  for (;;) {
    atomic_store(storing, true);
    if (atomic_load(&me->process->writable))
      break;
    atomic_store(storing, false);
    handle_fault(me);
  }
  atomic_store_explicit(&me->world->memory[me->slot], value, memory_order_relaxed);
  atomic_store(storing, false);
}

/* As mprotect and munmap do, who aren't the page's writer: close, then mark, then say so. */
static void
close_page(struct storer *me) {
  take_bit(&me->process->lane);
  if (atomic_load(&me->process->lane) & LANE_OPEN) {
    make_read_only(me->process);
    point(&me->seed);
    page_mark(&me->world->state);
    point(&me->seed);
    atomic_fetch_and(&me->process->lane, (uint8_t)~LANE_OPEN);
  }
  page_bit_drop(&me->process->lane);
}

static bool
begin_write(struct storer *me) {
  take_bit(&me->process->lane);
  bool mine = page_step(&me->world->state, PAGE_DIRTY, PAGE_WRITING);
  if (mine) {
    make_read_only(me->process);
    point(&me->seed);
    atomic_fetch_and(&me->process->lane, (uint8_t)~LANE_OPEN);
  }
  page_bit_drop(&me->process->lane);
  return mine;
}

/* Every eighth write fails half-way. */
static bool
write_page(struct storer *me) {
  bool fails = next_random(&me->seed) % 8 == 0;
  for (int i = 0; i < (fails ? STORERS / 2 : STORERS); i++) {
    point(&me->seed);
    atomic_store_explicit(&me->world->file[i],
                          atomic_load_explicit(&me->world->memory[i], memory_order_relaxed),
                          memory_order_relaxed);
  }
  return !fails;
}

static void
sync_page(struct storer *me) {
  struct world *world = me->world;
  for (bool written = false; !written && page_is_dirty(atomic_load(&world->state));) {
    if (!begin_write(me)) {
      sched_yield();
      continue;
    }
    bool open = false; /* I2: before the memory is read */
    for (int i = 0; i < PROCESSES; i++)
      open = open || (atomic_load(&world->process[i].lane) & LANE_OPEN);
    point(&me->seed);
    written = write_page(me);
    page_end_write(&world->state, 0, written, open);
  }
}

static void *
store_and_sync(void *arg) {
  struct storer *me = arg;
  for (uint32_t value = 1; value <= ROUNDS; value++) {
    store(me, value);
    point(&me->seed);
    uint32_t what = next_random(&me->seed) % 8;
    if (what < 4)
      close_page(me);
    if (what % 4 == 0)
      continue;
    sync_page(me);
    me->lost += atomic_load_explicit(&me->world->file[me->slot], memory_order_relaxed) < value;
  }
  return NULL;
}

static void
sync_writes_every_store_before_it(void **unused) {
  (void)unused;
  struct world world = { .state = PAGE_WRITTEN };
  struct storer storer[STORERS];
  for (unsigned i = 0; i < STORERS; i++)
    storer[i] = (struct storer){ .world = &world,
                                 .process = &world.process[i / THREADS],
                                 .slot = i,
                                 .thread = i % THREADS,
                                 .seed = 0x9e3779b9u * (i + 1) };
  run_threads(store_and_sync, storer, sizeof storer[0], STORERS);
  for (int i = 0; i < STORERS; i++)
    if (storer[i].lost != 0)
      fail_msg("thread %d: %u stores not in the file after its own sync", i, storer[i].lost);

  for (int i = 0; i < STORERS; i += THREADS)
    close_page(&storer[i]);
  sync_page(&storer[0]);
  assert_int_equal(atomic_load(&world.state), PAGE_WRITTEN);
  for (int i = 0; i < STORERS; i++)
    assert_int_equal(atomic_load(&world.file[i]), ROUNDS);
  for (int i = 0; i < PROCESSES; i++)
    assert_int_equal(atomic_load(&world.process[i].lane), 0);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(mark_makes_filled_pages_dirty),
    cmocka_unit_test(mark_keeps_the_hand),
    cmocka_unit_test(only_the_hand_ends_a_write),
    cmocka_unit_test(taking_over_wants_the_hand_seen),
    cmocka_unit_test(which_bytes_are_states),
    cmocka_unit_test(states_say_filled_and_dirty),
    cmocka_unit_test(step_wants_the_state_named),
    cmocka_unit_test(end_write_is_clean_only_if_nothing_came_between),
    cmocka_unit_test(bit_leaves_the_rest_of_the_lane),
    cmocka_unit_test(bit_admits_one_thread),
    cmocka_unit_test(sync_writes_every_store_before_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
