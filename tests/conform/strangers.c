/* strangers.c - programs that are not related map the same file: they have one memory. */
#include "conform.h"

#include "t_strangers.h"

#include <stdio.h>
#include <stdlib.h>

static char path[T_PATH];
static unsigned char *p;
static int fd;

static void
map_new(size_t npages) {
  fd = t_tmpfile(path, (off_t)t_pages(npages));
  p = T_MAP(NULL, t_pages(npages), RW, MAP_SHARED, fd, 0);
}

static void
store_is_seen_before_any_sync(void) {
  struct t_stranger s;

  map_new(3);
  PUT(p + 7, 'b'); /* before it comes */
  s = T_STRANGER_WITH(path, 3, S_SHARED);
  T_EQ(S_LOAD(s, 7), 'b');
  T_OK(S_STORE(s, t_pages(1) + 5, 's'));
  T_EQ(GET(p + t_pages(1) + 5), 's');
  PUT(p + t_pages(1) + 6, 'w'); /* the same page, both ways */
  T_EQ(S_LOAD(s, t_pages(1) + 6), 'w');
  T_OK(S_STORE(s, 7, 'c'));
  T_EQ(GET(p + 7), 'c');
  T_EQ(S_LOAD(s, t_pages(2)), t_old_byte((off_t)t_pages(2)));
  T_DISMISS(s);
  T_EQ(GET(p + 7), 'c');
  T_FILE_OLD(fd, (off_t)t_pages(2), t_pages(1));
}

static void
msync_writes_what_another_stored(void) {
  struct t_stranger s;

  map_new(4);
  s = T_STRANGER_WITH(path, 4, S_SHARED);
  T_OK(S_STORE(s, 1, 's'));
  T_OK(S_STORE(s, t_pages(2) + 1, 't'));
  PUT(p + t_pages(2) + 2, 'o');
  T_OK(msync(p, t_pages(4), MS_SYNC));
  T_FILE_BYTE(fd, 1, 's');
  T_FILE_BYTE(fd, (off_t)t_pages(2) + 1, 't');
  T_FILE_BYTE(fd, (off_t)t_pages(2) + 2, 'o');
  T_FILE_OLD(fd, (off_t)t_pages(3), t_pages(1));
  T_OK(S_STORE(s, 1, 'u')); /* it goes on in its open page */
  PUT(p + t_pages(3), 'v');
  T_OK(S_SYNC(s));
  T_FILE_BYTE(fd, 1, 'u');
  T_FILE_BYTE(fd, (off_t)t_pages(3), 'v');
  T_DISMISS(s);
}

/* A part of the file at another offset. */
static void
mappings_of_different_parts_meet(void) {
  struct t_stranger s;
  unsigned char *part;

  fd = t_tmpfile(path, (off_t)t_pages(6));
  part = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, (off_t)t_pages(3));
  s = T_STRANGER_WITH(path, 6, S_SHARED);
  T_OK(S_STORE(s, t_pages(4) + 9, 's'));
  T_EQ(GET(part + t_pages(1) + 9), 's');
  PUT(part + 3, 'p');
  T_EQ(S_LOAD(s, t_pages(3) + 3), 'p');
  T_OK(munmap(part, t_pages(2)));
  T_FILE_BYTE(fd, (off_t)t_pages(3) + 3, 'p');
  T_EQ(S_LOAD(s, t_pages(3) + 3), 'p');
  T_DISMISS(s);
  T_FILE_BYTE(fd, (off_t)t_pages(4) + 9, 's');
}

static void
one_leaves_and_comes_back(void) {
  struct t_stranger s;

  map_new(3);
  s = T_STRANGER_WITH(path, 3, S_SHARED);
  T_OK(S_STORE(s, 0, 's'));
  PUT(p + t_pages(1), 'p');
  T_OK(munmap(p, t_pages(3)));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'p');
  T_OK(S_STORE(s, t_pages(2), 't'));
  p = T_MAP(NULL, t_pages(3), RW, MAP_SHARED, fd, 0);
  T_EQ(GET(p), 's');
  T_EQ(GET(p + t_pages(1)), 'p');
  T_EQ(GET(p + t_pages(2)), 't');
  T_OK(S_UNMAP(s));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 't');
  PUT(p + t_pages(2), 'u');
  T_OK(S_MAP(s, path, 3, S_SHARED));
  T_EQ(S_LOAD(s, t_pages(2)), 'u');
  T_DISMISS(s);
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'u');
}

/* ---- Size ------------------------------------------------------------------------------------ */

static void
growth_by_one_is_seen_by_the_other(void) {
  struct t_stranger s;

  fd = t_tmpfile(path, (off_t)t_pages(2) + 100);
  p = T_MAP(NULL, t_pages(8), RW, MAP_SHARED, fd, 0);
  s = T_STRANGER_WITH(path, 8, S_SHARED);
  PUT(p + t_pages(2) + 99, 'l');
  T_LOAD_FAULTS(p + t_pages(5), SIGBUS, BUS_ADRERR);
  T_OK(S_RESIZE(s, t_pages(6)));
  T_OK(S_STORE(s, t_pages(5) + 1, 's'));
  T_LOADS(p + t_pages(5) + 1, 's');
  T_LOADS(p + t_pages(5), 0);
  T_LOADS(p + t_pages(2) + 99, 'l');
  T_LOADS(p + t_pages(2) + 100, 0);
  T_STORES(p + t_pages(4), 'p');
  T_EQ(S_LOAD(s, t_pages(4)), 'p');
  T_LOAD_FAULTS(p + t_pages(6), SIGBUS, BUS_ADRERR);
  T_OK(msync(p, t_pages(6), MS_SYNC));
  T_FILE_SIZE(fd, t_pages(6));
  T_FILE_BYTE(fd, (off_t)t_pages(5) + 1, 's');
  T_FILE_BYTE(fd, (off_t)t_pages(4), 'p');
  T_DISMISS(s);
}

/* The one that shrinks it syncs, so that softmap looks at the file. */
static void
shrinking_by_one_is_seen_by_the_other(void) {
  struct t_stranger s;

  map_new(6);
  s = T_STRANGER_WITH(path, 6, S_SHARED);
  PUT(p + t_pages(4), 'p');
  PUT(p + t_pages(1), 'q');
  T_OK(S_STORE(s, t_pages(5), 's'));
  T_OK(S_RESIZE(s, t_pages(2) + 10));
  T_OK(t_ask(T_HERE, &s, stranger_sync, 0, (intmax_t)t_pages(3), NULL));
  T_LOAD_FAULTS(p + t_pages(4), SIGBUS, BUS_ADRERR);
  T_STORE_FAULTS(p + t_pages(5), SIGBUS, BUS_ADRERR);
  T_EQ(S_LOAD(s, t_pages(3)), 256 + SIGBUS);
  T_LOADS(p + t_pages(1), 'q');
  T_LOADS(p + t_pages(2) + 9, t_old_byte((off_t)t_pages(2) + 9));
  T_LOADS(p + t_pages(2) + 10, 0);
  PUT(p + t_pages(2), 'r');
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_SIZE(fd, t_pages(2) + 10);
  T_FILE_BYTE(fd, (off_t)t_pages(2), 'r');
  /* and up again: zeros where it was cut off */
  T_OK(S_RESIZE(s, t_pages(6)));
  T_OK(S_SYNC(s));
  T_LOADS(p + t_pages(4), 0);
  T_EQ(S_LOAD(s, t_pages(5)), 0);
  T_DISMISS(s);
}

/* ---- Other kinds of mappings ----------------------------------------------------------------- */

static void
private_mapping_of_a_stranger(void) {
  struct t_stranger s;

  map_new(3);
  PUT(p, 'p');
  s = T_STRANGER_WITH(path, 3, S_PRIVATE);
  T_EQ(S_LOAD(s, 0), 'p');
  T_OK(S_STORE(s, t_pages(1), 's'));
  T_EQ(GET(p + t_pages(1)), t_old_byte((off_t)t_pages(1)));
  PUT(p + t_pages(1), 'q');
  T_EQ(S_LOAD(s, t_pages(1)), 's'); /* its copy */
  PUT(p + t_pages(2), 'r');
  T_EQ(S_LOAD(s, t_pages(2)), 'r'); /* not copied yet */
  T_OK(S_SYNC(s));
  T_OK(msync(p, t_pages(3), MS_SYNC));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 'q');
  T_DISMISS(s);
  T_EQ(GET(p + t_pages(1)), 'q');
}

/* Here the private one is first, and stays. */
static void
private_mapping_beside_a_strangers_shared_one(void) {
  struct t_stranger s;
  unsigned char *own;

  fd = t_tmpfile(path, (off_t)t_pages(2));
  own = T_MAP(NULL, t_pages(2), RW, MAP_PRIVATE, fd, 0);
  PUT(own, 'o');
  s = T_STRANGER_WITH(path, 2, S_SHARED);
  T_EQ(S_LOAD(s, 0), t_old_byte(0));
  T_OK(S_STORE(s, 0, 's'));
  T_OK(S_STORE(s, t_pages(1), 't'));
  T_EQ(GET(own), 'o');
  T_EQ(GET(own + t_pages(1)), 't');
  T_DISMISS(s);
  T_EQ(GET(own), 'o');
  T_FILE_BYTE(fd, 0, 's');
  T_FILE_BYTE(fd, (off_t)t_pages(1), 't');
}

static void
read_only_stranger(void) {
  struct t_stranger s;

  map_new(2);
  PUT(p, 'p');
  s = T_STRANGER_WITH(path, 2, S_LOOKING);
  T_EQ(S_LOAD(s, 0), 'p');
  PUT(p + t_pages(1), 'q');
  T_EQ(S_LOAD(s, t_pages(1)), 'q');
  T_EQ(S_STORE(s, 0, 'x'), 256 + SIGSEGV);
  T_ERR(S_MAP(s, path, 2, S_SHARED | S_READ_ONLY_FILE), EACCES);
  T_OK(S_SYNC(s)); /* of the mapping that it has: allowed, whoever dirtied the pages */
  T_OK(msync(p, t_pages(2), MS_SYNC));
  T_FILE_BYTE(fd, 0, 'p');
  T_DISMISS(s);
  T_EQ(GET(p), 'p');
}

/* The one that has only looked is there first, and last. */
static void
read_only_is_first_and_last(void) {
  struct t_stranger looks;
  struct t_stranger stores;

  fd = t_tmpfile(path, (off_t)t_pages(2));
  looks = T_STRANGER_WITH(path, 2, S_LOOKING);
  T_EQ(S_LOAD(looks, 0), t_old_byte(0));
  stores = T_STRANGER_WITH(path, 2, S_SHARED);
  T_OK(S_STORE(stores, 0, 's'));
  T_EQ(S_LOAD(looks, 0), 's');
  T_DISMISS(stores);
  T_FILE_BYTE(fd, 0, 's');
  T_EQ(S_LOAD(looks, 0), 's');
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  PUT(p + t_pages(1), 't');
  T_EQ(S_LOAD(looks, t_pages(1)), 't');
  T_OK(munmap(p, t_pages(2)));
  T_FILE_BYTE(fd, (off_t)t_pages(1), 't');
  T_DISMISS(looks);
}

/* ---- fork and exec between them -------------------------------------------------------------- */

static intmax_t
child_stores(intmax_t offset, intmax_t value, const char *text) {
  pid_t pid = t_fork();

  (void)text;
  if (pid == 0) {
    *(volatile unsigned char *)(stranger_at + offset) = (unsigned char)value;
    exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  return 0;
}

static void
child_of_a_stranger_is_in_it_too(void) {
  struct t_stranger s;
  pid_t pid;

  map_new(4);
  s = T_STRANGER_WITH(path, 4, S_SHARED);
  T_EQ(S_ASK(s, child_stores, t_pages(2), 'c'), 0);
  T_EQ(GET(p + t_pages(2)), 'c');
  pid = t_fork();
  if (pid == 0) {
    PUT(p + t_pages(3), 'd');
    T_EQ(S_LOAD(s, t_pages(3)), 'd');
    T_OK(msync(p, t_pages(4), MS_SYNC));
    T_FILE_BYTE(fd, (off_t)t_pages(2), 'c');
    _exit(0);
  }
  T_REAP(pid, T_EXITED(0));
  T_EQ(S_LOAD(s, t_pages(3)), 'd');
  T_DISMISS(s);
}

/* A file that a child mapped after the fork. */
static void
child_maps_what_the_parent_maps_later(void) {
  struct t_meeting there = t_meeting();
  struct t_meeting go = t_meeting();
  pid_t pid;

  fd = t_tmpfile(path, (off_t)t_pages(2));
  pid = t_fork();
  if (pid == 0) {
    p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
    PUT(p, 'c');
    t_ping(&there);
    t_wait(&go);
    T_EQ(GET(p + t_pages(1)), 'p');
    exit(0);
  }
  t_wait(&there);
  p = T_MAP(NULL, t_pages(2), RW, MAP_SHARED, fd, 0);
  T_EQ(GET(p), 'c');
  PUT(p + t_pages(1), 'p');
  t_ping(&go);
  T_REAP(pid, T_EXITED(0));
  T_FILE_BYTE(fd, 0, 'c');
}

/* Two names, and one that is renamed meanwhile: one file. */
static void
other_names_of_the_file(void) {
  char second[T_PATH + 8];
  char third[T_PATH + 8];
  struct t_stranger s;
  struct t_stranger t;

  map_new(2);
  (void)snprintf(second, sizeof second, "%s.2", path);
  (void)snprintf(third, sizeof third, "%s.3", path);
  T_OK(link(path, second));
  s = T_STRANGER_WITH(second, 2, S_SHARED);
  T_OK(rename(path, third));
  t = T_STRANGER_WITH(third, 2, S_SHARED);
  T_OK(S_STORE(s, 0, 's'));
  T_EQ(S_LOAD(t, 0), 's');
  T_EQ(GET(p), 's');
  T_OK(S_SYNC(t));
  T_FILE_BYTE(fd, 0, 's');
  T_DISMISS(t);
  T_DISMISS(s);
}

static const struct t_case cases[] = {
  T_CASE(store_is_seen_before_any_sync),
  T_CASE(msync_writes_what_another_stored),
  T_CASE(mappings_of_different_parts_meet),
  T_CASE(one_leaves_and_comes_back),
  T_CASE(growth_by_one_is_seen_by_the_other),
  T_CASE(shrinking_by_one_is_seen_by_the_other),
  T_CASE(private_mapping_of_a_stranger),
  T_CASE(private_mapping_beside_a_strangers_shared_one),
  T_CASE(read_only_stranger),
  T_CASE(read_only_is_first_and_last),
  T_CASE(child_of_a_stranger_is_in_it_too),
  T_CASE(child_maps_what_the_parent_maps_later),
  T_CASE(other_names_of_the_file),
};

T_MAIN(cases)
