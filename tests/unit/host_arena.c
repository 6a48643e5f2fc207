/* The arena: sizes, alignment, zeroes, reuse. */
#include "host_test.h"

#include <pthread.h>

#include "host/arena.h"

#define LARGEST 300000U

static bool
is_filled(const void *block, size_t size, unsigned char byte) {
  const unsigned char *at = (const unsigned char *)block;
  for (size_t i = 0; i < size; i++)
    if (at[i] != byte)
      return false;
  return true;
}

static size_t
next_size(size_t size) {
  return size < 300 ? size + 1 : size + size / 7;
}

static void
blocks_are_aligned_zero_and_apart(void **state) {
  static void *blocks[1000];
  size_t n = 0;
  (void)state;
  size_t before = arena_in_use();
  errno = ERRNO_UNTOUCHED;
  for (size_t size = 0; size < LARGEST; size = next_size(size), n++) {
    blocks[n] = arena_alloc(size);
    assert_non_null(blocks[n]);
    assert_int_equal((uintptr_t)blocks[n] % 16, 0);
    assert_true(is_filled(blocks[n], size, 0));
    memset(blocks[n], (int)(n % 250) + 1, size);
  }
  assert_true(n < COUNT_OF(blocks));
  size_t total = 0;
  n = 0;
  for (size_t size = 0; size < LARGEST; size = next_size(size), n++) {
    assert_true(is_filled(blocks[n], size, (unsigned char)(n % 250 + 1)));
    total += size;
  }
  assert_int_equal(arena_in_use(), before + total);
  n = 0;
  for (size_t size = 0; size < LARGEST; size = next_size(size), n++)
    arena_free(blocks[n], size);
  assert_int_equal(errno, ERRNO_UNTOUCHED);
  assert_int_equal(arena_in_use(), before);
}

static void
freed_block_is_reused_and_zero(void **state) {
  static const size_t sizes[] = { 1, 16, 17, 64, 65, 80, 100, 4096, 32768, 40000, 65535 };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    void *first = arena_alloc(sizes[i]);
    assert_non_null(first);
    memset(first, 0xff, sizes[i]);
    arena_free(first, sizes[i]);
    void *again = arena_alloc(sizes[i]);
    assert_ptr_equal(again, first);
    assert_true(is_filled(again, sizes[i], 0));
    arena_free(again, sizes[i]);
  }
}

/* A quarter of the size at most, and 15 bytes, is lost to rounding. */
static void
blocks_are_not_much_larger_than_asked(void **state) {
  (void)state;
  for (size_t size = 1; size < 60000; size = next_size(size)) {
    unsigned char *a = (unsigned char *)arena_alloc(size);
    assert_non_null(a);
    arena_free(a, size);
    void *same = arena_alloc(size + size / 4 + 16); /* the next class at least */
    assert_ptr_not_equal(same, a);
    arena_free(same, size + size / 4 + 16);
  }
}

static void
use_goes_on_without_new_memory(void **state) {
  void *blocks[100];
  (void)state;
  struct inject_rule count = { .call = HOST_CALL_map, .nth = UINT32_MAX, .times = 1, .error = EIO };
  inject_arm(&count);
  for (int round = 0; round < 1000; round++) {
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
      assert_non_null(blocks[i] = arena_alloc(16 * (i + 1)));
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
      arena_free(blocks[i], 16 * (i + 1));
  }
  assert_in_range(inject_calls(HOST_CALL_map), 0, 2);
  /* the control: what is kept needs more */
  for (int i = 0; i < 1000; i++)
    assert_non_null(arena_alloc(8192));
  assert_in_range(inject_calls(HOST_CALL_map), 7, 12);
  inject_disarm();
}

static void
large_blocks_go_back_to_the_host(void **state) {
  unsigned char vec;
  (void)state;
  void *block = arena_alloc(1 << 20);
  assert_non_null(block);
  assert_int_equal((uintptr_t)block % host_config.page_size, 0);
  assert_int_equal(mincore(block, 1, &vec), 0);
  arena_free(block, 1 << 20);
  assert_int_equal(mincore(block, 1, &vec), -1);
}

static void
no_memory_is_null(void **state) {
  (void)state;
  size_t before = arena_in_use();
  fail_call(HOST_CALL_map, ENOMEM);
  assert_null(arena_alloc(1 << 20));
  void *blocks[500];
  size_t n = 0;
  while (n < COUNT_OF(blocks) && (blocks[n] = arena_alloc(60000)) != NULL)
    n++;
  assert_true(n < COUNT_OF(blocks));
  assert_int_equal(arena_in_use(), before + 60000 * n);
  inject_disarm();
  void *block = arena_alloc(60000);
  assert_non_null(block);
  arena_free(block, 60000);
  while (n > 0)
    arena_free(blocks[--n], 60000);
  assert_int_equal(arena_in_use(), before);
  assert_null(arena_alloc(SIZE_MAX));
  assert_int_equal(arena_in_use(), before);
  arena_free(NULL, 100);
}

static void
block_the_host_keeps_is_still_in_use(void **state) {
  (void)state;
  size_t before = arena_in_use();
  void *block = arena_alloc(1 << 20);
  fail_call(HOST_CALL_unmap, ENOMEM);
  arena_free(block, 1 << 20);
  assert_int_equal(arena_in_use(), before + (1 << 20));
  inject_disarm();
  arena_free(block, 1 << 20);
  assert_int_equal(arena_in_use(), before);
}

static void *
alloc_and_free(void *arg) {
  unsigned char byte = *(unsigned char *)arg;
  unsigned char *blocks[16];
  for (size_t round = 0; round < 500; round++) {
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
      blocks[i] = (unsigned char *)arena_alloc(1 + (round + i * 37) % 500);
      if (blocks[i] == NULL || !is_filled(blocks[i], 1 + (round + i * 37) % 500, 0))
        return arg;
      memset(blocks[i], byte, 1 + (round + i * 37) % 500);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
      if (!is_filled(blocks[i], 1 + (round + i * 37) % 500, byte))
        return arg;
      arena_free(blocks[i], 1 + (round + i * 37) % 500);
    }
  }
  return NULL;
}

static void
threads_don_t_meet_in_a_block(void **state) {
  unsigned char bytes[4] = { 1, 2, 3, 4 };
  pthread_t threads[4];
  (void)state;
  size_t before = arena_in_use();
  for (size_t i = 0; i < COUNT_OF(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, alloc_and_free, &bytes[i]), 0);
  for (size_t i = 0; i < COUNT_OF(threads); i++) {
    void *wrong = NULL;
    assert_int_equal(pthread_join(threads[i], &wrong), 0);
    assert_null(wrong);
  }
  assert_int_equal(arena_in_use(), before);
}

static _Atomic bool is_over;

static void *
alloc_until_over(void *arg) {
  while (!atomic_load(&is_over))
    arena_free(arena_alloc(100), 100);
  return arg;
}

static int
alloc_in_child(void *arg) {
  (void)arg;
  arena_fork_done(true);
  void *block = arena_alloc(100);
  CHILD_CHECK(block != NULL);
  arena_free(block, 100);
  return 0;
}

static void
forked_child_finds_it_free(void **state) {
  pthread_t thread;
  (void)state;
  assert_int_equal(pthread_create(&thread, NULL, alloc_until_over, NULL), 0);
  for (int i = 0; i < 50; i++) {
    arena_fork_prepare();
    pid_t pid = start_child(alloc_in_child, NULL);
    arena_fork_done(false);
    assert_int_equal(reap(pid), 0);
  }
  atomic_store(&is_over, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(blocks_are_aligned_zero_and_apart),
    cmocka_unit_test(freed_block_is_reused_and_zero),
    cmocka_unit_test(blocks_are_not_much_larger_than_asked),
    cmocka_unit_test(use_goes_on_without_new_memory),
    cmocka_unit_test(large_blocks_go_back_to_the_host),
    cmocka_unit_test(no_memory_is_null),
    cmocka_unit_test(block_the_host_keeps_is_still_in_use),
    cmocka_unit_test(threads_don_t_meet_in_a_block),
    cmocka_unit_test(forked_child_finds_it_free),
  };
  return cmocka_run_group_tests(tests, start_host, NULL);
}
