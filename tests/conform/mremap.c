/* mremap.c - growing, shrinking and moving mappings, with their dirt. */
#include "conform.h"

#include <string.h>

/* A file of `pages`, of which the first `len` pages are mapped with nothing behind them. */
static unsigned char *
map_with_room(int fd, size_t len, size_t room, int type) {
  unsigned char *area = t_vacant(len + room);

  return T_MAP(area, t_pages(len), RW, type | MAP_FIXED, fd, 0);
}

static void
grows_in_place_where_there_is_room(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = map_with_room(fd, 2, 6, MAP_SHARED);

  p[t_pages(1)] = 'd';
  T_EQ((uintptr_t)T_REMAP(p, t_pages(2), t_pages(6), 0), (uintptr_t)p);
  T_LOADS(p + t_pages(1), 'd');
  T_MEM_OLD(p + t_pages(2), t_pages(2), (off_t)t_pages(2));
  T_LOAD_FAULTS(p + t_pages(4), SIGBUS, BUS_ADRERR);
  T_STORES(p + t_pages(3), 'e');
  T_OK(msync(p, t_pages(6), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'd');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'e');
}

static void
moves_to_grow_and_takes_the_dirt_along(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(8));
  unsigned char *area = t_vacant(3);
  unsigned char *p = T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  unsigned char *q;

  t_foreign_at(area + t_pages(2), 1, 'f');
  p[5] = 'd';
  q = T_REMAP(p, t_pages(2), t_pages(8), MREMAP_MAYMOVE);
  T_CHECK(q != p);
  T_MEM_ALL(area + t_pages(2), t_pages(1), 'f');
  T_LOAD_FAULTS(p, SIGSEGV, SEGV_MAPERR);
  T_LOADS(q + 5, 'd');
  T_MEM_OLD(q + t_pages(1), t_pages(7), (off_t)t_pages(1));
  q[6] = 'e';
  q[t_pages(7)] = 'g';
  T_OK(msync(q, t_pages(8), MS_SYNC));
  T_FILE_EQUALS(fd, 5, "de", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(7), 'g');
  q[t_pages(7)] = 'h';
  T_OK(munmap(q, t_pages(8)));
  T_FILE_BYTE(fd, (off_t)t_pages(7), 'h');
}

static void
shrinks_and_writes_what_is_cut_off(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP_APART(4, RW, MAP_SHARED, fd, 0);

  for (size_t page = 0; page < 4; page++)
    p[t_pages(page)] = (unsigned char)('0' + page);
  T_EQ((uintptr_t)T_REMAP(p, t_pages(4), t_pages(2), 0), (uintptr_t)p);
  T_FILE_BYTE(fd, (off_t)t_pages(2), '2');
  T_FILE_BYTE(fd, (off_t)t_pages(3), '3');
  T_LOAD_FAULTS(p + t_pages(2), SIGSEGV, SEGV_MAPERR);
  T_CHECK(!t_is_mapped(p + t_pages(2), 2));
  p[1] = 'n';
  T_OK(munmap(p, t_pages(2)));
  T_FILE_EQUALS(fd, 0, "0n", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(1), '1');
}

static void
moves_to_a_fixed_address_over_a_mapping_and_foreign_memory(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  int other = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *area = t_foreign(5, 'f');
  unsigned char *p = T_MAP_APART(3, RW, MAP_SHARED, fd, 0);

  T_MAP(area + t_pages(2), t_pages(2), RW, MAP_SHARED | MAP_FIXED, other, 0);
  memset(area + t_pages(2), 'o', t_pages(2));
  p[t_pages(2)] = 'd';
  T_EQ((uintptr_t)T_REMAP(p, t_pages(3), t_pages(3), MREMAP_MAYMOVE | MREMAP_FIXED,
                          area + t_pages(1)),
       (uintptr_t)(area + t_pages(1)));
  T_FILE_ALL(other, 0, t_pages(1), 'o');
  T_FILE_ALL(other, (off_t)t_pages(1), t_pages(1), 'o');
  T_MEM_ALL(area, t_pages(1), 'f');
  T_MEM_OLD(area + t_pages(1), t_pages(2), 0);
  T_LOADS(area + t_pages(3), 'd');
  T_MEM_ALL(area + t_pages(4), t_pages(1), 'f');
  area[t_pages(1)] = 'e';
  T_OK(msync(area, t_pages(5), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'e');
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'd');
  T_FILE_ALL(other, 0, t_pages(2), 'o');
  T_LOAD_FAULTS(p, SIGSEGV, SEGV_MAPERR);
}

/* A part from the middle goes elsewhere; the parts left keep their offsets. */
static void
moves_a_part_and_leaves_the_rest(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(6));
  unsigned char *to = t_reserve(4);
  unsigned char *p = T_MAP_APART(6, RW, MAP_SHARED, fd, 0);

  for (size_t page = 0; page < 6; page++)
    p[t_pages(page)] = (unsigned char)('0' + page);
  T_REMAP(p + t_pages(2), t_pages(2), t_pages(2), MREMAP_MAYMOVE | MREMAP_FIXED, to);
  T_CHECK(!t_is_mapped(p + t_pages(2), 2));
  T_LOADS(to, '2');
  T_LOADS(p + t_pages(5), '5');
  to[t_pages(1) + 1] = 'm';
  p[t_pages(4) + 1] = 'n';
  T_OK(msync(to, t_pages(2), MS_SYNC));
  T_OK(msync(p + t_pages(4), t_pages(2), MS_SYNC));
  T_OK(munmap(p, t_pages(6)));
  for (size_t page = 0; page < 6; page++)
    T_FILE_BYTE(fd, (off_t)t_pages(page), (unsigned char)('0' + page));
  T_FILE_BYTE(fd, (off_t)t_pages(3) + 1, 'm');
  T_FILE_BYTE(fd, (off_t)t_pages(4) + 1, 'n');
}

static void
old_length_0_makes_a_second_mapping_of_the_pages(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, (off_t)t_pages(1));
  unsigned char *q;

  p[0] = 'd';
  q = T_REMAP(p, 0, t_pages(2), MREMAP_MAYMOVE);
  T_CHECK(q != p);
  T_LOADS(q, 'd');
  q[1] = 'e';
  T_LOADS(p + 1, 'e');
  T_OK(munmap(p, t_pages(3)));
  q[t_pages(1)] = 'f';
  T_OK(msync(q, t_pages(2), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_pages(1), "de", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'f');
}

static void
private_mappings_keep_their_copies(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(4));
  unsigned char *to = t_vacant(4);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, fd, 0);

  p[0] = 'p';
  p = T_REMAP(p, t_pages(2), t_pages(4), MREMAP_MAYMOVE | MREMAP_FIXED, to);
  T_LOADS(p, 'p');
  T_MEM_OLD(p + 1, t_pages(4) - 1, 1);
  T_STORES(p + t_pages(3), 'q');
  p = T_REMAP(p, t_pages(4), t_pages(1), 0);
  T_LOADS(p, 'p');
  T_LOAD_FAULTS(p + t_pages(3), SIGSEGV, SEGV_MAPERR);
  T_OK(msync(p, t_pages(1), MS_SYNC));
  T_FILE_OLD(fd, 0, t_pages(4));
}

static void
protections_move_with_their_pages(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *to = t_reserve(4);
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);

  p[0] = 'd';
  T_OK(mprotect(p, t_pages(2), PROT_READ));
  p = T_REMAP(p, t_pages(2), t_pages(2), MREMAP_MAYMOVE | MREMAP_FIXED, to);
  T_STORE_FAULTS(p, SIGSEGV, SEGV_ACCERR);
  T_LOADS(p, 'd');
  T_OK(mprotect(p, t_pages(2), RW));
  T_STORES(p + 1, 'e');
  T_OK(munmap(p, t_pages(2)));
  T_FILE_EQUALS(fd, 0, "de", 2);
}

static void
follows_the_file_as_it_grows(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(1));
  unsigned char *p = T_MAP(NULL, t_pages(1), RW, MAP_SHARED, fd, 0);

  for (size_t n = 2; n <= 64; n *= 2) {
    T_OK(ftruncate(fd, (off_t)t_pages(n)));
    p = T_REMAP(p, t_pages(n / 2), t_pages(n), MREMAP_MAYMOVE);
    T_MEM_ALL(p + t_pages(n / 2), t_pages(n / 2), 0);
    p[t_pages(n) - 1] = (unsigned char)n;
  }
  T_OK(msync(p, t_pages(64), MS_SYNC));
  for (size_t n = 2; n <= 64; n *= 2)
    T_FILE_BYTE(fd, (off_t)t_pages(n) - 1, (unsigned char)n);
  T_FILE_OLD(fd, 0, t_pages(1));
  T_FILE_SIZE(fd, t_pages(64));
}

static void
foreign_memory_can_be_moved_over_a_mapping(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(3));
  unsigned char *p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  unsigned char *foreign = t_foreign(1, 'f');

  memset(p, 'd', t_pages(3));
  T_REMAP(foreign, t_pages(1), t_pages(1), MREMAP_MAYMOVE | MREMAP_FIXED, p + t_pages(1));
  T_FILE_ALL(fd, (off_t)t_pages(1), t_pages(1), 'd');
  T_MEM_ALL(p + t_pages(1), t_pages(1), 'f');
  T_STORES(p + t_pages(1), 'g');
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_ALL(fd, 0, t_pages(3), 'd');
}

/* Two calls of mmap made them, and the host has one area of them. */
static void
two_mappings_side_by_side_move_as_one(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(5));
  unsigned char *area = t_vacant(4);
  unsigned char *p = T_MAP(area, t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, 0);
  unsigned char *q;

  T_MAP(area + t_pages(2), t_pages(2), RW, MAP_SHARED | MAP_FIXED, fd, (off_t)t_pages(2));
  PUT(p, 'd');
  PUT(p + t_pages(3), 'e');
  q = T_REMAP(p, t_pages(4), t_pages(5), MREMAP_MAYMOVE);
  T_LOADS(q, 'd');
  T_LOADS(q + t_pages(3), 'e');
  T_MEM_OLD(q + t_pages(4), t_pages(1), (off_t)t_pages(4));
}

/* The old range stays mapped, on the same pages of the file. */
static void
dontunmap_leaves_a_mapping_behind(void) {
  int fd = t_tmpfile(NULL, (off_t)t_pages(2));
  unsigned char *p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  unsigned char *q;

  p[0] = 'd';
  /* Some C libraries pass the fifth argument on whether it is meant or not. */
  q = mremap(p, t_pages(2), t_pages(2), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  if (q == MAP_FAILED && errno == EINVAL)
    t_skip("the host has it for anonymous memory only");
  T_CHECK(q != MAP_FAILED && q != p);
  T_LOADS(q, 'd');
  T_LOADS(p, 'd');
  T_STORES(p + 1, 'e');
  T_LOADS(q + 1, 'e');
}

static const struct t_case cases[] = {
  T_CASE(grows_in_place_where_there_is_room),
  T_CASE(moves_to_grow_and_takes_the_dirt_along),
  T_CASE(shrinks_and_writes_what_is_cut_off),
  T_CASE(moves_to_a_fixed_address_over_a_mapping_and_foreign_memory),
  T_CASE(moves_a_part_and_leaves_the_rest),
  T_CASE(old_length_0_makes_a_second_mapping_of_the_pages),
  T_CASE(private_mappings_keep_their_copies),
  T_CASE(protections_move_with_their_pages),
  T_CASE(follows_the_file_as_it_grows),
  T_CASE(foreign_memory_can_be_moved_over_a_mapping),
  T_CASE_DIVERGES(two_mappings_side_by_side_move_as_one, "each is moved by a call of its own"),
  /* divergence: EINVAL, says the contract. */
  T_CASE_DIVERGES(dontunmap_leaves_a_mapping_behind, "MREMAP_DONTUNMAP is refused on mappings"),
};

T_MAIN(cases)
