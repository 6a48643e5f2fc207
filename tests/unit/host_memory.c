/* Memory calls of the host layer on the kernel's own page size; host_large_page.c has larger
 * ones. */
#include "host_test.h"

#include <sys/uio.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define NPAGES 4U

static size_t page;
static char *area; /* NPAGES pages for the rows, then one that isn't mapped */
static unsigned char vec[NPAGES + 1];
static int file; /* one page, opened for writing only in write_only */
static int write_only;

static int
make_area(void **state) {
  (void)state;
  void *out = NULL;
  if (host_start() != 0)
    return -1;
  page = host_config.page_size;
  if (host_map(&out, NULL, (NPAGES + 1) * page, PROT_READ | PROT_WRITE, PRIVATE, -1, 0) != 0)
    return -1;
  area = (char *)out;
  memset(area, 7, NPAGES * page);
  file = new_file("file", 0);
  write_only = open("file", O_WRONLY | O_CLOEXEC);
  return ftruncate(file, (off_t)page) != 0 || host_unmap(area + NPAGES * page, page) != 0;
}

/* Maps one page and gives it back. */
static int
map_one(void *addr, size_t len, int prot, int flags, int fd, off_t offset) {
  void *out = NULL;
  int error = host_map(&out, addr, len, prot, flags, fd, offset);
  if (error == 0)
    error = host_unmap(out, len);
  return error;
}

static int
map_anonymous(void) {
  return map_one(NULL, page, PROT_READ, PRIVATE, -1, 0);
}
static int
map_file(void) {
  return map_one(NULL, page, PROT_READ, MAP_SHARED, file, 0);
}
static int
map_nothing(void) {
  return map_one(NULL, 0, PROT_READ, PRIVATE, -1, 0);
}
static int
map_everything(void) {
  return map_one(NULL, SIZE_MAX, PROT_READ, PRIVATE, -1, 0);
}
static int
map_bad_fd(void) {
  return map_one(NULL, page, PROT_READ, MAP_SHARED, -1, 0);
}
static int
map_write_only(void) {
  return map_one(NULL, page, PROT_READ, MAP_SHARED, write_only, 0);
}
static int
map_odd_offset(void) {
  return map_one(NULL, page, PROT_READ, MAP_SHARED, file, 1);
}
static int
map_over_area(void) {
  return map_one(area, page, PROT_READ, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
}
static int
map_over_hole(void) {
  return map_one(area + NPAGES * page, page, PROT_READ, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
}
static int
map_at_odd(void) {
  return map_one(area + 1, page, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
}

static int
unmap_odd(void) {
  return host_unmap(area + 1, page);
}
static int
unmap_hole(void) {
  return host_unmap(area + NPAGES * page, page);
}

static int
protect_area(void) {
  return host_protect(area, NPAGES * page, PROT_READ | PROT_WRITE);
}
static int
protect_part(void) {
  return host_protect(area, 1, PROT_READ | PROT_WRITE);
}
static int
protect_into_hole(void) {
  return host_protect(area, (NPAGES + 1) * page, PROT_READ | PROT_WRITE);
}
static int
protect_odd(void) {
  return host_protect(area + 1, page, PROT_READ);
}

static int
remap_to_nothing(void) {
  void *out = NULL;
  return host_remap(&out, area, page, 0, MREMAP_MAYMOVE, NULL);
}
static int
remap_same(void) {
  void *out = NULL;
  return host_remap(&out, area, NPAGES * page, NPAGES * page, 0, NULL);
}
static int
remap_hole(void) {
  void *out = NULL;
  return host_remap(&out, area + NPAGES * page, page, 2 * page, MREMAP_MAYMOVE, NULL);
}

static int
advise_normal(void) {
  return host_advise(area, NPAGES * page, MADV_NORMAL);
}
static int
advise_nonsense(void) {
  return host_advise(area, NPAGES * page, 12345);
}
static int
advise_hole(void) {
  return host_advise(area, (NPAGES + 1) * page, MADV_NORMAL);
}

static int
sync_area(void) {
  return host_sync_memory(area, NPAGES * page, MS_SYNC);
}
static int
sync_hole(void) {
  return host_sync_memory(area, (NPAGES + 1) * page, MS_SYNC);
}
static int
sync_both(void) {
  return host_sync_memory(area, page, MS_SYNC | MS_ASYNC);
}

static int
resident_area(void) {
  return host_resident(area, NPAGES * page, vec);
}
static int
resident_hole(void) {
  return host_resident(area, (NPAGES + 1) * page, vec);
}

static int
lock_page(void) {
  return host_lock_memory(area, page);
}
static int
lock_hole(void) {
  return host_lock_memory(area, (NPAGES + 1) * page);
}
static int
unlock_page(void) {
  return host_unlock_memory(area, page);
}
static int
unlock_hole(void) {
  return host_unlock_memory(area, (NPAGES + 1) * page);
}

static int
copy_from_area(void) {
  char to[2];
  return host_copy_from(to, area + NPAGES * page - 2, 2);
}
static int
copy_from_beside_a_hole(void) {
  char to[2];
  return host_copy_from(to, area + NPAGES * page - 1, 2);
}
static int
copy_from_hole(void) {
  char to[2];
  return host_copy_from(to, area + NPAGES * page, 2);
}

static void
calls_return_their_error(void **state) {
  static const struct host_row rows[] = {
    { "map anonymous", map_anonymous, 0 },
    { "map a file", map_file, 0 },
    { "map no bytes", map_nothing, EINVAL },
    { "map too many bytes", map_everything, ENOMEM },
    { "map a bad descriptor", map_bad_fd, EBADF },
    { "map a write-only file", map_write_only, EACCES },
    { "map an odd offset", map_odd_offset, EINVAL },
    { "map no-replace over a mapping", map_over_area, EEXIST },
    { "map no-replace over a hole", map_over_hole, 0 },
    { "map fixed at an odd address", map_at_odd, EINVAL },
    { "unmap an odd address", unmap_odd, EINVAL },
    { "unmap a hole", unmap_hole, 0 },
    { "protect", protect_area, 0 },
    { "protect one byte", protect_part, 0 },
    { "protect into a hole", protect_into_hole, ENOMEM },
    { "protect an odd address", protect_odd, EINVAL },
    { "remap to the same size", remap_same, 0 },
    { "remap to nothing", remap_to_nothing, EINVAL },
    { "remap a hole", remap_hole, EFAULT },
    { "advise", advise_normal, 0 },
    { "advise nonsense", advise_nonsense, EINVAL },
    { "advise into a hole", advise_hole, ENOMEM },
    { "sync", sync_area, 0 },
    { "sync into a hole", sync_hole, ENOMEM },
    { "sync both ways", sync_both, EINVAL },
    { "resident", resident_area, 0 },
    { "resident into a hole", resident_hole, ENOMEM },
    { "lock", lock_page, 0 },
    { "lock into a hole", lock_hole, ENOMEM },
    { "unlock", unlock_page, 0 },
    { "unlock into a hole", unlock_hole, ENOMEM },
    { "copy", copy_from_area, 0 },
    { "copy beside a hole", copy_from_beside_a_hole, EFAULT },
    { "copy a hole", copy_from_hole, EFAULT },
  };
  (void)state;
  check_rows(rows, COUNT_OF(rows));
}

static void
result_is_written_on_success_only(void **state) {
  void *out = area;
  (void)state;
  EXPECT(host_map(&out, NULL, 0, PROT_READ, PRIVATE, -1, 0), EINVAL);
  assert_ptr_equal(out, area);
  EXPECT(host_map(&out, area, page, PROT_READ, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
  assert_ptr_equal(out, area);
  EXPECT(host_map(&out, NULL, page, PROT_READ, PRIVATE, -1, 0), 0);
  assert_ptr_not_equal(out, area);
  EXPECT(host_unmap(out, page), 0);
}

static void
free_hint_is_honoured(void **state) {
  void *first = NULL;
  void *again = NULL;
  (void)state;
  EXPECT(host_map(&first, NULL, page, PROT_READ, PRIVATE, -1, 0), 0);
  EXPECT(host_unmap(first, page), 0);
  EXPECT(host_map(&again, first, page, PROT_READ, PRIVATE, -1, 0), 0);
  assert_ptr_equal(again, first);
  /* taken: somewhere else */
  EXPECT(host_map(&again, first, page, PROT_READ, PRIVATE, -1, 0), 0);
  assert_ptr_not_equal(again, first);
  EXPECT(host_unmap(first, page), 0);
  EXPECT(host_unmap(again, page), 0);
}

static void
remap_moves_and_grows(void **state) {
  void *start = NULL;
  void *target = NULL;
  void *out = NULL;
  (void)state;
  EXPECT(host_map(&start, NULL, 2 * page, PROT_READ | PROT_WRITE, PRIVATE, -1, 0), 0);
  memset(start, 5, 2 * page);
  EXPECT(host_remap(&out, start, 2 * page, 64 * page, MREMAP_MAYMOVE, NULL), 0);
  assert_int_equal(((char *)out)[2 * page - 1], 5);
  assert_int_equal(((char *)out)[64 * page - 1], 0);
  EXPECT(host_map(&target, NULL, 64 * page, PROT_NONE, PRIVATE, -1, 0), 0);
  EXPECT(host_remap(&start, out, 64 * page, 64 * page, MREMAP_MAYMOVE | MREMAP_FIXED, target), 0);
  assert_ptr_equal(start, target);
  assert_int_equal(((char *)start)[0], 5);
  EXPECT(host_unmap(start, 64 * page), 0);
}

static void
resident_tells_touched_pages(void **state) {
  unsigned char seen[4] = { 9, 9, 9, 9 };
  void *out = NULL;
  (void)state;
  EXPECT(host_map(&out, NULL, 4 * page, PROT_READ | PROT_WRITE, PRIVATE, -1, 0), 0);
  EXPECT(host_advise(out, 4 * page, MADV_NOHUGEPAGE), 0);
  ((volatile char *)out)[2 * page] = 1;
  EXPECT(host_resident(out, 4 * page, seen), 0);
  assert_int_equal(seen[0] & 1, 0);
  assert_int_equal(seen[2] & 1, 1);
  EXPECT(host_unmap(out, 4 * page), 0);
}

/* The kernel's pages, as a store meets them. */
static int
store(void *addr) {
  *(volatile char *)addr = 1;
  return 0;
}

static void
protection_is_the_kernel_s(void **state) {
  void *out = NULL;
  (void)state;
  EXPECT(host_map(&out, NULL, page, PROT_READ, PRIVATE, -1, 0), 0);
  assert_int_equal(in_child(store, out), KILLED(SIGSEGV));
  EXPECT(host_protect(out, page, PROT_READ | PROT_WRITE), 0);
  assert_int_equal(in_child(store, out), 0);
  EXPECT(host_unmap(out, page), 0);
}

/* In a sandbox without the call: the one that must not meet a signal says so, the other loads by itself. */
static int
copy_in_a_sandbox(void *arg) {
  char to[2] = "";
  struct iovec part[2] = { { to, 1 }, { area, 1 } };
  size_t done;
  (void)arg;
  CHILD_CHECK(host_copy_memory(&part[0], 1, &part[1], 1, &done) == 0 && to[0] == 7);
  if (refuse_syscall(SYS_process_vm_readv, EPERM) != 0)
    return 77;
  CHILD_CHECK(host_copy_memory(&part[0], 1, &part[1], 1, &done) == EOPNOTSUPP);
  to[0] = 0;
  CHILD_CHECK(host_copy_from(to, area, 1) == 0 && to[0] == 7);
  return 0;
}

static void
sandbox_copies_by_itself(void **state) {
  (void)state;
  int status = in_child(copy_in_a_sandbox, NULL);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
}

/* Far below what the kernel hands out, and beside what is there already: the program reserves memory
 * where the next pieces would be. */
static void
own_memory_is_apart(void **state) {
  (void)state;
  static const size_t sizes[] = { 1, 3, 16, 1024, 5000, 1, 3, 600 };
  enum { COUNT = sizeof sizes / sizeof *sizes };
  const uint64_t reserved = (uint64_t)4 << 30;
  void *kernels = NULL;
  void *own[COUNT];
  void *others = NULL;
  if (sizeof(void *) == 4 || getenv("SOFTMAP_TEST_VALGRIND"))
    skip();
  assert_int_equal(host_map(&kernels, NULL, page, PROT_READ, PRIVATE, -1, 0), 0);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(host_map_own(&own[i], sizes[i] * page, PROT_READ, PRIVATE, -1, 0), 0);
    assert_true((uintptr_t)own[i] + ((uintptr_t)1 << 28) < (uintptr_t)kernels);
    for (size_t k = 0; k < i; k++)
      assert_true((char *)own[i] + sizes[i] * page <= (char *)own[k] ||
                  (char *)own[k] + sizes[k] * page <= (char *)own[i]);
    if (i == 3)
      assert_int_equal(host_map(&others, (char *)own[i] - reserved, (size_t)reserved, PROT_READ,
                                PRIVATE | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0),
                       0);
    assert_true(i <= 3 || (char *)own[i] + sizes[i] * page <= (char *)others);
  }
  for (size_t i = 0; i < COUNT; i++)
    assert_int_equal(host_unmap(own[i], sizes[i] * page), 0);
  assert_int_equal(host_unmap(others, (size_t)reserved), 0);
  assert_int_equal(host_unmap(kernels, page), 0);
}

static void
own_memory_can_be_refused(void **state) {
  (void)state;
  void *out = area;
  assert_int_equal(host_map_own(&out, SIZE_MAX, PROT_READ, PRIVATE, -1, 0), ENOMEM);
  assert_int_equal(host_map_own(&out, 0, PROT_READ, PRIVATE, -1, 0), EINVAL);
  assert_int_equal(host_map_own(&out, page, PROT_READ, MAP_SHARED, -1, 0), EBADF);
  assert_ptr_equal(out, area);
}

int
main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(calls_return_their_error),
    cmocka_unit_test(result_is_written_on_success_only),
    cmocka_unit_test(free_hint_is_honoured),
    cmocka_unit_test(own_memory_is_apart),
    cmocka_unit_test(own_memory_can_be_refused),
    cmocka_unit_test(remap_moves_and_grows),
    cmocka_unit_test(resident_tells_touched_pages),
    cmocka_unit_test(protection_is_the_kernel_s),
    cmocka_unit_test(sandbox_copies_by_itself),
  };
  return cmocka_run_group_tests(tests, make_area, NULL);
}
