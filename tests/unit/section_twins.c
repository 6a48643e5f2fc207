/* Places of twins: taken, found and given back, with two places a page; what was left by others is
 * taken, what is in use isn't; an old key gives nothing back.  And the doubtful states.
 */
#include "section/twins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 256 };

/* A section of 2^16 pages without files. */
static struct section *
made_up(void) {
  struct section *section = calloc(1, sizeof *section);
  assert_non_null(section);
  section->extent[0].states = calloc(extent_pages(0), 1);
  section->twins.count = COUNT;
  section->twins.bytes = malloc((size_t)COUNT << host_config.page_shift);
  assert_non_null((void *)section->extent[0].states);
  assert_non_null(section->twins.bytes);
  atomic_store(&section->nextents, 1);
  atomic_store(&section->twins.keys, calloc(COUNT, sizeof(uint64_t)));
  return section;
}

static void
drop(struct section *section) {
  free((void *)section->extent[0].states);
  free(section->twins.bytes);
  free((void *)atomic_load(&section->twins.keys));
  free(section);
}

static struct twin
take(struct section *section, uint64_t page) {
  struct twin twin;
  atomic_store(section_state(section, page), PAGE_DIRTY | PAGE_OPENING);
  assert_true(twin_take(section, page, &twin));
  return twin;
}

static void
make(struct section *section, uint64_t page, struct twin *twin) {
  twin_is_made(section, twin);
  atomic_store(section_state(section, page), PAGE_DIRTY | PAGE_AHEAD);
}

static void
a_twin_is_found_when_it_is_made(void **state) {
  (void)state;
  struct section *section = made_up();
  struct twin found, twin = take(section, 77);
  assert_false(twin_find(section, 77, &found));
  make(section, 77, &twin);
  assert_true(twin_find(section, 77, &found));
  assert_int_equal(found.place, twin.place);
  assert_true(twin_is_there(section, &found));
  assert_false(twin_find(section, 78, &found));
  twin_give_back(section, &twin);
  assert_false(twin_find(section, 77, &found));
  assert_false(twin_is_there(section, &twin));
  drop(section);
}

static void
neighbours_have_neighbouring_places(void **state) {
  (void)state;
  struct section *section = made_up();
  struct twin last = take(section, 640);
  for (uint64_t page = 641; page < 640 + COUNT; page++) {
    struct twin twin = take(section, page);
    assert_int_equal(twin.place, (last.place + 1) % COUNT);
    last = twin;
  }
  struct twin none;
  atomic_store(section_state(section, 5000), PAGE_DIRTY | PAGE_OPENING);
  assert_false(twin_take(section, 5000, &none)); /* all in use */
  drop(section);
}

static void
two_places_a_page(void **state) {
  (void)state;
  struct section *section = made_up();
  uint64_t other = 0;
  for (uint64_t page = COUNT; page < 1 << 16 && !other; page += COUNT) /* one with another second */
    if (twins_place(COUNT, page, 1) != twins_place(COUNT, 0, 0))
      other = page;
  assert_true(other != 0);
  struct twin first = take(section, 0), second = take(section, other);
  assert_int_equal(first.place, twins_place(COUNT, other, 0));
  assert_int_equal(second.place, twins_place(COUNT, other, 1));
  drop(section);
}

/* Rests: of a page that is dirty without a doubt, clean, cut off; not what is claimed or doubtful. */
static void
who_may_take_a_place(void **state) {
  static const struct {
    uint8_t is;
    bool may;
  } rows[] = { { PAGE_DIRTY, true },
               { PAGE_CLEAN, true },
               { PAGE_WRITTEN, true },
               { PAGE_FLUSHING, true },
               { PAGE_UNFILLED, true },
               { PAGE_DIRTY | PAGE_AHEAD, false },
               { PAGE_DIRTY | PAGE_AHEAD | PAGE_STORED, false },
               { PAGE_DIRTY | PAGE_OPENING, false },
               { PAGE_WRITING, false },
               { PAGE_WRITING_AGAIN, false } };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct section *section = made_up();
    struct twin old = take(section, 3), twin;
    make(section, 3, &old);
    atomic_store(section_state(section, 3), rows[i].is);
    uint64_t rival = 3 + COUNT;
    atomic_store(section_state(section, rival), PAGE_DIRTY | PAGE_OPENING);
    bool taken = twin_take(section, rival, &twin) && twin.place == old.place;
    if (taken != rows[i].may)
      fail_msg("state %#x: %staken", rows[i].is, taken ? "" : "not ");
    drop(section);
  }
}

static void
one_that_is_being_made_is_nobodys_else(void **state) {
  (void)state;
  struct section *section = made_up();
  struct twin making = take(section, 3), twin;
  atomic_store(section_state(section, 3), PAGE_DIRTY); /* marked by another process meanwhile */
  uint64_t rival = 3 + COUNT;
  atomic_store(section_state(section, rival), PAGE_DIRTY | PAGE_OPENING);
  assert_true(!twin_take(section, rival, &twin) || twin.place != making.place);
  atomic_store(section_state(section, 3), PAGE_DIRTY | PAGE_OPENING);
  assert_true(!twin_take(section, 3, &twin) || twin.place != making.place);
  twin_is_made(section, &making);
  atomic_store(section_state(section, 3), PAGE_DIRTY);
  rival += COUNT;
  atomic_store(section_state(section, rival), PAGE_DIRTY | PAGE_OPENING);
  assert_true(twin_take(section, rival, &twin));
  drop(section);
}

static void
an_old_key_gives_nothing_back(void **state) {
  (void)state;
  struct section *section = made_up();
  struct twin old = take(section, 9), now, found;
  make(section, 9, &old);
  atomic_store(section_state(section, 9), PAGE_DIRTY);
  now = take(section, 9);
  make(section, 9, &now);
  assert_int_equal(old.place, now.place);
  assert_false(twin_is_there(section, &old));
  twin_give_back(section, &old);
  assert_true(twin_find(section, 9, &found));
  drop(section);
}

static void
states_of_doubt(void **state) {
  (void)state;
  page_byte byte = page_opening(PAGE_CLEAN);
  assert_true(page_is_doubtful(page_opening(PAGE_CLEAN)));
  assert_true(page_is_dirty(page_opening(PAGE_WRITTEN)));
  assert_false(page_is_stored(page_opening(PAGE_CLEAN)));
  assert_false(page_is_stored(page_ahead(page_opening(PAGE_FLUSHING))));
  assert_true(page_is_stored(PAGE_DIRTY | PAGE_AHEAD | PAGE_STORED));
  assert_true(page_is_stored(PAGE_WRITING));
  assert_int_equal(page_not_stored(page_ahead(page_opening(PAGE_CLEAN))), PAGE_CLEAN);
  assert_int_equal(page_not_stored(page_opening(PAGE_FLUSHING)), PAGE_WRITTEN);
  assert_true(page_mark(&byte));
  assert_int_equal(atomic_load(&byte), PAGE_DIRTY);
  for (int open = 0; open < 2; open++) {
    uint8_t was = PAGE_DIRTY | PAGE_AHEAD;
    byte = page_in_hand(PAGE_WRITING, 5);
    assert_true(page_end_compare(&byte, 5, was, open));
    assert_int_equal(atomic_load(&byte), open ? was : PAGE_CLEAN);
    byte = page_in_hand(PAGE_WRITING_AGAIN, 5);
    assert_false(page_end_compare(&byte, 5, was, open));
    assert_int_equal(atomic_load(&byte), PAGE_DIRTY);
    byte = page_in_hand(PAGE_WRITING, 6); /* another's by now */
    assert_false(page_end_compare(&byte, 5, was, open));
    assert_int_equal(atomic_load(&byte), page_in_hand(PAGE_WRITING, 6));
  }
}

static int
set_up(void **state) {
  (void)state;
  return host_start();
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_twin_is_found_when_it_is_made),
    cmocka_unit_test(neighbours_have_neighbouring_places),
    cmocka_unit_test(two_places_a_page),
    cmocka_unit_test(who_may_take_a_place),
    cmocka_unit_test(one_that_is_being_made_is_nobodys_else),
    cmocka_unit_test(an_old_key_gives_nothing_back),
    cmocka_unit_test(states_of_doubt),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
